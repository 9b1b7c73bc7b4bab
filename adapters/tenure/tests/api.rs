//! What lockers and locks promise, over the embedded server and without waiting: tokio's clock is paused.

use std::time::Duration;

use tenure::tokio::{Memory, memory};
use tenure::{
    ClaimError, Holder, Key, Lock, Locker, Loss, NotObtained, ObtainError, RefreshError, Released,
    Retry, Unsupported,
};
use tokio::time::{Instant, sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn taken(result: Result<Lock, ObtainError>) -> bool {
    matches!(
        result,
        Err(ObtainError::NotObtained(NotObtained::Taken { .. }, _))
    )
}

#[test]
fn handles_go_everywhere() {
    fn anywhere<T: Send + Sync + 'static>() {}
    fn clones<T: Clone>() {}
    fn moves<T: Send>(_: impl FnOnce(&'static Locker, &'static Lock) -> T) {}
    anywhere::<Locker>();
    clones::<Locker>();
    anywhere::<Lock>();
    anywhere::<ObtainError>();
    moves(|locker, _| locker.obtain("k").into_future());
    moves(|locker, _| locker.inspect("k"));
    moves(|locker, _| locker.close());
    moves(|_, lock| lock.lost());
    moves(|_, lock| lock.refresh());
    moves(|_, lock| lock.remaining_on_servers());
}

#[tokio::test(start_paused = true)]
async fn a_lock_knows_its_keys_and_token() {
    let locker = memory();
    let lock = locker
        .obtain(["a", "b"])
        .ttl(10 * SECOND)
        .metadata("host-7")
        .await
        .unwrap();

    assert_eq!(lock.key(), b"a");
    let keys: Vec<_> = lock.keys().iter().map(Key::as_bytes).collect();
    assert_eq!(keys, [b"a", b"b"]);
    assert_eq!(lock.metadata(), b"host-7");
    assert_eq!(lock.token().len(), 22);
    assert_eq!(lock.lease().ttl().as_duration(), 10 * SECOND);
    assert!(lock.is_held());
    // One percent and 2 ms are kept back for clocks that run at different rates.
    assert_eq!(lock.remaining(), Duration::from_millis(9_898));
    let shown = format!("{lock:?}");
    assert!(shown.contains("\"a\"") && !shown.contains(std::str::from_utf8(lock.token()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_lock_excludes_others_until_it_is_released() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").await.unwrap();

    assert!(taken(bob.obtain("k").await));
    let again = alice.obtain("k").await;
    assert!(
        matches!(
            again,
            Err(ObtainError::NotObtained(
                NotObtained::Taken {
                    by: Holder::Ourselves,
                    ..
                },
                None
            ))
        ),
        "nor has it a second time: {again:?}"
    );
    assert!(taken(bob.obtain(["j", "k"]).await));
    assert!(bob.obtain("j").await.is_ok(), "all keys or none");

    assert_eq!(lock.release().await, Released::Confirmed);
    assert!(bob.obtain("k").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_waiter_gets_the_lock_when_it_is_released() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").await.unwrap();
    let waiting = tokio::spawn(bob.obtain("k").wait(60 * SECOND).into_future());
    sleep(SECOND).await;
    assert!(!waiting.is_finished());

    let released_at = Instant::now();
    drop(lock);

    assert!(waiting.await.unwrap().unwrap().is_held());
    assert_eq!(Instant::now(), released_at, "woken, not polling");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends() {
    let locker = memory();
    let _lock = locker.obtain("k").await.unwrap();
    let start = Instant::now();

    let refused = locker.obtain("k").wait(5 * SECOND).await;

    assert_eq!(
        refused.err(),
        Some(ObtainError::NotObtained(
            NotObtained::TimedOut {
                by: Holder::Ourselves
            },
            None
        ))
    );
    assert_eq!(start.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_request_is_refused_at_once() {
    let locker = memory();
    let error = |error| Some(ObtainError::Claim(error));

    assert_eq!(locker.obtain("").await.err(), error(ClaimError::EmptyKey));
    assert_eq!(
        locker.obtain(["a", "a"]).await.err(),
        error(ClaimError::DuplicateKey)
    );
    let short = locker.obtain("k").ttl(Duration::ZERO);
    assert_eq!(short.await.err(), error(ClaimError::TtlTooShort));
    let token = locker.obtain("k").token("");
    assert_eq!(token.await.err(), error(ClaimError::EmptyToken));
    let metadata = locker.obtain("k").metadata([0; 5000]);
    assert_eq!(metadata.await.err(), error(ClaimError::MetadataTooLong));
}

#[tokio::test(start_paused = true)]
async fn a_token_of_ones_own_is_the_same_lock() {
    let server = Memory::new();
    let (before, after) = (server.locker(), server.locker());
    let lock = before.obtain("k").token("worker-1").await.unwrap();
    assert_eq!(lock.token(), b"worker-1");

    let again = after.obtain("k").token("worker-1").await.unwrap();

    assert!(again.is_held());
}

#[tokio::test(start_paused = true)]
async fn handles_with_one_token_are_counted_within_a_locker() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let first = alice.obtain("k").token("us").await.unwrap();
    let second = alice.obtain("k").token("us").await.unwrap();

    assert_eq!(first.release().await, Released::Shared);
    assert!(second.is_held());
    assert!(taken(bob.obtain("k").await));
    assert_eq!(second.release().await, Released::Confirmed);
    assert_eq!(bob.inspect("k").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_grant_after_max_hold_is_too_late() {
    let locker = memory();
    let late = locker.obtain("k").max_hold(Duration::ZERO).await;
    let too_late = ObtainError::NotObtained(NotObtained::TooLate, None);
    assert_eq!(late.err(), Some(too_late));
    assert!(
        locker.obtain("k").wait(SECOND).await.is_ok(),
        "nothing is left"
    );
}

#[tokio::test(start_paused = true)]
async fn renewal_keeps_a_lock_for_longer_than_its_ttl() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").ttl(SECOND).await.unwrap();

    for _ in 0..20 {
        sleep(SECOND / 2).await;
        assert!(lock.is_held());
        assert!(taken(bob.obtain("k").await));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lock_without_renewal_ends_with_its_lease() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let start = Instant::now();
    let lock = alice.obtain("k").ttl(SECOND).manual().await.unwrap();

    assert_eq!(lock.lost().await, Loss::Expired { error: None });

    assert_eq!(start.elapsed(), Duration::from_millis(988));
    assert!(!lock.is_held());
    assert_eq!(lock.remaining(), Duration::ZERO);
    assert_eq!(lock.refresh().await, Err(Loss::Expired { error: None }));
    assert_eq!(lock.release().await, Released::Expired);
    assert!(bob.obtain("k").wait(SECOND).await.is_ok());
}

/// Without a paused clock: a paused one moves only while the driver can run.
#[tokio::test(flavor = "current_thread")]
async fn a_lock_released_by_a_program_that_stood_still_has_expired() {
    let locker = memory();
    let lock = locker.obtain("k").ttl(SECOND / 2).await.unwrap();

    // The only thread of the runtime: the driver has no chance to see the end of the lease.
    std::thread::sleep(SECOND / 2);

    assert_eq!(lock.remaining(), Duration::ZERO);
    assert_eq!(lock.release().await, Released::Expired);
}

#[tokio::test(start_paused = true)]
async fn renewal_ends_with_max_hold() {
    let locker = memory();
    let start = Instant::now();
    let lock = locker
        .obtain("k")
        .ttl(SECOND)
        .max_hold(5 * SECOND)
        .await
        .unwrap();

    assert_eq!(lock.lost().await, Loss::MaxHold);

    assert_eq!(start.elapsed(), 5 * SECOND);
    assert_eq!(lock.release().await, Released::Expired);
    assert!(locker.obtain("k").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_refresh_begins_the_lease_anew() {
    let locker = memory();
    let lock = locker.obtain("k").ttl(SECOND).manual().await.unwrap();
    let whole = lock.remaining();
    sleep(SECOND / 2).await;
    assert_eq!(lock.remaining(), whole - SECOND / 2);

    let lease = lock.refresh().await.unwrap();
    assert_eq!(lease, lock.lease());
    assert_eq!(lock.remaining(), whole);

    let lease = lock.refresh_for(2 * SECOND).await.unwrap();
    assert_eq!(lease.ttl().as_duration(), 2 * SECOND);
    assert_eq!(lock.remaining(), Duration::from_millis(1_978));

    assert_eq!(
        lock.refresh_for(Duration::ZERO).await,
        Err(RefreshError::Ttl(ClaimError::TtlTooShort))
    );
    assert!(lock.is_held());
}

#[tokio::test(start_paused = true)]
async fn several_tasks_refresh_at_once() {
    let locker = memory();
    let lock = locker.obtain("k").manual().await.unwrap();
    let (a, b, c) = tokio::join!(lock.refresh(), lock.refresh(), lock.refresh());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_holder_on_the_servers_can_be_inspected() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    assert_eq!(bob.inspect("k").await, Ok(None));

    let lock = alice
        .obtain(["j", "k"])
        .ttl(10 * SECOND)
        .token("me")
        .metadata("/host-7")
        .await
        .unwrap();
    sleep(SECOND).await;

    let holding = bob.inspect("k").await.unwrap().unwrap();
    assert_eq!(&*holding.value, b"me/host-7");
    assert_eq!(holding.remaining, Some(9 * SECOND));
    assert!(bob.inspect(["free", "k"]).await.unwrap().is_some());
    assert_eq!(lock.remaining_on_servers().await, Ok(Some(9 * SECOND)));

    let shared = bob.obtain(["j", "k"]).token("me").metadata("/host-7");
    shared.await.unwrap().release().await;
    assert_eq!(lock.remaining_on_servers().await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_lock_is_lost_at_once() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let lock = alice.obtain("k").token("me").await.unwrap();
    let start = Instant::now();

    // The same token from elsewhere is the same lock, so it can release it.
    bob.obtain("k").token("me").await.unwrap().release().await;

    assert_eq!(lock.lost().await, Loss::Taken);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(lock.release().await, Released::Missing);
}

#[tokio::test(start_paused = true)]
async fn many_may_wait_for_a_loss() {
    let locker = memory();
    let lock = locker.obtain("k").ttl(SECOND).manual().await.unwrap();
    let lock = std::sync::Arc::new(lock);
    let waiting: Vec<_> = (0..10)
        .map(|_| {
            let lock = lock.clone();
            tokio::spawn(async move { lock.lost().await })
        })
        .collect();
    // One that gives up must not take another's place.
    assert!(timeout(SECOND / 2, lock.lost()).await.is_err());
    assert_eq!(lock.lost().await, Loss::Expired { error: None });
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Loss::Expired { error: None });
    }
}

#[tokio::test(start_paused = true)]
async fn many_locks_of_one_locker_do_not_disturb_each_other() {
    let server = Memory::new();
    let (alice, bob) = (server.locker(), server.locker());
    let mut tasks = Vec::new();
    for i in 0..64 {
        let locker = if i % 2 == 0 { &alice } else { &bob }.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let key = format!("k{}", i / 4);
                let lock = locker
                    .obtain(&key)
                    .wait(600 * SECOND)
                    .retry(Retry::every(SECOND))
                    .await
                    .unwrap();
                assert_eq!(lock.key(), key.as_bytes());
                assert_eq!(lock.release().await, Released::Confirmed);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn no_permits_are_refused() {
    let locker = memory();
    for (limit, is_possible) in [(0, false), (1, true), (u32::MAX, true)] {
        let permit = locker.permit("api", limit).await;
        let reason = NotObtained::Unsupported(Unsupported::NoPermits);
        match permit {
            Ok(permit) => assert!(is_possible && permit.is_held()),
            Err(error) => assert!(
                !is_possible && matches!(error, ObtainError::NotObtained(why, _) if why == reason),
                "{limit}"
            ),
        }
    }
}
