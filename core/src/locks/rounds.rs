//! Rounds of any kind: how they begin, continue with each reply, and end by a reply or by a timeout.

use crate::event::NodeError;
use crate::fifo::Queue;
use crate::id::{LockId, NodeSet, RequestId};
use crate::lock::{Goal, Lock, LockState, Order, Outcome, Round, RoundKind, Verdict};
use crate::time::Instant;

use super::{Entry, Locks};

impl Locks {
    /// Begins a round of this lock.
    pub(super) fn begin(&mut self, id: LockId, kind: RoundKind) {
        let (setup, now) = (&self.setup, self.now);
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let release_order = match setup.order {
            Order::Forward => Order::Reverse,
            Order::Parallel | Order::Reverse => setup.order,
        };
        let quorum = Goal::Quorum(setup.quorum);
        let (nodes, goal, order) = match kind {
            RoundKind::Obtain => (setup.nodes, quorum, setup.order),
            // Nodes in order: the process that has the key on the first one is the next to have it on all.
            RoundKind::Look if setup.order == Order::Forward => {
                let first = setup.nodes.lowest().into_iter().collect();
                (first, Goal::Quorum(1), Order::Parallel)
            }
            RoundKind::Look => (setup.nodes, quorum, Order::Parallel),
            RoundKind::Seal | RoundKind::Refresh | RoundKind::Renew | RoundKind::Check => {
                (setup.nodes, quorum, Order::Parallel)
            }
            #[cfg(feature = "modes")]
            RoundKind::Change => (setup.nodes, quorum, Order::Parallel),
            RoundKind::Release => (lock.may_hold, Goal::Everyone, release_order),
        };
        let mut round = Round::new(nodes, goal, order);
        let first = round.next_nodes();
        lock.begin(kind, round, now, now + setup.request_timeout);
        queue_requests(&mut self.requests, id, lock.round, first);
        if first.is_empty() {
            self.advance(id);
        } else {
            self.timers.set(id.slot, lock.deadline());
        }
    }

    /// The outcome of a request whose connection broke. The error is that of the connection, not a timeout.
    pub(crate) fn handle_lost(
        &mut self,
        request: RequestId,
        outcome: Outcome,
        error: NodeError,
        now: Instant,
    ) {
        self.clamp(now);
        if outcome == Outcome::Unknown {
            self.failing.note(request.node, Some((error, now)));
            match self.slab.get_mut(request.lock) {
                Some(Entry::Probe(_)) => return self.found(request, Err(error)),
                Some(Entry::Lock(lock)) if lock.round == request.round => {
                    if let Some(active) = &mut lock.active {
                        active.note_lost(error);
                    }
                }
                Some(Entry::Lock(_)) | None => {}
            }
        }
        self.answered(request, &outcome);
    }

    /// Processes the outcome of a request.
    pub(crate) fn answered(&mut self, request: RequestId, outcome: &Outcome) {
        let (id, node, now) = (request.lock, request.node, self.now);
        let lock = match self.slab.get_mut(id) {
            Some(Entry::Lock(lock)) => lock,
            Some(Entry::Probe(_)) => return self.inspection_failed(request, *outcome),
            None => return,
        };
        match outcome {
            Outcome::Granted { .. } | Outcome::Denied { .. } => {
                self.failing.note(node, None);
                self.replied_at = now;
            }
            Outcome::Failed(error) => self.failing.note(node, Some((*error, now))),
            Outcome::Weak => {
                let error = lock.note_weak(request);
                self.failing.note(node, Some((error, now)));
            }
            // The caller knows why.
            Outcome::Unknown => lock.note_lost(request),
        }
        lock.note_late_answer(request);
        if !lock.refused.is_empty() || matches!(outcome, Outcome::Failed(_)) {
            lock.note_refusal(node, *outcome);
        }
        let several = lock.claim.keys().len() > 1;
        if lock.active.is_none() || lock.round != request.round {
            return self.answered_late(request, *outcome);
        }
        let queued = lock.ticket().is_some();
        let mut placed;
        let outcome = if queued {
            placed = *outcome;
            lock.note_place(node, &mut placed);
            &placed
        } else {
            outcome
        };
        let Some(active) = &mut lock.active else {
            return;
        };
        let Some(stands) = active.answer(node, outcome, several, now) else {
            return;
        };
        let (kind, verdict) = (active.kind, active.round.verdict());
        if let Some(fencing) = &mut lock.fencing {
            fencing.note(node, *outcome);
        }
        lock.note_left(node, kind, stands);
        if let LockState::Releasing(releasing) = &mut lock.state {
            releasing.note(node, *outcome);
            // Leftovers of a chosen token that are not there free nothing: the lock that left them would retry without end.
            let frees = match outcome {
                Outcome::Granted { .. } => true,
                Outcome::Denied { .. } => !releasing.once,
                Outcome::Weak | Outcome::Failed(_) | Outcome::Unknown => false,
            };
            if frees {
                if queued {
                    self.ring_own_bell(id, node);
                }
                self.freed_on(id, node);
            }
        }
        self.go_on(id, kind, verdict);
    }

    /// A reply to a round that is over. A lock that waits has the keys there if it was granted, and gets them when it retries:
    /// until they expire, nobody else can use them.
    #[cold]
    fn answered_late(&mut self, request: RequestId, outcome: Outcome) {
        let waits = |lock: &Lock| {
            lock.round == request.round
                && lock.may_hold.contains(request.node)
                && matches!(lock.state, LockState::Waiting { parked: false, .. })
        };
        if matches!(outcome, Outcome::Granted { .. }) && self.lock(request.lock).is_some_and(waits)
        {
            self.wake(request.lock, request.node, None);
        }
    }

    /// Continues a round that has changed without a reply.
    pub(super) fn advance(&mut self, id: LockId) {
        if let Some(active) = self.lock(id).and_then(|lock| lock.active.as_ref()) {
            let (kind, verdict) = (active.kind, active.round.verdict());
            self.go_on(id, kind, verdict);
        }
    }

    /// Queues requests to the next nodes, or ends the round if it is decided.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn go_on(&mut self, id: LockId, kind: RoundKind, verdict: Verdict) {
        if verdict == Verdict::Open {
            return self.request_more(id, kind);
        }
        match kind {
            RoundKind::Obtain | RoundKind::Seal => self.obtain_decided(id, verdict),
            RoundKind::Refresh | RoundKind::Renew | RoundKind::Check => {
                self.hold_decided(id, verdict)
            }
            #[cfg(feature = "modes")]
            RoundKind::Change => self.change_decided(id, verdict),
            RoundKind::Look => self.look_decided(id, verdict),
            RoundKind::Release => self.release_progressed(id, true),
        }
    }

    fn request_more(&mut self, id: LockId, kind: RoundKind) {
        let deadline = self.now + self.setup.request_timeout;
        if let Some(Entry::Lock(lock)) = self.slab.get_mut(id)
            && let Some(active) = &mut lock.active
        {
            let next = active.round.next_nodes();
            if !next.is_empty() {
                queue_requests(&mut self.requests, id, lock.round, next);
                lock.extend_deadline(deadline);
                if kind == RoundKind::Release {
                    self.release_requested(id);
                }
            } else if lock.give_up_at.is_some() {
                lock.shorten_deadline(self.now, self.setup.quorum);
            }
        }
        // A release may be confirmed before all nodes have replied.
        if kind == RoundKind::Release {
            self.release_progressed(id, false);
        } else {
            self.rearm(id);
        }
    }

    /// An obtain is being sent: the node may hold our value from now on.
    pub(crate) fn obtain_sent(&mut self, request: RequestId) {
        if let Some(Entry::Lock(lock)) = self.slab.get_mut(request.lock) {
            lock.may_hold.insert(request.node);
        }
    }

    /// The deadline of a lock has passed.
    pub(super) fn expire(&mut self, id: LockId) {
        let now = self.now;
        let Some(entry) = self.slab.get_mut(id) else {
            return;
        };
        let lock = match entry {
            Entry::Lock(lock) => lock,
            Entry::Probe(_) => return self.inspection_timed_out(id),
        };
        match lock.state {
            LockState::Waiting { .. } => self.wait_over(id),
            LockState::Held(held) if held.lease.expires_at() <= now => self.lease_over(id),
            LockState::Attempting if lock.give_up_at.is_some_and(|at| at <= now) => {
                self.not_obtained(id)
            }
            LockState::Releasing(releasing) if releasing.is_over(now) => self.release_over(id),
            LockState::Attempting | LockState::Held(_) | LockState::Releasing(_) => {
                match lock.active.as_mut() {
                    Some(active) => {
                        let late = active.round.pending();
                        active.round.time_out();
                        #[cfg(feature = "modes")]
                        lock.note_unsettled();
                        for node in late.iter() {
                            lock.note_unanswered(node);
                            self.failing.note(node, Some((NodeError::TimedOut, now)));
                        }
                        if let LockState::Releasing(releasing) = &mut lock.state {
                            releasing.unsure = releasing.unsure.union(late);
                        }
                        self.advance(id);
                    }
                    None if matches!(lock.state, LockState::Held(_)) => self.renew(id),
                    None => self.release_again(id),
                }
            }
        }
    }
}

/// Queues a request of this round to each of these nodes.
fn queue_requests(requests: &mut Queue<RequestId>, lock: LockId, round: u32, nodes: NodeSet) {
    for node in nodes.iter() {
        requests.push_back(RequestId { lock, round, node });
    }
}
