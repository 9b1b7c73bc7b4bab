//! Tenure beside other lock crates on the same server, in turns: obtain and release by one task, and the time from a
//! release to the next holder. Only the ratios mean something.

use std::future::Future;
use std::time::{Duration, Instant};

use tenure_tests::servers::{Kind, Server};

const TURNS: usize = 7;
const PAIRS: u32 = 4_000;
const HANDOFFS: u32 = 40;
const TTL: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Kind::Redis7);
    let url = server.url();
    let tenure = tenure::tokio::connect(url.clone()).await?;
    let manager = rslock::LockManager::new(vec![url.clone()]);
    let plain = redis::Client::open(url)?.get_multiplexed_async_connection().await?;

    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        times[0].push(ours(&tenure).await);
        times[1].push(by_hand(&plain).await);
        times[2].push(rslocks(&manager).await);
    }
    let [ours, hand, rslock] = times.map(median);
    println!("obtain and release, one task: tenure {ours:.1?}");
    for (name, other) in [("redis 1.8, SET and a script by hand", hand), ("rslock 0.10", rslock)] {
        let ratio = other.as_secs_f64() / ours.as_secs_f64();
        println!("  {name}: {other:.1?}, {ratio:.2} times as long");
    }

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..HANDOFFS {
        ours.push(our_handoff(&tenure, &server).await?);
        theirs.push(rslock_handoff(&manager).await);
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!("from a release to the next holder: tenure {ours:.1?}, rslock 0.10 {theirs:.1?}");
    Ok(())
}

async fn timed<F: Future<Output = ()>>(mut act: impl FnMut() -> F) -> Duration {
    let start = Instant::now();
    for _ in 0..PAIRS {
        act().await;
    }
    start.elapsed() / PAIRS
}

async fn ours(tenure: &tenure::Locker) -> Duration {
    timed(|| async {
        let lock = tenure.obtain("ours").ttl(TTL).await.expect("free");
        lock.release().await;
    })
    .await
}

async fn by_hand(connection: &redis::aio::MultiplexedConnection) -> Duration {
    let script = redis::Script::new(include_str!("../../../core/src/redis/lua/release.lua"));
    timed(|| async {
        let mut connection = connection.clone();
        let mut set = redis::cmd("SET");
        set.arg(&["hand", "value", "NX", "PX", "30000"]);
        let _: () = set.query_async(&mut connection).await.expect("free");
        let freed: i64 =
            script.key("hand").arg("value").invoke_async(&mut connection).await.expect("ours");
        assert_eq!(freed, 1);
    })
    .await
}

async fn rslocks(manager: &rslock::LockManager) -> Duration {
    timed(|| async {
        let lock = manager.lock("rslock", TTL).await.expect("free");
        manager.unlock(&lock).await;
    })
    .await
}

/// Two lockers with a connection each; the second waits when the first lets go.
async fn our_handoff(
    first: &tenure::Locker,
    server: &Server,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let second = tenure::tokio::connect(server.url()).await?;
    let held = first.obtain("hand-off").ttl(TTL).await?;
    let waiting = tokio::spawn(async move {
        let lock = second.obtain("hand-off").ttl(TTL).wait(TTL).await.expect("its turn");
        let at = Instant::now();
        lock.release().await;
        at
    });
    // Long enough for the other to be waiting; how long does not enter the figure.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let start = Instant::now();
    held.release().await;
    Ok(waiting.await?.saturating_duration_since(start))
}

async fn rslock_handoff(manager: &rslock::LockManager) -> Duration {
    let held = manager.lock("hand-off-2", TTL).await.expect("free");
    let mut second = manager.clone();
    second.set_retry(1_000, Duration::from_millis(200));
    let waiting = tokio::spawn(async move {
        let lock = second.lock("hand-off-2", TTL).await.expect("its turn");
        let at = Instant::now();
        second.unlock(&lock).await;
        at
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let start = Instant::now();
    manager.unlock(&held).await;
    waiting.await.expect("no panic").saturating_duration_since(start)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
