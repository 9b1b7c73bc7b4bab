//! Locks that change from reader to writer and back, on the embedded server with paused time.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tenure::{ChangeError, Holder, Loss, ModeError, NotChanged, Released};

const TTL: Duration = Duration::from_secs(3);

const SHARING: ModeError = ModeError::NotChanged(NotChanged::Taken {
    by: Holder::Sharing,
});

#[tokio::test(start_paused = true)]
async fn one_of_two_readers_becomes_a_writer_when_the_other_has_left() {
    let locker = tenure::tokio::memory();
    let first = locker.read("k").ttl(TTL).await.expect("a read lock");
    let second = locker.read("k").ttl(TTL).await.expect("a read lock");
    assert_eq!(first.try_upgrade().await, Err(SHARING));
    assert_eq!(second.try_upgrade().await, Err(SHARING));
    assert_eq!(second.release().await, Released::Confirmed);
    first.try_upgrade().await.expect("a writer");
    assert!(!first.is_shared());
    let reader = locker.read("k").await;
    assert!(reader.is_err(), "beside a writer");
    // It is renewed as what it is.
    tokio::time::sleep(TTL * 5).await;
    assert!(first.is_held());
    assert_eq!(first.release().await, Released::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_becomes_a_reader_lets_readers_in_and_no_writer() {
    let locker = tenure::tokio::memory();
    let writer = locker.write("k").ttl(TTL).await.expect("a write lock");
    let waiting = tokio::spawn(locker.read("k").ttl(TTL).wait(TTL).into_future());
    tokio::time::sleep(TTL / 3).await;
    assert!(!waiting.is_finished());
    writer.downgrade().await.expect("a reader");
    let reader = waiting.await.expect("a task").expect("a read lock");
    assert!(writer.is_shared() && reader.is_shared());
    assert!(locker.write("k").await.is_err(), "beside readers");
    tokio::time::sleep(TTL * 5).await;
    assert!(writer.is_held() && reader.is_held());
    assert_eq!(reader.release().await, Released::Confirmed);
    assert_eq!(writer.release().await, Released::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn a_change_reaches_all_handles() {
    let locker = tenure::tokio::memory();
    // The clock of the embedded server begins with the program, and a fence is its time.
    tokio::time::sleep(TTL).await;
    let lock = locker.write("k").fence().await.expect("a write lock");
    let other = lock.again().expect("still held");
    let first = lock.fence().expect("a fence");
    assert_eq!(other.fence(), Some(first));
    lock.downgrade().await.expect("a reader");
    assert!(other.is_shared());
    assert_eq!((lock.fence(), other.fence()), (None, None));
    other.try_upgrade().await.expect("a writer");
    assert!(!lock.is_shared());
    let second = lock.fence().expect("a fence");
    assert!(second > first);
    assert_eq!(lock.release().await, Released::Shared);
    assert_eq!(other.release().await, Released::Confirmed);
}

/// Only the release of a permit notifies a permit of another process that waits for its place.
#[tokio::test(start_paused = true)]
async fn a_permit_that_was_a_writer_for_a_while_is_a_permit_again() {
    let server = tenure::tokio::Memory::new();
    let [one, other, third] = [server.locker(), server.locker(), server.locker()];
    let permit = one.permit("k", 2).await.expect("a permit");
    permit.try_upgrade().await.expect("a writer");
    permit.downgrade().await.expect("a permit");
    let second = other.permit("k", 2).await.expect("a permit");
    assert!(third.permit("k", 2).await.is_err(), "two of two are taken");
    let waiting = tokio::spawn(third.permit("k", 2).wait(TTL * 10).into_future());
    tokio::time::sleep(TTL / 100).await;
    assert!(second.is_held() && permit.is_held());

    let start = tokio::time::Instant::now();
    assert_eq!(permit.release().await, Released::Confirmed);
    waiting.await.expect("a task").expect("a permit");
    assert!(start.elapsed() < TTL / 10, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_downgrade_counts_from_the_call_on_even_if_nobody_awaits_it() {
    let locker = tenure::tokio::memory();
    let lock = locker.write("k").await.expect("a write lock");
    {
        let mut change = std::pin::pin!(lock.downgrade());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(change.as_mut().poll(&mut cx).is_pending());
    }
    assert!(lock.is_shared());
    let under_way = lock.try_upgrade().await;
    assert_eq!(under_way, Err(ModeError::Refused(ChangeError::UnderWay)));
    tokio::time::sleep(TTL).await;
    lock.try_upgrade().await.expect("a writer");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_change_says_why() {
    let locker = tenure::tokio::memory();
    let plain = locker.obtain("plain").await.expect("the lock");
    let refused = Err(ModeError::Refused(ChangeError::Exclusive));
    assert_eq!(plain.downgrade().await, refused);
    assert_eq!(plain.try_upgrade().await, refused);
    let writer = locker.write("k").await.expect("a write lock");
    let refused = Err(ModeError::Refused(ChangeError::SameMode));
    assert_eq!(writer.try_upgrade().await, refused);
    locker.close().await;
    let lost = writer.downgrade().await;
    assert!(matches!(lost, Err(ModeError::Lost(_))), "{lost:?}");
    assert!(!writer.is_shared());
}

/// A process that stood still: nobody has run since.
#[tokio::test(start_paused = true)]
async fn a_change_after_the_end_of_a_lease_reports_the_loss() {
    let locker = tenure::tokio::memory();
    let lock = locker.read("k").ttl(TTL).manual().await;
    let lock = lock.expect("a read lock");
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(pin!(tokio::time::advance(TTL)).poll(cx).is_pending());
    let lost = ModeError::Lost(Loss::Expired { error: None });
    assert_eq!(lock.try_upgrade().await, Err(lost));
}
