//! How often processes that wait in order ask for the lock, for each time that one of them gets it.

use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};
use tokio::runtime::Runtime;

use crate::LONG;
use crate::counts::Counts;

pub(crate) fn run(runtime: &Runtime, smoke: bool) {
    let kinds: &[Kind] = if smoke { &[Kind::Redis7] } else { &Kind::ALL };
    let counts: &[usize] = if smoke { &[2] } else { &[2, 50, 1000] };
    for kind in kinds {
        for count in counts {
            runtime.block_on(measure(*kind, *count));
        }
    }
}

/// Each waiter has a connection of its own, as a process would. All are in the queue before the first one is granted.
async fn measure(kind: Kind, count: usize) {
    let server = Server::start(kind);
    let mut raw = server.raw();
    let holder = connect(server.url()).await.expect("a locker");
    let held = holder.write("k").ttl(LONG).await.expect("the lock");
    let mut waiting = Vec::new();
    for number in 0..count {
        let locker = connect(server.url()).await.expect("a locker");
        waiting.push(tokio::spawn(async move {
            let lock = locker.write("k").ttl(LONG).wait(LONG).await;
            lock.expect("the lock").release().await;
        }));
        until_queued(&mut raw, number + 1).await;
    }
    let before = Counts::of(&mut raw);
    let start = Instant::now();
    held.release().await;
    for one in waiting {
        one.await.expect("a waiter");
    }
    let took = start.elapsed().as_secs_f64();
    let after = Counts::of(&mut raw);
    // One release for each of them, and that of the first.
    let scripts = after.calls("evalsha") - before.calls("evalsha");
    let asked = scripts + after.calls("eval") - before.calls("eval") - count - 1;
    println!(
        "{kind:?}, {count} processes in order: {:.2} requests for each grant, {:.0} grants a second",
        asked as f64 / count as f64,
        count as f64 / took
    );
}

async fn until_queued(raw: &mut Raw, count: usize) {
    let count = i64::try_from(count).expect("a few");
    while raw.command(&["ZCARD", "{k}~exclusive"]) != Value::Int(count) {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
}
