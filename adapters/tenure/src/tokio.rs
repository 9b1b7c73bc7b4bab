//! Lockers that run on tokio.

use std::future::Future;

use crate::embedded::Embedded;
use crate::error::ConnectError;
use crate::locker::Locker;
use crate::runtime::tokio::Tokio;
use crate::servers::Servers;
use crate::start;

/// Connects to servers, and runs the driver as a task of the current runtime, which needs its I/O and time drivers enabled.
///
/// Waits until enough servers for a quorum are ready. Connecting to the others continues in the background, as does
/// reconnecting later.
///
/// # Errors
/// [`ConnectError`] if a URL or setting is invalid, or if too many servers failed at the first attempt. The longest time for an
/// attempt is [`Servers::connect_timeout`] (3 s by default).
///
/// # Panics
/// Outside of a tokio runtime.
///
/// ```no_run
/// # #[tokio::main]
/// # async fn main() -> Result<(), tenure::ConnectError> {
/// use tenure::Servers;
///
/// let locker = tenure::tokio::connect("redis://127.0.0.1:6379").await?;
/// let redlock = tenure::tokio::connect(Servers::quorum([
///     "rediss://me:secret@a.example",
///     "rediss://me:secret@b.example",
///     "rediss://me:secret@c.example",
/// ]))
/// .await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect(servers: impl Into<Servers>) -> Result<Locker, ConnectError> {
    start::connect::<Tokio>(servers.into()).await
}

/// Returns a locker and its driver, for running the driver yourself, for example on another tokio runtime or in a
/// `LocalSet`.
///
/// Nothing happens unless the driver is polled. It ends when the locker is closed, or when all handles are dropped. It
/// connects for as long as it runs; [`Locker::ready`] waits for enough servers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tenure::ConnectError> {
/// let (locker, driver) = tenure::tokio::open("redis://127.0.0.1:6379".into())?;
/// let driver = tokio::spawn(driver);
/// locker.close().await;
/// driver.await.expect("the driver does not panic");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ConnectError`] if a URL or setting is invalid.
pub fn open(
    servers: Servers,
) -> Result<(Locker, impl Future<Output = ()> + Send + 'static), ConnectError> {
    start::open::<Tokio>(servers)
}

/// A locker with a server of its own within the process, for tests: see [`Memory`].
///
/// # Panics
/// Outside of a tokio runtime.
#[must_use]
pub fn memory() -> Locker {
    Memory::new().locker()
}

/// A server within the process, for tests of code that uses locks. It speaks the same protocol as a real server, and
/// several lockers can contend for its keys. It is dropped with its last locker.
///
/// It uses tokio's clock: in a test with `start_paused = true`, waiting takes no real time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tenure::ObtainError> {
/// use tenure::{NotObtained, ObtainError};
///
/// let server = tenure::tokio::Memory::new();
/// let (alice, bob) = (server.locker(), server.locker());
/// let lock = alice.obtain("nightly").await?;
/// let refused = bob.obtain("nightly").await;
/// assert!(matches!(refused, Err(ObtainError::NotObtained(NotObtained::Taken { .. }, ..))));
/// lock.release().await;
/// bob.obtain("nightly").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Memory(Embedded);

impl Memory {
    /// An empty server.
    #[must_use]
    pub fn new() -> Self {
        Self(start::embedded::<Tokio>())
    }

    /// A locker that is connected to it.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or without random bytes from the operating system.
    #[must_use]
    pub fn locker(&self) -> Locker {
        start::locker_of::<Tokio>(&self.0)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
