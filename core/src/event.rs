//! Events, which the engine reports to the caller.
//!
//! Each lock has exactly one terminal event (`NotObtained`, `Lost` or `Released`) and none after it, so a driver can free
//! what it keeps for a lock when that event arrives. An event means that the caller may act on it; the engine may still be
//! busy with the lock, for example to release what a cancelled request has left on a node.
//!
//! A reason is what a node replied, what is known of a connection, or what the clock says. Nothing is guessed: a node that
//! did not reply never makes a lock `Taken`, because the caller would look for a holder that may not exist.

use core::fmt;
use core::time::Duration;

#[cfg(feature = "modes")]
use crate::change::NotChanged;
pub use crate::holder::Holder;
use crate::id::{LockId, NodeId};
use crate::lease::Lease;
#[cfg(feature = "modes")]
use crate::obtain::Mode;
use crate::obtain::Unsupported;
use crate::rough::Rough;

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
    /// Terminal: it was never obtained. What its requests may have left on nodes is being released.
    NotObtained {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: NotObtained,
    },
    /// The lease was extended (or, on request, shortened).
    Refreshed {
        /// Which lock.
        lock: LockId,
        /// Until when now.
        lease: Lease,
        /// Whether this answers all calls of [`crate::Engine::refresh`] so far. Otherwise it was a renewal, or a later call
        /// is still open.
        requested: bool,
    },
    /// The mode of the lock is another from now on, and its lease is a new one.
    #[cfg(feature = "modes")]
    Changed {
        /// Which lock.
        lock: LockId,
        /// The new mode.
        mode: Mode,
    },
    /// The lock is still held, and did not change.
    #[cfg(feature = "modes")]
    NotChanged {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: NotChanged,
    },
    /// Terminal: the lock is no longer ours, although no release was requested.
    Lost {
        /// Which lock.
        lock: LockId,
        /// Why.
        reason: Loss,
    },
    /// Terminal: the lock was released on request.
    Released {
        /// Which lock.
        lock: LockId,
        /// What the release found.
        proof: Released,
    },
    /// An inspection has ended: [`crate::Engine::take_inspection`] returns its result.
    Inspected {
        /// The id that [`crate::Engine::inspect`] returned.
        inspection: LockId,
    },
    /// A node became ready or was lost: for logs and metrics.
    Node {
        /// Which node.
        node: NodeId,
        /// Its state now.
        state: NodeState,
    },
}

/// Why a lock was not obtained.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NotObtained {
    /// Another client or lock holds it, and the request does not wait, or its retries are used up.
    Taken {
        /// The remaining time of the holder, if it does not refresh. `None` if it is not known or has no end.
        remaining: Option<Duration>,
        /// Who holds it.
        by: Holder,
    },
    /// The wait ended, and the lock was held when it was last checked.
    TimedOut {
        /// Who held it.
        by: Holder,
    },
    /// The grant arrived after its lease, or `max_hold`, had ended. Request a longer one.
    TooLate,
    /// Too few nodes replied: it is not known who holds the lock.
    Unreachable(NodeError),
    /// A node refuses for a reason that only a change of the setup removes.
    Refused(NodeError),
    /// The caller released it, or cancelled the request.
    Cancelled,
    /// The engine has reached `locks` of [`crate::Limits`].
    LimitReached,
    /// The request cannot be served. Nothing was sent.
    Unsupported(Unsupported),
}

impl fmt::Display for NotObtained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken {
                remaining: Some(remaining),
                by,
            } => {
                let remaining = Rough(*remaining);
                write!(f, "held {by} for about {remaining} more")
            }
            Self::Taken {
                remaining: None,
                by,
            } => write!(f, "held {by}"),
            Self::TimedOut { by } => write!(f, "still held {by} when the wait was over"),
            Self::TooLate => f.write_str(
                "granted so late that its lease was over: request a longer ttl or max_hold",
            ),
            Self::Unreachable(error) => write!(f, "too few nodes replied: {error}"),
            Self::Refused(error) => write!(f, "refused: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::LimitReached => f.write_str("too many locks at one time"),
            Self::Unsupported(why) => write!(f, "not possible: {why}"),
        }
    }
}

impl core::error::Error for NotObtained {}

/// Why a held lock was lost.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Loss {
    /// The lease ended before a refresh succeeded, or before the lock was released.
    Expired {
        /// Why the last refresh failed, if there was one.
        error: Option<NodeError>,
    },
    /// A node refuses to refresh it, for a reason that only a change of the setup removes.
    Refused(NodeError),
    /// Enough nodes replied that the key is no longer ours: it was deleted, overwritten, or has expired there.
    Taken,
    /// It was held for `max_hold`, after which renewal ends.
    MaxHold,
    /// The adapter that kept it alive was closed. The core itself never reports this.
    Closed,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { error: None } => f.write_str("the lease ended"),
            Self::Expired { error: Some(error) } => {
                write!(f, "the lease ended before a refresh succeeded: {error}")
            }
            Self::Refused(error) => write!(f, "it cannot be refreshed: {error}"),
            Self::Taken => f.write_str("the key was deleted, overwritten or expired on the server"),
            Self::MaxHold => f.write_str("it reached max_hold"),
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
    /// The nodes replied that the lock was no longer ours: it was lost before the release. Keys that were still ours are free
    /// now.
    Missing,
    /// Too few nodes confirmed the release in time. The lock is free at the latest when its ttl ends.
    Unconfirmed,
    /// Another lock of this engine has the same token and still holds the keys.
    Shared,
    /// Its lease had ended before. Adapters return this; the core reports it as [`Event::Lost`].
    Expired,
}

impl fmt::Display for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "released",
            Self::Missing => "it was no longer held",
            Self::Unconfirmed => "not confirmed: it is free at the latest when its ttl ends",
            Self::Shared => "another lock with the same token still holds it",
            Self::Expired => "its lease had ended before",
        })
    }
}

/// The state of a node.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeState {
    /// The handshake is complete.
    Ready {
        /// Whether the node reports changes of keys.
        tracking: bool,
    },
    /// The connection was lost or could not be made.
    Down(NodeError),
}

/// Why a node cannot serve a request.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum NodeError {
    /// There is no connection: it could not be made, or was closed.
    Disconnected,
    /// No reply in time.
    TimedOut,
    /// Its bytes are not RESP.
    Malformed,
    /// A reply exceeds a limit of [`crate::Limits`].
    AnswerTooLarge,
    /// More requests wait for its reply than [`crate::Limits`] allows.
    Overloaded,
    /// `LOADING`: it is loading its data set.
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
    /// `NOAUTH`: it requires a password.
    NoAuth,
    /// `WRONGPASS`: the user name or the password is wrong.
    WrongPassword,
    /// `NOPERM`: the user lacks a permission.
    NoPermission,
    /// It has no database with that number.
    NoDatabase,
    /// `OOM`: it is out of memory.
    OutOfMemory,
    /// `MISCONF`: it cannot write its data to disk.
    Misconfigured,
    /// `BUSY`: it is running a script that does not end.
    Busy,
    /// Too few replicas: to accept writes (`NOREPLICAS`), or to have received a grant in time ([`Config::acks`](crate::Config)).
    NoReplicas,
    /// It does not support a command, or the arguments that Tenure sends with it.
    Unsupported,
    /// It does not wait for its replicas as [`Config::acks`](crate::Config) requires: `WAIT` or `WAITAOF` is unknown there, or it has no
    /// append-only file.
    NoAcks,
    /// It runs no scripts: `EVAL` is unknown, or the user may not use it. Nor has it the commands that do without for this
    /// request, or there are none: own tokens and fences always need a script.
    NoScripts,
    /// `DENIED`: it is in protected mode, and takes connections from its own machine only.
    ProtectedMode,
    /// It has reached its limit of clients.
    TooManyClients,
    /// Any other error. [`crate::Engine::unknown_error`] has its text.
    Other,
}

/// What follows from an error of a node. An error that only people can fix ends a wait at once: a caller that waited on
/// would not learn why.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Policy {
    /// Retry while the wait lasts.
    Retry,
    /// The same over a new connection: after a failover, another server may have this address.
    Reconnect,
    /// Only a change of the setup helps.
    GiveUp,
}

/// Makes two functions from one table: the linker drops the texts from programs that do not print them (npm has its own).
macro_rules! table {
    ($($error:ident: $policy:ident, $text:literal;)*) => {
        impl NodeError {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$error),*];

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
    TimedOut: Retry, "no reply in time";
    Malformed: Retry, "it does not reply in RESP";
    AnswerTooLarge: Retry, "a reply is larger than allowed";
    Overloaded: Retry, "too many requests wait for its reply";
    Loading: Retry, "LOADING: it is still loading its data";
    ReadOnly: Reconnect, "READONLY: it is a replica, connect to the primary";
    MasterDown: Reconnect, "MASTERDOWN: it is a replica without its primary";
    Moved: GiveUp, "MOVED: it is part of a cluster, which needs a cluster client";
    ClusterDown: Retry, "CLUSTERDOWN: the cluster does not serve the key";
    TryAgain: Retry, "TRYAGAIN: the keys are being moved";
    CrossSlot: GiveUp, "CROSSSLOT: give the keys the same {tag}";
    NoAuth: GiveUp, "NOAUTH: it requires a password";
    WrongPassword: GiveUp, "WRONGPASS: the user name or the password is wrong";
    NoPermission: GiveUp, "NOPERM: the user lacks a permission";
    NoDatabase: GiveUp, "it has no database with that number";
    OutOfMemory: Retry, "OOM: it is out of memory";
    Misconfigured: Retry, "MISCONF: it cannot save its data";
    Busy: Retry, "BUSY: it is running a script that does not end";
    NoReplicas: Retry, "NOREPLICAS: too few of its replicas follow it, or confirm in time";
    Unsupported: GiveUp, "it does not support a command";
    NoScripts: GiveUp, "it runs no scripts, which this needs: permit EVAL and EVALSHA";
    NoAcks: GiveUp, "it cannot wait for its replicas, or has no append-only file: see WAIT and WAITAOF";
    ProtectedMode: GiveUp, "DENIED: it is in protected mode: set a password there, or connect from its own machine";
    TooManyClients: Retry, "it has reached its limit of clients (maxclients)";
    Other: Retry, "an unknown error";
}

impl NodeError {
    /// Whether only a change of the setup removes the cause. A wait ends at once with such an error.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self.policy(), Policy::GiveUp)
    }

    /// Whether to close the connection and open a new one.
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
