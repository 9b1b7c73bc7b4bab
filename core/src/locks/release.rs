//! Letting go, in whatever state, until nothing of a lock can be left on a node.

use crate::event::{Event, NotObtained, Released};
use crate::id::LockId;
use crate::lock::{Lock, State, What, pause_after_silence};
use crate::time::Micros;

use super::queue::Turn;
use super::{Entry, Locks};

impl Locks {
    pub(super) fn let_go(&mut self, id: LockId) {
        let Some(lock) = self.lock_mut(id) else {
            // An inspection that nobody waits for, or an old id, whose slot may be somebody else's by now.
            if self.slab.remove(id).is_some() {
                self.timers.set(id.slot, None);
            }
            return;
        };
        match lock.state {
            State::Asking | State::Undoing { .. } | State::Waiting { .. } => {
                self.end_unobtained(id, NotObtained::Withdrawn);
            }
            State::Held(_) => {
                lock.start_releasing(true, lock.gone_at);
                self.begin(id, What::Release);
                self.hand_on(id);
            }
            State::Releasing(_) => {}
        }
    }

    /// After the terminal event: releases what may be left on nodes, and forgets the lock when there is nothing.
    pub(super) fn clean_up(&mut self, id: LockId) {
        let (now, closing) = (self.now, self.closing);
        let timeout = self.setup.request_timeout;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        lock.ask = None;
        if lock.may_hold.is_empty() {
            return self.forget(id);
        }
        let until = if closing {
            lock.gone_at.min(now + timeout)
        } else {
            lock.gone_at
        };
        lock.start_releasing(false, until);
        self.begin(id, What::Release);
    }

    /// An answer to a release is in, or its round is over.
    pub(super) fn release_progressed(&mut self, id: LockId, round_over: bool) {
        let (now, quorum) = (self.now, self.setup.quorum);
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let done = lock.may_hold.is_empty();
        let (asked_at, ttl) = (lock.ask.as_ref().map(|ask| ask.at), lock.ttl);
        let State::Releasing(releasing) = &mut lock.state else {
            return;
        };
        if round_over {
            lock.ask = None;
            releasing.retry_at = Some(now + pause_after_silence(ttl));
        }
        if releasing.announce
            && let Some(proof) = releasing.proof(quorum, done)
        {
            releasing.announce = false;
            self.events.push_back(Event::Released { lock: id, proof });
        }
        if done {
            let round_trip = asked_at.map(|at| now.micros_since(at));
            self.forget_and_hand_on(id, round_trip.unwrap_or_default());
        } else {
            self.rearm(id);
        }
    }

    /// The key is gone from the nodes by itself.
    pub(super) fn release_over(&mut self, id: LockId) {
        let Some(Lock {
            state: State::Releasing(releasing),
            ..
        }) = self.lock(id)
        else {
            return;
        };
        if releasing.announce {
            let proof = Released::Unconfirmed;
            self.events.push_back(Event::Released { lock: id, proof });
        }
        self.forget_and_hand_on(id, Micros::default());
    }

    /// The lock is through with its keys. If neighbours of this engine had them for too long in a row, the next one
    /// lets others go first: their wake is one trip away, their ask another.
    fn forget_and_hand_on(&mut self, id: LockId, round_trip: Micros) {
        let Some(lock) = self.lock(id) else { return };
        let yields = lock.handoffs >= self.setup.handoffs;
        let keys = self.index.has_waiters().then(|| lock.claim.keys().clone());
        self.forget(id);
        let turn = if yields {
            Turn::After(round_trip)
        } else {
            Turn::Now
        };
        if let Some(keys) = keys {
            self.turn_of_next(&keys, turn);
        }
    }

    fn forget(&mut self, id: LockId) {
        if let Some(Entry::Lock(lock)) = self.slab.get(id) {
            self.index.remove(lock.claim.keys(), lock.rank);
        }
        self.slab.vacate(id);
        self.timers.set(id.slot, None);
    }
}
