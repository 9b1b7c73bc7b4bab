//! Real servers that forget their scripts, stand still, break off in mid-reply, and die two of five.

use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Loss, NotObtained, ObtainError, Released, Servers};
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn quick(server: String) -> Servers {
    Servers::single(server)
        .request_timeout(200 * MS)
        .reconnect(MS, 20 * MS)
}

#[tokio::test]
async fn scripts_may_be_flushed_between_any_two_calls() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let locker = connect(server.url()).await.expect("a locker");
        let flush = || assert_eq!(server.raw().command(&["SCRIPT", "FLUSH"]), Value::ok());
        for _ in 0..3 {
            for keys in [&["k"][..], &["a", "b"]] {
                flush();
                let lock = locker.obtain(keys).await.expect("the lock");
                flush();
                lock.refresh().await.expect("still ours");
                flush();
                assert_eq!(lock.release().await, Released::Confirmed, "{kind:?}");
            }
        }
        assert_eq!(server.raw().command(&["DBSIZE"]), Value::Int(0));
    }
}

#[tokio::test]
async fn a_server_that_stalls_for_a_while_costs_nothing_but_time() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let locker = connect(quick(server.url())).await.expect("a locker");
        let lock = locker.obtain("held").ttl(60 * SECOND).await.expect("it");
        let waiting = tokio::spawn(locker.obtain("free").wait(60 * SECOND).into_future());

        server.pause();
        let tried = locker.obtain("tried").await;
        assert!(
            matches!(
                tried,
                Err(ObtainError::NotObtained(NotObtained::Unreachable(_), _))
            ),
            "{kind:?}: {tried:?}"
        );
        assert!(lock.is_held());
        server.resume();

        lock.refresh().await.expect("still ours");
        let other = waiting.await.expect("no panic").expect("the lock");
        assert_eq!(other.release().await, Released::Confirmed, "{kind:?}");
        assert_eq!(lock.release().await, Released::Confirmed, "{kind:?}");
        // What was tried has come to the server after all, and so has its release.
        locker.close().await;
        assert_eq!(server.raw().command(&["DBSIZE"]), Value::Int(0), "{kind:?}");
    }
}

#[tokio::test]
async fn a_server_that_stalls_for_too_long_costs_the_lock() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let locker = connect(quick(server.url())).await.expect("a locker");
        let lock = locker.obtain("k").ttl(SECOND).await.expect("the lock");

        server.pause();
        let loss = lock.lost().await;
        assert!(
            matches!(loss, Loss::Expired { error: Some(_) }),
            "{kind:?}: {loss:?}"
        );
        assert!(!lock.is_held());
        server.resume();

        let again = locker.obtain("k").wait(60 * SECOND).await;
        assert!(again.expect("free").is_held(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_reply_may_break_off_after_any_byte() {
    for kind in Kind::ALL {
        for kept in 0..5 {
            for then in [Then::Cut, Then::Silence] {
                let server = Server::start(kind);
                let proxy = Proxy::start(server.port());
                let locker = connect(quick(proxy.url())).await.expect("a locker");
                let case = format!("{kind:?}, {kept} bytes, then {then:?}");

                proxy.fail(On::Named("SET"), Fault::Reply { kept }, then);
                let lock = locker.obtain("k").wait(60 * SECOND).await;
                let lock = lock.unwrap_or_else(|error| panic!("{case}: {error}"));
                let value = server.raw().command(&["GET", "k"]);
                assert_eq!(value, Value::bulk(lock.token()), "{case}");

                let release = if kind.has_compare() {
                    "DELIFEQ"
                } else {
                    "EVALSHA"
                };
                proxy.fail(On::Named(release), Fault::Reply { kept }, then);
                // The second release finds nothing, which says nothing of who removed it.
                let released = lock.release().await;
                let is_true = matches!(released, Released::Confirmed | Released::Unconfirmed);
                assert!(is_true, "{case}: {released:?}");
                let left = server.raw().command(&["EXISTS", "k"]);
                assert_eq!(left, Value::Int(0), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn two_of_five_servers_may_die() {
    let mut servers: Vec<_> = [
        Kind::Redis7,
        Kind::Valkey9,
        Kind::Redis62,
        Kind::Redis7,
        Kind::Valkey9,
    ]
    .into_iter()
    .map(Server::start)
    .collect();
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let five = Servers::quorum(&urls)
        .request_timeout(300 * MS)
        .reconnect(MS, 20 * MS);
    let locker = connect(five).await.expect("five of five");
    let lock = locker.obtain("k").ttl(20 * SECOND).await.expect("the lock");

    for server in &mut servers[..2] {
        server.kill();
    }
    lock.refresh().await.expect("three of five");
    let other = locker.obtain(["a", "b"]).await.expect("three of five");
    assert_eq!(other.release().await, Released::Confirmed);
    assert_eq!(lock.release().await, Released::Confirmed);
    let lock = locker.obtain("k").ttl(SECOND).await.expect("three of five");

    servers[2].kill();
    let refreshed = lock.refresh().await;
    assert!(
        matches!(refreshed, Err(Loss::Expired { error: Some(_) })),
        "{refreshed:?}"
    );
    let tried = locker.obtain("j").await;
    assert!(
        matches!(
            tried,
            Err(ObtainError::NotObtained(NotObtained::Unreachable(_), _))
        ),
        "{tried:?}"
    );

    servers[0].restart();
    let lock = locker
        .obtain("k")
        .wait(60 * SECOND)
        .await
        .expect("three again");
    assert_eq!(lock.release().await, Released::Confirmed);
    locker.close().await;
    for index in [0, 3, 4] {
        let keys = servers[index].raw().command(&["DBSIZE"]);
        assert_eq!(keys, Value::Int(0), "server {index}");
    }
}

/// `SET` and `ZADD` are refused then, even where they take no more memory.
#[tokio::test]
async fn locks_are_refreshed_though_the_memory_of_the_server_is_full() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let locker = connect(server.url()).await.expect("a locker");
        let plain = locker.obtain("plain").await.expect("a lock");
        let writer = locker.write("writer").await.expect("a write lock");
        let reader = locker.read("reader").await.expect("a read lock");
        let permit = locker.permit("permit", 2).await.expect("a permit");
        let full = ["CONFIG", "SET", "maxmemory", "1"];
        assert_eq!(server.raw().command(&full), Value::ok());
        for lock in [plain, writer, reader, permit] {
            let refreshed = tokio::time::timeout(10 * SECOND, lock.refresh());
            let refreshed = refreshed.await.expect("it ends");
            refreshed.expect("still ours");
            assert_eq!(lock.release().await, Released::Confirmed, "{kind:?}");
        }
    }
}
