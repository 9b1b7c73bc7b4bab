//! Yielding: after its turn an engine reads whether another process takes the key before it requests it once more.
//!
//! The looks are the clock of that pause: each takes a round trip, and no timer of any runtime is as short.

use core::time::Duration;

use crate::id::LockId;
use crate::lock::{KeySet, LockState, Order, RoundKind, Verdict, hash, yield_time};
use crate::time::{Instant, Micros};

use super::Locks;

/// The interval at which a waiter looks, because a wake may never come.
pub(super) const LOOK: Duration = Duration::from_secs(3);
/// The most looks while an engine yields: with a round trip of ten microseconds they take a millisecond.
const MOST_LOOKS: u8 = 100;
/// How much earlier than necessary the last attempt of a wait begins.
const LAST_MARGIN: Micros = Micros(1_000);

impl Locks {
    /// Makes an attempt, or looks first if this engine's turn is over.
    pub(super) fn attempt_now(&mut self, id: LockId) {
        self.begin_attempt(id, first_round(self.is_turn_over(id)));
    }

    /// It is time to read whether the keys are still held. Where others share a key it may be free for this lock all the
    /// same, which only an attempt shows.
    pub(super) fn start_look(&mut self, id: LockId) {
        let looks = self.lock(id).is_some_and(|lock| lock.mode.is_exclusive());
        if let Some(lock) = self.lock_mut(id).filter(|_| !looks) {
            lock.keep_place();
        }
        self.begin_attempt(id, first_round(looks));
    }

    fn begin_attempt(&mut self, id: LockId, kind: RoundKind) {
        if let Some(lock) = self.lock_mut(id) {
            lock.state = LockState::Attempting;
            let several = lock.claim.keys().len() > 1;
            self.begin(id, kind);
            if several {
                self.park_younger(id);
            }
        }
    }

    /// Nodes have confirmed a release, which took that long. Nodes in order get their requests one after the other, but the process that
    /// comes next needs only the first of them.
    pub(super) fn turn_released(&mut self, key: u64, took: Micros) {
        let round_trip = Micros(took.0 / self.trips());
        let spread = self.longest_spread(round_trip);
        self.turns.released(key, self.now, round_trip, spread);
    }

    /// How many round trips an obtain or a release takes.
    fn trips(&self) -> u64 {
        match self.setup.order {
            Order::Parallel => 1,
            Order::Forward | Order::Reverse => self.setup.nodes.len().max(1) as u64,
        }
    }

    fn is_turn_over(&self, id: LockId) -> bool {
        // Others take their place in the queue of the server by how long they have waited: so none can be passed over.
        let Some(lock) = self.lock(id).filter(|lock| lock.mode.is_exclusive()) else {
            return false;
        };
        let mut others = lock.claim.keys().iter().skip(1);
        let is_over = self.turns.is_over(lock.key_hash, self.now)
            || others.any(|key| self.turns.is_over(hash(key), self.now));
        // If another lock of this engine holds them, no other process can take them.
        is_over && !self.is_shared(id) && !self.is_held_by_another(id)
    }

    /// Whether another lock of this engine holds one of the keys.
    fn is_held_by_another(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        lock.claim.keys().iter().any(|key| {
            let mut rank = 0;
            core::iter::from_fn(|| self.next_of(key.as_bytes(), &mut rank)).any(|(_, other)| {
                let state = self.lock(other).map(|other| &other.state);
                other != id && matches!(state, Some(LockState::Held(_)))
            })
        })
    }

    /// A look has ended.
    pub(super) fn look_decided(&mut self, id: LockId, verdict: Verdict) {
        let (now, trips) = (self.now, self.trips());
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let Some(active) = &lock.active else { return };
        // With a chosen token, the key may hold our own value, which an obtain would be granted. A look does not show
        // which.
        let denied = lock.claim.token().is_random() && active.round.is_denied();
        if verdict == Verdict::Lost && denied {
            lock.yielding = None;
            return self.obtain_failed(id);
        }
        let yielding = lock.yielding.take();
        let (since, looks) = yielding.unwrap_or((active.at, 0));
        let took = now.micros_since(active.at);
        // There is time for one attempt, and a wait must not end without one while the key is free.
        let next_end = now + took.times(trips + 1) + LAST_MARGIN;
        let is_last = lock.give_up_at.is_some_and(|end| end <= next_end);
        // The number of looks is limited because some clocks stand still while the process is busy.
        let yielded =
            looks >= MOST_LOOKS || since + yield_time(took) + self.longest_spread(took) <= now;
        let yields = yielding.is_some() || self.is_turn_over(id);
        if verdict == Verdict::Lost || yielded {
            // No other process took the key, or that is not known: a new turn of this engine begins.
            self.for_keys(id, KeySet::ALL, |locks, key| locks.turns.yielded(key));
        }
        let looks_on = self.is_turn_over(id) && !is_last;
        let ours = self.taken_by_ourselves();
        if let Some(lock) = self.lock_mut(id) {
            if yields && (looks_on || yielded) {
                // This engine is the one that delays the lock.
                lock.failure = Some(ours);
            }
            lock.yielding = looks_on.then_some((since, looks.saturating_add(1)));
            self.begin(id, first_round(looks_on));
        }
    }

    /// Calls `act` with the hash of each of these keys of a lock, for its turn. Locks that share their key have none.
    pub(super) fn for_keys(
        &mut self,
        id: LockId,
        keys: KeySet,
        mut act: impl FnMut(&mut Self, u64),
    ) {
        let Some(lock) = self.lock(id).filter(|lock| !lock.mode.is_shared()) else {
            return;
        };
        if keys.contains(0) {
            let key_hash = lock.key_hash;
            act(self, key_hash);
        }
        let Some(lock) = self.lock(id).filter(|lock| lock.claim.keys().len() > 1) else {
            return;
        };
        let all = lock.claim.keys().clone();
        for (place, key) in all.iter().enumerate().skip(1) {
            if keys.contains(place) {
                act(self, hash(key));
            }
        }
    }

    /// Plans the next look of a waiter, at the latest at `first`, and a last one so early that there is time for a request after it.
    pub(super) fn plan_look(&mut self, id: LockId, first: Option<Instant>) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let next = first.map_or(now + LOOK, |first| first.min(now + LOOK));
        // A look, an obtain, and a margin.
        let needed = Duration::from(lock.round_trip) * 3 + Duration::from(LAST_MARGIN);
        let LockState::Waiting { look_at, .. } = &mut lock.state else {
            return;
        };
        *look_at = match lock.give_up_at.map(|end| end.saturating_before(needed)) {
            Some(last) if last < next => Some(last).filter(|last| *last > now),
            _ => Some(next),
        };
    }
}

/// An engine whose turn is over looks before it requests the keys.
const fn first_round(turn_over: bool) -> RoundKind {
    if turn_over {
        RoundKind::Look
    } else {
        RoundKind::Obtain
    }
}
