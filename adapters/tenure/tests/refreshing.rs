//! What a refresh means for the current lease.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tenure::Loss;
use tenure::tokio::{Memory, memory};
use tokio::time::Instant;

/// The request may be carried out although nobody reads the reply: here the driver does not even get to run.
#[tokio::test]
async fn a_shorter_ttl_counts_from_its_request() {
    let short = Duration::from_millis(50);
    let lock = memory().obtain("k").await.unwrap();
    let before = lock.lease();
    let mut refresh = pin!(lock.refresh_for(short));

    let mut cx = Context::from_waker(Waker::noop());
    assert!(refresh.as_mut().poll(&mut cx).is_pending());

    assert!(lock.remaining() <= short);
    assert!(lock.lease().expires_at() < before.expires_at());
    // On the one thread that there is: the driver stands still.
    std::thread::sleep(short);
    assert!(!lock.is_held());
}

#[tokio::test(start_paused = true)]
async fn each_renewal_is_reported_when_it_comes() {
    let ttl = Duration::from_secs(9);
    let lock = memory().obtain("k").ttl(ttl).await.unwrap();
    let first = lock.lease();
    let begin = Instant::now();

    let second = lock.renewed(first).await.unwrap();
    assert_eq!(second.expires_at(), first.expires_at() + ttl / 3);
    // It was at the time of a renewal, and a past renewal is reported at once.
    assert_eq!(begin.elapsed(), ttl / 3);
    assert_eq!(lock.renewed(first).await, Ok(second));
    assert_eq!(begin.elapsed(), ttl / 3);

    // A requested one counts as well.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (asked, third) = tokio::join!(lock.refresh(), lock.renewed(second));
    assert_eq!(asked, third);
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_renewal_ends_with_the_loss() {
    let server = Memory::new();
    let locker = server.locker();
    let lock = locker.obtain("k").await.unwrap();
    let lease = lock.lease();
    let close = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        locker.close().await;
    };
    let ((), renewed) = tokio::join!(close, lock.renewed(lease));
    assert_eq!(renewed, Err(Loss::Closed));
}
