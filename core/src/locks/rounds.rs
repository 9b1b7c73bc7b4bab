//! Rounds of any kind: begun, carried on with each answer, and ended by an answer or by time.

use crate::id::{LockId, RequestId};
use crate::lock::{Goal, Order, Round, State, Verdict, What};

use super::{Entry, Locks};

impl Locks {
    /// Begins a round of this lock.
    pub(super) fn begin(&mut self, id: LockId, what: What) {
        if what == What::Obtain {
            self.renew_token(id);
        }
        let (setup, now) = (&self.setup, self.now);
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let undo_order = match setup.order {
            Order::Forward => Order::Reverse,
            order => order,
        };
        let quorum = Goal::Quorum(setup.quorum);
        let (nodes, goal, order) = match what {
            What::Obtain => (setup.nodes, quorum, setup.order),
            What::Refresh { .. } | What::Check => (setup.nodes, quorum, Order::Parallel),
            What::Undo | What::Release => (lock.may_hold, Goal::Everyone, undo_order),
        };
        let round = Round::new(nodes, goal, order);
        lock.begin(what, round, now, now + setup.request_timeout);
        self.advance(id);
    }

    /// Before another attempt: what an old token may have left is released on its own, ahead of what is asked next.
    fn renew_token(&mut self, id: LockId) {
        let rank = self.arrivals.saturating_add(1);
        if let Some(rest) = self.lock_mut(id).and_then(|lock| lock.renew_token(rank)) {
            self.arrivals = rank;
            let rest = self.slab.insert(Entry::Lock(rest));
            self.begin(rest, What::Release);
        }
    }

    /// Asks whom it is time to ask, and goes on if the round is decided.
    pub(super) fn advance(&mut self, id: LockId) {
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(ask) = lock.ask.as_mut() else { return };
        let (what, verdict) = (ask.what, ask.round.verdict());
        if verdict == Verdict::Open {
            let mut asked = false;
            while let Some(node) = ask.round.ask() {
                asked = true;
                self.requests.push_back(RequestId {
                    lock: id,
                    round: lock.round,
                    node,
                });
            }
            if asked {
                lock.be_patient_until(self.now + self.setup.request_timeout);
            }
            // A release may be proven before all have answered.
            if what == What::Release {
                self.release_progressed(id, false);
            }
            return self.rearm(id);
        }
        match what {
            What::Obtain => self.obtain_decided(id, verdict),
            What::Undo => self.wait_now(id),
            What::Refresh { .. } | What::Check => self.hold_decided(id, verdict),
            What::Release => self.release_progressed(id, true),
        }
        self.rearm(id);
    }

    /// Notes that a request leaves now; `false` if nobody waits for its answer any more.
    pub(super) fn hand_out(&mut self, id: RequestId) -> bool {
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id.lock) else {
            return self.op(id).is_some();
        };
        let Some(ask) = lock.ask.as_ref().filter(|_| lock.round == id.round) else {
            return false;
        };
        let pending = ask.round.pending().contains(id.node);
        if pending && ask.what == What::Obtain {
            lock.may_hold.insert(id.node);
        }
        pending
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
