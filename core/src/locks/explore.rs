//! What a search through all states needs besides `Clone`: to know a state again, and no hidden chance.

use core::hash::{Hash, Hasher};

use crate::rng::Rng;
use crate::time::Instant;

use super::{Entry, Locks};

impl Locks {
    /// Feeds `hasher` with all that decides what these locks do from `now` on. Times count as distances from `now`;
    /// generations, the numbers of rounds and the seed do not count; a value counts as what `name` calls it.
    ///
    /// To be called when [`Locks::poll_output`] has come to its end.
    #[doc(hidden)]
    pub fn fingerprint<H: Hasher>(
        &self,
        now: Instant,
        name: &mut dyn FnMut(&[u8]) -> u64,
        hasher: &mut H,
    ) {
        self.closing.hash(hasher);
        (self.requests.len(), self.events.len()).hash(hasher);
        for entry in self.slab.entries() {
            entry.is_some().hash(hasher);
            match entry {
                Some(Entry::Lock(lock)) => {
                    let before = |other: &&Entry| matches!(other, Entry::Lock(other) if other.rank < lock.rank);
                    let turn = self.slab.entries().flatten().filter(before).count();
                    turn.hash(hasher);
                    lock.fingerprint(now, name(lock.claim.value()), hasher);
                }
                Some(Entry::Probe(probe)) => {
                    probe.round.hash(hasher);
                    probe.deadline.saturating_since(now).hash(hasher);
                }
                None => {}
            }
        }
    }

    /// Starts the jitter of retries anew.
    #[doc(hidden)]
    pub fn reseed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }
}
