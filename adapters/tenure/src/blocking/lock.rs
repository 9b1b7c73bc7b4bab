//! A lock whose calls block.

use std::time::Duration;

use futures_lite::future::{self, block_on};
use tenure_core::{Fence, Keys, Lease, Loss, Released};

use crate::error::{InspectError, RefreshError, VerifyError};
use crate::mode_error::ModeError;
use crate::runtime::blocking::tasks;

/// A lock that was obtained. Dropping it releases it, without blocking.
///
/// The outcome of a drop is not reported. At the end of a program, call [`Lock::release`] or
/// [`Locker::close`](super::Locker::close), or the process may end before the release is sent.
///
/// The locker's thread renews the lock in the background, unless it was obtained with
/// [`Obtaining::manual`](super::Obtaining::manual). Check [`Lock::is_held`] right before a critical step.
#[derive(Debug)]
pub struct Lock(crate::Lock);

impl Lock {
    pub(super) const fn new(lock: crate::Lock) -> Self {
        Self(lock)
    }

    /// The key, or the first of several.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.0.key()
    }

    /// The keys, in the order given.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.0.keys()
    }

    /// The token: the first bytes of the value on the servers.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        self.0.token()
    }

    /// The metadata: the bytes behind the token.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.0.metadata()
    }

    /// The number of this grant, if it was requested with [`Obtaining::fence`](super::Obtaining::fence).
    #[must_use]
    pub fn fence(&self) -> Option<Fence> {
        self.0.fence()
    }

    /// Another handle of this lock. The lock is released when the last handle is released or dropped, and a loss ends all of
    /// them.
    ///
    /// # Errors
    /// The [`Loss`], if the lock is no longer held.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// let inner = lock.again()?;
    /// assert_eq!(inner.release(), tenure::Released::Shared);
    /// assert!(lock.is_held());
    /// # Ok(())
    /// # }
    /// ```
    pub fn again(&self) -> Result<Self, Loss> {
        self.0.again().map(Self)
    }

    /// Turns a reader or a permit into a writer, if no other client shares the key now. Blocks for a round trip. See
    /// [`crate::Lock::try_upgrade`].
    ///
    /// # Errors
    /// [`ModeError`]: the lock is still a reader, or no longer held.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.read("config").block()?;
    /// lock.try_upgrade()?;
    /// lock.downgrade()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_upgrade(&self) -> Result<(), ModeError> {
        block_on(self.0.try_upgrade())
    }

    /// Turns a writer into a reader, as which it counts from this call on. Blocks for a round trip. See
    /// [`crate::Lock::downgrade`].
    ///
    /// # Errors
    /// [`ModeError`]: it is not known what the server did, or the lock is no longer held.
    pub fn downgrade(&self) -> Result<(), ModeError> {
        block_on(self.0.downgrade())
    }

    /// Whether others may hold the key at the same time. See [`crate::Lock::is_shared`].
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    /// The current lease, or the last known one if the lock has ended.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.0.lease()
    }

    /// How long the lock is certainly still held if no refresh succeeds. Zero once it is no longer held.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.0.remaining()
    }

    /// Whether the lock is certainly still held now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Extends the lease to a whole ttl from now. Blocks until servers have replied, or the lease ends.
    ///
    /// # Errors
    /// The [`Loss`], if the lock is no longer held.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").manual().block()?;
    /// let lease = lock.refresh()?;
    /// assert_eq!(lease.ttl().as_duration().as_secs(), 30);
    /// # Ok(())
    /// # }
    /// ```
    pub fn refresh(&self) -> Result<Lease, Loss> {
        block_on(self.0.refresh())
    }

    /// The same with another ttl, which renewal uses from now on. From 3 ms to 365 days.
    ///
    /// # Errors
    /// [`RefreshError::Ttl`] if the ttl is out of range, [`RefreshError::Lost`] if the lock is no longer held.
    pub fn refresh_for(&self, ttl: Duration) -> Result<Lease, RefreshError> {
        block_on(self.0.refresh_for(ttl))
    }

    /// Asks the servers whether they still keep the lock, and checks the clock after that. Blocks for a round trip.
    ///
    /// # Errors
    /// [`VerifyError::Lost`] if the lock is no longer held, [`VerifyError::Inspect`] if too few servers replied.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// lock.verify()?; // right before a critical step
    /// # Ok(())
    /// # }
    /// ```
    pub fn verify(&self) -> Result<(), VerifyError> {
        block_on(self.0.verify())
    }

    /// Asks the servers how long they will keep the lock without a refresh. `None` if it is no longer held there,
    /// [`Duration::MAX`] if the keys have no ttl.
    ///
    /// # Errors
    /// [`InspectError`] if too few servers replied, or their replies differ.
    pub fn remaining_on_servers(&self) -> Result<Option<Duration>, InspectError> {
        block_on(self.0.remaining_on_servers())
    }

    /// Blocks until the lock is lost and returns the cause, or `None` if it is still held after `timeout`.
    ///
    /// ```
    /// # fn main() -> Result<(), tenure::ObtainError> {
    /// # use std::time::Duration;
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// assert_eq!(lock.wait_lost(Duration::from_millis(10)), None);
    /// locker.close();
    /// assert_eq!(lock.wait_lost(Duration::MAX), Some(tenure::Loss::Closed));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn wait_lost(&self, timeout: Duration) -> Option<Loss> {
        let lost = async { Some(self.0.lost().await) };
        let over = async {
            async_io::Timer::after(timeout).await;
            None
        };
        block_on(future::or(lost, over))
    }

    /// Calls `callback` once if the lock is lost, on another thread. It may block: nothing waits for it. It is never called
    /// for a lock that is released, and at once for one that is lost already.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// lock.on_lost(move |loss| sender.send(loss).expect("somebody receives"));
    /// locker.close();
    /// assert_eq!(receiver.recv()?, tenure::Loss::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_lost(&self, callback: impl FnOnce(Loss) + Send + 'static) {
        let ended = self.0.ended();
        let task = async move {
            if let Some(loss) = ended.await {
                // On a thread that may block and panic without harm to any driver.
                ::blocking::unblock(move || callback(loss)).detach();
            }
        };
        tasks().spawn(task).detach();
    }

    /// Releases the lock and returns what the release found. Blocks for a round trip, and for at most three request
    /// timeouts (3 s by default).
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// assert_eq!(lock.release(), tenure::Released::Confirmed);
    /// # Ok(())
    /// # }
    /// ```
    pub fn release(self) -> Released {
        block_on(self.0.release())
    }
}
