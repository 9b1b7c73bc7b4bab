//! Rounds of any kind: begun, carried on with each answer, and ended by an answer or by time.

use crate::id::{LockId, NodeSet, RequestId};
use crate::lock::{Goal, Op, Order, Outcome, Round, State, Verdict, What};
use crate::queue::Queue;

use super::{Entry, Locks};

impl Locks {
    /// Begins a round of this lock.
    pub(super) fn begin(&mut self, id: LockId, what: What) {
        let (setup, now) = (&self.setup, self.now);
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let undo_order = match setup.order {
            Order::Forward => Order::Reverse,
            Order::Parallel | Order::Reverse => setup.order,
        };
        let quorum = Goal::Quorum(setup.quorum);
        let (nodes, goal, order) = match what {
            What::Obtain => (setup.nodes, quorum, setup.order),
            What::Refresh | What::Renew | What::Check => (setup.nodes, quorum, Order::Parallel),
            What::Undo | What::Release => (lock.may_hold, Goal::Everyone, undo_order),
        };
        let mut round = Round::new(nodes, goal, order);
        let first = round.ask();
        lock.begin(what, round, now, now + setup.request_timeout);
        ask_nodes(&mut self.requests, id, lock.round, first);
        if first.is_empty() {
            self.advance(id);
        } else {
            self.timers.set(id.slot, lock.deadline());
        }
    }

    /// Before another attempt: what an old token may have left is released on its own, ahead of what is asked next.
    #[cold]
    pub(super) fn renew_token(&mut self, id: LockId) {
        let rank = self.arrivals.saturating_add(1);
        if let Some(rest) = self.lock_mut(id).and_then(|lock| lock.renew_token(rank)) {
            self.arrivals = rank;
            let rest = self.slab.insert(Entry::Lock(rest));
            self.begin(rest, What::Release);
        }
    }

    /// Takes in what came of a request.
    pub(crate) fn answered(&mut self, request: RequestId, outcome: Outcome) {
        let (id, node, now) = (request.lock, request.node, self.now);
        let lock = match self.slab.get_mut(id) {
            Some(Entry::Lock(lock)) => lock,
            Some(Entry::Probe(_)) => return self.inspection_failed(request, outcome),
            None => return,
        };
        if outcome == Outcome::Unknown {
            lock.disturb();
        }
        lock.note_late(request);
        let several = lock.claim.keys().len() > 1;
        let Some(ask) = &mut lock.ask else { return };
        if lock.round != request.round {
            return;
        }
        let Some(stands) = ask.answer(node, outcome, several, now) else {
            return;
        };
        let (what, verdict) = (ask.what, ask.round.verdict());
        match stands {
            Some(true) => lock.may_hold.insert(node),
            // A late obtain of ours may still be carried out there.
            Some(false) if lock.awaits_late(node) => {}
            Some(false) => {
                lock.may_hold.remove(node);
            }
            None => {}
        }
        if let State::Releasing(releasing) = &mut lock.state {
            releasing.note(node, outcome);
        }
        self.go_on(id, what, verdict);
    }

    /// Goes on with a round that has changed without an answer.
    pub(super) fn advance(&mut self, id: LockId) {
        if let Some(ask) = self.lock(id).and_then(|lock| lock.ask.as_ref()) {
            let (what, verdict) = (ask.what, ask.round.verdict());
            self.go_on(id, what, verdict);
        }
    }

    /// Asks whom it is time to ask, or takes the next step if the round is decided.
    fn go_on(&mut self, id: LockId, what: What, verdict: Verdict) {
        if verdict == Verdict::Open {
            return self.ask_more(id, what);
        }
        match what {
            What::Obtain => self.obtain_decided(id, verdict),
            What::Refresh | What::Renew | What::Check => self.hold_decided(id, verdict),
            What::Release => self.release_progressed(id, true),
            What::Undo => self.wait_now(id),
        }
    }

    fn ask_more(&mut self, id: LockId, what: What) {
        let deadline = self.now + self.setup.request_timeout;
        if let Some(Entry::Lock(lock)) = self.slab.get_mut(id)
            && let Some(ask) = &mut lock.ask
        {
            let next = ask.round.ask();
            if !next.is_empty() {
                ask_nodes(&mut self.requests, id, lock.round, next);
                lock.be_patient_until(deadline);
            }
        }
        // A release may be proven before all have answered.
        if what == What::Release {
            self.release_progressed(id, false);
        } else {
            self.rearm(id);
        }
    }

    /// What a request asks for that leaves now, or `None` if nobody waits for its answer any more.
    pub(crate) fn hand_out(&mut self, id: RequestId) -> Option<Op<'_>> {
        match self.slab.get_mut(id.lock)? {
            Entry::Lock(lock) => lock.hand_out(id),
            Entry::Probe(probe) => probe.op(id),
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
            State::Waiting { .. } => self.wait_over(id),
            State::Held(held) if held.lease.expires_at() <= now => self.lease_over(id),
            State::Releasing(releasing) if releasing.until <= now => self.release_over(id),
            State::Asking | State::Undoing { .. } | State::Held(_) | State::Releasing(_) => {
                match lock.ask.as_mut() {
                    Some(ask) => {
                        let late = !ask.round.pending().is_empty();
                        ask.round.time_out();
                        if late {
                            lock.disturb();
                        }
                        self.advance(id);
                    }
                    None if matches!(lock.state, State::Held(_)) => self.renew(id),
                    None => self.begin(id, What::Release),
                }
            }
        }
    }
}

/// What is to be asked of these nodes in this round of a lock.
fn ask_nodes(requests: &mut Queue<RequestId>, lock: LockId, round: u32, nodes: NodeSet) {
    for node in nodes.iter() {
        requests.push_back(RequestId { lock, round, node });
    }
}
