//! The short forms: `with`, `if_free`, `try_obtain` and `verify`, over the embedded server with tokio's clock paused.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenure::tokio::{Memory, memory};
use tenure::{InspectError, Loss, NotObtained, ObtainError, Released, VerifyError, WithError};
use tokio::time::{advance, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn with_returns_the_result_of_the_work_and_releases_the_lock() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());

    let result = alice
        .obtain("k")
        .with(async |lock| {
            assert!(bob.try_obtain("k").await.unwrap().is_none());
            lock.key().to_vec()
        })
        .await;

    assert_eq!(result, Ok(b"k".to_vec()));
    assert!(bob.try_obtain("k").await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn with_runs_in_a_task_of_its_own() {
    let locker = memory();

    let task = tokio::spawn(async move {
        let work = async |lock: &tenure::Lock| {
            sleep(SECOND).await;
            lock.is_held()
        };
        locker.obtain("k").with(work).await
    });

    assert_eq!(task.await.unwrap(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn with_does_not_begin_the_work_if_the_lock_is_held() {
    let server = Memory::new();
    let _held = server.locker().obtain("k").await.unwrap();
    let begun = AtomicBool::new(false);

    let result = server
        .locker()
        .obtain("k")
        .with(async |_| begun.store(true, Ordering::Relaxed))
        .await;

    assert!(matches!(
        result,
        Err(WithError::Obtain(ObtainError::NotObtained(
            NotObtained::Taken { .. },
            _
        )))
    ));
    assert!(!begun.into_inner());
}

#[tokio::test(start_paused = true)]
async fn with_stops_the_work_when_the_lock_is_lost() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let finished = AtomicBool::new(false);

    let work = alice.obtain("k").token("t").with(async |_| {
        // The other locker does not count this handle: its release deletes the key.
        let same = bob.obtain("k").token("t").await.unwrap();
        assert_eq!(same.release().await, Released::Confirmed);
        sleep(1000 * SECOND).await;
        finished.store(true, Ordering::Relaxed);
    });

    assert_eq!(
        timeout(SECOND, work).await.expect("it stops at once"),
        Err(WithError::Lost(Loss::Taken))
    );
    assert!(!finished.into_inner());
}

/// Without a paused clock: a paused one moves only while the driver can run.
#[tokio::test(flavor = "current_thread")]
async fn with_reports_a_loss_that_only_the_release_finds() {
    let locker = memory();

    // The work blocks the only thread of the runtime, so the driver cannot report the end of the lease.
    let result = locker
        .obtain("k")
        .ttl(SECOND / 2)
        .with(async |_| std::thread::sleep(SECOND / 2))
        .await;

    assert_eq!(result, Err(WithError::Lost(Loss::Expired { error: None })));
}

#[tokio::test(start_paused = true)]
async fn dropping_with_releases_the_lock() {
    let locker = memory();
    let work = locker.obtain("k").with(async |_| sleep(60 * SECOND).await);

    assert!(timeout(SECOND, work).await.is_err());

    let next = locker.obtain("k").wait(SECOND).await;
    assert!(next.is_ok(), "{next:?}");
}

#[tokio::test(start_paused = true)]
async fn if_free_gives_nothing_when_the_lock_is_held_and_an_error_when_that_is_unknown() {
    let locker = memory();
    let held = locker.obtain("k").await.unwrap();
    assert!(locker.try_obtain("k").await.unwrap().is_none());
    let waited = locker.obtain("k").wait(SECOND).if_free().await;
    assert!(waited.unwrap().is_none());
    drop(held);
    assert!(locker.obtain("k").if_free().await.unwrap().is_some());

    let closed = memory();
    closed.close().await;
    assert_eq!(
        closed.try_obtain("k").await.unwrap_err(),
        ObtainError::Closed
    );
}

#[tokio::test(start_paused = true)]
async fn verify_checks_the_servers_and_the_clock() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").token("t").await.unwrap();
    assert_eq!(lock.verify().await, Ok(()));

    bob.obtain("k").token("t").await.unwrap().release().await;

    assert_eq!(lock.verify().await, Err(VerifyError::Lost(Loss::Taken)));

    let short = alice.obtain("short").ttl(SECOND).manual().await.unwrap();
    advance(2 * SECOND).await;
    assert_eq!(
        short.verify().await,
        Err(VerifyError::Lost(Loss::Expired { error: None }))
    );
}

#[tokio::test(start_paused = true)]
async fn verify_of_a_shared_lock_refreshes_it() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.read("k").token("t").ttl(30 * SECOND).manual();
    let lock = lock.await.unwrap();
    let permit = bob.permit("other", 2).await.unwrap();
    advance(10 * SECOND).await;

    assert_eq!(lock.verify().await, Ok(()));
    assert_eq!(permit.verify().await, Ok(()));

    assert!(lock.remaining() > 29 * SECOND);
    let left = lock.remaining_on_servers().await.unwrap();
    assert!(left.is_some_and(|left| left > 29 * SECOND), "{left:?}");

    bob.read("k").token("t").await.unwrap().release().await;

    assert_eq!(lock.verify().await, Err(VerifyError::Lost(Loss::Taken)));
    assert_eq!(lock.remaining_on_servers().await, Ok(None));
    bob.close().await;
    let closed = Err(InspectError::Closed);
    assert_eq!(permit.remaining_on_servers().await, closed);
}

#[tokio::test(start_paused = true)]
async fn a_closed_locker_verifies_nothing() {
    let locker = memory();
    let lock = locker.obtain("k").await.unwrap();

    locker.close().await;

    assert_eq!(lock.verify().await, Err(VerifyError::Lost(Loss::Closed)));
}
