//! What happened, reported to the caller. Each lock has exactly one terminal event and none after it.

use core::fmt;
use core::time::Duration;

use crate::id::{LockId, NodeId};
use crate::lease::Lease;

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
    /// The lease was made longer (or, on request, shorter).
    Refreshed {
        /// Which lock.
        lock: LockId,
        /// Until when now.
        lease: Lease,
        /// Whether this answers all calls of [`crate::Engine::refresh`] so far. Otherwise it was a renewal, or a later call
        /// is still open.
        asked: bool,
    },
    /// Terminal: it is no longer ours, although no release was requested.
    Lost {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: Loss,
    },
    /// Terminal: it was released on request.
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
    /// It is held, and the caller did not want to wait or to retry.
    Taken {
        /// How long the holder still has without a refresh, where it is known.
        remaining: Option<Duration>,
        /// Who holds it.
        by: Holder,
    },
    /// The wait is over, and the lock was held when it was last checked.
    TimedOut {
        /// Who held it.
        by: Holder,
    },
    /// It was granted so late that its ttl, or `max_hold`, was over by then. Request a longer one.
    TooLate,
    /// Too few nodes replied: it is not known who holds the lock.
    Unreachable(NodeError),
    /// A node refuses for a reason that a retry does not fix.
    Refused(NodeError),
    /// The caller released it, or cancelled the request.
    Withdrawn,
    /// The engine has as many locks as it may have.
    LimitReached,
}

/// Who holds a key that is taken.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Holder {
    /// A client outside this engine.
    Other,
    /// Another lock of this engine.
    Ourselves,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Other => "by somebody else",
            Self::Ourselves => "by another lock of this program",
        })
    }
}

impl fmt::Display for NotObtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken {
                remaining: Some(remaining),
                by,
            } => {
                let ms = remaining.as_millis();
                write!(f, "held {by} for up to {ms} ms more")
            }
            Self::Taken {
                remaining: None,
                by,
            } => write!(f, "held {by}"),
            Self::TimedOut { by } => write!(f, "still held {by} when the wait was over"),
            Self::TooLate => f.write_str(
                "granted so late that its time was over: ask for a longer ttl or max_hold",
            ),
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
    /// The lease ended before a refresh got through, or before the lock was released.
    Expired {
        /// Why the last refresh did not get through, if there was one.
        error: Option<NodeError>,
    },
    /// A node refuses to refresh it, for a reason that a retry does not fix.
    Refused(NodeError),
    /// The nodes reported that the key is no longer ours: deleted, overwritten, or expired there.
    Taken,
    /// Renewal reached `max_hold`.
    MaxHold,
    /// The adapter that kept it alive was closed. The core itself never reports this.
    Closed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { error: None } => f.write_str("the lease ended"),
            Self::Expired { error: Some(error) } => {
                write!(f, "the lease ended before a refresh got through: {error}")
            }
            Self::Refused(error) => write!(f, "it cannot be refreshed: {error}"),
            Self::Taken => f.write_str("the key was deleted, overwritten or expired on the server"),
            Self::MaxHold => f.write_str("it was held for as long as it may be"),
            Self::Closed => f.write_str("the locker was closed"),
        }
    }
}

impl core::error::Error for Loss {}

/// What a release found.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Released {
    /// Every key was still ours on enough nodes, and is free now.
    Confirmed,
    /// The nodes replied that it was no longer ours. Any key that was still ours is free now.
    Missing,
    /// Too few nodes confirmed it, or not in time. It is free at the latest when its ttl is over.
    Unconfirmed,
    /// Another lock of this engine has the same token and still holds the keys.
    Shared,
    /// Its lease was over by then: it had been lost. The core reports that as [`Event::Lost`].
    Expired,
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "released",
            Self::Missing => "it was not held any more",
            Self::Unconfirmed => "not confirmed: it is free at the latest when its ttl is over",
            Self::Shared => "another lock with the same token still holds it",
            Self::Expired => "its lease had ended before",
        })
    }
}

/// How a node is.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeState {
    /// The handshake is done.
    Ready {
        /// Whether the node reports changes of keys.
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
    /// `DENIED`: it is in protected mode, and takes connections from its own machine only.
    ProtectedMode,
    /// It has as many connections as it takes.
    TooManyClients,
    /// Any other error. [`crate::Engine::unknown_error`] has the node's own words.
    Other,
}

/// What follows from an error of a node.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Policy {
    /// Try again while the wait lasts.
    Retry,
    /// The same over a new connection: after a failover another server may answer at this address.
    Reconnect,
    /// Only a change of the setup helps.
    GiveUp,
}

/// Makes two functions of one table, so that a program that prints no text contains none.
macro_rules! table {
    ($($error:ident: $policy:ident, $text:literal;)*) => {
        impl NodeError {
            const fn policy(self) -> Policy {
                match self {
                    $(Self::$error => Policy::$policy,)*
                }
            }

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$error => $text,)*
                }
            }
        }
    };
}

// All errors: what follows from each, and its text. The first words of the server's replies are in `redis/error.rs`, the
// names in JavaScript in `bindings/npm/src/errors.ts`; a test of `bindings/wasm/src/codes.rs` compares those with this enum.
table! {
    Disconnected: Retry, "not connected";
    TimedOut: Retry, "no answer in time";
    Malformed: Retry, "it does not speak RESP";
    AnswerTooLarge: Retry, "an answer is larger than allowed";
    Overloaded: Retry, "too much waits to be sent";
    Loading: Retry, "LOADING: it is still reading its data";
    ReadOnly: Reconnect, "READONLY: it is a replica, connect to the primary";
    MasterDown: Reconnect, "MASTERDOWN: a replica without its primary";
    Moved: GiveUp, "MOVED: it is part of a cluster, which needs a cluster client";
    ClusterDown: Retry, "CLUSTERDOWN: the cluster does not serve the key";
    TryAgain: Retry, "TRYAGAIN: the keys are being moved";
    CrossSlot: GiveUp, "CROSSSLOT: give the keys the same {tag}";
    NoAuth: GiveUp, "NOAUTH: it wants a password";
    WrongPassword: GiveUp, "WRONGPASS: user or password are wrong";
    NoPermission: GiveUp, "NOPERM: the user lacks a permission";
    NoDatabase: GiveUp, "it has no database of that number";
    OutOfMemory: Retry, "OOM: it is out of memory";
    Misconfigured: Retry, "MISCONF: it cannot save its data";
    Busy: Retry, "BUSY: it runs a script that does not end";
    NoReplicas: Retry, "NOREPLICAS: too few replicas";
    Unsupported: GiveUp, "it does not know a command";
    ProtectedMode: GiveUp, "DENIED: it is in protected mode: set a password there, or connect from its own machine";
    TooManyClients: Retry, "it has as many clients as its maxclients allows";
    Other: Retry, "an error that is not known here";
}

impl NodeError {
    /// Whether only a change of the setup helps. A wait ends at once with such an error.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self.policy(), Policy::GiveUp)
    }

    /// Whether to connect again.
    pub(crate) const fn hangs_up(self) -> bool {
        matches!(self.policy(), Policy::Reconnect)
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl core::error::Error for NodeError {}
