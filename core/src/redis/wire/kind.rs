//! What was sent, so far as it decides how the replies are read.

use crate::redis::Script;

/// How the replies to an operation are read. Unless it says otherwise the first reply decides; further ones are remaining times.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Set,
    SetIfEqual,
    Script {
        script: Script,
        /// The number that the script returns if it has changed all keys.
        all: u16,
    },
    DeleteIfEqual,
    /// The obtain script for a lock with a fence: it returns the number, or 0.
    Fenced,
    /// Several keys are set, or none.
    SetSeveral,
    /// A command for each key, because no script runs.
    PerKey {
        command: PerKey,
        keys: u16,
    },
    /// Remaining times only, one per key: the keys are free if none has one.
    Times,
    /// For each key its value and its remaining time: whether all are still ours.
    Check,
    /// The same, for an inspection.
    ValuesAndTimes,
    /// A script of a mode other than `Exclusive`: the commands before it do not matter.
    #[cfg(feature = "modes")]
    Mode {
        script: Script,
        /// How many replies come before it that do not matter, without the time.
        before: u8,
        watch: Watch,
        queued: Queued,
    },
    /// Whether the key is shared, and whether we are among those who share it.
    #[cfg(feature = "modes")]
    SharedCheck {
        /// How many replies come before the first that matters. If there is any, one more comes between the two.
        before: u8,
    },
    /// A script that reports everything that is known of a key.
    #[cfg(feature = "modes")]
    Status {
        /// How many replies come before it that do not matter.
        before: u8,
    },
    /// `WAIT` or `WAITAOF`: how many replicas have what was written before. It has replies of its own.
    #[cfg(feature = "acks")]
    Wait,
    /// A `PING`. Any reply, even an error, shows that the connection works.
    Probe,
}

/// What is sent for each key of a lock, where no script runs.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum PerKey {
    /// `SET … IFEQ`, and behind all of them the command of an obtain.
    Settle,
    /// `SET … IFEQ`.
    Refresh,
    /// `DELIFEQ` or `DELEX`.
    Release,
}

/// Whether the remaining time of the key is read beside a script, which registers us for its next change.
#[cfg(feature = "modes")]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Watch {
    No,
    /// Before the script, because a grant is not to be notified.
    Before,
    /// Behind it, because its own write would end the registration.
    Behind,
}

/// Whether the lock waits in order, so that it is notified when one of those who share the key leaves.
#[cfg(feature = "modes")]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Queued {
    No,
    Yes,
    /// It has also registered for the bell of the client in front of it.
    WithBell,
}

impl Kind {
    /// The script that it needs.
    pub(crate) const fn script(self) -> Option<Script> {
        match self {
            Self::Script { script, .. } => Some(script),
            Self::Fenced => Some(Script::Obtain),
            #[cfg(feature = "modes")]
            Self::Mode { script, .. } => Some(script),
            #[cfg(feature = "modes")]
            Self::Status { .. } => Some(Script::Status),
            #[cfg(feature = "modes")]
            Self::SharedCheck { .. } => None,
            #[cfg(feature = "acks")]
            Self::Wait => None,
            Self::Set
            | Self::SetIfEqual
            | Self::DeleteIfEqual
            | Self::SetSeveral
            | Self::PerKey { .. }
            | Self::Times
            | Self::Check
            | Self::ValuesAndTimes
            | Self::Probe => None,
        }
    }

    /// Whether it is about the connection, and no lock has requested it.
    pub(crate) const fn is_of_no_lock(self) -> bool {
        match self {
            Self::Probe => true,
            #[cfg(feature = "acks")]
            Self::Wait => true,
            Self::Set
            | Self::SetIfEqual
            | Self::Script { .. }
            | Self::DeleteIfEqual
            | Self::Fenced
            | Self::SetSeveral
            | Self::PerKey { .. }
            | Self::Times
            | Self::Check
            | Self::ValuesAndTimes => false,
            #[cfg(feature = "modes")]
            Self::Mode { .. } | Self::SharedCheck { .. } | Self::Status { .. } => false,
        }
    }

    /// How many replies decide.
    pub(crate) const fn deciding(self) -> u16 {
        match self {
            Self::PerKey {
                command: PerKey::Settle,
                keys,
            } => keys.saturating_add(1),
            Self::PerKey { keys, .. } => keys,
            Self::Set
            | Self::SetIfEqual
            | Self::Script { .. }
            | Self::DeleteIfEqual
            | Self::Fenced
            | Self::SetSeveral => 1,
            #[cfg(feature = "modes")]
            Self::Mode { .. } => 1,
            #[cfg(feature = "modes")]
            Self::SharedCheck { .. } | Self::Status { .. } => 0,
            #[cfg(feature = "acks")]
            Self::Wait => 0,
            Self::Times | Self::Check | Self::ValuesAndTimes | Self::Probe => 0,
        }
    }
}
