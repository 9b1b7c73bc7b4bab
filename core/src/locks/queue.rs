//! Whose turn it is: of the waiters of one key in this engine only the first asks, the others queue in order.

use core::time::Duration;

use crate::claim::Keys;
use crate::id::{LockId, NodeId};
use crate::lock::{Order, State, WAITER, What};
use crate::time::{Instant, Micros};

use super::Locks;

/// How far woken contenders for a quorum spread.
const WAKE_SPREAD: Duration = Duration::from_millis(10);

/// When the next waiter may ask.
#[derive(Copy, Clone, Debug)]
pub(super) enum Turn {
    Now,
    After(Micros),
}

impl Locks {
    /// Whether a waiter must leave its keys alone for now: a lock of this engine has one, or waits for one longer.
    pub(super) fn is_blocked(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id).filter(|lock| lock.is_waiter()) else {
            return false;
        };
        lock.claim.keys().iter().any(|key| {
            let mut rank = 0;
            while let Some((at, slot)) = self.index.first_from(key.as_bytes(), rank) {
                if at >= WAITER {
                    return at != lock.rank;
                }
                let holder = self.slab.id_of(slot).and_then(|id| self.lock(id));
                if holder.is_some_and(|holder| holder.blocks(&lock.claim)) {
                    return true;
                }
                rank = at.saturating_add(1);
            }
            false
        })
    }

    /// The lock waits no longer: the next of its keys is the first now.
    pub(super) fn leave_queue(&mut self, id: LockId) {
        let Some(lock) = self.lock_mut(id).filter(|lock| lock.is_waiter()) else {
            return;
        };
        let (keys, old) = (lock.claim.keys().clone(), lock.rank);
        lock.rank &= !WAITER;
        let new = lock.rank;
        self.index.remove(&keys, old);
        self.index.insert(&keys, new, id.slot);
        self.for_first_waiters(&keys, |locks, next| {
            if let Some(State::Waiting { parked: true, .. }) = locks.lock(next).map(|l| l.state)
                && !locks.is_blocked(next)
            {
                locks.ask_now(next);
            }
        });
    }

    /// A held lock is being released: the next waiter asks in the same write, if it was not the neighbours' turn for
    /// too long.
    pub(super) fn hand_on(&mut self, id: LockId) {
        if !self.index.has_waiters() {
            return;
        }
        let Some(lock) = self.lock(id) else { return };
        let handoffs = lock.handoffs.saturating_add(1);
        if handoffs > self.setup.handoffs {
            return;
        }
        let keys = lock.claim.keys().clone();
        self.for_first_waiters(&keys, |locks, next| {
            if locks.is_idle(next) && !locks.is_blocked(next) {
                locks.ask_now(next);
                if let Some(lock) = locks.lock_mut(next) {
                    lock.handoffs = handoffs;
                }
            }
        });
    }

    /// A local holder is gone: the next waiter of each key asks.
    pub(super) fn turn_of_next(&mut self, keys: &Keys, turn: Turn) {
        let now = self.now;
        self.for_first_waiters(keys, |locks, next| {
            let idle = locks.is_idle(next);
            let blocked = locks.is_blocked(next);
            let Some(lock) = locks.lock_mut(next) else {
                return;
            };
            match turn {
                // It has asked already, perhaps too early.
                _ if !idle => lock.woken = true,
                // Whoever blocks it will wake it.
                _ if blocked => {}
                Turn::Now => locks.ask_now(next),
                Turn::After(pause) => {
                    let until = Some(now + pause);
                    lock.state = State::Waiting {
                        until,
                        parked: false,
                    };
                    locks.rearm(next);
                }
            }
        });
    }

    pub(super) fn wake_key(&mut self, node: NodeId, key: &[u8]) {
        let mut rank = 0;
        while let Some((at, slot)) = self.index.first_from(key, rank) {
            if let Some(id) = self.slab.id_of(slot)
                && !self
                    .lock(id)
                    .is_some_and(|lock| matches!(lock.state, State::Releasing(_)))
            {
                self.wake(id, node);
            }
            if at >= WAITER {
                break;
            }
            rank = at.saturating_add(1);
        }
    }

    /// Something may have changed for this lock.
    pub(super) fn wake(&mut self, id: LockId, node: NodeId) {
        let (now, at) = (self.now, self.after_wake());
        let blocked = self.is_blocked(id);
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        // Answers and wakes of a node come in order: an answer still to come knows more than the wake.
        let knows = lock
            .ask
            .as_ref()
            .is_some_and(|ask| ask.round.pending().contains(node));
        let busy = lock.ask.is_some();
        match &mut lock.state {
            _ if knows => {}
            State::Asking => {
                lock.woken = true;
                lock.doubted = true;
            }
            State::Undoing { until } => *until = Some(at),
            State::Waiting { .. } if blocked => {}
            State::Waiting { .. } if at <= now => self.ask_now(id),
            State::Waiting { until, parked } => {
                *until = Some(until.map_or(at, |until| until.min(at)));
                *parked = false;
            }
            State::Held(held) if held.retrying && !busy => self.renew(id),
            State::Held(held) => {
                held.recheck = true;
                self.check_if_woken(id);
            }
            State::Releasing(_) if busy => {}
            State::Releasing(_) => self.begin(id, What::Release),
        }
        self.rearm(id);
    }

    /// When to ask after a wake. With a quorum, contenders that ask at the same moment share the nodes out and nobody
    /// wins: let chance decide.
    pub(super) fn after_wake(&mut self) -> Instant {
        let contend = self.setup.nodes.len() > 1 && self.setup.order == Order::Parallel;
        let spread = if contend {
            self.rng.up_to(WAKE_SPREAD)
        } else {
            Duration::ZERO
        };
        self.now + spread
    }

    fn is_idle(&self, id: LockId) -> bool {
        self.lock(id)
            .is_some_and(|lock| matches!(lock.state, State::Waiting { .. }))
    }

    /// Calls `act` with the first waiter of each key.
    fn for_first_waiters(&mut self, keys: &Keys, mut act: impl FnMut(&mut Self, LockId)) {
        for key in keys.iter() {
            let first = self.index.first_from(key.as_bytes(), WAITER);
            if let Some(id) = first.and_then(|(_, slot)| self.slab.id_of(slot)) {
                act(self, id);
            }
        }
    }
}
