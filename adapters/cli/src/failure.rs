//! How the program ends: an exit code that scripts can rely on, and a message that says what to do.

use std::fmt;

/// Exit codes, after `sysexits.h` where it has one.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// `demo`: two held at once. `sim`: a promise was broken.
    Broken = 1,
    /// Bad usage (`EX_USAGE`).
    Usage = 64,
    /// Too few servers could be reached (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// The lock was lost while the command ran (`EX_SOFTWARE`).
    Lost = 70,
    /// The operating system refused something (`EX_OSERR`).
    System = 71,
    /// Another client holds the lock (`EX_TEMPFAIL`).
    NotObtained = 75,
    /// The command is there and cannot be run.
    CannotRun = 126,
    /// There is no such command.
    NotFound = 127,
}

/// Why the program ends without having done its task.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    /// For scripts.
    pub(crate) exit: Exit,
    /// For people: what happened and what to do. May have several lines.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { exit, message }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Something that the operating system refused.
    pub(crate) fn system(what: &str, error: impl fmt::Display) -> Self {
        Self::new(Exit::System, format!("{what}: {error}"))
    }
}

/// The status with which the program ends when all went as asked: that of the command, or 0.
pub(crate) type Outcome = Result<u8, Failure>;
