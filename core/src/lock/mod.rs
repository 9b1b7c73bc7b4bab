//! One lock: four states, one deadline each, one round at a time.
//!
//! | state | deadline | an outcome arrives | deadline passes | `release()` | wake |
//! |---|---|---|---|---|---|
//! | `Attempting` | end of round, at last `give_up_at` | won and the lease still valid → `Held`, **Obtained**; otherwise `Waiting` or **NotObtained** | pending nodes become unknown; **NotObtained** at `give_up_at` | release what may be held, **NotObtained(Cancelled)** | retry after a denial |
//! | `Waiting` | the earliest of `until`, `look_at` and `give_up_at` | stale: ignored | retry, look, or **NotObtained** | as above | retry, at once or after jitter |
//! | `Held` | earliest of renewal, round end, expiry | refresh won → **Refreshed**; a quorum denied → **Lost(Taken)**, refused → **Lost(Refused)**; unknown → retry later | renewal due → new round; expiry → **Lost(Expired)** and release | `Releasing` | check that it is still ours |
//! | `Releasing` | round end, next try, `announce`, at last `until` | all nodes that may hold it have replied → **Released** | **Released(Unconfirmed)** | – | try again |
//!
//! `Attempting` requests the keys, or only looks (reads whether they are free): periodically, because a wake may never come, and after
//! a turn, to yield to other processes (`turns.rs`). What a lost attempt may have left on nodes is released by a lock of its
//! own, while this one continues with a fresh token. After its terminal event a lock stays in `Releasing`, without a further
//! event, until nothing of it can be left on a node.

mod active_round;
mod attempt;
#[cfg(feature = "modes")]
mod changing;
mod fencing;
#[cfg(feature = "search")]
mod fingerprint;
mod hash;
mod index;
mod op;
mod probe;
mod round;
mod round_kind;
mod slab;
mod state;
#[cfg(feature = "modes")]
mod status;
mod ticket;
mod turns;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

pub(crate) use active_round::ActiveRound;
pub(crate) use fencing::Fencing;
pub(crate) use hash::hash;
pub(crate) use index::{Index, WAITER};
pub use op::{Bell, KeySet, Obstacle, Op, Outcome};
pub(crate) use probe::Probe;
pub use probe::{Holding, Inspection};
pub(crate) use round::{Goal, Order, Round, Verdict, Vote};
pub(crate) use round_kind::RoundKind;
pub(crate) use slab::Slab;
pub(crate) use state::{Held, History, LockState, Releasing, Wake, pause_after_silence};
#[cfg(feature = "modes")]
pub(crate) use status::LISTED;
#[cfg(feature = "modes")]
pub use status::Status;
pub use ticket::Ticket;
pub(crate) use turns::{DISTANCE_FACTOR, Turns, yield_time};

use crate::claim::Claim;
use crate::event::NotObtained;
use crate::id::NodeSet;
use crate::keys::{Key, Keys};
use crate::lease::Lease;
use crate::obtain::{Mode, Obtain, Renewal};
use crate::retry::{Retry, RetryProgress};
use crate::time::{Instant, Micros};
use crate::ttl::Ttl;

/// The id names no lock that is held.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct UnknownLock;

impl fmt::Display for UnknownLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this lock is not held")
    }
}

impl core::error::Error for UnknownLock {}

/// Why the last attempt of a lock failed, and when that was known.
#[derive(Copy, Clone, Debug)]
pub(crate) struct LastFailure {
    failure: Option<(NotObtained, Instant)>,
    /// The keys that others held, as far as known; `None` if the lock has one key.
    blocked: Option<KeySet>,
}

impl LastFailure {
    /// The failure, if it concerns the key at this place.
    pub(crate) fn about(self, place: usize) -> Option<(NotObtained, Instant)> {
        let is_about = self.blocked.is_none_or(|held| held.contains(place));
        self.failure
            .filter(|(reason, _)| is_about || !matches!(reason, NotObtained::Taken { .. }))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Lock {
    // What was requested.
    pub(crate) claim: Claim,
    pub(crate) ttl: Ttl,
    pub(crate) mode: Mode,
    pub(crate) give_up_at: Option<Instant>,
    pub(crate) retry: Retry,
    pub(crate) renewal: Renewal,
    /// The hash of its first key.
    pub(crate) key_hash: u64,
    /// The numbers of its nodes, if it wants a fence: apart, because few locks do.
    pub(crate) fencing: Option<Box<Fencing>>,
    /// Its place in the queue of the first node, if it waits in order: apart for the same reason.
    #[cfg(feature = "modes")]
    ticket: Option<Box<Ticket>>,

    // In any state.
    pub(crate) state: LockState,
    pub(crate) active: Option<ActiveRound>,
    /// The number of the latest round.
    pub(crate) round: u32,
    /// Its position among the locks that have one of its keys.
    pub(crate) rank: u64,

    // What nodes may have of it, in any state, until none has anything.
    /// Every node on which our value may be stored.
    pub(crate) may_hold: NodeSet,
    /// When its keys have expired on every node, even if none is deleted.
    pub(crate) gone_at: Instant,
    /// What earlier requests may still do there.
    pub(crate) history: History,
    /// Nodes whose last reply was a final error, over all rounds: a single round may end before all of them have replied.
    pub(crate) refused: NodeSet,

    // While it attempts or waits.
    pub(crate) progress: RetryProgress,
    /// The keys that others held at the last attempt, and the nodes that denied it.
    pub(crate) blocked: Option<KeySet>,
    pub(crate) denied: NodeSet,
    /// Why the last attempt failed, and when that was known.
    pub(crate) failure: Option<(NotObtained, Instant)>,
    /// How long its last round took.
    pub(crate) round_trip: Micros,
    /// After a turn of this engine: since when it yields the keys to others, and how often it has looked.
    pub(crate) yielding: Option<(Instant, u8)>,

    // While it is held.
    /// The mode that a change has been requested to.
    #[cfg(feature = "modes")]
    pub(crate) change_to: Option<Mode>,
    /// It is not known whether a change was carried out, or will be.
    #[cfg(feature = "modes")]
    pub(crate) unsettled: bool,
    /// With which limit it shared its key before it was to have it alone.
    #[cfg(feature = "modes")]
    pub(crate) shared_limit: Option<core::num::NonZeroU32>,
    /// Renewal keeps it no longer than this.
    pub(crate) hold_until: Option<Instant>,
    /// The round that won it, and the nodes that had not answered by then. Requests that still wait for a connection are sent
    /// to them all the same: the more nodes have the lock, the more may fail.
    late: (u32, NodeSet),
}

impl Lock {
    pub(crate) fn new(request: Obtain, prefix: &[u8], arrival: u64, now: Instant) -> Self {
        // Each field is named, so that a new option cannot be forgotten.
        let Obtain {
            keys,
            token,
            metadata,
            ttl,
            wait,
            retry,
            renewal,
            mode,
            fence,
        } = request;
        let key_hash = hash(keys.first());
        let claim = Claim::new(prefix, keys, token, metadata.as_bytes());
        let wait = wait.filter(|wait| !wait.is_zero());
        Self {
            claim,
            ttl,
            mode,
            give_up_at: wait.map(|wait| now + wait),
            retry,
            renewal,
            key_hash,
            fencing: fence.map(Fencing::boxed),
            #[cfg(feature = "modes")]
            ticket: wait.and_then(|_| Ticket::new(mode, ttl, now)),
            state: LockState::Waiting {
                until: None,
                look_at: None,
                parked: true,
            },
            active: None,
            round: 0,
            rank: if wait.is_some() {
                arrival | WAITER
            } else {
                arrival
            },
            may_hold: NodeSet::EMPTY,
            gone_at: now,
            history: History::new(ttl),
            refused: NodeSet::EMPTY,
            progress: RetryProgress::default(),
            blocked: Some(KeySet::NONE),
            denied: NodeSet::EMPTY,
            failure: None,
            round_trip: Micros::default(),
            yielding: None,
            #[cfg(feature = "modes")]
            change_to: None,
            #[cfg(feature = "modes")]
            unsettled: false,
            #[cfg(feature = "modes")]
            shared_limit: None,
            hold_until: None,
            late: (0, NodeSet::EMPTY),
        }
    }

    /// When the lock has to be processed next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let round = self.active.as_ref().map(|active| active.deadline);
        match &self.state {
            LockState::Attempting => round,
            LockState::Waiting { until, look_at, .. } => {
                earlier(earlier(*until, *look_at), self.give_up_at)
            }
            LockState::Held(held) => {
                earlier(round.or(held.renew_at), Some(held.lease.expires_at()))
            }
            LockState::Releasing(releasing) => earlier(
                earlier(round.or(releasing.retry_at), releasing.announce),
                Some(releasing.until),
            ),
        }
    }

    /// Why it has to be processed then.
    pub(crate) fn reason(&self) -> &'static str {
        let due = self.deadline();
        let in_round = self.active.is_some();
        match &self.state {
            LockState::Waiting { until, .. } if due == *until => "retry",
            LockState::Waiting { look_at, .. } if due == *look_at => "look",
            LockState::Waiting { .. } => "end of a wait",
            LockState::Held(held) if due == Some(held.lease.expires_at()) => "end of a lease",
            LockState::Held(_) if !in_round => "renewal",
            LockState::Releasing(releasing) if due == Some(releasing.until) => "end of a release",
            LockState::Releasing(releasing) if due == releasing.announce => "end of a release",
            LockState::Releasing(_) if !in_round => "repeated release",
            LockState::Attempting if due == self.give_up_at => "end of a wait",
            LockState::Attempting | LockState::Held(_) | LockState::Releasing(_) => {
                "end of a round"
            }
        }
    }

    /// Whether its last attempt was granted only after the lease had ended.
    pub(crate) fn was_too_late(&self) -> bool {
        matches!(self.failure, Some((NotObtained::TooLate, _)))
    }

    pub(crate) fn releasing(&self) -> Option<&Releasing> {
        match &self.state {
            LockState::Releasing(releasing) => Some(releasing),
            LockState::Attempting | LockState::Waiting { .. } | LockState::Held(_) => None,
        }
    }

    pub(crate) fn keys(&self) -> Keys {
        self.claim.keys().clone()
    }

    pub(crate) fn is_waiter(&self) -> bool {
        self.rank >= WAITER
    }

    /// Whether another lock of this engine with `claim` must not request the keys now. A lock that does not wait makes its attempt even
    /// if this one holds them.
    pub(crate) fn blocks(&self, (claim, mode): (&Claim, Mode), waits: bool) -> bool {
        match &self.state {
            // Others that share the key do not wait for this one: only a server knows whether the limit is reached.
            LockState::Held(_) if self.mode.is_shared() && mode.is_shared() => false,
            LockState::Held(_) => waits && self.claim.value() != claim.value(),
            // Requests on one connection are carried out in order, so an obtain may follow a release that was handed out.
            // But a release that is sent again must not delete what an obtain with the same value has set.
            LockState::Releasing(_) => self.active.as_ref().is_some_and(|active| {
                !active.round.unsent().is_empty() || self.claim.value() == claim.value()
            }),
            LockState::Attempting | LockState::Waiting { .. } => false,
        }
    }

    /// Whether younger waiters of this engine must wait behind it for `key`: it makes an attempt now, or its last attempt was
    /// denied because of that key.
    pub(crate) fn contends_for(&self, key: &[u8]) -> bool {
        match &self.state {
            LockState::Attempting => true,
            LockState::Waiting { parked: false, .. } => {
                let mut keys = self.claim.keys().iter();
                let place = keys.position(|own| own.as_bytes() == key);
                place.is_some_and(|place| self.blocked.is_some_and(|held| held.contains(place)))
            }
            LockState::Waiting { parked: true, .. }
            | LockState::Held(_)
            | LockState::Releasing(_) => false,
        }
    }

    pub(crate) fn last_failure(&self) -> LastFailure {
        LastFailure {
            failure: self.failure,
            blocked: (self.claim.keys().len() > 1).then(|| self.blocked.unwrap_or(KeySet::NONE)),
        }
    }

    /// The last failure about `key`, and when it was known.
    pub(crate) fn last_failure_about(&self, key: &Key) -> Option<(NotObtained, Instant)> {
        let place = self.claim.keys().iter().position(|own| own == key);
        place.and_then(|place| self.last_failure().about(place))
    }

    /// Whether it waits for `key` to become free, as far as known.
    pub(crate) fn waits_for(&self, key: &[u8]) -> bool {
        self.contends_for(key)
            || self.blocked.is_none()
                && matches!(self.state, LockState::Waiting { parked: false, .. })
    }

    /// The lease of a grant.
    pub(crate) fn lease(&self, requested_at: Instant) -> Lease {
        let lease = Lease::granted(requested_at, self.history.certain_ttl(self.ttl));
        self.hold_until.map_or(lease, |at| lease.capped(at))
    }

    /// Enters `Held` after the current round, which began at `requested_at`. `late` are the nodes that have not answered yet.
    pub(crate) fn hold(
        &mut self,
        lease: Lease,
        requested_at: Instant,
        late: NodeSet,
        recheck: bool,
    ) {
        self.late = (self.round, late);
        let renew_at = self.renewal.after(requested_at, lease);
        self.state = LockState::Held(Held::new(lease, renew_at, recheck));
    }

    pub(crate) fn max_hold(&self) -> Option<Duration> {
        match self.renewal {
            Renewal::Automatic { max_hold } => max_hold,
            Renewal::Manual => None,
        }
    }

    pub(crate) fn start_releasing(&mut self, announce: Option<Instant>, until: Instant) {
        self.state = LockState::Releasing(Releasing::new(announce, until));
    }
}

pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
