//! A holder whose key somebody deletes or overwrites learns of it within a few round trips.

use std::time::{Duration, Instant};

use tenure::Loss;
use tenure::tokio::connect;
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::Raw;
use tenure_tests::servers::{Kind, Server};

const HOUR: Duration = Duration::from_secs(3600);

/// What the server pushes, then one question and its answer.
const ROUND_TRIPS: u64 = 1;

#[tokio::test]
async fn a_deleted_or_overwritten_key_is_one_question_away() {
    for kind in Kind::ALL {
        for command in [
            &["DEL", "k"][..],
            &["SET", "k", "mine"],
            &["PEXPIRE", "k", "0"],
        ] {
            let server = Server::start(kind);
            let proxy = Proxy::start(server.port());
            let locker = connect(proxy.url()).await.expect("a locker");
            let lock = locker.obtain("k").ttl(HOUR).await.expect("the lock");
            // What it registered for is used up by a refresh of its own, and registered again with it.
            lock.refresh().await.expect("still ours");
            let (before, commands) = (proxy.round_trips(), proxy.command_count());

            server.raw().command(command);

            assert_eq!(lost(&lock).await, Loss::Taken, "{kind:?}: {command:?}");
            assert_eq!(
                proxy.round_trips() - before,
                ROUND_TRIPS,
                "{kind:?}: {command:?}"
            );
            assert_eq!(proxy.commands()[commands], "GET k");
        }
    }
}

/// The ratio of two times in one run: from the deletion to the loss, and a PING. The way is made so long that what this
/// machine needs to switch between processes does not count, and the best of several is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deletion_is_reported_in_less_than_five_round_trips() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let locker = connect(proxy.url()).await.expect("a locker");
    let (mut best, mut ping) = (Duration::MAX, Duration::MAX);
    for _ in 0..7 {
        let lock = locker.obtain("k").ttl(HOUR).await.expect("the lock");
        proxy.delay(Duration::from_millis(20));
        ping = ping.min(pinged(&mut Raw::tcp(proxy.port())));
        let mut raw = server.raw();
        let start = Instant::now();
        raw.command(&["DEL", "k"]);
        assert_eq!(lost(&lock).await, Loss::Taken);
        best = best.min(start.elapsed());
        proxy.delay(Duration::ZERO);
    }
    let ratio = best.as_secs_f64() / ping.as_secs_f64();
    println!("from DEL to the loss: {ratio:.2} round trips");
    assert!(ratio < 5.0, "{ratio:.2} round trips");
}

fn pinged(raw: &mut Raw) -> Duration {
    let start = Instant::now();
    raw.command(&["PING"]);
    start.elapsed()
}

async fn lost(lock: &tenure::Lock) -> Loss {
    let lost = tokio::time::timeout(Duration::from_secs(60), lock.lost()).await;
    lost.expect("long before the next renewal")
}
