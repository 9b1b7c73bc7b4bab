//! From a wish to a held lock, or to a reason why not.

use crate::event::{Event, Holder, NotObtained};
use crate::id::LockId;
use crate::lock::{State, Verdict, What};

use super::{Entry, Locks};

impl Locks {
    /// Asks, or waits for the turn of this lock.
    pub(super) fn ask_or_park(&mut self, id: LockId) {
        if self.is_blocked(id) {
            if let Some(lock) = self.lock_mut(id) {
                lock.state = State::Waiting {
                    until: None,
                    parked: true,
                };
            }
            self.rearm(id);
        } else {
            self.ask_now(id);
        }
    }

    pub(super) fn ask_now(&mut self, id: LockId) {
        if let Some(lock) = self.lock_mut(id) {
            lock.state = State::Asking;
            if lock.needs_fresh_token() {
                self.renew_token(id);
            }
            self.begin(id, What::Obtain);
        }
    }

    /// A round of asking has come to its end.
    pub(super) fn obtain_decided(&mut self, id: LockId, verdict: Verdict) {
        let now = self.now;
        // Not through `lock_mut`: the timers are needed beside it.
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(ask) = &lock.ask else { return };
        if verdict == Verdict::Won {
            let (asked_at, late) = (ask.at, ask.round.pending());
            if lock.hold_until.is_none() {
                lock.hold_until = lock.max_hold().map(|longest| asked_at + longest);
            }
            let lease = lock.lease(asked_at);
            if lease.is_valid(now) {
                lock.ask = None;
                lock.hold(lease, asked_at, late);
                self.timers.set(id.slot, lock.deadline());
                self.events.push_back(Event::Obtained { lock: id, lease });
                self.leave_queue(id);
                return self.check_if_woken(id);
            }
        }
        self.obtain_failed(id);
        self.rearm(id);
    }

    /// A round of asking was lost, or won too late: to be undone, and perhaps to be tried again.
    fn obtain_failed(&mut self, id: LockId) {
        let (now, after_wake) = (self.now, self.after_wake());
        let (timeout, several) = (self.setup.request_timeout, self.setup.nodes.len() > 1);
        // Not through `lock_mut`: the random numbers are needed beside it.
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(ask) = lock.ask.take() else { return };
        lock.hold_until = None;
        lock.handoffs = 0;
        let failure = ask.failure(now);
        lock.failure = Some(failure);
        let in_time = lock.give_up_at.is_some_and(|at| at > now);
        let final_word = matches!(failure, NotObtained::Refused(_));
        if final_word || !in_time || !lock.retry.may_ask(&lock.progress) {
            return self.not_obtained(id);
        }
        let until = match ask.watch_until() {
            _ if core::mem::take(&mut lock.woken) => Some(after_wake),
            Some(at) => Some(at),
            None => {
                let pause = lock.retry.pause(&mut lock.progress, &mut self.rng);
                // Without a pause of its own, a lock that no node will wake must still look again some time.
                let blind = !ask.is_watched() || !ask.round.is_denied();
                let pause = pause.or_else(|| blind.then_some(timeout.into()));
                ask.pause_until(now, pause)
            }
        };
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        // On a single node the next attempt finds the key of this one and takes it, unless it was denied for another key
        // of several: then others need what is still ours.
        let undoes = several || ask.round.is_denied();
        if undoes && !lock.may_hold.is_empty() {
            lock.state = State::Undoing { until };
            self.begin(id, What::Undo);
        } else {
            lock.state = State::Waiting {
                until,
                parked: false,
            };
            self.wait_on(id);
        }
    }

    /// Taking back has come to its end: the wait goes on.
    pub(super) fn wait_now(&mut self, id: LockId) {
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        lock.ask = None;
        if let State::Undoing { until } = lock.state {
            lock.state = State::Waiting {
                until,
                parked: false,
            };
            self.wait_on(id);
        }
    }

    /// Asks at once if there is no pause left.
    fn wait_on(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock(id) else { return };
        if let State::Waiting {
            until: Some(until), ..
        } = lock.state
            && until <= now
        {
            self.ask_or_park(id);
        }
        self.rearm(id);
    }

    /// A pause or the whole wait has come to its end.
    pub(super) fn wait_over(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        if lock.give_up_at.is_some_and(|at| at <= now) {
            self.not_obtained(id);
        } else {
            self.ask_or_park(id);
        }
    }

    /// The terminal event of a lock that was never held, with the reason that the last attempt gave.
    fn not_obtained(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock(id) else { return };
        let waited = lock.give_up_at.is_some_and(|at| at <= now);
        let reason = match lock.failure {
            Some(NotObtained::Taken { .. }) | None if waited => {
                NotObtained::TimedOut { by: Holder::Other }
            }
            Some(reason) => reason,
            None => NotObtained::TimedOut { by: Holder::Other },
        };
        self.end_unobtained(id, reason);
    }

    pub(super) fn end_unobtained(&mut self, id: LockId, reason: NotObtained) {
        self.events
            .push_back(Event::NotObtained { lock: id, reason });
        self.leave_queue(id);
        self.clean_up(id);
    }
}
