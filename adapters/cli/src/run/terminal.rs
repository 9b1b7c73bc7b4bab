//! Who has the terminal: an interactive command needs it, and its user wants it back.

use std::fs::File;
use std::io::IsTerminal;

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgid, getpgrp, getppid, getsid, tcgetpgrp, tcsetpgrp};

/// The controlling terminal, if there is one.
pub(crate) struct Terminal {
    tty: Option<File>,
    /// How it was set up when it was given away; `None` while this process has it.
    given: Option<Option<Termios>>,
    /// Whether the command has had it at any time.
    was_given: bool,
}

impl Terminal {
    pub(crate) fn open() -> Self {
        let tty = File::options().read(true).write(true).open("/dev/tty").ok();
        Self {
            tty,
            given: None,
            was_given: false,
        }
    }

    /// Gives it to `group` at the start, if the command is all that the user talks to: this process is in the
    /// foreground, and its input and output are the terminal's. In a pipeline another one may want to read it
    /// (`tenure run … | less`); there the command gets it when it asks ([`Self::is_wanted`]).
    pub(crate) fn give_if_interactive(&mut self, group: i32) {
        if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
            let _ = self.give(group);
        }
    }

    /// Gives it to `group` if it is this process's to give.
    pub(crate) fn give(&mut self, group: i32) -> bool {
        let Some(tty) = &self.tty else { return false };
        if tcgetpgrp(tty) != Ok(getpgrp()) {
            return false;
        }
        let settings = tcgetattr(tty).ok();
        let given = tcsetpgrp(tty, Pid::from_raw(group)).is_ok();
        if given {
            self.given = Some(settings);
            self.was_given = true;
        }
        given
    }

    /// Whether the command has been stopped because it wants the terminal.
    pub(crate) fn is_wanted(signal: i32) -> bool {
        matches!(signal, libc::SIGTTIN | libc::SIGTTOU)
    }

    /// Whether the command has it.
    pub(crate) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Whether the command has had it at any time, and so wants it again when it goes on.
    pub(crate) fn was_given(&self) -> bool {
        self.was_given
    }

    /// Takes it back if it was given. With `mended` also its settings, which a killed command cannot restore.
    pub(crate) fn take_back(&mut self, mended: bool) {
        let (Some(tty), Some(settings)) = (&self.tty, self.given.take()) else {
            return;
        };
        // Who is not in the foreground is stopped for this, unless it blocks that signal.
        let mut before = SigSet::empty();
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGTTOU);
        let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&blocked), Some(&mut before));
        let _ = tcsetpgrp(tty, getpgrp());
        if let (true, Some(settings)) = (mended, settings) {
            let _ = tcsetattr(tty, SetArg::TCSADRAIN, &settings);
        }
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    }

    /// Whether somebody is there to let this process go on once it has stopped: a parent with job control, in the same
    /// session and another group.
    pub(crate) fn has_job_control(&self) -> bool {
        let parent = Some(getppid());
        self.tty.is_some()
            && getsid(parent).is_ok_and(|session| Ok(session) == getsid(None))
            && getpgid(parent).is_ok_and(|group| group != getpgrp())
    }
}
