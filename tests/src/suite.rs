//! What every locker does, whatever it runs on and whatever carries its commands.

use std::future::IntoFuture as _;
use std::time::Duration;

use tenure::{Fence, Holder, Locker, Loss, NodeError, NotObtained, ObtainError, Released};

const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

/// Who holds the keys, if that is why a lock was not obtained.
pub fn taken_by(result: Result<tenure::Lock, ObtainError>) -> Option<Holder> {
    match result {
        Err(ObtainError::NotObtained(
            NotObtained::Taken { by, .. } | NotObtained::TimedOut { by },
            _,
        )) => Some(by),
        Ok(_) | Err(_) => None,
    }
}

async fn a_life(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").ttl(30 * SECOND).metadata("host-7").await;
    let lock = lock.expect("the lock");
    assert!(lock.is_held() && lock.remaining() > 20 * SECOND);
    let holding = bob.inspect("k").await.expect("an answer").expect("held");
    assert_eq!(*holding.value, *[lock.token(), b"host-7"].concat());
    assert_eq!(taken_by(bob.obtain("k").await), Some(Holder::Other));
    assert_eq!(taken_by(alice.obtain("k").await), Some(Holder::Ourselves));
    lock.refresh().await.expect("still held");
    lock.refresh_for(40 * SECOND).await.expect("still held");
    lock.verify().await.expect("still held");
    let left = lock.remaining_on_servers().await.expect("an answer");
    assert!(left.is_some_and(|left| left > 30 * SECOND), "{left:?}");
    assert_eq!(lock.release().await, Released::Confirmed);
    assert_eq!(bob.inspect("k").await.expect("an answer"), None);
}

async fn several_keys(alice: &Locker, bob: &Locker) {
    let both = alice.obtain(["a", "b"]).await.expect("both");
    assert_eq!(taken_by(bob.obtain("b").await), Some(Holder::Other));
    assert!(
        bob.try_obtain(["b", "c"])
            .await
            .expect("an answer")
            .is_none()
    );
    both.refresh().await.expect("still held");
    assert_eq!(both.release().await, Released::Confirmed);
    bob.obtain(["b", "c"]).await.expect("both").release().await;
}

async fn a_hand_over(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    let waits = bob.obtain("k").wait(LONG).into_future();
    let (released, next) = futures_lite::future::zip(lock.release(), waits).await;
    assert_eq!(released, Released::Confirmed);
    // A dropped lock is released, too.
    drop(next.expect("the lock"));
    alice
        .obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
}

async fn a_wait_that_ends(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    let wait = Duration::from_millis(50);
    let result = bob.obtain("k").wait(wait).await;
    assert_eq!(taken_by(result), Some(Holder::Other));
    lock.release().await;
}

async fn a_renewal(alice: &Locker, _: &Locker) {
    let ttl = 3 * SECOND;
    let lock = alice.obtain("k").ttl(ttl).await.expect("the lock");
    let first = lock.lease();
    let next = lock.renewed(first).await.expect("renewed");
    assert!(next.expires_at() > first.expires_at());
    lock.release().await;
}

async fn an_end(alice: &Locker, bob: &Locker) {
    let ttl = Duration::from_millis(100);
    let lock = alice.obtain("k").ttl(ttl).manual().await.expect("the lock");
    assert_eq!(lock.lost().await, Loss::Expired { error: None });
    assert!(!lock.is_held());
    assert_eq!(lock.release().await, Released::Expired);
    bob.obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
}

async fn a_close(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    alice.close().await;
    assert_eq!(lock.lost().await, Loss::Closed);
    let again = alice.obtain("k").await;
    assert!(matches!(again, Err(ObtainError::Closed)), "{again:?}");
    bob.obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
    bob.close().await;
}

/// Fences grow, no matter who gets the lock, and with one key or several; nobody gets one without a request.
///
/// # Panics
/// If a number is not larger than `last` and each before it.
pub async fn fences_grow(alice: &Locker, bob: &Locker, last: &mut Option<Fence>) {
    for (locker, keys) in [
        (alice, vec!["{f}1"]),
        (bob, vec!["{f}1"]),
        (bob, vec!["{f}2", "{f}1"]),
        (alice, vec!["{f}1", "{f}2"]),
        (bob, vec!["{f}2"]),
        // Each key has a counter of its own. This leaves both as large as `last`.
        (alice, vec!["{f}2", "{f}1"]),
    ] {
        let lock = locker.obtain(keys).fence().await;
        let lock = lock.expect("the lock");
        assert!(lock.fence() > *last, "{:?} after {last:?}", lock.fence());
        *last = lock.fence();
        assert_eq!(lock.release().await, Released::Confirmed);
    }
    let lock = alice.obtain("{f}1").await.expect("the lock");
    assert_eq!(lock.fence(), None);
    lock.release().await;
}

/// All of it, with two lockers on the same server. They are closed then.
///
/// # Panics
/// If something differs from what is promised.
pub async fn everything(alice: Locker, bob: Locker) {
    all_but_fences(&alice, &bob).await;
    fences_grow(&alice, &bob, &mut None).await;
    a_close(&alice, &bob).await;
}

/// The same on a server that runs no scripts: what needs one is refused at once, with the reason.
///
/// # Panics
/// If something differs from what is promised.
pub async fn everything_without_scripts(alice: Locker, bob: Locker) {
    all_but_fences(&alice, &bob).await;
    for request in [
        alice.obtain("k").fence().wait(LONG),
        alice.obtain(["a", "b"]).token("mine").wait(LONG),
    ] {
        let refused = request.await.expect_err("no lock");
        let reason = NotObtained::Refused(NodeError::NoScripts);
        assert!(
            matches!(refused, ObtainError::NotObtained(why, _) if why == reason),
            "{refused:?}"
        );
    }
    a_close(&alice, &bob).await;
}

async fn all_but_fences(alice: &Locker, bob: &Locker) {
    a_life(alice, bob).await;
    several_keys(alice, bob).await;
    a_hand_over(alice, bob).await;
    a_wait_that_ends(alice, bob).await;
    a_renewal(alice, bob).await;
    an_end(alice, bob).await;
}
