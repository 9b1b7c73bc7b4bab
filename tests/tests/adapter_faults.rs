//! The tokio adapter where connections and servers fail, and how often it writes.

use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Loss, NotObtained, ObtainError, Released, Servers};
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn quick(url: String) -> Servers {
    Servers::single(url).request_timeout(200 * MS)
}

#[tokio::test]
async fn a_locker_comes_back_when_its_server_does() {
    let mut server = Server::start(Kind::Redis7);
    let locker = connect(quick(server.url())).await.expect("a locker");
    let lost = locker.obtain("k").await.expect("the lock");
    server.kill();
    let refused = locker.obtain("j").await;
    assert!(matches!(
        refused,
        Err(ObtainError::NotObtained(NotObtained::Unreachable(_), _))
    ));

    server.restart();

    // The server has forgotten everything, which the holder learns when it asks.
    let lock = locker.obtain("j").wait(30 * SECOND).await.expect("j again");
    assert_eq!(lock.release().await, Released::Confirmed);
    assert_eq!(lost.lost().await, Loss::Taken);
}

#[tokio::test]
async fn a_cut_connection_costs_nothing_but_time() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let locker = connect(quick(proxy.url())).await.expect("a locker");
    let lock = locker.obtain("k").await.expect("the lock");
    for _ in 0..3 {
        proxy.cut();
        lock.refresh().await.expect("repeated until it got through");
    }
    assert!(lock.is_held());
    assert_eq!(lock.release().await, Released::Confirmed);
    assert_eq!(proxy.connections(), 4);
}

#[tokio::test]
async fn a_loss_is_reported_at_the_end_of_the_lease_when_nothing_answers() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let locker = connect(quick(proxy.url())).await.expect("a locker");
    let start = Instant::now();
    let lock = locker.obtain("k").ttl(SECOND).await.expect("the lock");
    proxy.black_hole(true);

    // With why the last renewal did not get through: no answer, or no connection.
    let loss = lock.lost().await;
    assert!(matches!(loss, Loss::Expired { error: Some(_) }), "{loss:?}");

    // Not before it had to be; a slow machine may be later, but not without bound.
    assert!(start.elapsed() >= 988 * MS);
    assert!(!lock.is_held());
    let closing = Instant::now();
    drop(lock);
    locker.close().await;
    assert!(closing.elapsed() < 20 * SECOND);
}

/// Without a bound of its own it would take the ttl.
#[tokio::test]
async fn a_release_that_nobody_answers_is_unconfirmed_soon_and_goes_on() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let locker = connect(quick(proxy.url())).await.expect("a locker");
    let obtaining = locker.obtain("k").ttl(3600 * SECOND);
    let lock = obtaining.await.expect("the lock");
    proxy.black_hole(true);

    let released = tokio::time::timeout(60 * SECOND, lock.release()).await;

    assert_eq!(released, Ok(Released::Unconfirmed));
    let mut raw = server.raw();
    assert_eq!(raw.command(&["EXISTS", "k"]), Value::Int(1));
    proxy.black_hole(false);
    let deadline = Instant::now() + 60 * SECOND;
    while raw.command(&["EXISTS", "k"]) != Value::Int(0) {
        assert!(Instant::now() < deadline, "nobody releases it");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_deleted_key_is_missed_before_the_next_renewal() {
    for kind in [Kind::Redis7, Kind::Valkey9] {
        let server = Server::start(kind);
        let locker = connect(server.url()).await.expect("a locker");
        let lock = locker
            .obtain("k")
            .ttl(3600 * SECOND)
            .await
            .expect("the lock");

        assert_eq!(server.raw().command(&["DEL", "k"]), Value::Int(1));

        let lost = tokio::time::timeout(30 * SECOND, lock.lost()).await;
        assert_eq!(
            lost,
            Ok(Loss::Taken),
            "{kind:?}: renewal is an hour / 3 away"
        );
    }
}

#[tokio::test]
async fn a_waiter_is_woken_by_a_release_of_anybody() {
    let server = Server::start(Kind::Redis7);
    let locker = connect(server.url()).await.expect("a locker");
    let mut raw = server.raw();
    raw.command(&["SET", "k", "somebody", "PX", "3600000"]);
    let waiting = tokio::spawn(locker.obtain("k").wait(60 * SECOND).into_future());
    // It has asked once it is registered: the server counts those that track.
    while !raw
        .command(&["INFO", "stats"])
        .text()
        .contains("tracking_total_keys:1")
    {
        tokio::task::yield_now().await;
    }

    raw.command(&["DEL", "k"]);

    let lock = waiting.await.expect("no panic");
    assert!(lock.expect("the lock").is_held());
}

/// All that is wanted in one tick goes out together, and all answers come back together.
#[tokio::test]
async fn a_burst_is_one_round_trip() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let locker = connect(proxy.url()).await.expect("a locker");
    let (trips, commands) = (proxy.round_trips(), proxy.command_count());

    let obtaining: Vec<_> = (0..64)
        .map(|i| tokio::spawn(locker.obtain(format!("k{i}")).into_future()))
        .collect();
    let mut locks = Vec::new();
    for obtaining in obtaining {
        locks.push(obtaining.await.expect("no panic").expect("the lock"));
    }

    assert_eq!(proxy.command_count() - commands, 128, "SET and PTTL each");
    let trips = proxy.round_trips() - trips;
    // Answers may come in several pieces, and a piece may be answered with nothing: the writes are what counts.
    assert_eq!(trips, 1, "64 obtains in one write");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_on_many_threads_exclude_each_other() {
    let server = Server::start(Kind::Redis7);
    let lockers = [
        connect(server.url()).await.expect("a locker"),
        connect(server.url()).await.expect("another"),
    ];
    let inside = std::sync::Arc::new([const { std::sync::atomic::AtomicU32::new(0) }; 4]);
    let mut tasks = Vec::new();
    for task in 0..32_usize {
        let (locker, inside) = (lockers[task % 2].clone(), inside.clone());
        tasks.push(tokio::spawn(async move {
            use std::sync::atomic::Ordering::SeqCst;
            for round in 0..25 {
                let key = (task + round) % 4;
                let lock = locker.obtain(format!("k{key}")).wait(60 * SECOND);
                let lock = lock.await.expect("its turn");
                assert_eq!(inside[key].fetch_add(1, SeqCst), 0);
                tokio::task::yield_now().await;
                inside[key].fetch_sub(1, SeqCst);
                drop(lock);
            }
        }));
    }
    for task in tasks {
        task.await.expect("no panic");
    }
}

/// The end of many a `main`. With TLS, too, whose bytes are not those of the core. A server that has never seen the script
/// of a release would have to answer first, and nobody reads that reply.
#[test]
fn a_lock_dropped_last_is_released_though_the_runtime_ends() {
    let tls = Server::builder(Kind::Redis7).tls().start();
    let plain = Server::start(Kind::Redis7);
    for (server, servers) in [
        (&plain, Servers::single(plain.url())),
        (
            &tls,
            Servers::single(tls.url()).root_certificate_pem(tls.ca_pem()),
        ),
    ] {
        let mut current = tokio::runtime::Builder::new_current_thread();
        let mut several = tokio::runtime::Builder::new_multi_thread();
        for runtime in [&mut current, several.worker_threads(2)] {
            let runtime = runtime.enable_all().build().expect("a runtime");
            let servers = servers.clone().prepare(true);
            runtime.block_on(async {
                let locker = connect(servers).await.expect("a locker");
                drop(
                    locker
                        .obtain("k")
                        .ttl(600 * SECOND)
                        .await
                        .expect("the lock"),
                );
            });
            drop(runtime);

            let deadline = Instant::now() + 20 * SECOND;
            let mut raw = server.raw();
            while raw.command(&["EXISTS", "k"]) != Value::Int(0) {
                assert!(Instant::now() < deadline, "the key is still there");
            }
        }
    }
}
