//! The states of a lock, the data of each, and what earlier requests left for all of them.

use crate::event::{NodeError, Released};
use crate::id::{NodeId, NodeSet};
use crate::lease::Lease;
use crate::lock::Outcome;
use crate::obtain::Renewal;
use crate::time::{Instant, Micros};
use crate::ttl::Ttl;

/// The state of one lock. Its current round is in [`super::Lock::active`].
#[derive(Copy, Clone, Debug)]
pub(crate) enum LockState {
    /// A round requests its keys, or reads whether they are free.
    Attempting,
    Waiting {
        /// When to retry; `None` until a wake.
        until: Option<Instant>,
        /// When to read whether the keys are free, even if no wake comes; `None` while parked.
        look_at: Option<Instant>,
        /// Another lock of this engine comes first, and this one has sent nothing since.
        parked: bool,
    },
    Held(Held),
    Releasing(Releasing),
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// When to refresh next; `None` without renewal.
    pub(crate) renew_at: Option<Instant>,
    /// The ttl of a refresh that the caller requested, and that no current round covers.
    pub(crate) wanted: Option<Ttl>,
    /// Too few nodes replied to the last refresh.
    pub(crate) retrying: bool,
    /// A wake came during a round: when it has ended, one check follows whether the lock is still ours.
    pub(crate) recheck: bool,
    /// Why the last refresh failed.
    pub(crate) error: Option<NodeError>,
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Releasing {
    /// The deadline for [`crate::Event::Released`]; `None` if it was reported or is not due.
    pub(crate) announce: Option<Instant>,
    /// Unanswered releases are not repeated: the next attempt has the same value.
    pub(crate) once: bool,
    /// When to give up, because the keys have expired on the nodes.
    pub(crate) until: Instant,
    /// When to repeat unanswered releases.
    pub(crate) retry_at: Option<Instant>,
    pub(crate) freed: NodeSet,
    pub(crate) missing: NodeSet,
    /// Nodes with an unanswered release, which may have been carried out.
    pub(crate) unsure: NodeSet,
}

/// What earlier requests may still do to the keys of a lock, in any of its states.
#[derive(Copy, Clone, Hash, Debug)]
pub(crate) struct History {
    /// The shortest ttl that any request with this token carried.
    shortest_ttl: Ttl,
    /// A request was never answered: a node may still carry it out, in any order.
    has_unanswered: bool,
    /// Another lock with the same token was released, and left it to this one to delete keys that may outlast its lease.
    pub(crate) inherited: bool,
}

impl History {
    pub(super) const fn new(ttl: Ttl) -> Self {
        Self {
            shortest_ttl: ttl,
            has_unanswered: false,
            inherited: false,
        }
    }

    /// A request that sets this ttl is made.
    pub(super) fn note_request(&mut self, ttl: Ttl) {
        self.shortest_ttl = self.shortest_ttl.min(ttl);
    }

    pub(super) const fn note_unanswered(&mut self) {
        self.has_unanswered = true;
    }

    pub(super) const fn has_unanswered(&self) -> bool {
        self.has_unanswered
    }

    /// The lock goes on with a fresh token, which none of its requests has carried.
    pub(super) const fn token_changed(&mut self, ttl: Ttl) {
        self.shortest_ttl = ttl;
        self.has_unanswered = false;
    }

    /// The ttl that counts after a grant with `ttl`. If a request with a shorter one was never answered, a node may still carry
    /// it out and shorten the key's ttl to that.
    pub(super) fn certain_ttl(&self, ttl: Ttl) -> Ttl {
        if self.has_unanswered {
            ttl.min(self.shortest_ttl)
        } else {
            ttl
        }
    }
}

impl Held {
    pub(super) const fn new(lease: Lease, renew_at: Option<Instant>, recheck: bool) -> Self {
        Self {
            lease,
            renew_at,
            wanted: None,
            retrying: false,
            recheck,
            error: None,
        }
    }

    /// The key expires on the first node between these two instants. If that is before the lease ends, another program has
    /// shortened its ttl: with automatic renewal the lock is refreshed, otherwise the lease is shortened. `single`: every node
    /// is needed.
    pub(crate) fn note_end(
        &mut self,
        (least, most): (Instant, Instant),
        renewal: Renewal,
        single: bool,
        now: Instant,
    ) {
        if most >= self.lease.expires_at() {
            return;
        }
        if single {
            self.lease = self.lease.capped(least);
        }
        if let Renewal::Automatic { .. } = renewal {
            self.renew_at = Some(now);
        }
    }

    /// A refresh was granted.
    pub(crate) fn refreshed(&mut self, lease: Lease, renew_at: Option<Instant>) {
        self.lease = self.lease.extended(lease);
        self.renew_at = renew_at;
        self.retrying = false;
        self.error = None;
    }
}

impl Renewal {
    /// When automatic renewal refreshes a lease that was requested at `requested_at`: a third of its ttl later.
    pub(crate) fn after(self, requested_at: Instant, lease: Lease) -> Option<Instant> {
        match self {
            Self::Automatic { .. } => Some(requested_at + Micros(lease.ttl().as_micros().0 / 3)),
            Self::Manual => None,
        }
    }
}

impl Releasing {
    pub(crate) const fn new(announce: Option<Instant>, until: Instant) -> Self {
        Self {
            announce,
            once: false,
            until,
            retry_at: None,
            freed: NodeSet::EMPTY,
            missing: NodeSet::EMPTY,
            unsure: NodeSet::EMPTY,
        }
    }

    /// Notes the outcome of a release on a node.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn note(&mut self, node: NodeId, outcome: Outcome) {
        match outcome {
            Outcome::Granted { .. } => self.freed.insert(node),
            // An earlier, unanswered release may have deleted it.
            Outcome::Denied { .. } if self.unsure.contains(node) => {}
            Outcome::Denied { .. } => self.missing.insert(node),
            // A release is never weak.
            Outcome::Weak | Outcome::Failed(_) => {}
            Outcome::Unknown => self.unsure.insert(node),
        }
    }

    /// Whether it is time to report the result, or to give up.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until <= now || self.announce.is_some_and(|at| at <= now)
    }

    /// The result so far; `None` while more replies may come.
    pub(crate) fn proof(&self, nodes: NodeSet, quorum: usize, over: bool) -> Option<Released> {
        if self.freed.holds(quorum) {
            Some(Released::Confirmed)
        } else if !over {
            None
        } else if !nodes.without(self.missing).holds(quorum) {
            Some(Released::Missing)
        } else {
            Some(Released::Unconfirmed)
        }
    }
}

/// The pause after a round in which too few nodes replied.
pub(crate) fn pause_after_silence(ttl: Ttl) -> Micros {
    Micros((ttl.as_micros().0 / 16).clamp(5_000, 1_000_000))
}

/// What a round has learnt of its keys apart from replies. It decides what the lock does when the round has ended.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Wake {
    None,
    /// A node that had denied has confirmed a release of this engine: after a denial the lock retries at once.
    Freed,
    /// A key has changed, perhaps later than any reply was sent: the same after a denial, and after a win the lock is checked
    /// once.
    Changed,
}
