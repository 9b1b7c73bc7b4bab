//! For an exhaustive search, with the feature `search`: a fingerprint of each state, and no hidden randomness.

use core::hash::{Hash, Hasher};

use crate::id::{NodeId, RequestId};
use crate::lock::{Lock, LockState};
use crate::rng::Rng;
use crate::time::Instant;

use super::{Entry, Locks};

impl Locks {
    /// Feeds `hasher` with everything that decides what these locks do from `now` on, except what
    /// [`Locks::node_fingerprint`] covers. Times count as distances from `now`; a value counts as the number that `name`
    /// gives it. Generations, round numbers and the seed do not count.
    ///
    /// To be called after [`Locks::poll_output`] has returned [`crate::LocksOutput::Timeout`].
    pub fn fingerprint<H: Hasher>(
        &self,
        now: Instant,
        name: &mut dyn FnMut(&[u8]) -> u64,
        hasher: &mut H,
    ) {
        (self.closing, &self.down).hash(hasher);
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

    /// Feeds `hasher` with what these locks know of `node` alone. If two nodes that get requests in parallel swap these parts, the
    /// locks behave the same with the two nodes swapped.
    pub fn node_fingerprint<H: Hasher>(&self, node: NodeId, hasher: &mut H) {
        for entry in self.slab.entries().flatten() {
            if let Entry::Lock(lock) = entry {
                lock.node_fingerprint(node, hasher);
            }
        }
    }

    /// The value of every lock.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.slab
            .entries()
            .flatten()
            .filter_map(|entry| match entry {
                Entry::Lock(lock) => Some(lock.claim.value()),
                Entry::Probe(_) => None,
            })
    }

    /// Whether the outcome of this request still counts in its round.
    #[must_use]
    pub fn awaits(&self, request: RequestId) -> bool {
        let lock = self.lock(request.lock);
        let active =
            lock.and_then(|lock| lock.active.as_ref().filter(|_| lock.round == request.round));
        active.is_some_and(|active| active.round.pending().contains(request.node))
    }

    /// Whether no outcome of this request changes anything, not even [`crate::Outcome::Unknown`].
    #[must_use]
    pub fn ignores(&self, request: RequestId) -> bool {
        let over = |lock: &Lock| matches!(lock.state, LockState::Releasing(_));
        self.lock(request.lock).is_none_or(over) && !self.awaits(request)
    }

    /// Reseeds the jitter of retries.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
    }
}
