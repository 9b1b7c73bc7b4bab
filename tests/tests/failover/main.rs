//! Masters that end, with real elections: in a cluster, and behind sentinels. What users can rely on then is in
//! `core/docs/failover.md`.

mod clients;
mod group;

use std::future::{Future, IntoFuture as _};
use std::time::Duration;

use tenure::{InspectError, Locker, Loss, NotObtained, ObtainError, Obtaining, Released};
use tenure_tests::servers::{Cluster, Sentinels};
use tenure_tests::suite::everything;
use tokio::time::timeout;

use clients::Client;
use group::{Group, is_asked};

/// The time of a lock that does not end by itself here.
const HOUR: Duration = Duration::from_secs(3600);

/// Far longer than the elections of one test take, on a slow machine too.
const LIMIT: Duration = Duration::from_secs(600);

/// A lock that is never seen again would be waited for until its time is over.
async fn limited(test: impl Future<Output = ()>) {
    timeout(LIMIT, test).await.expect("it ends");
}

/// Nothing is renewed, so that only a failover can reveal a loss.
fn obtain(locker: &Locker, key: &str) -> Obtaining {
    locker.obtain(key).ttl(HOUR).manual()
}

/// Asks until there is an answer: a client may have to connect first.
async fn is_taken(locker: &Locker, key: &str) -> bool {
    loop {
        match locker.inspect(key).await {
            Ok(holding) => return holding.is_some(),
            Err(InspectError::Node(..)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

/// A lock that the replica has: its holder goes on, and its waiter waits on.
async fn a_copied_lock_survives(mut group: impl Group, alice: Locker, bob: Locker) {
    let key = group.key();
    let lock = obtain(&alice, &key).await.expect("the lock");
    let waits = tokio::spawn(obtain(&bob, &key).wait(HOUR).into_future());
    is_asked(group.master(), 2);
    group.wait_until_copied(&key);
    tokio::task::block_in_place(|| group.fail_over());

    lock.refresh().await.expect("the new master has it");
    assert!(is_taken(&bob, &key).await, "the new master has it");
    assert!(!waits.is_finished(), "it is held");
    assert_eq!(lock.release().await, Released::Confirmed);
    let next = waits.await.expect("no panic").expect("the lock");
    next.verify().await.expect("held");
    assert_eq!(next.release().await, Released::Confirmed);
    let left = group.master().raw().command(&["EXISTS", &key]);
    assert_eq!(left.int(), 0, "nothing is left");
    alice.close().await;
    bob.close().await;
}

/// A lock that the master has granted and not copied yet: the next one gets it while the first one may rely on it. This is
/// what nobody promises.
async fn a_lock_that_was_not_copied_is_given_twice(
    group: &mut impl Group,
    alice: &Locker,
    bob: &Locker,
) -> (tenure::Lock, tenure::Lock) {
    let key = group.key();
    group.cut_replica();
    let lock = obtain(alice, &key).fence().await.expect("the lock");
    tokio::task::block_in_place(|| group.fail_over());
    let second = obtain(bob, &key).fence().wait(HOUR).await;
    let second = second.expect("the same lock");
    assert!(second.fence() > lock.fence(), "the clock is the same");
    (lock, second)
}

/// While there is no new master, requests end without a lock, and a lock ends with its lease.
async fn without_a_master_all_ends(mut group: impl Group, alice: Locker) {
    let key = group.key();
    let lock = alice.obtain(key.as_str()).ttl(Duration::from_secs(3)).await;
    let lock = lock.expect("the lock");
    group.end_master();
    let loss = lock.lost().await;
    assert!(matches!(loss, Loss::Expired { error: Some(_) }), "{loss}");
    let request = alice.obtain(key.as_str()).wait(Duration::from_millis(50));
    let refused = request.await.expect_err("there is no master");
    assert!(
        matches!(
            refused,
            ObtainError::NotObtained(NotObtained::Unreachable(_), _)
        ),
        "{refused}"
    );
    alice.close().await;
}

/// A request whose master never answers is settled on the next master.
async fn a_request_goes_on_at_the_next_master(mut group: impl Group, alice: Locker) {
    let key = group.key();
    group.master().pause();
    let waits = tokio::spawn(obtain(&alice, &key).wait(HOUR).into_future());
    tokio::task::block_in_place(|| group.fail_over());
    let lock = waits.await.expect("no panic").expect("the lock");
    lock.verify().await.expect("held");
    assert_eq!(lock.release().await, Released::Confirmed);
    let left = group.master().raw().command(&["EXISTS", &key]);
    assert_eq!(left.int(), 0, "nothing is left");
    alice.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_a_copied_lock_survives_its_master() {
    limited(async {
        for client in Client::ALL {
            let cluster = Cluster::start_with_replicas(3);
            let (alice, bob) = (client.locker(&cluster).await, client.locker(&cluster).await);
            a_copied_lock_survives(cluster, alice, bob).await;
        }
    })
    .await;
}

/// The crate fred connects again as a whole, and then all keys are checked: it is lost even sooner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_a_lock_that_was_not_copied_is_lost_at_the_next_renewal() {
    limited(async {
        for client in Client::ALL {
            let mut cluster = Cluster::start_with_replicas(3);
            let (alice, bob) = (client.locker(&cluster).await, client.locker(&cluster).await);
            let elsewhere = obtain(&alice, &cluster.key_on(1, "k")).await;
            let elsewhere = elsewhere.expect("the lock");
            let (first, second) =
                a_lock_that_was_not_copied_is_given_twice(&mut cluster, &alice, &bob).await;
            if let Client::RedisRs = client {
                assert!(first.is_held() && second.is_held(), "both rely on it");
            }
            let lost = first.refresh().await.expect_err("another one has it");
            assert_eq!(lost, Loss::Taken);
            second.verify().await.expect("its end takes nothing along");
            elsewhere.refresh().await.expect("another master has it");
            assert_eq!(second.release().await, Released::Confirmed);
            assert_eq!(elsewhere.release().await, Released::Confirmed);
            alice.close().await;
            bob.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_cluster_a_request_without_a_reply_goes_on_at_the_next_master() {
    limited(async {
        for client in Client::ALL {
            let cluster = Cluster::start_with_replicas(3);
            let alice = client.locker(&cluster).await;
            a_request_goes_on_at_the_next_master(cluster, alice).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_give_the_same_locks() {
    limited(async {
        let sentinels = Sentinels::start();
        for client in Client::ALL {
            for is_resp3 in [true, false] {
                let alice = client.behind(&sentinels, is_resp3).await;
                let bob = client.behind(&sentinels, is_resp3).await;
                let version = if is_resp3 { "RESP3" } else { "RESP2" };
                let target = format!("{} behind Sentinel, {version}", client.name());
                everything(&target, alice, bob).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_sentinels_a_copied_lock_survives_its_master() {
    limited(async {
        for client in Client::ALL {
            for is_resp3 in [true, false] {
                let sentinels = Sentinels::start();
                let alice = client.behind(&sentinels, is_resp3).await;
                let bob = client.behind(&sentinels, is_resp3).await;
                a_copied_lock_survives(sentinels, alice, bob).await;
            }
        }
    })
    .await;
}

/// Over a new connection all keys are checked, so the loss is reported without a renewal. Later reports arrive, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_sentinels_a_lock_that_was_not_copied_is_lost_and_reported() {
    limited(async {
        for client in Client::ALL {
            let mut sentinels = Sentinels::start();
            let alice = client.behind(&sentinels, true).await;
            let bob = client.behind(&sentinels, true).await;
            let (first, second) =
                a_lock_that_was_not_copied_is_given_twice(&mut sentinels, &alice, &bob).await;
            assert_eq!(first.lost().await, Loss::Taken);
            second.verify().await.expect("its end takes nothing along");
            let key = sentinels.key();
            sentinels.master().raw().command(&["DEL", &key]);
            assert_eq!(second.lost().await, Loss::Taken);
            alice.close().await;
            bob.close().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_sentinels_a_request_without_a_reply_goes_on_at_the_next_master() {
    limited(async {
        for client in Client::ALL {
            let sentinels = Sentinels::start();
            let alice = client.behind(&sentinels, true).await;
            a_request_goes_on_at_the_next_master(sentinels, alice).await;
        }
    })
    .await;
}

/// A planned change loses nothing: the old master has stopped writes before, and is a replica then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_survives_a_change_of_places() {
    limited(async {
        for client in Client::ALL {
            for is_resp3 in [true, false] {
                let mut sentinels = Sentinels::start();
                let alice = client.behind(&sentinels, is_resp3).await;
                let bob = client.behind(&sentinels, is_resp3).await;
                let lock = obtain(&alice, "k").await.expect("the lock");
                let waits = tokio::spawn(obtain(&bob, "k").wait(HOUR).into_future());
                is_asked(&sentinels.master, 2);
                sentinels.wait_until_copied("k");
                tokio::task::block_in_place(|| sentinels.change_places());
                lock.refresh().await.expect("the new master has it");
                assert_eq!(lock.release().await, Released::Confirmed);
                let next = waits.await.expect("no panic").expect("the lock");
                assert_eq!(next.release().await, Released::Confirmed);
                alice.close().await;
                bob.close().await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_new_master_requests_end_and_locks_expire() {
    limited(async {
        for client in Client::ALL {
            let cluster = Cluster::start_with_replicas(3);
            let alice = client.locker(&cluster).await;
            without_a_master_all_ends(cluster, alice).await;
            let sentinels = Sentinels::start();
            let alice = client.behind(&sentinels, true).await;
            without_a_master_all_ends(sentinels, alice).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_release_of_a_lost_lock_leaves_that_of_the_next_one() {
    limited(async {
        for client in Client::ALL {
            let mut sentinels = Sentinels::start();
            let alice = client.behind(&sentinels, false).await;
            let bob = client.behind(&sentinels, false).await;
            let (first, second) =
                a_lock_that_was_not_copied_is_given_twice(&mut sentinels, &alice, &bob).await;
            // Sent over the old connection first, so nobody knows what it found there.
            let released = first.release().await;
            assert!(
                matches!(released, Released::Missing | Released::Unconfirmed),
                "{released:?}"
            );
            second.verify().await.expect("still held");
            assert_eq!(second.release().await, Released::Confirmed);
            alice.close().await;
            bob.close().await;
        }
    })
    .await;
}
