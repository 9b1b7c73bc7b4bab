//! Parking: a lock waits behind another lock of this engine, and makes no requests.

use crate::id::LockId;
use crate::lock::{LockState, WAITER};
use crate::time::Instant;

use super::Locks;

impl Locks {
    /// Makes an attempt, or waits for the turn of this lock.
    pub(super) fn attempt_or_park(&mut self, id: LockId) {
        if !self.is_blocked(id) {
            return self.attempt_now(id);
        }
        // A lock that does not wait is blocked only by a release of this engine, which is on its way.
        self.queue(id, true);
        self.park(id, None);
        self.rearm(id);
    }

    /// Lets a lock wait behind another one. What an unanswered attempt of it may have left on nodes is released: the other
    /// lock could be waiting for exactly that.
    pub(super) fn park(&mut self, id: LockId, until: Option<Instant>) {
        self.release_leftovers(id);
        let parked = LockState::Waiting {
            until,
            look_at: None,
            parked: true,
        };
        if let Some(lock) = self.lock_mut(id) {
            let before = core::mem::replace(&mut lock.state, parked);
            let contended = !matches!(before, LockState::Waiting { parked: true, .. });
            self.unpark_younger(id, contended);
        }
    }

    /// A lock with several keys makes an attempt. Younger waiters for one of them are parked behind it; if it turns out to wait for
    /// another key, they are next.
    pub(super) fn park_younger(&mut self, id: LockId) {
        let Some((keys, own)) = self.lock(id).map(|lock| (lock.keys(), lock.rank)) else {
            return;
        };
        for key in keys.iter().filter(|_| own >= WAITER) {
            let mut rank = own.saturating_add(1);
            while let Some((_, younger)) = self.next_of(key.as_bytes(), &mut rank) {
                if let Some(lock) = self.lock(younger)
                    && lock.contends_for(key.as_bytes())
                    && let LockState::Waiting { until, .. } = lock.state
                {
                    self.park(younger, until);
                }
            }
        }
    }

    /// A lock that is parked because of one of its keys no longer blocks others on the rest of its keys. If it `contended`, it no
    /// longer blocks those either that need not wait for what it waits for. They retry at the next timeout, which is now: at
    /// once they could park others in turn, endlessly.
    pub(super) fn unpark_younger(&mut self, id: LockId, contended: bool) {
        let Some(lock) = self.lock(id) else { return };
        let keys = lock.keys();
        if !contended && keys.len() == 1 {
            return;
        }
        let now = self.now;
        for key in keys.iter() {
            let mut rank = WAITER;
            while let Some((_, other)) = self.next_of(key.as_bytes(), &mut rank) {
                let blocked = self.is_blocked(other);
                match self.lock_mut(other).map(|lock| &mut lock.state) {
                    Some(LockState::Attempting) => break,
                    Some(LockState::Waiting {
                        until,
                        parked: true,
                        ..
                    }) if other != id && !blocked => {
                        *until = Some(now);
                        self.rearm(other);
                        break;
                    }
                    _ => {}
                }
            }
        }
    }
}
