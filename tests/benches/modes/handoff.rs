//! How long a lock needs from one process to the next in the queue, in round trips.

use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};
use tokio::runtime::Runtime;

use crate::{LONG, Request};

/// So far away that the way counts, and not this machine.
const WAY: Duration = Duration::from_millis(5);
const MODES: [(&str, Request); 4] = [
    ("obtain", |locker| locker.obtain("k")),
    ("write", |locker| locker.write("k")),
    ("read", |locker| locker.read("k")),
    ("permit of 1", |locker| locker.permit("k", 1)),
];

/// From a holder that has the key alone to a waiter of each kind.
pub(crate) fn run(runtime: &Runtime, smoke: bool) {
    let rounds = if smoke { 2 } else { 40 };
    let kinds: &[Kind] = if smoke { &[Kind::Redis7] } else { &Kind::ALL };
    for kind in kinds {
        let server = Server::start(*kind);
        let proxy = Proxy::start(server.port());
        proxy.delay(WAY);
        let mut raw = server.raw();
        let mut far = Raw::tcp(proxy.port());
        for (name, mode) in MODES {
            let (mut pings, mut times) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                let start = Instant::now();
                assert_eq!(far.command(&["PING"]), Value::Simple("PONG".into()));
                pings.push(start.elapsed());
                times.push(runtime.block_on(one(&proxy, &mut raw, mode)));
            }
            let trips = median(times) / median(pings);
            println!("{kind:?}, {name}: {trips:.2} round trips from one process to the next");
        }
    }
}

async fn one(proxy: &Proxy, raw: &mut Raw, mode: Request) -> Duration {
    let holder = connect(proxy.url()).await.expect("a locker");
    let waiter = connect(proxy.url()).await.expect("a locker");
    let held = holder.obtain("k").ttl(LONG).await.expect("the lock");
    let waits = mode(&waiter).ttl(LONG).wait(LONG);
    let waits = tokio::spawn(async move { (waits.await.expect("the lock"), Instant::now()) });
    // Both have registered for the key: from now on the server notifies the waiter.
    while !both_watch(raw) {
        tokio::time::sleep(WAY / 5).await;
    }
    // The reply to its request has come as well.
    tokio::time::sleep(4 * WAY).await;
    let start = Instant::now();
    held.release().await;
    let (lock, obtained) = waits.await.expect("a waiter");
    lock.release().await;
    obtained - start
}

fn both_watch(raw: &mut Raw) -> bool {
    let stats = raw.command(&["INFO", "stats"]);
    stats.text().contains("tracking_total_items:2\r\n")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}
