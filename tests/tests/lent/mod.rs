//! What holds for every lent client that reports changes, or whose server ends.

#![allow(dead_code, reason = "not every client does all of it")]

use std::future::IntoFuture as _;
use std::time::Duration;

use tenure::{Locker, Loss, NotObtained, ObtainError, Retry};
use tenure_tests::servers::Server;
use tokio::time::timeout;

/// Far longer than anything takes, on a slow machine too.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// The time of a lock that ends only because of a report.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// The reason why a lock ended.
pub(crate) async fn loss(lock: &tenure::Lock) -> Loss {
    let loss = timeout(LONG, lock.lost()).await;
    loss.expect("a loss within a minute")
}

/// Bob waits while Alice holds the lock, and a report wakes him. Another one says that his key was deleted. Without reports
/// either would take an hour.
pub(crate) async fn reports_arrive(server: &Server, alice: &Locker, bob: &Locker) {
    let mut raw = server.raw();
    raw.command(&["CONFIG", "RESETSTAT"]);
    let obtain = |locker: &Locker| locker.obtain("k").ttl(HOUR).manual();
    let lock = obtain(alice).await.expect("the lock");
    let waits = obtain(bob).wait(HOUR).retry(Retry::every(HOUR));
    let waits = tokio::spawn(waits.into_future());
    // Each reads the remaining time after its request. Then the server knows of its interest.
    while !raw
        .command(&["INFO", "commandstats"])
        .text()
        .contains("pttl:calls=2,")
    {
        tokio::task::yield_now().await;
    }
    lock.release().await;
    let next = timeout(LONG, waits).await.expect("a wake within a minute");
    let lock = next.expect("no panic").expect("the lock");
    raw.command(&["DEL", "k"]);
    assert_eq!(loss(&lock).await, Loss::Taken);
}

/// A server that has ended cannot be reached.
pub(crate) async fn is_unreachable(locker: &Locker) {
    let reason = locker.obtain("other").await.expect_err("no server");
    assert!(
        matches!(
            reason,
            ObtainError::NotObtained(NotObtained::Unreachable(_), _)
        ),
        "{reason}"
    );
}

/// A client connects again by itself: the lock of the old server is lost, and reports arrive as before.
pub(crate) async fn comes_back(server: &mut Server, locker: &Locker) {
    let lock = locker.obtain("k").ttl(HOUR).await.expect("the lock");
    server.kill();
    is_unreachable(locker).await;
    server.restart();
    // It keeps nothing on disk, and all keys are checked after a reconnect.
    assert_eq!(loss(&lock).await, Loss::Taken);
    let again = locker.obtain("k").ttl(HOUR).manual().wait(LONG).await;
    let lock = again.expect("the lock");
    server.raw().command(&["DEL", "k"]);
    assert_eq!(loss(&lock).await, Loss::Taken);
}
