//! Grants that a real replica must have: one that follows, one that has stopped, one that is far away, and one that takes over.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Acks, Lock, Locker, Loss, NodeError, NotObtained, ObtainError, Servers};
use tenure_tests::raw::Raw;
use tenure_tests::servers::{Kind, Pair, Server};

const ONE: Acks = Acks::received(NonZeroU32::MIN);
const HOUR: Duration = Duration::from_secs(3600);
const LONG: Duration = Duration::from_secs(60);

async fn locker_of(pair: &Pair, acks: Acks) -> Locker {
    // However slow this machine is.
    let servers = Servers::single(pair.server.url()).request_timeout(LONG);
    connect(servers.acks(acks)).await.expect("a locker")
}

fn token(lock: &Lock) -> String {
    String::from_utf8(lock.token().to_vec()).expect("ASCII")
}

fn error(result: Result<Lock, ObtainError>) -> NotObtained {
    match result.map(drop) {
        Err(ObtainError::NotObtained(reason, _)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lock_that_is_reported_is_on_the_replica() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        let locker = locker_of(&pair, ONE).await;
        // Without acks the replica would have the last of these a little later.
        pair.way.delay(Duration::from_millis(20));
        for round in 0..20 {
            let key = format!("k{round}");
            let lock = locker.obtain(key.as_str()).ttl(HOUR).await.expect("a lock");
            assert_eq!(pair.copy(&key), token(&lock), "{kind:?}");
        }
        let read = locker.read("r").ttl(HOUR).await.expect("a read lock");
        assert_eq!(pair.copy("r"), "~shared", "{kind:?}");
        drop(read);
        let fenced = locker
            .obtain("f")
            .fence()
            .await
            .expect("a lock with a fence");
        let number = fenced.fence().expect("a fence").0;
        assert_eq!(pair.copy("{f}~fence"), number.to_string(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_replica_that_has_stopped_has_nothing() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        let locker = locker_of(&pair, ONE.within(Duration::from_millis(20))).await;
        let held = locker
            .obtain("held")
            .ttl(HOUR)
            .manual()
            .wait(LONG)
            .await
            .expect("a lock");
        pair.replica.pause();

        let reason = error(locker.obtain("k").ttl(HOUR).await);
        assert_eq!(
            reason,
            NotObtained::Unreachable(NodeError::NoReplicas),
            "{kind:?}"
        );
        let wait = Duration::from_millis(300);
        let reason = error(locker.obtain("k").ttl(HOUR).wait(wait).await);
        assert_eq!(
            reason,
            NotObtained::Unreachable(NodeError::NoReplicas),
            "{kind:?}"
        );

        // A key that was set is deleted by a request behind it on the same connection.
        let seen = locker.inspect("k").await.expect("a reply");
        assert_eq!(seen, None, "{kind:?}");
        let waits = locker.obtain("k").ttl(HOUR).wait(LONG);
        let (lock, ()) = tokio::join!(waits, async {
            // It has been refused at least once by now.
            let _ = error(locker.obtain("other").ttl(HOUR).await);
            pair.replica.resume();
        });
        let lock = lock.expect("once the replica follows");
        assert_eq!(pair.copy("k"), token(&lock), "{kind:?}");
        held.release().await;
    }
}

#[tokio::test]
async fn a_lease_that_no_replica_has_is_not_extended() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        let locker = locker_of(&pair, ONE.within(Duration::from_millis(20))).await;
        let lock = locker
            .obtain("k")
            .ttl(Duration::from_secs(4))
            .wait(LONG)
            .await
            .expect("a lock");
        pair.replica.pause();
        let Loss::Expired { error: Some(error) } = lock.lost().await else {
            panic!("{kind:?}: {:?}", lock.is_held());
        };
        assert_eq!(error, NodeError::NoReplicas, "{kind:?}");
        pair.replica.resume();
    }
}

/// What it has is all that anybody relies on.
#[tokio::test]
async fn a_replica_that_takes_over_keeps_the_lock() {
    for kind in Kind::ALL {
        let mut pair = Pair::start(kind, &[]);
        let locker = locker_of(&pair, ONE).await;
        let lock = locker.obtain("k").ttl(HOUR).await.expect("a lock");
        let token = token(&lock);
        pair.server.kill();
        let mut raw = pair.replica.raw();
        raw.command(&["REPLICAOF", "NO", "ONE"]);
        let other = connect(pair.replica.url()).await.expect("a locker");
        let reason = error(other.obtain("k").await);
        assert!(
            matches!(reason, NotObtained::Taken { .. }),
            "{kind:?}: {reason:?}"
        );
        assert_eq!(pair.copy("k"), token, "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_becomes_a_replica_grants_nothing() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        let locker = locker_of(&pair, ONE).await;
        pair.replica.pause();
        let attempt = locker.obtain("k").ttl(HOUR);
        let (lock, ()) = tokio::join!(attempt, async {
            demote(pair.server.raw());
        });
        assert!(lock.is_err(), "{kind:?}");
        pair.replica.resume();
    }
}

fn demote(mut raw: Raw) {
    raw.command(&["REPLICAOF", "127.0.0.1", "1"]);
}

/// `WAITAOF` is unknown to Redis before 7.2, and needs an append-only file.
#[tokio::test]
async fn a_grant_may_have_to_be_on_disk() {
    for (kind, own) in Kind::ALL
        .into_iter()
        .flat_map(|kind| [(kind, "yes"), (kind, "no")])
    {
        let builder = Server::builder(kind).arg("--appendonly").arg(own);
        let server = builder.start();
        let servers = Servers::single(server.url()).acks(Acks::persisted(0));
        let result = connect(servers).await;
        if kind == Kind::Valkey9 && own == "yes" {
            let lock = result.expect("a locker").obtain("k").await;
            lock.expect("a lock").release().await;
            continue;
        }
        let refused = result
            .map(drop)
            .expect_err("nothing to wait for")
            .to_string();
        assert!(refused.contains("append-only"), "{kind:?}: {refused}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_wait_is_refused_before_the_first_lock() {
    for kind in Kind::ALL {
        let rules = "~* &* +@all -wait";
        let server = Server::builder(kind)
            .acl_user("app", "secret", rules)
            .start();
        let servers = Servers::single(server.url_as("app", "secret")).acks(ONE);
        let refused = connect(servers)
            .await
            .map(drop)
            .expect_err("a right is missing");
        assert!(
            refused.to_string().contains("NOPERM"),
            "{kind:?}: {refused}"
        );
    }
}
