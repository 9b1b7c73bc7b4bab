//! Futures of the tokio adapter that are dropped after any number of polls, while connections break.

use std::future::{Future, IntoFuture, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Locker, Servers};
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
const KEYS: [&[&str]; 4] = [&["a"], &["b"], &["a", "b"], &["c", "a"]];

/// The future's result if it needs at most this many polls; then it is dropped.
async fn polled<T>(mut polls: u64, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if polls == 0 {
            return Poll::Ready(None);
        }
        polls -= 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Whatever comes out of a simple generator next, below `end`.
fn next(state: &mut u64, end: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % end
}

async fn work(locker: Locker, mut chance: u64) {
    for _ in 0..60 {
        let keys = KEYS[usize::try_from(next(&mut chance, 4)).expect("small")];
        let obtaining = locker.obtain(keys).ttl(600 * SECOND).wait(600 * SECOND);
        // The last one: until it is done, or until its time is over.
        let polls = [0, 1, 2, u64::MAX][usize::try_from(next(&mut chance, 4)).expect("small")];
        let given = tokio::time::timeout(
            Duration::from_millis(next(&mut chance, 20)),
            polled(polls, obtaining.into_future()),
        );
        let Ok(Some(Ok(lock))) = given.await else {
            continue;
        };
        let polls = next(&mut chance, 3);
        match next(&mut chance, 3) {
            0 => drop(lock),
            1 => drop(polled(polls, lock.release()).await),
            _ => drop(polled(polls, lock.refresh_for(500 * SECOND)).await),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn futures_dropped_at_any_poll_leave_nothing() {
    for kind in [Kind::Redis7, Kind::Valkey9] {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port());
        let locker = connect(Servers::single(proxy.url()).request_timeout(SECOND / 5)).await;
        let locker = locker.expect("a locker");
        let tasks: Vec<_> = (0..24)
            .map(|task| tokio::spawn(work(locker.clone(), task)))
            .collect();
        for cuts in 0.. {
            if tasks.iter().all(tokio::task::JoinHandle::is_finished) {
                break;
            }
            if cuts % 50 == 0 {
                proxy.cut();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for task in tasks {
            task.await.expect("no panic");
        }

        // Far from any ttl: only releases can have done it.
        let deadline = Instant::now() + 60 * SECOND;
        let mut raw = server.raw();
        while raw.command(&["DBSIZE"]) != Value::Int(0) {
            assert!(Instant::now() < deadline, "{kind:?}: a key was left behind");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let all = locker.obtain(["a", "b", "c"]).wait(60 * SECOND).await;
        assert!(all.expect("nobody is in the way").is_held());
    }
}
