//! Obtaining locks by calls that block.

use std::time::Duration;

use futures_lite::future::block_on;
use tenure_core::{Holding, Keep, Retry, Status};

use super::Lock;
use crate::embedded::Embedded;
use crate::error::{ConnectError, InspectError, ObtainError};
use crate::keys::IntoKeys;
use crate::runtime::blocking::Threads;
use crate::servers::Servers;
use crate::start;

/// Connects to servers, and starts a thread that runs the driver.
///
/// Blocks until enough servers for a quorum are ready. Connecting to the others continues in the background, as does
/// reconnecting later.
///
/// # Errors
/// [`ConnectError`] if a URL or setting is invalid, or if too many servers failed at the first attempt. The longest time for an
/// attempt is [`Servers::connect_timeout`] (3 s by default).
///
/// # Panics
/// If no thread can be started.
///
/// ```no_run
/// # fn main() -> Result<(), tenure::ConnectError> {
/// let locker = tenure::blocking::connect("redis://127.0.0.1:6379")?;
/// # Ok(())
/// # }
/// ```
pub fn connect(servers: impl Into<Servers>) -> Result<Locker, ConnectError> {
    block_on(start::connect::<Threads>(servers.into())).map(Locker)
}

/// A locker with a server of its own within the process, for tests: see [`Memory`].
///
/// # Panics
/// If no thread can be started.
#[must_use]
pub fn memory() -> Locker {
    Memory::new().locker()
}

/// Obtains locks from the servers it is connected to. Cheap to clone; all clones share the connections and the thread.
///
/// When the last clone, [`Lock`] and [`Obtaining`] is dropped, all locks are released, the connections are closed and the
/// thread ends. [`Locker::close`] waits until this is done.
#[derive(Clone, Debug)]
pub struct Locker(crate::Locker);

impl Locker {
    /// Requests a lock on one key or on several, all or none. Set options with the methods of [`Obtaining`]; its
    /// [`block`](Obtaining::block) obtains the lock. Nothing is sent before that.
    ///
    /// ```
    /// # fn main() -> Result<(), tenure::ObtainError> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain(["from", "to"]).block()?;
    /// assert!(lock.is_held());
    /// # Ok(())
    /// # }
    /// ```
    pub fn obtain(&self, keys: impl IntoKeys) -> Obtaining {
        Obtaining(self.0.obtain(keys))
    }

    /// Requests a read lock: see [`tenure::Locker::read`](crate::Locker::read).
    pub fn read(&self, key: impl IntoKeys) -> Obtaining {
        Obtaining(self.0.read(key))
    }

    /// Requests a write lock: see [`tenure::Locker::write`](crate::Locker::write).
    pub fn write(&self, key: impl IntoKeys) -> Obtaining {
        Obtaining(self.0.write(key))
    }

    /// Requests one of `limit` permits: see [`tenure::Locker::permit`](crate::Locker::permit).
    ///
    /// ```
    /// # fn main() -> Result<(), tenure::ObtainError> {
    /// let locker = tenure::blocking::memory();
    /// let permit = locker.permit("api", 1).block()?;
    /// assert!(locker.permit("api", 1).if_free()?.is_none());
    /// # drop(permit);
    /// # Ok(())
    /// # }
    /// ```
    pub fn permit(&self, key: impl IntoKeys, limit: u32) -> Obtaining {
        Obtaining(self.0.permit(key, limit))
    }

    /// Tries once to obtain a lock with the default options, and returns `None` if a key is held. With other options:
    /// [`Obtaining::if_free`].
    ///
    /// # Errors
    /// [`ObtainError`], except that the lock is held.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.try_obtain("nightly")?.expect("it is free");
    /// assert!(locker.try_obtain("nightly")?.is_none());
    /// # drop(lock);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_obtain(&self, keys: impl IntoKeys) -> Result<Option<Lock>, ObtainError> {
        self.obtain(keys).if_free()
    }

    /// Returns what a key holds and for how long, without changing anything, or `None` if the key is free. With several
    /// keys: the first that is held.
    ///
    /// # Errors
    /// [`InspectError`] if a key is invalid, too few servers replied, or the locker is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").metadata("host-7").block()?;
    /// let holding = locker.inspect("nightly")?.expect("it is held");
    /// assert!(holding.value.ends_with(b"host-7"));
    /// # drop(lock);
    /// # Ok(())
    /// # }
    /// ```
    pub fn inspect(&self, key: impl IntoKeys) -> Result<Option<Holding>, InspectError> {
        block_on(self.0.inspect(key))
    }

    /// Returns everything that servers know of a key: who has it, alone or with others, how many clients wait for it in order,
    /// and its last fence. With several keys: of the first.
    ///
    /// The answer may be out of date when it arrives. It takes a script and the rights of read locks;
    /// [`inspect`](Self::inspect) needs neither.
    ///
    /// # Errors
    /// [`InspectError`] if a key is invalid, too few servers replied, a server runs no scripts, or the locker is closed.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::blocking::memory();
    /// let lock = locker.obtain("nightly").block()?;
    /// assert_eq!(locker.status("nightly")?.holders.len(), 1);
    /// # drop(lock);
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&self, key: impl IntoKeys) -> Result<Status, InspectError> {
        block_on(self.0.status(key))
    }

    /// Releases all locks, cancels all requests, closes the connections and ends the thread. Blocks until this is done:
    /// for one request timeout (1 s by default) at most if servers do not answer.
    ///
    /// Locks still in use are lost: [`Loss::Closed`](crate::Loss::Closed).
    pub fn close(&self) {
        block_on(self.0.close());
    }

    /// The text of the last server error that Tenure does not know: see
    /// [`tenure::Locker::unknown_error`](crate::Locker::unknown_error).
    #[must_use]
    pub fn unknown_error(&self) -> Option<String> {
        self.0.unknown_error()
    }
}

/// A request for a lock. [`block`](Self::block) sends it.
///
/// Its options are those of [`tenure::Obtaining`](crate::Obtaining), with the same defaults and limits.
#[derive(Debug)]
#[must_use = "nothing is requested until it blocks"]
pub struct Obtaining(crate::Obtaining);

impl Obtaining {
    /// How long the servers keep the lock without a refresh. From 3 ms to 365 days. Default: 30 s.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self(self.0.ttl(ttl))
    }

    /// How long to wait for the current holder. Without it, the request tries once.
    pub fn wait(self, wait: Duration) -> Self {
        Self(self.0.wait(wait))
    }

    /// Text for others to read beside the token, at most [`MAX_METADATA`](crate::MAX_METADATA) bytes.
    pub fn metadata(self, metadata: impl AsRef<[u8]>) -> Self {
        Self(self.0.metadata(metadata))
    }

    /// A token of your own instead of a random one, 1 to [`MAX_TOKEN`](crate::MAX_TOKEN) bytes.
    pub fn token(self, token: impl AsRef<[u8]>) -> Self {
        Self(self.0.token(token))
    }

    /// When to retry if servers do not report changes.
    pub fn retry(self, retry: Retry) -> Self {
        Self(self.0.retry(retry))
    }

    /// Turns automatic renewal off.
    pub fn manual(self) -> Self {
        Self(self.0.manual())
    }

    /// Renewal stops after this time, counted from the request.
    pub fn max_hold(self, max_hold: Duration) -> Self {
        Self(self.0.max_hold(max_hold))
    }

    /// Waits in the order of requests: see [`tenure::Obtaining::in_turn`](crate::Obtaining::in_turn).
    pub fn in_turn(self) -> Self {
        Self(self.0.in_turn())
    }

    /// Gives each grant a number that grows: see [`tenure::Obtaining::fence`](crate::Obtaining::fence).
    pub fn fence(self) -> Self {
        Self(self.0.fence())
    }

    /// The same with another time for which counters outlive their last number.
    pub fn fence_with(self, keep: Keep) -> Self {
        Self(self.0.fence_with(keep))
    }

    /// Obtains the lock. Blocks for a round trip, or as long as the [`wait`](Self::wait) lasts.
    ///
    /// # Errors
    /// [`ObtainError`] says why not.
    pub fn block(self) -> Result<Lock, ObtainError> {
        block_on(async { self.0.await }).map(Lock::new)
    }

    /// Obtains the lock, or returns `None` if it is held, or is still held when the [`wait`](Self::wait) ends.
    ///
    /// # Errors
    /// [`ObtainError`], except that the lock is held.
    pub fn if_free(self) -> Result<Option<Lock>, ObtainError> {
        Ok(block_on(self.0.if_free())?.map(Lock::new))
    }
}

/// A server within the process, for tests of code that uses locks. It speaks the same protocol as a real server, and
/// several lockers can contend for its keys. It is dropped with its last locker. Its time is that of the machine.
///
/// ```
/// # fn main() -> Result<(), tenure::ObtainError> {
/// let server = tenure::blocking::Memory::new();
/// let (alice, bob) = (server.locker(), server.locker());
/// let lock = alice.obtain("nightly").block()?;
/// assert!(bob.try_obtain("nightly")?.is_none());
/// lock.release();
/// bob.obtain("nightly").block()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Memory(Embedded);

impl Memory {
    /// An empty server.
    #[must_use]
    pub fn new() -> Self {
        Self(start::embedded::<Threads>())
    }

    /// A locker that is connected to it.
    ///
    /// # Panics
    /// Without random bytes from the operating system, or if no thread can be started.
    #[must_use]
    pub fn locker(&self) -> Locker {
        Locker(start::locker_of::<Threads>(&self.0))
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
