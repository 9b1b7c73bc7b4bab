//! What callers may read of a lock.

use super::Engine;
#[cfg(feature = "modes")]
use crate::change::ChangeError;
use crate::claim::Claim;
use crate::fence::Fence;
use crate::id::LockId;
use crate::lease::Lease;
#[cfg(feature = "modes")]
use crate::{event::NodeError, keys::Key, lock::Status, obtain::Mode, time::Instant};

impl Engine {
    /// Starts to ask for everything that is known of a key, without side effects. Ends with
    /// [`Event::Inspected`](crate::Event::Inspected), then [`Engine::take_status`] has the result. [`Engine::release`] ends it
    /// early.
    #[cfg(feature = "modes")]
    pub fn status(&mut self, key: Key, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.restart_silence(now);
        self.locks.status(key, now)
    }

    /// The result of [`Engine::status`], once: `None` for anything else.
    #[cfg(feature = "modes")]
    pub fn take_status(&mut self, inspection: LockId) -> Option<Result<Status, NodeError>> {
        self.locks.take_status(inspection)
    }

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

    /// The mode of a held lock that may be relied on.
    #[cfg(feature = "modes")]
    #[must_use]
    pub fn mode(&self, lock: LockId) -> Option<Mode> {
        self.locks.mode(lock)
    }

    /// The mode to which a writer is to change if it is to share its key again: with the limit that it had before, if it was
    /// a permit.
    #[cfg(feature = "modes")]
    #[must_use]
    pub fn shared_mode(&self, lock: LockId) -> Mode {
        self.locks.shared_mode(lock)
    }

    /// Changes a held lock from reader to writer or back, if that is possible at once: see [`crate::Locks::change`].
    ///
    /// # Errors
    /// [`ChangeError`], and then nothing was sent.
    #[cfg(feature = "modes")]
    pub fn change(&mut self, lock: LockId, mode: Mode, now: Instant) -> Result<(), ChangeError> {
        let now = self.clamp(now);
        self.restart_silence(now);
        self.locks.change(lock, mode, now)
    }

    /// Keys and value of a lock, until its terminal event. A drawn token is final from
    /// [`Event::Obtained`](crate::Event::Obtained) on.
    #[must_use]
    pub fn claim(&self, lock: LockId) -> Option<&Claim> {
        self.locks.claim(lock)
    }
}
