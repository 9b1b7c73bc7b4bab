//! In which of its states a lock is, and what is to be known there.

use crate::event::{NodeError, Released};
use crate::id::{NodeId, NodeSet};
use crate::lock::{Lease, Outcome};
use crate::obtain::{Renewal, Ttl};
use crate::time::{Instant, Micros};

/// The state of one lock. What is asked of the nodes just now is in [`super::Lock::ask`].
#[derive(Copy, Clone, Debug)]
pub(crate) enum LockState {
    /// It asks for its keys, or looks whether it may.
    Asking,
    Waiting {
        /// When to ask again; `None` leaves that to a wake.
        until: Option<Instant>,
        /// It has not asked since somebody of this engine stood before it.
        parked: bool,
    },
    Held(Held),
    Releasing(Releasing),
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    /// When to refresh next; `None` if nobody wants that.
    pub(crate) renew_at: Option<Instant>,
    /// The caller wants a refresh with this ttl, which no round that is under way asks for.
    pub(crate) wanted: Option<Ttl>,
    /// The last refresh was not answered by enough nodes.
    pub(crate) retrying: bool,
    /// A wake came while a round was under way.
    pub(crate) recheck: bool,
    /// Why the last refresh did not get through.
    pub(crate) error: Option<NodeError>,
}

#[derive(Copy, Clone, Debug)]
pub(crate) struct Releasing {
    /// Until when [`crate::Event::Released`] is to come, if it is.
    pub(crate) announce: Option<Instant>,
    /// What is not answered is not tried again: the next attempt has the same value.
    pub(crate) once: bool,
    /// When to give up, because the key is gone from the nodes by itself.
    pub(crate) until: Instant,
    /// When to try again what was not answered.
    pub(crate) retry_at: Option<Instant>,
    pub(crate) freed: NodeSet,
    pub(crate) missing: NodeSet,
    /// Nodes on which a release may have been carried out that was never answered.
    pub(crate) unsure: NodeSet,
}

impl Held {
    pub(crate) const fn new(lease: Lease, renew_at: Option<Instant>, recheck: bool) -> Self {
        Self {
            lease,
            renew_at,
            wanted: None,
            retrying: false,
            recheck,
            error: None,
        }
    }

    /// The first node drops the key between these two instants. If that is before the lease ends, somebody has shortened
    /// the key's ttl: with automatic renewal the lock is refreshed, otherwise the lease is cut. `single`: every node is
    /// needed.
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
    /// When a lease that was asked for at `asked_at` is renewed by itself: a third of its ttl later.
    pub(crate) fn after(self, asked_at: Instant, lease: Lease) -> Option<Instant> {
        match self {
            Self::Automatic { .. } => Some(asked_at + Micros(lease.ttl().as_micros().0 / 3)),
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

    /// Notes what a release found on a node.
    pub(crate) fn note(&mut self, node: NodeId, outcome: Outcome) {
        match outcome {
            Outcome::Granted { .. } => self.freed.insert(node),
            // What an earlier release may have deleted was not missing before that.
            Outcome::Denied { .. } if self.unsure.contains(node) => {}
            Outcome::Denied { .. } => self.missing.insert(node),
            Outcome::Failed(_) => {}
            Outcome::Unknown => self.unsure.insert(node),
        }
    }

    /// Whether it is time to report the result, or to give up.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until <= now || self.announce.is_some_and(|at| at <= now)
    }

    /// What can be said by now; `None` while more answers may come.
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

/// How long to pause after a round of a lock that too few nodes answered.
pub(crate) fn pause_after_silence(ttl: Ttl) -> Micros {
    Micros((ttl.as_micros().0 / 16).clamp(5_000, 1_000_000))
}
