//! What happened, told to the caller. Each lock has exactly one terminal event and none after it.

use core::fmt;
use core::time::Duration;

use crate::id::{LockId, NodeId};
use crate::lock::Lease;

/// Something that happened.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The lock is ours until the lease ends.
    Obtained {
        /// Which lock.
        lock: LockId,
        /// Until when.
        lease: Lease,
    },
    /// Terminal: it never became ours, and nothing of it will be left on a node.
    NotObtained {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: NotObtained,
    },
    /// The lease was made longer (or, on the user's wish, shorter).
    Refreshed {
        /// Which lock.
        lock: LockId,
        /// Until when now.
        lease: Lease,
        /// Whether this answers [`crate::Engine::refresh`], and all calls of it so far; otherwise it was a renewal, or
        /// more has been wished for since.
        asked: bool,
    },
    /// Terminal: it is ours no longer, and nobody asked for that.
    Lost {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: Loss,
    },
    /// Terminal: it was released on the caller's wish.
    Released {
        /// Which lock.
        lock: LockId,
        /// What the release found.
        proof: Released,
    },
    /// An inspection is over: [`crate::Engine::take_inspection`] has its result.
    Inspected {
        /// The id that [`crate::Engine::inspect`] gave.
        inspection: LockId,
    },
    /// A node came or went: for logs and metrics.
    Node {
        /// Which node.
        node: NodeId,
        /// How it is now.
        state: NodeState,
    },
}

/// Why a lock was not obtained.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NotObtained {
    /// Somebody else holds it, and the caller did not want to wait, or not ask again.
    Taken {
        /// How long the holder still has without a refresh, where it is known.
        remaining: Option<Duration>,
    },
    /// The wait is over, and at the last look somebody else held it.
    TimedOut,
    /// Too few nodes gave an answer: who holds it is not known.
    Unreachable(NodeError),
    /// A node refuses for a reason that asking again does not mend.
    Refused(NodeError),
    /// The caller let go of it.
    Withdrawn,
    /// The engine has as many locks as it may have.
    LimitReached,
}

impl fmt::Display for NotObtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken {
                remaining: Some(remaining),
            } => {
                write!(
                    f,
                    "held by somebody else for up to {} ms more",
                    remaining.as_millis()
                )
            }
            Self::Taken { remaining: None } => f.write_str("held by somebody else"),
            Self::TimedOut => f.write_str("still held by somebody else when the wait was over"),
            Self::Unreachable(error) => write!(f, "too few nodes answered: {error}"),
            Self::Refused(error) => write!(f, "refused: {error}"),
            Self::Withdrawn => f.write_str("withdrawn"),
            Self::LimitReached => f.write_str("too many locks at once"),
        }
    }
}

impl core::error::Error for NotObtained {}

/// Why a held lock was lost.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Loss {
    /// The lease ended before a refresh got through.
    Expired,
    /// The nodes say that the key is not ours any more: deleted, overwritten, or expired there.
    Taken,
    /// Renewal had kept it for as long as it may.
    MaxHold,
    /// Whoever kept it alive has ended: an adapter tells so when it is closed. The core itself does not.
    Closed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the lease ended before a refresh got through",
            Self::Taken => "the key was deleted, overwritten or expired on the server",
            Self::MaxHold => "it was held for as long as it may be",
            Self::Closed => "the locker was closed",
        })
    }
}

impl core::error::Error for Loss {}

/// What a release found.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Released {
    /// Every key was still ours on enough nodes, and is free now.
    Confirmed,
    /// The nodes answered that it had not been ours any more. What was still ours is free now.
    Missing,
    /// Too few nodes answered in the lock's time. It is free at the latest when its ttl is over.
    Unconfirmed,
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "released",
            Self::Missing => "it was not held any more",
            Self::Unconfirmed => "no answer: it is free when its ttl is over",
        })
    }
}

/// How a node is.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeState {
    /// The handshake is done.
    Ready {
        /// Whether the node tells of changes to keys by itself.
        tracking: bool,
    },
    /// The connection is gone, or could not be made.
    Down(NodeError),
}

/// What went wrong with a node.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeError {
    /// There is no connection: it could not be made, or was closed.
    Disconnected,
    /// No answer in time.
    TimedOut,
    /// Its bytes are not RESP.
    Malformed,
    /// An answer went past a limit of [`crate::Limits`].
    AnswerTooLarge,
    /// More waits to be sent than [`crate::Limits`] allows.
    Overloaded,
    /// `LOADING`: it reads its data set.
    Loading,
    /// `READONLY`: it is a replica.
    ReadOnly,
    /// `MASTERDOWN`: a replica that has lost its master.
    MasterDown,
    /// `MOVED` or `ASK`: it is part of a cluster, and the key is elsewhere.
    Moved,
    /// `CLUSTERDOWN`: its cluster does not serve the key now.
    ClusterDown,
    /// `TRYAGAIN`: the keys are on their way to another node.
    TryAgain,
    /// `CROSSSLOT`: the keys are not in one hash slot.
    CrossSlot,
    /// `NOAUTH`: it wants a password.
    NoAuth,
    /// `WRONGPASS`: user or password are wrong.
    WrongPassword,
    /// `NOPERM`: the user may not do that.
    NoPermission,
    /// It has no database of that number.
    NoDatabase,
    /// `OOM`: it is out of memory.
    OutOfMemory,
    /// `MISCONF`: it cannot write its data to disk.
    Misconfigured,
    /// `BUSY`: it runs a script that does not end.
    Busy,
    /// `NOREPLICAS`: too few replicas to accept writes.
    NoReplicas,
    /// It does not know a command, or the form of it.
    Unsupported,
    /// Any other error.
    Other,
}

impl NodeError {
    /// Whether asking again cannot mend it: somebody must change the setup. A wait ends at once.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Moved
                | Self::CrossSlot
                | Self::NoAuth
                | Self::WrongPassword
                | Self::NoPermission
                | Self::NoDatabase
                | Self::Unsupported
        )
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "not connected",
            Self::TimedOut => "no answer in time",
            Self::Malformed => "it does not speak RESP",
            Self::AnswerTooLarge => "an answer is larger than allowed",
            Self::Overloaded => "too much waits to be sent",
            Self::Loading => "LOADING: it is still reading its data",
            Self::ReadOnly => "READONLY: it is a replica, connect to the primary",
            Self::MasterDown => "MASTERDOWN: a replica without its primary",
            Self::Moved => "MOVED: it is part of a cluster, which needs a cluster client",
            Self::ClusterDown => "CLUSTERDOWN: the cluster does not serve the key",
            Self::TryAgain => "TRYAGAIN: the keys are being moved",
            Self::CrossSlot => "CROSSSLOT: give the keys the same {tag}",
            Self::NoAuth => "NOAUTH: it wants a password",
            Self::WrongPassword => "WRONGPASS: user or password are wrong",
            Self::NoPermission => "NOPERM: the user lacks a permission",
            Self::NoDatabase => "it has no database of that number",
            Self::OutOfMemory => "OOM: it is out of memory",
            Self::Misconfigured => "MISCONF: it cannot save its data",
            Self::Busy => "BUSY: it runs a script that does not end",
            Self::NoReplicas => "NOREPLICAS: too few replicas",
            Self::Unsupported => "it does not know a command",
            Self::Other => "an error that is not known here",
        })
    }
}

impl core::error::Error for NodeError {}
