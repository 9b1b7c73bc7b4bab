//! Lockers that run on tokio.

use std::future::Future;

use crate::clock::Clock;
use crate::driver::Driver;
use crate::error::ConnectError;
use crate::locker::Locker;
use crate::runtime::tokio::Tokio;
use crate::servers::Servers;
use crate::shared::{Handle, Shared};

/// Connects to servers, and runs the driver as a task of the current runtime, which needs its I/O and time drivers.
///
/// Waits until enough servers for a quorum are ready; the others may come later.
///
/// # Errors
/// [`ConnectError`] if something is wrong with what was given, or too many servers cannot be used at their first try.
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

/// The same for those who want to run the driver themselves, such as on another runtime or in a `LocalSet`: nothing
/// happens unless the future is polled. It ends when the locker is closed, or all its handles are gone. Connecting goes
/// on for ever; [`Locker::ready`] tells how it stands.
///
/// # Errors
/// [`ConnectError`] if something is wrong with what was given.
pub fn open(
    servers: Servers,
) -> Result<(Locker, impl Future<Output = ()> + Send + 'static), ConnectError> {
    let plan = servers.plan()?;
    let addresses = plan
        .targets
        .iter()
        .map(|target| target.endpoint.to_string());
    let seed = getrandom::u64().map_err(|_| ConnectError::NoRandomness)?;
    let shared = Shared::new(plan.config, addresses.collect(), seed, Clock::real());
    let locker = Locker::new(Handle::new(shared.clone()));
    Ok((locker, Driver::<Tokio>::new(shared, plan.targets)))
}
