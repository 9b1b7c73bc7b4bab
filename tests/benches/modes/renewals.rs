//! How often readers that renew their leases write the marker of the key, each of which wakes who waits.

use std::time::Duration;

use tenure::tokio::connect;
use tenure_tests::servers::{Kind, Server};
use tokio::runtime::Runtime;

use crate::counts::Counts;

/// The default ttl is renewed every ten seconds.
const MINUTE: Duration = Duration::from_secs(60);

pub(crate) fn run(runtime: &Runtime, smoke: bool) {
    let (readers, time) = if smoke {
        (10, MINUTE / 600)
    } else {
        (1000, MINUTE)
    };
    runtime.block_on(async {
        let server = Server::start(Kind::Redis7);
        let mut raw = server.raw();
        let locker = connect(server.url()).await.expect("a locker");
        let mut locks = Vec::new();
        for number in 0..readers {
            locks.push(locker.read("k").await.expect("a read lock"));
            // Spread over the time between two renewals, as the readers of many processes are.
            if number % 100 == 99 {
                tokio::time::sleep(time / 60).await;
            }
        }
        let before = Counts::of(&mut raw);
        tokio::time::sleep(time).await;
        let after = Counts::of(&mut raw);
        let more = |name| after.calls(name) - before.calls(name);
        // The marker and the list of readers get the same time, one command each.
        println!(
            "{readers} readers in {time:?}: {} renewals, {} writes of the marker",
            more("evalsha"),
            more("pexpire") / 2
        );
    });
}
