//! What a refresh means for the lease that is believed in.

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tenure::tokio::memory;

/// The request may be carried out although nobody hears of it: here the driver does not even get to look.
#[tokio::test]
async fn a_shorter_time_counts_from_the_moment_it_is_asked_for() {
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
