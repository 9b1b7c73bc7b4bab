//! Dropping things is enough, and never blocks.

use std::future::{Future, IntoFuture};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenure::tokio::{Memory, memory};
use tenure::{InspectError, Loss, ObtainError, Released};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_dropped_lock_is_released_at_once() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let start = Instant::now();
    drop(alice.obtain(["a", "b"]).await.unwrap());
    assert!(bob.obtain(["a", "b"]).wait(SECOND).await.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_is_out_of_the_way() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").await.unwrap();
    assert!(
        timeout(SECOND, bob.obtain("k").wait(60 * SECOND))
            .await
            .is_err()
    );

    lock.release().await;

    sleep(SECOND).await;
    assert_eq!(alice.inspect("k").await, Ok(None), "nobody took it");
}

#[tokio::test(start_paused = true)]
async fn an_obtain_dropped_on_its_way_leaves_nothing() {
    let locker = memory();
    // Wait until it is connected, so that the request can be sent at once.
    locker.ready().await.unwrap();
    {
        let mut obtaining = Box::pin(locker.obtain("k").into_future());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(obtaining.as_mut().poll(&mut cx).is_pending());
        // Two polls of the driver: the request is out, and its answer may be in.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    sleep(SECOND).await;
    assert_eq!(locker.inspect("k").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn an_obtain_that_is_never_polled_sends_nothing() {
    let locker = memory();
    let obtaining = locker.obtain("k").into_future();
    sleep(SECOND).await;
    assert_eq!(locker.inspect("k").await, Ok(None));
    drop(obtaining);
}

/// The future has not seen the event yet, so it releases a lock that has ended. The lock that now has its slot must not be affected.
#[tokio::test(start_paused = true)]
async fn an_obtain_dropped_after_its_end_harms_nobody() {
    let locker = memory();
    let held = locker.obtain("k").await.unwrap();
    let mut over = Box::pin(locker.obtain("k").into_future());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(over.as_mut().poll(&mut cx).is_pending());
    sleep(SECOND).await;
    // It was refused meanwhile. The next one takes its place in the engine.
    let next = locker.obtain("j").ttl(SECOND).manual().await.unwrap();

    drop(over);

    assert_eq!(
        timeout(10 * SECOND, next.lost()).await,
        Ok(Loss::Expired { error: None })
    );
    assert!(held.is_held());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_release_releases() {
    let locker = memory();
    let lock = locker.obtain("k").await.unwrap();
    let mut releasing = Box::pin(lock.release());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(releasing.as_mut().poll(&mut cx).is_pending());
    drop(releasing);
    assert_eq!(locker.inspect("k").await, Ok(None));

    // Never polled.
    let lock = locker.obtain("k").await.unwrap();
    drop(lock.release());
    assert_eq!(locker.inspect("k").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_lock_lives_on_without_its_locker() {
    let server = Memory::new();
    let bob = server.locker();
    let lock = server.locker().obtain("k").ttl(SECOND).await.unwrap();
    sleep(10 * SECOND).await;
    assert!(lock.is_held());
    assert!(bob.inspect("k").await.unwrap().is_some());

    drop(lock);
    sleep(SECOND / 100).await;
    assert_eq!(bob.inspect("k").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn closing_releases_held_locks_and_ends_the_rest() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").await.unwrap();
    let waiting = tokio::spawn(alice.obtain("k").wait(60 * SECOND).into_future());
    let watching = alice.clone();
    sleep(SECOND).await;

    alice.close().await;

    assert_eq!(bob.inspect("k").await, Ok(None));
    assert_eq!(waiting.await.unwrap().err(), Some(ObtainError::Closed));
    assert_eq!(lock.lost().await, Loss::Closed);
    assert!(!lock.is_held());
    assert_eq!(lock.refresh().await, Err(Loss::Closed));
    assert_eq!(watching.obtain("j").await.err(), Some(ObtainError::Closed));
    assert_eq!(watching.inspect("j").await, Err(InspectError::Closed));
    assert_eq!(lock.release().await, Released::Confirmed);
    watching.close().await;
}

#[tokio::test(start_paused = true)]
async fn closing_without_waiting_closes_too() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").await.unwrap();
    let mut closing = Box::pin(alice.close());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(closing.as_mut().poll(&mut cx), Poll::Pending));
    drop(closing);
    // The server may carry out the release at any moment from now on.
    assert!(!lock.is_held());
    assert_eq!(lock.lost().await, Loss::Closed);
    sleep(SECOND).await;
    assert_eq!(bob.inspect("k").await, Ok(None));
}

/// A runtime that can end before its handles do.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// The handles of a runtime that is gone must not wait forever.
#[test]
fn when_the_runtime_ends_everything_resolves() {
    let (theirs, ours) = (runtime(), runtime());
    let (locker, lock) = theirs.block_on(async {
        let locker = memory();
        let lock = locker.obtain("k").await.unwrap();
        (locker, lock)
    });
    let mut waiting = Box::pin(locker.obtain("k").wait(60 * SECOND).into_future());
    let mut lost = Box::pin(lock.lost());
    let mut refreshing = Box::pin(lock.refresh());
    let mut looking = Box::pin(locker.inspect("k"));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    assert!(lost.as_mut().poll(&mut cx).is_pending());
    assert!(refreshing.as_mut().poll(&mut cx).is_pending());
    assert!(looking.as_mut().poll(&mut cx).is_pending());

    drop(theirs);

    ours.block_on(async {
        assert_eq!(waiting.await.err(), Some(ObtainError::Closed));
        assert_eq!(lost.await, Loss::Closed);
        assert_eq!(refreshing.await, Err(Loss::Closed));
        assert_eq!(looking.await, Err(InspectError::Closed));
    });
    ours.block_on(async {
        assert!(!lock.is_held());
        assert_eq!(lock.release().await, Released::Unconfirmed);
        assert_eq!(locker.obtain("k").await.err(), Some(ObtainError::Closed));
        locker.close().await;
    });
}

/// The end of many a `main`: the last lock is dropped, and then there is no driver.
#[test]
fn a_lock_dropped_before_the_runtime_ended_is_released() {
    let server = Memory::new();
    let mut locks = Vec::new();
    for key in ["dropped", "held"] {
        let runtime = runtime();
        let lock = runtime.block_on(async { server.locker().obtain(key).await.unwrap() });
        if key == "dropped" {
            drop(lock);
        } else {
            locks.push(lock);
        }
        drop(runtime);
    }
    runtime().block_on(async {
        let locker = server.locker();
        assert_eq!(locker.inspect("dropped").await, Ok(None));
        let held = locker.inspect("held").await.unwrap();
        assert!(held.is_some(), "nobody has released it");
    });
}

/// With real time and real threads.
#[test]
fn dropping_does_not_block() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let locks: Vec<_> = runtime.block_on(async {
        let locker = memory();
        let mut locks = Vec::new();
        for i in 0..100 {
            locks.push(locker.obtain(format!("k{i}")).await.unwrap());
        }
        locks
    });
    // Nothing drives the driver now: a drop that waited for it would never come back.
    drop(locks);
    drop(runtime);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_drops_takes_no_time() {
    let locker = memory();
    let start = Instant::now();
    for _ in 0..1000 {
        drop(locker.obtain("k").wait(SECOND).await.unwrap());
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}
