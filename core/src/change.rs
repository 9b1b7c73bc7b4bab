//! A change from reader to writer or back: why it is refused, and why it did not happen.

use core::fmt;

use crate::event::NodeError;
use crate::holder::Holder;

/// Why a change cannot be requested. Nothing was sent.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ChangeError {
    /// The lock is not held.
    NotHeld,
    /// The lock has that mode already, or shares its key already.
    SameMode,
    /// A lock by `obtain` does not know of those who share a key: it cannot become one of them, and none of them can become
    /// such a lock.
    Exclusive,
    /// The lock is held on several nodes, and a change could succeed on some of them only.
    SeveralNodes,
    /// The user chose the token. Other locks with the same token count on the mode that the key has, and would not learn of
    /// the change.
    OwnToken,
    /// An earlier change of this lock is not over.
    UnderWay,
    /// It is not known whether an earlier change was carried out, or will be. The lock shares its key as far as its user may
    /// rely on it, and changes no more: a late change back could otherwise let others in beside a writer.
    Unsettled,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHeld => "the lock is not held",
            Self::SameMode => "the lock has that mode already",
            Self::Exclusive => {
                "only locks by `read`, `permit` and `write` can change: one by `obtain` does not know of readers"
            }
            Self::SeveralNodes => {
                "a lock on several servers cannot change: it could succeed on some of them only"
            }
            Self::OwnToken => {
                "a lock with a token of your own cannot change: other locks with that token would not learn of it"
            }
            Self::UnderWay => "an earlier change of the lock is not over",
            Self::Unsettled => {
                "an earlier change had no certain result: release the lock and obtain another one"
            }
        })
    }
}

impl core::error::Error for ChangeError {}

/// Why a lock did not change. It is still held.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NotChanged {
    /// Others share the key, so the lock cannot have it alone. It can be tried again.
    Taken {
        /// Who is in the way.
        by: Holder,
    },
    /// The node refused, or could not be reached. A lock that shares its key still does, and may try again. One that was to
    /// share it counts as doing so, and [changes no more](ChangeError::Unsettled).
    Failed(NodeError),
    /// There was no reply. The lock counts as sharing its key, and [changes no more](ChangeError::Unsettled).
    Unanswered(NodeError),
}

impl fmt::Display for NotChanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { by } => write!(f, "held {by}"),
            Self::Failed(error) => write!(f, "the server did not change it: {error}"),
            Self::Unanswered(error) => write!(f, "it is not known whether it changed: {error}"),
        }
    }
}

impl core::error::Error for NotChanged {}
