//! What callers may read of a lock.

use super::Locks;
use crate::claim::Claim;
use crate::fence::Fence;
use crate::id::LockId;
use crate::lease::Lease;
use crate::lock::LockState;
#[cfg(feature = "modes")]
use crate::obtain::Mode;

impl Locks {
    /// The lease of a held lock.
    #[must_use]
    pub fn lease(&self, lock: LockId) -> Option<Lease> {
        match &self.lock(lock)?.state {
            LockState::Held(held) => Some(held.lease),
            LockState::Attempting | LockState::Waiting { .. } | LockState::Releasing(_) => None,
        }
    }

    /// The fence of a held lock, if it was requested with one: see [`Engine::fence`](crate::Engine::fence).
    #[must_use]
    pub fn fence(&self, lock: LockId) -> Option<Fence> {
        let lock = self.lock(lock)?;
        // One that has come to share its key has no number, because others have come in beside it.
        let held = matches!(lock.state, LockState::Held(_)) && !lock.mode.is_shared();
        lock.fencing.as_ref().filter(|_| held)?.number()
    }

    /// The mode of a held lock that may be relied on: see [`Locks::change`].
    #[cfg(feature = "modes")]
    #[must_use]
    pub fn mode(&self, lock: LockId) -> Option<Mode> {
        let lock = self.lock(lock)?;
        matches!(lock.state, LockState::Held(_)).then_some(lock.mode)
    }

    /// The mode to which a writer is to change if it is to share its key again: with the limit that it had before, if it was
    /// a permit.
    #[cfg(feature = "modes")]
    #[must_use]
    pub fn shared_mode(&self, lock: LockId) -> Mode {
        let limit = self.lock(lock).and_then(|lock| lock.shared_limit);
        Mode::Shared { limit }
    }

    /// Keys and value of a lock, until its terminal event. A drawn token is final from
    /// [`Event::Obtained`](crate::Event::Obtained) on.
    #[must_use]
    pub fn claim(&self, lock: LockId) -> Option<&Claim> {
        self.lock(lock).map(|lock| &lock.claim)
    }
}
