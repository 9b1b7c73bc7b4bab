//! The ticket of a lock: its place in the queue of a node, and what wakes it there.
//!
//! | the node replies | what wakes the lock | when it retries otherwise |
//! |---|---|---|
//! | granted | | |
//! | denied because of those who have the key, alone or together | a change of the key | when that lease ends |
//! | denied because of a client that came first, and the lock has registered for its bell | that bell only | when that client no longer counts |
//! | the same, but it has not | | at once, and registers first; after [`MOST_HOPS`] times when the usual pause ends |
//! | nothing, or an error | | when the usual pause ends, with the same value, which finds its place again |
//!
//! It also retries when a third of its timeout is over, which keeps its place. See `core/docs/modes.md`.

#[cfg(feature = "modes")]
use alloc::boxed::Box;
use core::time::Duration;

use crate::id::{NodeId, NodeSet};
use crate::lock::{Bell, Lock, Obstacle, Outcome, RoundKind};
#[cfg(feature = "modes")]
use crate::obtain::Mode;
use crate::time::{Instant, Micros};
use crate::ttl::Ttl;

/// The longest timeout of a place: a client that has crashed holds up the queue for no longer.
#[cfg(feature = "modes")]
const MOST_TIMEOUT: Duration = Duration::from_secs(10);
/// How often in a row a lock retries at once because another client is in front of it than before.
const MOST_HOPS: u8 = 3;

/// A lock that waits in the queue of a node.
#[derive(Clone, Debug)]
pub struct Ticket {
    timeout: Ttl,
    /// Since when it waits, and for how long it had when the round began.
    since: Instant,
    waited: Duration,
    /// The bell that the current request registers for, or the last one did.
    bell: Option<Bell>,
    /// The last reply named that bell: until it rings, changes of the key mean nothing.
    awaits_bell: bool,
    /// It rang during a request.
    rung: bool,
    /// The last reply was a denial, so that the node has no more of this lock than its place in the queue.
    stands: bool,
    /// The same for the reply before the current request.
    stood: bool,
    /// The next request only registers for a bell, or keeps the place: it is no attempt that counts.
    keeps_place: bool,
    hops: u8,
}

impl Ticket {
    /// A ticket for a lock that waits in order. The node of the queue is the first one.
    #[cfg(feature = "modes")]
    pub(crate) fn new(mode: Mode, ttl: Ttl, now: Instant) -> Option<Box<Self>> {
        let longest = Ttl::new(MOST_TIMEOUT).unwrap_or(ttl);
        (!mode.is_exclusive()).then(|| {
            Box::new(Self {
                timeout: ttl.min(longest),
                since: now,
                waited: Duration::ZERO,
                bell: None,
                awaits_bell: false,
                rung: false,
                stands: false,
                stood: false,
                keeps_place: false,
                hops: 0,
            })
        })
    }

    /// For how long the place is kept without another request.
    #[must_use]
    pub const fn timeout(&self) -> Ttl {
        self.timeout
    }

    /// For how long the lock has waited: the node orders its queue by that.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        self.waited
    }

    /// The bell to register for before the question.
    #[must_use]
    pub const fn bell(&self) -> Option<Bell> {
        self.bell
    }

    /// A round begins. True if it is no attempt that counts.
    pub(super) fn restart(&mut self, now: Instant) -> bool {
        self.waited = now.saturating_since(self.since);
        self.rung = false;
        // Until there is a reply, the node may have granted it.
        self.stood = core::mem::take(&mut self.stands);
        self.awaits_bell = false;
        core::mem::take(&mut self.keeps_place)
    }

    /// When to retry at the latest, after a request at this instant.
    fn keep_at(&self, asked_at: Instant) -> Instant {
        asked_at + Micros(self.timeout.as_micros().0 / 3)
    }

    /// A node has denied the lock: whether it will be notified.
    fn denied(&mut self, by: Obstacle, watched: bool) -> bool {
        self.stands = true;
        self.awaits_bell = false;
        match by {
            Obstacle::Queue(Some(bell)) if self.bell == Some(bell) => {
                self.awaits_bell = true;
                self.hops = 0;
                true
            }
            Obstacle::Queue(Some(bell)) => {
                self.bell = Some(bell);
                self.hops = self.hops.saturating_add(1);
                self.keeps_place = self.hops <= MOST_HOPS;
                false
            }
            Obstacle::Queue(None) | Obstacle::Holder | Obstacle::Sharing => {
                self.hops = 0;
                watched
            }
        }
    }
}

impl Lock {
    /// The ticket, if the lock waits in order.
    #[inline]
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        #[cfg(feature = "modes")]
        return self.ticket.as_deref();
        #[cfg(not(feature = "modes"))]
        None
    }

    #[inline]
    #[cfg_attr(
        not(feature = "modes"),
        allow(clippy::needless_pass_by_ref_mut, reason = "there are no tickets then")
    )]
    pub(crate) fn ticket_mut(&mut self) -> Option<&mut Ticket> {
        #[cfg(feature = "modes")]
        return self.ticket.as_deref_mut();
        #[cfg(not(feature = "modes"))]
        None
    }

    /// Notes what the node of the queue replies to an attempt, and in the outcome whether this lock will be notified.
    #[cold]
    pub(crate) fn note_place(&mut self, node: NodeId, outcome: &mut Outcome) {
        let asked = |active: &super::ActiveRound| active.kind == RoundKind::Obtain;
        let is_first = node.index() == 0 && self.active.as_ref().is_some_and(asked);
        let Some(ticket) = self.ticket_mut().filter(|_| is_first) else {
            return;
        };
        match outcome {
            Outcome::Denied { by, watched, .. } => *watched = ticket.denied(*by, *watched),
            Outcome::Granted { .. } | Outcome::Weak | Outcome::Unknown => {}
            Outcome::Failed(_) => ticket.stands = ticket.stood,
        }
    }

    /// Whether the node of the queue has its place, and nothing else of it: as far as the last round has shown.
    pub(crate) fn is_only_queued(&self) -> bool {
        let releases = |active: &super::ActiveRound| active.kind == RoundKind::Release;
        self.ticket().is_some_and(|ticket| ticket.stands)
            && self.active.as_ref().is_none_or(releases)
    }

    /// Whether it has a place in the queue of this node, by the last reply.
    pub(crate) fn has_place(&self, node: NodeId) -> bool {
        node.index() == 0 && self.ticket().is_some_and(|ticket| ticket.stands)
    }

    /// Every node that may have more of this lock than its place in the queue.
    pub(crate) fn may_be_held_on(&self) -> NodeSet {
        let mut nodes = self.may_hold;
        if self.is_only_queued()
            && let Some(first) = NodeId::new(0)
        {
            nodes.remove(first);
        }
        nodes
    }

    /// Whether only a bell wakes it, not a change of the key.
    pub(crate) fn awaits_bell(&self) -> bool {
        self.ticket().is_some_and(|ticket| ticket.awaits_bell)
    }

    /// Whether it has to register for the bell of another client at once.
    pub(crate) fn hops(&self) -> bool {
        let hops = |ticket: &Ticket| ticket.keeps_place && ticket.stands;
        self.ticket().is_some_and(hops)
    }

    /// Whether the bell rang that it listens to, during its request. `None` if it listens to the key.
    pub(crate) fn was_rung(&self) -> Option<bool> {
        let ticket = self.ticket().filter(|ticket| ticket.awaits_bell);
        ticket.map(|ticket| ticket.rung)
    }

    /// When to retry so that the place is kept, after a request at this instant.
    pub(crate) fn keep_place_at(&self, asked_at: Instant) -> Option<Instant> {
        let ticket = self.ticket().filter(|ticket| ticket.stands);
        ticket.map(|ticket| ticket.keep_at(asked_at))
    }

    /// The next request only keeps the place.
    pub(crate) fn keep_place(&mut self) {
        if let Some(ticket) = self.ticket_mut() {
            ticket.keeps_place = ticket.stands;
        }
    }

    /// A bell rang: whether this lock listens to it.
    pub(crate) fn ring(&mut self, bell: Bell, is_open: bool) -> bool {
        let ticket = self.ticket_mut();
        let Some(ticket) = ticket.filter(|ticket| ticket.bell == Some(bell)) else {
            return false;
        };
        if is_open {
            ticket.rung = true;
        } else {
            // From now on it listens to the key: it may be the first.
            (ticket.bell, ticket.awaits_bell) = (None, false);
        }
        true
    }
}
