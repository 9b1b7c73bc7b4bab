//! Lockers that run on smol: the feature `smol`.

use std::future::Future;

use crate::embedded::Embedded;
use crate::error::ConnectError;
use crate::locker::Locker;
use crate::runtime::smol::Smol;
use crate::servers::Servers;
use crate::start;

/// Connects to servers, and runs the driver as a task of smol's global executor.
///
/// Waits until enough servers for a quorum are ready. Connecting to the others continues in the background, as does
/// reconnecting later.
///
/// # Errors
/// [`ConnectError`] if a URL or setting is invalid, or if too many servers failed at the first attempt. The longest time for an
/// attempt is [`Servers::connect_timeout`] (3 s by default).
///
/// ```no_run
/// # fn main() -> Result<(), tenure::ConnectError> {
/// # smol::block_on(async {
/// let locker = tenure::smol::connect("redis://127.0.0.1:6379").await?;
/// # Ok(())
/// # })
/// # }
/// ```
pub async fn connect(servers: impl Into<Servers>) -> Result<Locker, ConnectError> {
    start::connect::<Smol>(servers.into()).await
}

/// Returns a locker and its driver, for running the driver yourself, for example on an executor of your own.
///
/// Nothing happens unless the driver is polled. It ends when the locker is closed, or when all handles are dropped. It
/// connects for as long as it runs; [`Locker::ready`] waits for enough servers.
///
/// # Errors
/// [`ConnectError`] if a URL or setting is invalid.
pub fn open(
    servers: Servers,
) -> Result<(Locker, impl Future<Output = ()> + Send + 'static), ConnectError> {
    start::open::<Smol>(servers)
}

/// A locker with a server of its own within the process, for tests: see [`Memory`].
#[must_use]
pub fn memory() -> Locker {
    Memory::new().locker()
}

/// A server within the process, for tests of code that uses locks. It speaks the same protocol as a real server, and
/// several lockers can contend for its keys. It is dropped with its last locker. Its time is that of the machine.
///
/// ```
/// # fn main() -> Result<(), tenure::ObtainError> {
/// # smol::block_on(async {
/// let server = tenure::smol::Memory::new();
/// let (alice, bob) = (server.locker(), server.locker());
/// let lock = alice.obtain("nightly").await?;
/// assert!(bob.try_obtain("nightly").await?.is_none());
/// lock.release().await;
/// bob.obtain("nightly").await?;
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Memory(Embedded);

impl Memory {
    /// An empty server.
    #[must_use]
    pub fn new() -> Self {
        Self(start::embedded::<Smol>())
    }

    /// A locker that is connected to it.
    ///
    /// # Panics
    /// Without random bytes from the operating system.
    #[must_use]
    pub fn locker(&self) -> Locker {
        start::locker_of::<Smol>(&self.0)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
