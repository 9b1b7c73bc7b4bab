//! What callers may read of a lock.

use super::Engine;
use crate::claim::Claim;
use crate::fence::Fence;
use crate::id::LockId;
use crate::lease::Lease;

impl Engine {
    /// The lease of a held lock.
    #[must_use]
    pub fn lease(&self, lock: LockId) -> Option<Lease> {
        self.locks.lease(lock)
    }

    /// The fence of a held lock, if it was requested with one: larger than that of every fenced grant of its keys before.
    /// `None` without a request for one, and when the lock is not held.
    #[must_use]
    pub fn fence(&self, lock: LockId) -> Option<Fence> {
        self.locks.fence(lock)
    }

    /// Keys and value of a lock, until its terminal event. A drawn token is final from
    /// [`Event::Obtained`](crate::Event::Obtained) on.
    #[must_use]
    pub fn claim(&self, lock: LockId) -> Option<&Claim> {
        self.locks.claim(lock)
    }
}
