//! What every locker does, whatever it runs on and whatever carries its commands.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use tenure::{Fence, Holder, Loss, NodeError, NotObtained, ObtainError, Released};

mod holding;
mod played;
mod user;

pub use holding::{a_longest_hold, a_renewal, another_ttl};
use holding::{a_manual_renewal, an_end};
pub use played::played;
pub use user::{Held, Request, User};

const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);
const K: &str = "{t}k";
const A: &str = "{t}a";
const B: &str = "{t}b";
const C: &str = "{t}c";

fn request(keys: &[&'static str]) -> Request {
    Request {
        keys: keys.to_vec(),
        ..Request::default()
    }
}

/// A request that waits until it has the lock.
fn patient(keys: &[&'static str]) -> Request {
    Request {
        wait: Some(LONG),
        ..request(keys)
    }
}

/// Who holds the keys, if that is why a lock was not obtained.
pub fn taken_by<T>(result: Result<T, ObtainError>) -> Option<Holder> {
    match result {
        Err(ObtainError::NotObtained(
            NotObtained::Taken { by, .. } | NotObtained::TimedOut { by },
            _,
        )) => Some(by),
        Ok(_) | Err(_) => None,
    }
}

async fn a_life<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(Request {
        ttl: Some(30 * SECOND),
        metadata: Some("host-7"),
        ..request(&[K])
    });
    let lock = lock.await.expect("the lock");
    assert!(lock.is_held() && lock.remaining() > 20 * SECOND);
    let holding = bob.inspect(K).await.expect("an answer").expect("held");
    assert_eq!(*holding.value, *[lock.token(), b"host-7"].concat());
    let theirs = taken_by(bob.obtain(request(&[K])).await);
    assert_eq!(theirs, Some(Holder::Other));
    let ours = taken_by(alice.obtain(request(&[K])).await);
    assert_eq!(ours, Some(Holder::Ourselves));
    lock.refresh().await.expect("still held");
    lock.refresh_for(40 * SECOND).await.expect("still held");
    lock.verify().await.expect("still held");
    let left = lock.remaining_on_servers().await.expect("an answer");
    assert!(left.is_some_and(|left| left > 30 * SECOND), "{left:?}");
    assert_eq!(lock.release().await, Released::Confirmed);
    assert_eq!(bob.inspect(K).await.expect("an answer"), None);
}

/// All keys or none, also where only some of them are taken.
///
/// # Panics
/// If something differs from what is promised.
pub async fn several_keys<U: User>(alice: &U, bob: &U) {
    let both = alice.obtain(request(&[A, B])).await.expect("both");
    assert_eq!(
        taken_by(bob.obtain(request(&[B])).await),
        Some(Holder::Other)
    );
    let others = bob.obtain(request(&[B, C])).await;
    assert_eq!(taken_by(others), Some(Holder::Other));
    both.refresh().await.expect("still held");
    assert_eq!(both.release().await, Released::Confirmed);
    let others = bob.obtain(request(&[B, C])).await.expect("both");
    assert_eq!(others.release().await, Released::Confirmed);
}

async fn a_hand_over<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(request(&[K])).await.expect("the lock");
    let waits = bob.obtain(patient(&[K]));
    let (released, next) = futures_lite::future::zip(lock.release(), waits).await;
    assert_eq!(released, Released::Confirmed);
    let next = next.expect("the lock");
    assert_eq!(next.release().await, Released::Confirmed);
}

/// They wait while another locker holds it, and have one turn each.
async fn a_thousand_waiters<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(request(&[K])).await.expect("the lock");
    let inside = Cell::new(0);
    let turn = || async {
        let lock = bob.obtain(Request {
            wait: Some(10 * LONG),
            ..request(&[K])
        });
        let lock = lock.await.expect("its turn");
        assert_eq!(inside.replace(1), 0, "nobody else is inside");
        futures_lite::future::yield_now().await;
        assert!(lock.is_held());
        inside.set(0);
        lock.release().await
    };
    let turns = join_all((0..1_000).map(|_| turn()));
    let (turns, released) = futures_lite::future::zip(turns, lock.release()).await;
    assert_eq!(released, Released::Confirmed);
    assert_eq!(turns, [Released::Confirmed; 1_000]);
    assert_eq!(alice.inspect(K).await.expect("an answer"), None);
}

async fn a_dropped_lock<U: User>(alice: &U, bob: &U) {
    drop(alice.obtain(request(&[K])).await.expect("the lock"));
    let next = bob.obtain(patient(&[K])).await.expect("it was released");
    assert_eq!(next.release().await, Released::Confirmed);
}

async fn a_cancelled_request<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(request(&[K])).await.expect("the lock");
    let waits = async { Some(bob.obtain(patient(&[K])).await) };
    let dropped = futures_lite::future::or(waits, async { None }).await;
    assert!(dropped.is_none(), "it cannot be there yet");
    assert_eq!(lock.release().await, Released::Confirmed);
    // Nobody takes it, and nothing is left.
    let next = alice.obtain(patient(&[K])).await.expect("it is free");
    assert_eq!(next.release().await, Released::Confirmed);
    assert_eq!(bob.inspect(K).await.expect("an answer"), None);
}

/// It ends with who holds the key.
///
/// # Panics
/// If something differs from what is promised.
pub async fn a_wait_that_ends<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(request(&[K])).await.expect("the lock");
    let result = bob.obtain(Request {
        wait: Some(Duration::from_millis(50)),
        ..request(&[K])
    });
    assert_eq!(taken_by(result.await), Some(Holder::Other));
    lock.release().await;
}

/// Two locks of one locker with the same token are one, until both are released.
///
/// # Panics
/// If something differs from what is promised.
pub async fn a_shared_token<U: User>(alice: &U, bob: &U) {
    let mine = Request {
        token: Some("mine"),
        ..request(&[K])
    };
    let first = alice.obtain(mine.clone()).await.expect("the lock");
    let second = alice.obtain(mine).await.expect("the same lock");
    assert_eq!(first.release().await, Released::Shared);
    assert_eq!(
        taken_by(bob.obtain(request(&[K])).await),
        Some(Holder::Other)
    );
    second.verify().await.expect("still held");
    assert_eq!(second.release().await, Released::Confirmed);
}

/// Closing takes locks away, and frees their keys.
///
/// # Panics
/// If something differs from what is promised.
pub async fn a_close<U: User>(alice: &U, bob: &U) {
    let lock = alice.obtain(request(&[K])).await.expect("the lock");
    alice.close().await;
    assert_eq!(lock.lost().await, Loss::Closed);
    match alice.obtain(request(&[K])).await {
        Err(ObtainError::Closed) => {}
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("a lock of a closed locker"),
    }
    let next = bob.obtain(patient(&[K])).await.expect("the lock");
    next.release().await;
    bob.close().await;
}

/// Fences grow, no matter who gets the lock, and with one key or several; nobody gets one without a request.
///
/// # Panics
/// If a number is not larger than `last` and each before it.
pub async fn fences_grow<U: User>(alice: &U, bob: &U, last: &mut Option<Fence>) {
    for (locker, keys) in [
        (alice, vec!["{f}1"]),
        (bob, vec!["{f}1"]),
        (bob, vec!["{f}2", "{f}1"]),
        (alice, vec!["{f}1", "{f}2"]),
        (bob, vec!["{f}2"]),
        // Each key has a counter of its own. This leaves both as large as `last`.
        (alice, vec!["{f}2", "{f}1"]),
    ] {
        let lock = locker.obtain(Request {
            fence: true,
            ..request(&keys)
        });
        let lock = lock.await.expect("the lock");
        assert!(lock.fence() > *last, "{:?} after {last:?}", lock.fence());
        *last = lock.fence();
        assert_eq!(lock.release().await, Released::Confirmed);
    }
    let lock = alice.obtain(request(&["{f}1"])).await.expect("the lock");
    assert_eq!(lock.fence(), None);
    lock.release().await;
}

/// Plays scenarios one after the other, and notes each.
macro_rules! play {
    ($target:expr, $alice:expr, $bob:expr; $($name:literal: $scenario:ident),*) => {
        $(
            $scenario($alice, $bob).await;
            played("suite", $name, $target);
        )*
    };
}

/// All of it, with two lockers on the same server. They are closed then. `target` is what they are, as in the table.
///
/// # Panics
/// If something differs from what is promised.
pub async fn everything<U: User>(target: &str, alice: U, bob: U) {
    all_but_scripts(target, &alice, &bob).await;
    play!(target, &alice, &bob; "two locks with the same token": a_shared_token);
    fences_grow(&alice, &bob, &mut None).await;
    played("suite", "fences", target);
    play!(target, &alice, &bob; "close": a_close);
}

/// The same on a server that runs no scripts: what needs one is refused at once, with the reason.
///
/// # Panics
/// If something differs from what is promised.
pub async fn everything_without_scripts<U: User>(target: &str, alice: U, bob: U) {
    all_but_scripts(target, &alice, &bob).await;
    for needy in [
        Request {
            fence: true,
            ..patient(&[K])
        },
        Request {
            token: Some("mine"),
            ..patient(&[A, B])
        },
    ] {
        let Err(ObtainError::NotObtained(reason, _)) = alice.obtain(needy).await else {
            panic!("a lock that needs a script");
        };
        assert_eq!(reason, NotObtained::Refused(NodeError::NoScripts));
    }
    play!(target, &alice, &bob; "close": a_close);
}

async fn all_but_scripts<U: User>(target: &str, alice: &U, bob: &U) {
    play!(target, alice, bob;
        "life of a lock": a_life,
        "several keys": several_keys,
        "wait and hand-off": a_hand_over,
        "1000 waiters on one key": a_thousand_waiters,
        "a wait that ends": a_wait_that_ends,
        "a dropped lock": a_dropped_lock
    );
    if U::CAN_DROP_REQUESTS {
        play!(target, alice, bob; "a cancelled request": a_cancelled_request);
    }
    play!(target, alice, bob;
        "automatic renewal": a_renewal,
        "manual renewal": a_manual_renewal,
        "refresh with another ttl": another_ttl,
        "the longest hold": a_longest_hold,
        "loss by time": an_end
    );
}
