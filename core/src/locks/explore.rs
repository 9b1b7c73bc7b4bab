//! What a search through all states needs besides `Clone`: to know a state again, and no hidden chance.

use core::hash::{Hash, Hasher};

use crate::id::{NodeId, RequestId};
use crate::lock::{Lock, LockState};
use crate::rng::Rng;
use crate::time::Instant;

use super::{Entry, Locks};

impl Locks {
    /// Feeds `hasher` with all that decides what these locks do from `now` on, but for what
    /// [`Locks::node_fingerprint`] says of single nodes. Times count as distances from `now`; generations, the numbers
    /// of rounds and the seed do not count; a value counts as what `name` calls it.
    ///
    /// To be called when [`Locks::poll_output`] has come to its end.
    #[doc(hidden)]
    pub fn fingerprint<H: Hasher>(
        &self,
        now: Instant,
        name: &mut dyn FnMut(&[u8]) -> u64,
        hasher: &mut H,
    ) {
        (self.closing, self.down).hash(hasher);
        (self.requests.len(), self.events.len()).hash(hasher);
        self.slab.fingerprint(hasher);
        for entry in self.slab.entries().flatten() {
            match entry {
                Entry::Lock(lock) => {
                    let before = |other: &&Entry| matches!(other, Entry::Lock(other) if other.rank < lock.rank);
                    let turn = self.slab.entries().flatten().filter(before).count();
                    turn.hash(hasher);
                    lock.fingerprint(now, name(lock.claim.value()), hasher);
                }
                Entry::Probe(probe) => {
                    probe.round.hash(hasher);
                    probe.deadline.saturating_since(now).hash(hasher);
                }
            }
        }
    }

    /// Feeds `hasher` with what these locks know of `node` and of no other. Nodes that are asked all at once may change
    /// places: then the locks behave alike with their places changed.
    #[doc(hidden)]
    pub fn node_fingerprint<H: Hasher>(&self, node: NodeId, hasher: &mut H) {
        for entry in self.slab.entries().flatten() {
            if let Entry::Lock(lock) = entry {
                lock.node_fingerprint(node, hasher);
            }
        }
    }

    /// The value of every lock.
    #[doc(hidden)]
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.slab
            .entries()
            .flatten()
            .filter_map(|entry| match entry {
                Entry::Lock(lock) => Some(lock.claim.value()),
                Entry::Probe(_) => None,
            })
    }

    /// Whether the answer to this request is more than a sign of life.
    #[doc(hidden)]
    #[must_use]
    pub fn awaits(&self, request: RequestId) -> bool {
        let lock = self.lock(request.lock);
        let ask = lock.and_then(|lock| lock.ask.as_ref().filter(|_| lock.round == request.round));
        ask.is_some_and(|ask| ask.round.pending().contains(request.node))
    }

    /// Whether not even [`crate::Outcome::Unknown`] changes anything about this request.
    #[doc(hidden)]
    #[must_use]
    pub fn ignores(&self, request: RequestId) -> bool {
        let over = |lock: &Lock| matches!(lock.state, LockState::Releasing(_));
        self.lock(request.lock).is_none_or(over) && !self.awaits(request)
    }

    /// Starts the jitter of retries anew.
    #[doc(hidden)]
    pub fn reseed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }
}
