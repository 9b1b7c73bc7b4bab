//! Several handles of one lock, on the embedded server with paused time.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenure::{Loss, Released};

const TTL: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn the_last_handle_releases_the_lock_however_it_ends() {
    let locker = tenure::tokio::memory();
    for order in 0..4 {
        let first = locker.obtain("k").ttl(TTL).await.expect("the lock");
        let second = first.again().expect("still held");
        let third = second.again().expect("still held");
        assert_eq!(
            (first.token(), first.lease()),
            (third.token(), third.lease())
        );
        let [one, two, last] = if order % 2 == 0 {
            [first, second, third]
        } else {
            [third, second, first]
        };
        assert_eq!(one.release().await, Released::Shared);
        drop(two);
        // Renewal goes on.
        tokio::time::sleep(TTL * 10).await;
        assert!(last.is_held());
        let taken = locker.try_obtain("k").await.expect("an answer");
        assert!(taken.is_none(), "one handle is left");
        if order < 2 {
            assert_eq!(last.release().await, Released::Confirmed);
        } else {
            drop(last);
        }
        let free = locker.try_obtain("k").await.expect("an answer");
        assert_eq!(free.expect("free").release().await, Released::Confirmed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_loss_ends_all_handles_and_gives_no_new_ones() {
    let locker = tenure::tokio::memory();
    let lock = locker.obtain("k").ttl(TTL).max_hold(TTL * 2).await;
    let lock = lock.expect("the lock");
    let other = lock.again().expect("still held");
    assert_eq!(
        tokio::join!(lock.lost(), other.lost()),
        (Loss::MaxHold, Loss::MaxHold)
    );
    assert_eq!(other.again().err(), Some(Loss::MaxHold));
    assert_eq!(lock.release().await, Released::Expired);
    assert_eq!(other.release().await, Released::Expired);
}

#[tokio::test(start_paused = true)]
async fn a_release_that_is_not_awaited_counts_once() {
    let locker = tenure::tokio::memory();
    let lock = locker.obtain("k").ttl(TTL).await.expect("the lock");
    let second = lock.again().expect("still held");
    // The first is never polled, so the drop of its future releases the handle.
    drop(second.release());
    let third = lock.again().expect("still held");
    let mut release = Box::pin(third.release());
    let cx = &mut Context::from_waker(Waker::noop());
    let released = release.as_mut().poll(cx);
    assert_eq!(released, Poll::Ready(Released::Shared), "at once");
    drop(release);
    assert!(lock.is_held());
    assert_eq!(lock.release().await, Released::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_longer_ttl_is_requested_with_any_handle() {
    let locker = tenure::tokio::memory();
    let lock = locker
        .obtain("k")
        .ttl(TTL)
        .manual()
        .await
        .expect("the lock");
    let other = lock.again().expect("still held");
    other.refresh_for(TTL * 10).await.expect("still held");
    drop(other);
    tokio::time::sleep(TTL * 5).await;
    assert!(lock.is_held());
    tokio::time::sleep(TTL * 5).await;
    assert_eq!(lock.again().err(), Some(Loss::Expired { error: None }));
}

/// A process that stood still: nobody has run since.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_lease_counts_for_every_handle_before_it_is_reported() {
    let locker = tenure::tokio::memory();
    let request = locker.obtain("k").ttl(TTL).manual();
    let lock = request.await.expect("the lock");
    let other = lock.again().expect("still held");
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(pin!(tokio::time::advance(TTL)).poll(cx).is_pending());
    let released = pin!(other.release()).poll(cx);
    assert_eq!(released, Poll::Ready(Released::Expired));
    assert_eq!(lock.release().await, Released::Expired);
}
