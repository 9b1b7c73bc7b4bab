//! The lock algorithm for many locks at once: operations out, outcomes in, no bytes.
//!
//! The contract is that of [`crate::Engine`], one layer down: the driver carries out each [`Op`] on a node and reports its
//! [`Outcome`].

mod access;
#[cfg(feature = "modes")]
mod change;
#[cfg(feature = "search")]
mod explore;
mod hold;
mod inspect;
mod obtain;
mod parking;
mod queued;
mod release;
mod rounds;
mod share;
mod turn;
mod verdict;
mod waiters;

use alloc::sync::Arc;

use crate::config::{Arrangement, Config};
use crate::event::{Event, NodeError, NotObtained};
use crate::fifo::Queue;
use crate::id::{LockId, NodeId, NodeSet, RequestId};
use crate::lock::{Index, Lock, LockState, Op, Order, Outcome, Probe, Slab, Turns, UnknownLock};
use crate::obtain::Obtain;
use crate::rng::Rng;
use crate::time::{Instant, Micros};
use crate::timers::Timers;
use crate::ttl::Ttl;

use verdict::PerNode;

/// All locks of one engine. A clone is independent of the original.
#[derive(Clone, Debug)]
pub struct Locks {
    setup: Setup,
    rng: Rng,
    now: Instant,
    /// How many locks were requested so far: the order of waiters.
    arrivals: u64,
    slab: Slab<Entry>,
    index: Index,
    timers: Timers,
    turns: Turns,
    /// Why a node cannot be used now; `None` if it can.
    down: PerNode<NodeError>,
    /// Why and when the latest request to a node that can be used failed, whichever lock made it; `None` if the node replied.
    failing: PerNode<(NodeError, Instant)>,
    /// When a node last granted or denied something.
    replied_at: Instant,
    requests: Queue<RequestId>,
    events: Queue<Event>,
    closing: bool,
}

/// The part of a [`Config`] that the algorithm needs.
#[derive(Clone, Debug)]
struct Setup {
    /// The prefix of each key on the nodes.
    prefix: Arc<[u8]>,
    nodes: NodeSet,
    quorum: usize,
    /// The order in which an obtain is sent to the nodes.
    order: Order,
    request_timeout: Micros,
    limit: usize,
    /// Whether grants wait for replicas.
    acks: bool,
}

#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all entries are locks")]
enum Entry {
    Lock(Lock),
    Probe(Probe),
}

/// What to do next.
#[derive(Debug)]
pub enum LocksOutput<'a> {
    /// Carry out `op` on the node of `id`, after all earlier ones on the same connection, then report its outcome.
    Request {
        /// To be given back with the outcome.
        id: RequestId,
        /// What to do.
        op: Op<'a>,
    },
    /// Something happened.
    Event(Event),
    /// Nothing else is left: call [`Locks::handle_timeout`] at this instant, if there is one.
    Timeout(Option<Instant>),
}

impl Locks {
    /// Without locks. `seed` drives the jitter of retries and nothing else.
    #[must_use]
    pub fn new(config: &Config, seed: u64, now: Instant) -> Self {
        let single = config.nodes().len() == 1;
        let order = match config.arrangement() {
            Arrangement::Ordered if !single => Order::Forward,
            Arrangement::Ordered | Arrangement::Quorum => Order::Parallel,
        };
        Self {
            setup: Setup {
                prefix: Arc::from(&*config.prefix),
                nodes: NodeSet::first(config.nodes().len()),
                quorum: config.quorum(),
                order,
                request_timeout: config.request_timeout.into(),
                limit: config.limits.locks,
                acks: config.has_acks(),
            },
            rng: Rng::new(seed),
            now,
            arrivals: 0,
            slab: Slab::default(),
            index: Index::default(),
            timers: Timers::default(),
            turns: Turns::new(config.turn),
            down: PerNode::NONE,
            failing: PerNode::NONE,
            replied_at: now,
            requests: Queue::default(),
            events: Queue::default(),
            closing: false,
        }
    }

    /// Starts to obtain a lock. Ends with [`Event::Obtained`] or [`Event::NotObtained`].
    pub fn obtain(&mut self, request: Obtain, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.arrivals = self.arrivals.saturating_add(1);
        let full = self.slab.len() >= self.setup.limit;
        let by_quorum = self.setup.nodes.len() > 1 && self.setup.order == Order::Parallel;
        let unsupported = request.unsupported(by_quorum, self.setup.acks);
        let (prefix, arrival) = (&self.setup.prefix, self.arrivals);
        let id = self
            .slab
            .insert(Entry::Lock(Lock::new(request, prefix, arrival, now)));
        if full || self.closing || unsupported.is_some() {
            let reason = match unsupported {
                Some(why) => NotObtained::Unsupported(why),
                None if full => NotObtained::LimitReached,
                None => NotObtained::Cancelled,
            };
            self.slab.remove(id);
            self.events
                .push_back(Event::NotObtained { lock: id, reason });
            return id;
        }
        let alone = match self.slab.get(id) {
            Some(Entry::Lock(lock)) => self.index.insert(lock.claim.keys(), lock.rank, id.slot),
            _ => false,
        };
        // In the usual case no other lock of this engine has one of its keys, so none can come first.
        if alone {
            self.attempt_now(id);
        } else {
            self.attempt_or_park(id);
        }
        id
    }

    /// Refreshes a held lock: once more for its ttl, or from now on for another. Ends with [`Event::Refreshed`] or
    /// with the lock's terminal event; until one of them it is tried again.
    ///
    /// # Errors
    /// [`UnknownLock`] if the lock is not held.
    pub fn refresh(
        &mut self,
        lock: LockId,
        ttl: Option<Ttl>,
        now: Instant,
    ) -> Result<(), UnknownLock> {
        self.clamp(now);
        self.want_refresh(lock, ttl).ok_or(UnknownLock)
    }

    /// Turns renewal off: see [`crate::Engine::stop_renewing`].
    pub fn stop_renewing(&mut self, lock: LockId, now: Instant) {
        self.clamp(now);
        self.stop_renewal(lock);
    }

    /// Releases a lock in any state, once; later calls and old ids do nothing. A held lock ends with
    /// [`Event::Released`], any other with [`NotObtained::Cancelled`].
    pub fn release(&mut self, lock: LockId, now: Instant) {
        self.clamp(now);
        self.release_lock(lock);
    }

    /// Releases all locks and accepts no new ones.
    pub fn close(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.closing = true;
        let mut slot = 0;
        while let Some(id) = self.slab.first_from(slot) {
            slot = id.slot.saturating_add(1);
            if self.lock(id).is_none() {
                self.end_inspection(id);
                continue;
            }
            self.release_lock(id);
            let until = now + self.setup.request_timeout;
            if let Some(Lock {
                state: LockState::Releasing(releasing),
                ..
            }) = self.lock_mut(id)
            {
                releasing.until = releasing.until.min(until);
                self.rearm(id);
            }
        }
    }

    /// Reports the outcome of a request. Outcomes that come too late, or twice, are ignored.
    pub fn handle_outcome(&mut self, request: RequestId, outcome: Outcome, now: Instant) {
        self.clamp(now);
        self.answered(request, &outcome);
    }

    /// A hint that `key` changed on `node`. Locks work without it, only slower.
    pub fn handle_wake(&mut self, node: NodeId, key: &[u8], now: Instant) {
        self.handle_wake_amid((node, key), None, now);
    }

    /// A wake that came between two replies to the request `amid`: it may be newer than the first of them.
    pub(crate) fn handle_wake_amid(
        &mut self,
        (node, key): (NodeId, &[u8]),
        amid: Option<RequestId>,
        now: Instant,
    ) {
        self.clamp(now);
        self.wake_key(node, key, amid.map(|request| request.lock));
    }

    /// A hint that any key may have changed on `node`, or that it can be reached again.
    pub fn handle_wake_all(&mut self, node: NodeId, now: Instant) {
        self.clamp(now);
        let mut slot = 0;
        while let Some(id) = self.slab.first_from(slot) {
            slot = id.slot.saturating_add(1);
            if self.is_retrying(id) {
                self.renew(id);
            } else {
                self.wake(id, node, None);
            }
        }
    }

    /// Does what is due. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        while let Some((at, slot)) = self.timers.first() {
            if at > now {
                break;
            }
            match self.slab.id_of(slot) {
                Some(id) => self.expire(id),
                None => self.timers.set(slot, None),
            }
        }
    }

    /// What to do next. To be called until it returns [`LocksOutput::Timeout`].
    pub fn poll_output(&mut self) -> LocksOutput<'_> {
        while let Some(id) = self.next_request() {
            if let Some(op) = self.op(id) {
                if op.is_obtain() {
                    self.obtain_sent(id);
                }
                return match self.op(id) {
                    Some(op) => LocksOutput::Request { id, op },
                    // Never: what is handed out has an operation. Then there is something to do at once.
                    None => LocksOutput::Timeout(Some(self.now)),
                };
            }
        }
        match self.next_event() {
            Some(event) => LocksOutput::Event(event),
            None => LocksOutput::Timeout(self.deadline()),
        }
    }

    /// The next request to send. Processes what has become due first, so that the next timeout is never in the past.
    pub(crate) fn next_request(&mut self) -> Option<RequestId> {
        if self.requests.is_empty() && self.events.is_empty() {
            self.handle_timeout(self.now);
        }
        self.requests.pop_front()
    }

    /// Whether [`Locks::next_request`] may return one, or has to process a timeout, before the next event is returned.
    pub(crate) fn may_transmit(&self) -> bool {
        !self.requests.is_empty() || self.events.is_empty()
    }

    /// Whether there is a request, an event, or a timeout that is due.
    pub(crate) fn has_more(&self) -> bool {
        let due = self.deadline().is_some_and(|at| at <= self.now);
        due || !self.requests.is_empty() || !self.events.is_empty()
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The operation of a request, to render it later or again; `None` if its reply no longer counts.
    #[must_use]
    pub fn op(&self, request: RequestId) -> Option<Op<'_>> {
        match self.slab.get(request.lock)? {
            Entry::Probe(probe) => probe.op(request),
            Entry::Lock(lock) if lock.claim.token().is_random() => lock.op(request),
            Entry::Lock(lock) => Some(self.beside_others(request.lock, lock.op(request)?)),
        }
    }

    /// Why the next timeout is due: for logs and tests.
    #[must_use]
    pub fn next_reason(&self) -> &'static str {
        let due = self
            .timers
            .first()
            .and_then(|(_, slot)| self.slab.id_of(slot));
        match due.and_then(|id| self.slab.get(id)) {
            Some(Entry::Lock(lock)) => lock.reason(),
            Some(Entry::Probe(_)) => "end of an inspection",
            None => "",
        }
    }

    /// Whether nothing is left to do, except taking the results of inspections.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let mut ids = core::iter::successors(self.slab.first_from(0), |id| {
            self.slab.first_from(id.slot.saturating_add(1))
        });
        self.events.is_empty() && ids.all(|id| self.lock(id).is_none())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| at)
    }

    /// Whether there is a lock that has not ended, or a pending inspection: each has a deadline.
    pub(crate) fn has_locks(&self) -> bool {
        self.deadline().is_some()
    }

    /// The latest time that was passed in.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Updates the time, which never goes back.
    pub(crate) fn clamp(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn lock(&self, id: LockId) -> Option<&Lock> {
        match self.slab.get(id)? {
            Entry::Lock(lock) => Some(lock),
            Entry::Probe(_) => None,
        }
    }

    fn lock_mut(&mut self, id: LockId) -> Option<&mut Lock> {
        match self.slab.get_mut(id)? {
            Entry::Lock(lock) => Some(lock),
            Entry::Probe(_) => None,
        }
    }

    /// Sets the one timer of a lock to its deadline.
    fn rearm(&mut self, id: LockId) {
        let at = match self.slab.get(id) {
            Some(Entry::Lock(lock)) => lock.deadline(),
            Some(Entry::Probe(probe)) => Some(probe.deadline).filter(|_| !probe.is_over()),
            None => None,
        };
        self.timers.set(id.slot, at);
    }
}
