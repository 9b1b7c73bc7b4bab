//! From a request to a held lock, or to the reason why not.

use core::time::Duration;

use crate::event::{Event, Holder, NotObtained};
use crate::id::{LockId, NodeId};
use crate::keys::Keys;
use crate::lock::{
    ActiveRound, KeySet, LastFailure, Lock, LockState, RoundKind, Verdict, Wake, earlier,
};
use crate::rng::Rng;
use crate::time::Instant;

use super::waiters::Freed;
use super::{Entry, Locks};

impl Locks {
    /// A round that requested the keys has ended.
    pub(super) fn obtain_decided(&mut self, id: LockId, verdict: Verdict) {
        let now = self.now;
        // Not through `lock_mut`: the timers are needed beside it.
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(active) = &lock.active else { return };
        if verdict == Verdict::Won {
            let (requested_at, late) = (active.at, active.round.pending());
            let (shared, queued) = (lock.mode.is_shared(), lock.ticket().is_some());
            // A key that is shared changes whenever others come and go.
            let recheck = active.wake == Wake::Changed && !shared;
            if lock.hold_until.is_none() {
                lock.hold_until = lock.max_hold().map(|longest| requested_at + longest);
            }
            let lease = lock.lease(requested_at);
            if active.kind == RoundKind::Obtain
                && lease.is_valid(now)
                && let Some(fencing) = &mut lock.fencing
                && fencing.needs_seal(self.setup.quorum)
            {
                fencing.until = Some(lease.expires_at());
                return self.begin(id, RoundKind::Seal);
            }
            if lease.is_valid(now) {
                lock.active = None;
                let waited = lock.is_waiter();
                lock.hold(lease, requested_at, late, recheck);
                self.timers.set(id.slot, lock.deadline());
                if !shared {
                    self.turns.granted(lock.key_hash, now);
                }
                let several = lock.claim.keys().len() > 1;
                self.events.push_back(Event::Obtained { lock: id, lease });
                if several {
                    self.for_keys(id, KeySet::ALL_BUT_FIRST, |locks, key| {
                        locks.turns.granted(key, now)
                    });
                }
                if waited {
                    self.queue(id, false);
                }
                if let Some(first) = NodeId::new(0)
                    && queued
                {
                    self.ring_own_bell(id, first);
                }
                if shared || self.is_for_several(id) {
                    // Others that share the key, or have the same token, can be granted the same keys now.
                    let keys = self.lock(id).map(Lock::keys);
                    self.pass_on_all(keys);
                }
                if recheck {
                    self.check_if_woken(id);
                }
                return;
            }
        }
        self.obtain_failed(id);
        self.rearm(id);
    }

    /// An obtain or a look was lost, or won too late. Decides whether the lock tries again.
    pub(super) fn obtain_failed(&mut self, id: LockId) {
        let (now, after_wake) = (self.now, self.after_wake(id));
        let spread = after_wake.saturating_since(now);
        let by = self.holder(id);
        let timeout = Duration::from(self.setup.request_timeout);
        // Not through `lock_mut`: the random numbers are needed beside it.
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(active) = lock.active.take() else {
            return;
        };
        let failure =
            if lock.expired_in_seal(&active, now) || active.round.verdict() == Verdict::Won {
                NotObtained::TooLate
            } else {
                active.failure(now, by, lock.refused)
            };
        lock.hold_until = None;
        lock.failure = Some((failure, now));
        let nodes = (self.setup.nodes.len(), self.setup.quorum);
        lock.blocked = active.held(lock.claim.keys().len(), nodes);
        let held = lock.blocked.unwrap_or(KeySet::ALL);
        lock.denied = active.round.denied();
        lock.round_trip = now.micros_since(active.at);
        let in_time = lock.give_up_at.is_some_and(|at| at > now);
        let is_final = matches!(failure, NotObtained::Refused(_));
        let ends = is_final || !in_time || !lock.retry.allows(&lock.progress);
        // An earlier release of this engine may have to be sent again: then the attempt came too early.
        let early = lock.give_up_at.is_none() && lock.progress.attempts == 1;
        let early = early && by == Holder::Ourselves && active.round.is_denied();
        let stands = lock.is_only_queued();
        // Others may obtain a key that becomes free before the rest of them: then this lock no longer contends for it.
        let first_at = active.first_at().map(|at| at + spread);
        let look_at = earlier(first_at, lock.keep_place_at(active.at));
        let until = match active.watch_until() {
            _ if lock.hops() => Some(now),
            _ if lock.was_rung().unwrap_or(active.wake != Wake::None) => Some(after_wake),
            // Several locks may wait for the same key to expire.
            Some(at) => Some(at + spread),
            None => pause_until(lock, &active, now, (timeout, &mut self.rng)),
        };
        lock.state = LockState::Waiting {
            until,
            look_at: None,
            parked: false,
        };
        if by == Holder::Other && active.round.is_denied() {
            self.for_keys(id, held, |locks, key| locks.turns.lost(key, now));
        }
        if early && self.is_being_released(id) {
            self.queue(id, true);
            return self.park(id, None);
        }
        if ends {
            return self.not_obtained(id);
        }
        // On a single node the next attempt finds the key of this one and uses it, unless it was denied because of another
        // key: then others may need the keys that are still ours.
        if !stands && (self.setup.nodes.len() > 1 || active.round.is_denied()) {
            self.release_leftovers(id);
        }
        if self.is_behind_waiter(id) {
            // An older lock has requested the same keys meanwhile.
            self.park(id, until);
        } else {
            self.plan_look(id, look_at);
        }
        self.continue_waiting(id, until);
    }

    /// The lock waits until `until`, or retries at once if that has passed.
    fn continue_waiting(&mut self, id: LockId, until: Option<Instant>) {
        if until.is_some_and(|until| until <= self.now) {
            self.attempt_or_park(id);
        }
        self.rearm(id);
        // Only locks that wait for the same key stay behind this one.
        let lock = self.lock(id).filter(|lock| lock.claim.keys().len() > 1);
        if let Some((keys, last_failure)) = lock.map(|lock| (lock.keys(), lock.last_failure())) {
            self.stop_contending(&keys, last_failure);
        }
    }

    /// A pause or the whole wait has ended, or another look is due.
    pub(super) fn wait_over(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock(id) else {
            return;
        };
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let attempts = match lock.state {
            LockState::Waiting { until, .. } => due(until),
            LockState::Attempting | LockState::Held(_) | LockState::Releasing(_) => return,
        };
        if due(lock.give_up_at) {
            self.not_obtained(id);
        } else if attempts || self.is_blocked(id) {
            self.attempt_or_park(id);
        } else {
            self.start_look(id);
        }
    }

    /// The terminal event of a lock that was never held.
    pub(super) fn not_obtained(&mut self, id: LockId) {
        let Some(lock) = self.lock(id) else { return };
        let waited = lock.give_up_at.is_some_and(|at| at <= self.now);
        let reason = match lock.failure {
            Some((reason, _)) if !waited => reason,
            _ => self.reason_after_wait(lock),
        };
        self.end_unobtained(id, reason);
    }

    pub(super) fn end_unobtained(&mut self, id: LockId, reason: NotObtained) {
        self.events
            .push_back(Event::NotObtained { lock: id, reason });
        let waiter = self.lock(id).filter(|lock| lock.is_waiter());
        let last_failure = waiter.map(|lock| (lock.keys(), lock.last_failure()));
        self.queue(id, false);
        // Release first what is still ours on nodes, so that the next lock's request follows it.
        self.clean_up(id);
        if let Some((keys, last_failure)) = last_failure {
            self.stop_contending(&keys, last_failure);
        }
    }

    /// A waiter no longer competes for these keys.
    fn stop_contending(&mut self, keys: &Keys, last_failure: LastFailure) {
        for (place, key) in keys.iter().enumerate() {
            self.pass_key_on(key, Freed::Left(last_failure.about(place)));
        }
    }
}

/// When to retry after a round that no node follows up with a wake.
fn pause_until(
    lock: &mut Lock,
    active: &ActiveRound,
    now: Instant,
    (timeout, rng): (Duration, &mut Rng),
) -> Option<Instant> {
    let pause = lock.retry.pause(&mut lock.progress, rng);
    // A lock that no node will wake must retry at some time, even if the user set no pause.
    let blind = !active.is_watched() || !active.round.is_denied();
    let paused = active.pause_until(now, pause.or_else(|| blind.then_some(timeout)));
    // By then the keys have expired that were granted. Nobody reports that of a key that is shared.
    let gone = lock.was_too_late().then(|| now + lock.ttl.as_micros());
    earlier(paused, gone)
}
