//! Letting others go first: after a turn an engine looks whether somebody else takes the key before it asks again.
//!
//! The looks are the clock of that pause: each takes a round trip, and no timer of any runtime is as short.

use core::time::Duration;

use crate::id::LockId;
use crate::lock::{KeySet, State, Verdict, What, hash, rest};

use super::Locks;

/// How often a waiter looks, whatever it hears: a wake may never come.
pub(super) const LOOK: Duration = Duration::from_secs(3);
/// How often an engine looks at most whether others come: with a round trip of ten microseconds that is a millisecond.
const MOST_LOOKS: u8 = 100;

impl Locks {
    /// Asks, or looks first if this engine has had a key for long enough.
    pub(super) fn ask_now(&mut self, id: LockId) {
        let looks = self.is_turn_over(id);
        self.ask_for(id, if looks { What::Look } else { What::Obtain });
    }

    /// Time to look whether the keys are still held.
    pub(super) fn look_again(&mut self, id: LockId) {
        self.ask_for(id, What::Look);
    }

    fn ask_for(&mut self, id: LockId, what: What) {
        if let Some(lock) = self.lock_mut(id) {
            lock.state = State::Asking;
            let several = lock.claim.keys().len() > 1;
            self.begin(id, what);
            if several {
                self.park_younger(id);
            }
        }
    }

    fn is_turn_over(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        let mut others = lock.claim.keys().iter().skip(1);
        let is_over = self.turns.is_over(lock.spot, self.now)
            || others.any(|key| self.turns.is_over(hash(key), self.now));
        // If another lock of this engine holds them, nobody else has a turn.
        is_over && !self.is_shared(id)
    }

    /// A look has come to its end.
    pub(super) fn look_decided(&mut self, id: LockId, verdict: Verdict) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let Some(ask) = &lock.ask else { return };
        // What holds a key may be the user's own token, and then it is granted: a look does not tell.
        let told = lock.claim.token().is_random() && ask.round.is_denied();
        if verdict == Verdict::Lost && told {
            lock.rests = None;
            return self.obtain_failed(id);
        }
        let (since, looks) = lock.rests.take().unwrap_or((ask.at, 0));
        let took = now.micros_since(ask.at);
        // On a clock that stands still while somebody is busy, time would never pass.
        let rested = looks >= MOST_LOOKS || since + rest(took) + self.longest_spread(took) <= now;
        if verdict == Verdict::Lost || rested {
            // Nobody knows, or nobody came: then it is this engine's turn again.
            self.for_keys(id, KeySet::ALL, |locks, key| locks.turns.rested(key));
        }
        let (looks_on, ours) = (self.is_turn_over(id), self.was_ours());
        if let Some(lock) = self.lock_mut(id) {
            if looks_on || rested {
                // It is this engine that has kept it waiting.
                lock.failure = Some(ours);
            }
            lock.rests = looks_on.then_some((since, looks.saturating_add(1)));
            self.begin(id, if looks_on { What::Look } else { What::Obtain });
        }
    }

    /// Calls `act` with the hash of each of these keys of a lock.
    pub(super) fn for_keys(
        &mut self,
        id: LockId,
        keys: KeySet,
        mut act: impl FnMut(&mut Self, u64),
    ) {
        let Some(lock) = self.lock(id) else { return };
        if keys.contains(0) {
            let spot = lock.spot;
            act(self, spot);
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

    /// When to look again while waiting, and one last time so early that there is time to ask.
    pub(super) fn plan_look(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let next = now + LOOK;
        // A look, an obtain, and some air.
        let needed = Duration::from(lock.round_trip) * 3 + Duration::from_millis(1);
        lock.look_at = match lock.give_up_at.map(|end| end.saturating_before(needed)) {
            Some(last) if last < next => Some(last).filter(|last| *last > now),
            _ => Some(next),
        };
    }
}
