//! Why a lock did not change its mode.

use std::error::Error;
use std::fmt;

use tenure_core::{ChangeError, Loss, NotChanged};

/// Why a lock did not change from reader to writer or back.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ModeError {
    /// The change cannot be requested. Nothing was sent, and the lock is unchanged.
    Refused(ChangeError),
    /// The lock is still held, and did not change.
    NotChanged(NotChanged),
    /// The lock is no longer held.
    Lost(Loss),
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::NotChanged(reason) => write!(f, "not changed: {reason}"),
            Self::Lost(loss) => write!(f, "lost: {loss}"),
        }
    }
}

// The message contains the reason: as a source it would be printed twice.
impl Error for ModeError {}
