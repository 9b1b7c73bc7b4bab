//! How long a lock is held: renewal, another ttl, and its end by time.

use std::time::Duration;

use tenure::{Lease, Loss, NotObtained, ObtainError, RefreshError, Released, VerifyError};

use super::{Held, K, LONG, Request, SECOND, User, patient, request};

/// Nobody does anything, and the lease becomes longer.
///
/// # Panics
/// If something differs from what is promised.
pub async fn a_renewal<U: User>(alice: &U, bob: &U) {
    let ttl = Some(3 * SECOND);
    let lock = alice.obtain(Request {
        ttl,
        ..request(&[K])
    });
    let lock = lock.await.expect("the lock");
    let first = lock.lease();
    while lock.lease().expires_at() <= first.expires_at() {
        assert!(lock.is_held(), "it is renewed in time");
        // Each answer lets the driver go on.
        bob.inspect(K).await.expect("an answer");
    }
    lock.release().await;
}

/// Renewal stops in the end.
///
/// # Panics
/// If something differs from what is promised.
pub async fn a_longest_hold<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(Request {
        ttl: Some(3 * SECOND),
        max_hold: Some(SECOND / 10),
        ..request(&[K])
    });
    match lock.await {
        Ok(lock) => assert_eq!(lock.lost().await, Loss::MaxHold),
        // On a machine that is slow enough.
        Err(error) => assert_eq!(error, ObtainError::NotObtained(NotObtained::TooLate, None)),
    }
    let next = bob.obtain(patient(&[K])).await.expect("the lock");
    next.release().await;
}

pub(super) async fn an_end<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(Request {
        ttl: Some(SECOND / 10),
        manual: true,
        ..request(&[K])
    });
    let lock = lock.await.expect("the lock");
    let loss = lock.lost().await;
    assert!(is_by_time(loss), "{loss}");
    assert!(!lock.is_held());
    is_found_after(loss, lock.release().await);
    let next = bob.obtain(patient(&[K])).await.expect("the lock");
    next.release().await;
}

/// On a slow machine the server may report that the key has expired before the clock is read.
const fn is_by_time(loss: Loss) -> bool {
    matches!(loss, Loss::Expired { .. } | Loss::Taken)
}

fn is_found_after(loss: Loss, released: Released) {
    let expected = if loss == Loss::Taken {
        Released::Missing
    } else {
        Released::Expired
    };
    assert_eq!(released, expected);
}

/// A request that is held for this time, and not renewed by itself.
fn manual(ttl: Duration) -> Request {
    Request {
        ttl: Some(ttl),
        manual: true,
        ..request(&[K])
    }
}

/// A refresh returns the lease that is in force from then on, and after the end the reason of the loss.
pub(super) async fn a_manual_renewal<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(manual(LONG)).await.expect("the lock");
    let first = lock.lease();
    let second = lock.refresh().await.expect("still held");
    assert!(second.expires_at() > first.expires_at(), "{second:?}");
    assert_eq!((second, second.ttl()), (lock.lease(), first.ttl()));
    lock.verify().await.expect("still held");

    // On a machine that is slow enough, the lease is over before the answer is there.
    if let Err(error) = lock.refresh_for(SECOND / 10).await {
        assert!(matches!(error, RefreshError::Lost(loss) if is_by_time(loss)));
    }
    let loss = lock.lost().await;
    assert!(is_by_time(loss), "{loss}");
    assert_eq!(lock.refresh().await, Err(loss));
    assert_eq!(lock.refresh_for(LONG).await, Err(RefreshError::Lost(loss)));
    assert_eq!(lock.verify().await, Err(VerifyError::Lost(loss)));
    assert_eq!(lock.remaining(), Duration::ZERO);
    is_found_after(loss, lock.release().await);
    let next = bob.obtain(patient(&[K])).await.expect("it is free");
    assert_eq!(next.release().await, Released::Confirmed);
}

/// Longer or shorter: it is what the servers keep, and what later refreshes ask for.
///
/// # Panics
/// If something differs from what is promised.
pub async fn another_ttl<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(manual(10 * LONG)).await.expect("the lock");
    for (ttl, at_least) in [(30 * LONG, 20 * LONG), (5 * LONG, 2 * LONG)] {
        let lease = lock.refresh_for(ttl).await.expect("still held");
        is_for(&lock, lease, ttl, at_least);
        let lease = lock.refresh().await.expect("still held");
        is_for(&lock, lease, ttl, at_least);
        let left = lock.remaining_on_servers().await.expect("an answer");
        let left = left.expect("still there");
        assert!(at_least < left && left <= ttl, "{left:?} of {ttl:?}");
        let holding = bob.inspect(K).await.expect("an answer").expect("held");
        let left = holding.remaining.expect("a ttl");
        assert!(at_least < left && left <= ttl, "{left:?} of {ttl:?}");
    }
    let before = lock.lease();
    let refused = lock.refresh_for(Duration::from_millis(1)).await;
    assert!(matches!(refused, Err(RefreshError::Ttl(_))), "{refused:?}");
    assert_eq!(lock.lease(), before, "nothing has changed");
    assert_eq!(lock.release().await, Released::Confirmed);
}

fn is_for(lock: &impl Held, lease: Lease, ttl: Duration, at_least: Duration) {
    assert_eq!((lease.ttl().as_duration(), lease), (ttl, lock.lease()));
    let left = lock.remaining();
    assert!(at_least < left && left <= ttl, "{left:?} of {ttl:?}");
}
