//! Lockers that run on tokio.

use std::future::Future;
use std::sync::Arc;

use ::tokio::time::Instant;
use tenure_core::{Config, NodeConfig};

use crate::address::Endpoint;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::ConnectError;
use crate::locker::Locker;
use crate::memory::{Embedded, InMemory};
use crate::runtime::Runtime;
use crate::runtime::tokio::Tokio;
use crate::servers::{Plan, Servers, Target};
use crate::shared::{Handle, Shared};

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
    let (locker, driver) = open(servers.into())?;
    ::tokio::spawn(driver);
    locker.ready().await?;
    Ok(locker)
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
    start::<Tokio>(servers.plan()?, Clock::real())
}

fn start<R: Runtime>(plan: Plan, clock: Clock) -> Result<(Locker, Driver<R>), ConnectError> {
    let addresses = plan
        .targets
        .iter()
        .map(|target| target.endpoint.to_string());
    let seed = getrandom::u64().map_err(|_| ConnectError::NoRandomness)?;
    let shared = Shared::new(plan.config, addresses.collect(), seed, clock);
    let locker = Locker::new(Handle::new(Arc::clone(&shared)));
    Ok((locker, Driver::new(shared, plan.targets)))
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
        let start = Instant::now();
        let clock = Clock::from_fn(move || {
            let since = Instant::now().saturating_duration_since(start);
            tenure_core::Instant::from_micros(0) + since
        });
        Self(Embedded::new(
            tenure_core::memory::Options::default(),
            clock,
        ))
    }

    /// A locker that is connected to it.
    ///
    /// # Panics
    /// Outside of a tokio runtime, or without random bytes from the operating system.
    #[must_use]
    pub fn locker(&self) -> Locker {
        let plan = Plan {
            config: Config::single(NodeConfig::default()),
            targets: vec![Target {
                endpoint: Endpoint::Memory(self.0.clone()),
                tls: None,
            }],
        };
        let started = start::<InMemory<Tokio>>(plan, self.0.clock().clone());
        #[allow(clippy::expect_used, reason = "said above; and it is for tests")]
        let (locker, driver) = started.expect("random bytes from the operating system");
        ::tokio::spawn(driver);
        locker
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}
