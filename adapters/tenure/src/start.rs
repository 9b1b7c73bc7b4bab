//! Lockers and their drivers, for every runtime.

use std::sync::Arc;

use tenure_core::memory::Options;
use tenure_core::{Config, NodeConfig};

use crate::address::Endpoint;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::embedded::Embedded;
use crate::error::ConnectError;
use crate::locker::Locker;
use crate::memory::InMemory;
use crate::runtime::Runtime;
use crate::servers::{Plan, Servers, Target};
use crate::shared::{Handle, Shared};

/// A locker whose driver runs as a task of its own, once enough servers are ready.
pub(crate) async fn connect<R: Runtime>(servers: Servers) -> Result<Locker, ConnectError> {
    let (locker, driver) = open::<R>(servers)?;
    R::spawn(driver);
    locker.ready().await?;
    Ok(locker)
}

/// A locker, and a driver that nobody runs yet.
pub(crate) fn open<R: Runtime>(servers: Servers) -> Result<(Locker, Driver<R>), ConnectError> {
    start(servers.plan()?, Clock::real())
}

fn start<R: Runtime>(plan: Plan, clock: Clock) -> Result<(Locker, Driver<R>), ConnectError> {
    let addresses = plan
        .targets
        .iter()
        .map(|target| target.endpoint.to_string());
    let seed = getrandom::u64().map_err(|_| ConnectError::NoRandomness)?;
    let goes_by_slot =
        |target: &Target| matches!(&target.endpoint, Endpoint::Lent(lent) if lent.is_cluster());
    let has_cluster = plan.targets.iter().any(goes_by_slot);
    let shared = Shared::new(plan.config, addresses.collect(), has_cluster, seed, clock);
    let locker = Locker::new(Handle::new(Arc::clone(&shared)));
    Ok((locker, Driver::new(shared, plan.targets)))
}

/// An empty server within the process, on the clock of a runtime.
pub(crate) fn embedded<R: Runtime>() -> Embedded {
    Embedded::new(Options::default(), R::memory_clock())
}

/// A locker that is connected to an embedded server.
///
/// # Panics
/// Without random bytes from the operating system.
pub(crate) fn locker_of<R: Runtime>(server: &Embedded) -> Locker {
    let plan = Plan {
        config: Config::single(NodeConfig::default()),
        targets: vec![Target {
            endpoint: Endpoint::Memory(server.clone()),
            tls: None,
        }],
    };
    let started = start::<InMemory<R>>(plan, server.clock().clone());
    #[allow(clippy::expect_used, reason = "said above; and it is for tests")]
    let (locker, driver) = started.expect("random bytes from the operating system");
    R::spawn(driver);
    locker
}
