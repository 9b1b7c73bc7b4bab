//! Clients for a cluster carry out the commands of lockers: three masters, a slot that moves, and masters that fail.

use std::future::IntoFuture as _;
use std::time::Duration;

use tenure::{Locker, NotObtained, ObtainError, Released};
use tenure_core::NodeError;
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::servers::Cluster;
use tenure_tests::suite::everything;

#[path = "failover/clients.rs"]
#[allow(dead_code, reason = "not all of it is for clusters")]
mod clients;
#[path = "../../adapters/tenure/examples/lent_fred_cluster.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own, too")]
mod example;

const LONG: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

use clients::{Client, fred_cluster as fred, redis_rs_cluster as redis_rs};

#[tokio::test]
async fn a_cluster_gives_the_same_locks() {
    let cluster = Cluster::start(3);
    for client in Client::ALL {
        let target = format!("{} for a cluster", client.name());
        let (alice, bob) = (client.locker(&cluster).await, client.locker(&cluster).await);
        everything(&target, alice, bob).await;
        let (alice, bob) = (client.locker(&cluster).await, client.locker(&cluster).await);
        for index in 0..3 {
            let key = cluster.key_on(index, "k");
            let lock = alice.obtain(key.as_str()).await.expect("the lock");
            let reply = cluster.servers[index].raw().command(&["EXISTS", &key]);
            assert_eq!(reply.int(), 1, "it is on its master");
            assert!(
                bob.try_obtain(key.as_str())
                    .await
                    .expect("an answer")
                    .is_none()
            );
            let waits = tokio::spawn(bob.obtain(key.as_str()).wait(LONG).into_future());
            lock.refresh().await.expect("still held");
            lock.verify().await.expect("still held");
            assert_eq!(lock.release().await, Released::Confirmed);
            let next = waits.await.expect("no panic").expect("the lock");
            assert_eq!(next.release().await, Released::Confirmed);
        }
        let several = alice.obtain(["{t}b", "{t}c"]).await.expect("both");
        assert_eq!(several.release().await, Released::Confirmed);
        let mut raw = cluster.servers[0].raw();
        raw.command(&["CONFIG", "RESETSTAT"]);
        let apart = alice.obtain([cluster.key_on(0, "k"), cluster.key_on(1, "k")]);
        let reason = apart.wait(LONG).await.expect_err("two slots");
        let expected = format!(
            "{:?} and {:?} are in different slots of the cluster: give all keys of a lock the same {{tag}}",
            cluster.key_on(0, "k"),
            cluster.key_on(1, "k"),
        );
        assert_eq!(reason.to_string(), expected);
        let stats = raw.command(&["INFO", "commandstats"]).text();
        assert!(!stats.contains("cmdstat_set:"), "nothing was sent: {stats}");
        alice.close().await;
        bob.close().await;
    }
}

#[tokio::test]
async fn locks_follow_a_slot_that_moves() {
    for client in Client::ALL {
        let mut cluster = Cluster::start(3);
        let (alice, bob) = (client.locker(&cluster).await, client.locker(&cluster).await);
        let key = cluster.key_on(0, "k");
        let key = key.as_str();
        let second = format!("{{{key}}}2");
        let obtain = |locker: &Locker, key: &str| locker.obtain(key).ttl(HOUR);
        let lock = obtain(&alice, key).await.expect("the lock");

        cluster.begin_move(key, 1);
        lock.refresh().await.expect("it is still there");
        let new = obtain(&bob, &second).await.expect("where its slot goes");
        assert_eq!(new.release().await, Released::Confirmed);
        cluster.move_key(key, 1);
        lock.refresh().await.expect("where it has gone");
        assert!(bob.try_obtain(key).await.expect("an answer").is_none());
        let waits = tokio::spawn(obtain(&bob, key).wait(LONG).into_future());
        assert_eq!(lock.release().await, Released::Confirmed);
        let lock = waits.await.expect("no panic").expect("the lock");

        cluster.end_move(key, 1);
        lock.refresh().await.expect("where its slot is");
        let reply = cluster.servers[1].raw().command(&["EXISTS", key]);
        assert_eq!(reply.int(), 1);
        let new = obtain(&alice, &second).await.expect("where its slot is");
        assert_eq!(new.release().await, Released::Confirmed);
        assert_eq!(lock.release().await, Released::Confirmed);
        alice.close().await;
        bob.close().await;
    }
}

/// A client learns the slots from any server. If that one has not learnt of the move, only the redirection is right.
#[tokio::test]
async fn a_moved_slot_is_found_though_one_master_does_not_know() {
    for client in Client::ALL {
        let mut cluster = Cluster::start(3);
        let key = cluster.key_on(0, "k");
        let mut lockers = Vec::new();
        for _ in 0..12 {
            lockers.push(client.locker(&cluster).await);
        }
        cluster.begin_move(&key, 1);
        cluster.end_move(&key, 1);
        for locker in &lockers {
            cluster.forget_move(2, &key, 0);
            let lock = locker.obtain(key.as_str()).await.expect("where it is");
            assert_eq!(lock.release().await, Released::Confirmed);
            locker.close().await;
        }
    }
}

#[tokio::test]
async fn several_keys_wait_until_their_slot_has_moved() {
    for client in Client::ALL {
        let mut cluster = Cluster::start(3);
        let alice = client.locker(&cluster).await;
        let key = cluster.key_on(0, "k");
        let second = format!("{{{key}}}2");
        let mut raw = cluster.servers[0].raw();
        raw.command(&["SET", &key, "other", "PX", "3600000"]);
        cluster.begin_move(&key, 1);
        // One of the keys is there, and one is not: no server carries that out.
        let once = alice.obtain([key.as_str(), &second]).await;
        let reason = once.expect_err("the slot is being moved");
        let moving = NotObtained::Unreachable(NodeError::TryAgain);
        assert_eq!(reason, ObtainError::NotObtained(moving, None));
        raw.command(&["DEL", &key]);
        cluster.end_move(&key, 1);
        let both = alice.obtain([key.as_str(), &second]).wait(LONG).await;
        assert_eq!(both.expect("both").release().await, Released::Confirmed);
        alice.close().await;
    }
}

/// The crate fred takes no commands at all while it connects again.
#[tokio::test]
async fn a_master_that_ends_takes_no_other_locks_along() {
    for client in Client::ALL {
        let mut cluster = Cluster::start(3);
        let locker = client.locker(&cluster).await;
        let [gone, here] = [0, 1].map(|index| cluster.key_on(index, "k"));
        let (gone, here) = (gone.as_str(), here.as_str());
        let lock = locker.obtain(here).ttl(HOUR).await.expect("the lock");
        cluster.servers[0].kill();
        let refused = locker.obtain(gone).await.expect_err("its master is gone");
        assert!(
            matches!(
                refused,
                ObtainError::NotObtained(NotObtained::Unreachable(_), _)
            ),
            "{refused}"
        );
        if let Client::RedisRs = client {
            let other = cluster.key_on(2, "k");
            for _ in 0..10 {
                lock.refresh().await.expect("another master has it");
                locker.obtain(gone).await.expect_err("its master is gone");
                let other = locker.obtain(other.as_str()).await.expect("it is there");
                assert_eq!(other.release().await, Released::Confirmed);
            }
        }
        cluster.servers[0].restart();
        let back = locker.obtain(gone).wait(LONG).await.expect("it is back");
        assert_eq!(back.release().await, Released::Confirmed);
        lock.refresh().await.expect("another master has it");
        assert_eq!(lock.release().await, Released::Confirmed);
        locker.close().await;
    }
}

/// A proxy in front of a master loses the answer to each write in turn. Nothing is sent twice behind the locker's back: a
/// `SET NX` that had been granted would be refused by its own value then.
#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    for client in Client::ALL {
        let cluster = Cluster::start(3);
        let proxy = Proxy::start(cluster.servers[0].port());
        let port = proxy.port().to_string();
        let set = ["CONFIG", "SET", "cluster-announce-port", &port];
        cluster.servers[0].raw().command(&set);
        cluster.wait_until_known(proxy.port());
        let locker = client.locker(&cluster).await;
        let key = cluster.key_on(0, "k");
        for round in 0..10 {
            proxy.fail(On::Named("SET"), Fault::Reply { kept: 0 }, Then::Cut);
            let lock = locker.obtain(key.as_str()).wait(LONG).await;
            let lock = lock.expect("the server has granted it");
            assert_eq!(lock.release().await, Released::Confirmed, "{round}");
            let reply = cluster.servers[0].raw().command(&["EXISTS", &key]);
            assert_eq!(reply.int(), 0, "nothing is left");
        }
        let sets = proxy.commands();
        let sets = sets.iter().filter(|command| command.starts_with("SET "));
        assert_eq!(sets.count(), 10, "each was sent once");
        locker.close().await;
    }
}

#[tokio::test]
async fn a_client_that_sends_commands_twice_is_refused() {
    let cluster = Cluster::start(3);
    let lent = redis_rs(&cluster, 16).await;
    let error = tenure::tokio::connect(lent).await.expect_err("it resends");
    assert!(error.to_string().contains("retries(0)"), "{error}");
    let lent = fred(&cluster, 5).await;
    let error = tenure::tokio::connect(lent)
        .await
        .expect_err("it redirects");
    assert!(error.to_string().contains("max_redirections: 0"), "{error}");
}

#[tokio::test]
async fn the_example_works() {
    let cluster = Cluster::start(3);
    let ports = cluster.servers.iter().map(|server| server.port());
    let nodes: Vec<String> = ports.map(|port| format!("127.0.0.1:{port}")).collect();
    example::work(&nodes).await.expect("it works");
}
