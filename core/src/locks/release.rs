//! Releasing a lock in any state, until nothing of it can be left on a node.

use crate::event::{Event, NotObtained, Released};
use crate::id::{LockId, NodeId};
use crate::keys::Keys;
use crate::lock::{KeySet, Lock, LockState, Releasing, RoundKind, pause_after_silence};

use super::waiters::Freed;
use super::{Entry, Locks};

/// How many request timeouts a release may take before it is reported as unconfirmed.
const REPORT_TIMEOUTS: u64 = 3;

impl Locks {
    pub(super) fn release_lock(&mut self, id: LockId) {
        let now = self.now;
        let report_by = now + self.setup.request_timeout.times(REPORT_TIMEOUTS);
        let Some(lock) = self.lock_mut(id) else {
            // An inspection that is no longer needed, or an old id, whose slot may belong to another lock by now.
            if self.slab.remove(id).is_some() {
                self.timers.set(id.slot, None);
            }
            return;
        };
        match lock.state {
            LockState::Attempting | LockState::Waiting { .. } => {
                self.end_unobtained(id, NotObtained::Cancelled);
            }
            LockState::Held(held) if !held.lease.is_valid(now) => self.lease_over(id),
            LockState::Held(_) => {
                lock.start_releasing(Some(report_by), lock.gone_at);
                if self.is_kept_by_others(id) {
                    let proof = Released::Shared;
                    self.events.push_back(Event::Released { lock: id, proof });
                    return self.forget(id);
                }
                self.begin(id, RoundKind::Release);
                self.release_requested(id);
            }
            LockState::Releasing(_) => {}
        }
    }

    /// After the terminal event: releases what may be left on nodes, and forgets the lock when there is nothing.
    pub(super) fn clean_up(&mut self, id: LockId) {
        let (now, closing) = (self.now, self.closing);
        let timeout = self.setup.request_timeout;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        lock.active = None;
        let until = if closing {
            lock.gone_at.min(now + timeout)
        } else {
            lock.gone_at
        };
        lock.start_releasing(None, until);
        if lock.may_hold.is_empty() || self.is_kept_by_others(id) {
            return self.forget(id);
        }
        self.begin(id, RoundKind::Release);
    }

    /// Before the next attempt: releases what the last one may have left, as a lock of its own.
    pub(super) fn release_leftovers(&mut self, id: LockId) {
        let rank = self.arrivals.saturating_add(1);
        let Some(lock) = self.lock_mut(id).filter(|lock| !lock.may_hold.is_empty()) else {
            return;
        };
        let rest = lock.split_leftovers(rank);
        self.arrivals = rank;
        let keys = rest.keys();
        let rest = self.slab.insert(Entry::Lock(rest));
        self.index.insert(&keys, rank, rest.slot);
        if self.is_kept_by_others(rest) {
            return self.forget(rest);
        }
        self.begin(rest, RoundKind::Release);
    }

    /// If a release has been handed out to every node, the next waiter's request goes into the same write.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn release_requested(&mut self, id: LockId) {
        if !self.index.has_waiters() {
            return;
        }
        let Some(lock) = self.lock(id) else { return };
        let active = lock.active.as_ref();
        if active.is_none_or(|active| active.round.unsent().is_empty()) {
            let keys = lock.keys();
            // Other locks do not wait for leftovers of a lost attempt.
            let has_event = |releasing: &Releasing| releasing.announce.is_some();
            let freed = if lock.releasing().is_some_and(has_event) {
                Freed::Requested
            } else {
                Freed::Leftovers
            };
            self.pass_on(&keys, freed);
        }
    }

    /// A node has confirmed that nothing of this lock is left there.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn freed_on(&mut self, id: LockId, node: NodeId) {
        if self.index.has_waiters()
            && let Some(keys) = self.lock(id).map(Lock::keys)
        {
            self.pass_on(&keys, Freed::On(node));
        }
    }

    /// A reply to a release has arrived, or its round has ended.
    pub(super) fn release_progressed(&mut self, id: LockId, round_over: bool) {
        let (now, quorum) = (self.now, self.setup.quorum);
        let nodes = self.setup.nodes;
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let done = lock.may_hold.is_empty();
        let (requested_at, ttl) = (lock.active.as_ref().map(|active| active.at), lock.ttl);
        let (key_hash, several) = (lock.key_hash, lock.claim.keys().len() > 1);
        let shared = lock.mode.is_shared();
        let LockState::Releasing(releasing) = &mut lock.state else {
            return;
        };
        if round_over {
            lock.active = None;
            releasing.retry_at = Some(now + pause_after_silence(ttl));
        }
        let over = done || round_over && releasing.once;
        let proof = releasing.proof(nodes, quorum, done);
        if releasing.announce.is_some()
            && let Some(proof) = proof
        {
            releasing.announce = None;
            self.events.push_back(Event::Released { lock: id, proof });
            let took = requested_at
                .map(|at| now.micros_since(at))
                .unwrap_or_default();
            if !shared {
                self.turn_released(key_hash, took);
            }
            if several {
                self.for_keys(id, KeySet::ALL_BUT_FIRST, |locks, key| {
                    locks.turn_released(key, took);
                });
            }
        }
        if over {
            self.forget_and_pass_on(id);
        } else {
            self.rearm(id);
            if round_over && self.index.has_waiters() {
                // A lock with the same value may make an attempt now.
                let keys = self.lock(id).map(Lock::keys);
                self.pass_on_all(keys);
            }
        }
    }

    /// Repeats unanswered releases, unless another lock with the same token holds the keys by now.
    pub(super) fn release_again(&mut self, id: LockId) {
        if self.is_kept_by_others(id) {
            self.release_ended(id);
        } else {
            self.begin(id, RoundKind::Release);
        }
    }

    /// The deadline for the report has passed, or the keys have expired on the nodes.
    pub(super) fn release_over(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let LockState::Releasing(releasing) = &mut lock.state else {
            return;
        };
        if releasing.until <= now {
            return self.release_ended(id);
        }
        if releasing.announce.take().is_some() {
            self.report_unconfirmed(id);
        }
        self.rearm(id);
    }

    /// Nothing is left to do for this lock.
    fn release_ended(&mut self, id: LockId) {
        let has_event = |releasing: &Releasing| releasing.announce.is_some();
        if self
            .lock(id)
            .and_then(Lock::releasing)
            .is_some_and(has_event)
        {
            self.report_unconfirmed(id);
        }
        self.forget_and_pass_on(id);
    }

    fn report_unconfirmed(&mut self, id: LockId) {
        let now = self.now;
        let proof = Released::Unconfirmed;
        self.events.push_back(Event::Released { lock: id, proof });
        // No confirmation will come that would end the turn of this engine.
        self.for_keys(id, KeySet::ALL, |locks, key| locks.turns.ended(key, now));
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn forget_and_pass_on(&mut self, id: LockId) {
        let waiters = self.index.has_waiters();
        let keys = self.lock(id).filter(|_| waiters).map(Lock::keys);
        self.forget(id);
        self.pass_on_all(keys);
    }

    pub(super) fn pass_on_all(&mut self, keys: Option<Keys>) {
        if let Some(keys) = keys {
            self.pass_on(&keys, Freed::Leftovers);
        }
    }

    pub(super) fn forget(&mut self, id: LockId) {
        if let Some(Entry::Lock(lock)) = self.slab.get(id) {
            self.index.remove(lock.claim.keys(), lock.rank);
        }
        self.slab.vacate(id);
        self.timers.set(id.slot, None);
    }
}
