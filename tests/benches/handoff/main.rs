//! How long does a lock need from one process to another that waits for it, in PING round trips of the same machine at
//! the same time? Two are the floor: the release in, the wake out, the question in, the answer out. On loopback the way
//! costs nothing, but processes that are woken do: beside it stands the same hand-off by hand, which no library beats.
//!
//! `cargo bench -p tenure-tests --bench handoff [-- --smoke]`

mod raw;

use std::time::Duration;

use raw::Hand;
use rustix::time::{ClockId, clock_gettime};
use tenure::tokio::connect;
use tenure::{Locker, Servers};
use tenure_tests::child::Child;
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::Raw;
use tenure_tests::servers::{Kind, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

const MS: Duration = Duration::from_millis(1);
const WAIT: Duration = Duration::from_secs(60);
const URL: &str = "TENURE_BENCH_URL";

fn main() {
    if let Ok(url) = std::env::var(URL) {
        return wait_on_request(&url);
    }
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let kinds: &[Kind] = if smoke {
        &[Kind::Redis7]
    } else {
        &[Kind::Redis7, Kind::Valkey9]
    };
    for kind in kinds {
        let server = Server::start(*kind);
        let rounds = if smoke { 3 } else { 1000 };
        let name = format!("{kind:?}, loopback");
        let compares = *kind == Kind::Valkey9;
        measure(&server, server.port(), &name, rounds, Some(compares));
        // Where the way counts and not this machine's processes.
        let proxy = Proxy::start(server.port());
        proxy.delay(5 * MS);
        let rounds = if smoke { 2 } else { 60 };
        let name = format!("{kind:?}, 5 ms away");
        measure(&server, proxy.port(), &name, rounds, None);
    }
}

/// Prints a ratio; with `by_hand` also that of the same commands by hand, on a server that compares values itself or not.
#[allow(clippy::print_stdout, reason = "the result")]
fn measure(server: &Server, port: u16, name: &str, rounds: usize, by_hand: Option<bool>) {
    let url = format!("redis://127.0.0.1:{port}");
    let mut other = Child::start(|command| command.env(URL, &url));
    let mut raw = server.raw();
    let runtime = runtime();
    let locker = runtime.block_on(connect(servers(&url))).expect("a locker");
    let mut stream = runtime
        .block_on(TcpStream::connect(("127.0.0.1", port)))
        .expect("open");
    stream.set_nodelay(true).expect("a TCP stream");
    let mut hand = by_hand.map(|compares| runtime.block_on(Hand::open(port, compares)));
    let (mut pings, mut handoffs, mut hands) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let wait = locker.obtain("k").wait(WAIT);
        let lock = runtime.block_on(wait.into_future()).expect("the lock");
        other.send("wait");
        until_both_watch(&mut raw);
        // All that is compared comes after the same rest.
        std::thread::sleep(MS);
        pings.push(runtime.block_on(ping(&mut stream)));
        std::thread::sleep(MS);
        let start = now();
        runtime.block_on(lock.release());
        handoffs.push(obtained(&mut other).saturating_sub(start));

        if let Some(hand) = &mut hand {
            while !runtime.block_on(hand.ask()) {}
            other.send("by hand");
            until_both_watch(&mut raw);
            std::thread::sleep(MS);
            let start = now();
            runtime.block_on(hand.release());
            hands.push(obtained(&mut other).saturating_sub(start));
        }
    }
    let micros = |times: &mut Vec<Duration>| median(times).as_secs_f64() * 1e6;
    let (ping, handoff) = (micros(&mut pings), micros(&mut handoffs));
    let trips = handoff / ping;
    print!("{name}: hand-off {handoff:.1} µs, PING {ping:.1} µs: {trips:.2} round trips");
    if hand.is_some() {
        let by_hand = micros(&mut hands);
        print!(
            "; by hand {:.2}, that is {:.2} of it",
            by_hand / ping,
            handoff / by_hand
        );
    }
    println!();
}

/// Returns when both processes have registered their interest in the key: then the other one waits.
fn until_both_watch(raw: &mut Raw) {
    while !raw
        .command(&["INFO", "stats"])
        .text()
        .contains("tracking_total_items:2\r\n")
    {
        std::thread::sleep(MS / 4);
    }
}

async fn ping(stream: &mut TcpStream) -> Duration {
    let mut answer = [0; 7];
    let start = now();
    stream
        .write_all(b"*1\r\n$4\r\nPING\r\n")
        .await
        .expect("sent");
    stream.read_exact(&mut answer).await.expect("answered");
    now().saturating_sub(start)
}

/// When the other process had the lock.
fn obtained(other: &mut Child) -> Duration {
    Duration::from_nanos(other.line().parse().expect("a number"))
}

/// What the other process does: for each line it waits for the lock, says when it came, and releases it.
#[allow(clippy::print_stdout, reason = "the other process reads it")]
fn wait_on_request(url: &str) {
    let runtime = runtime();
    let locker: Locker = runtime.block_on(connect(servers(url))).expect("a locker");
    let port = url.rsplit(':').next().and_then(|port| port.parse().ok());
    let mut hand = runtime.block_on(Hand::open(port.expect("a port"), false));
    for line in std::io::stdin().lines() {
        let line = line.expect("text");
        runtime.block_on(async {
            if line == "by hand" {
                println!("{}", hand.wait().await.as_nanos());
                return hand.release().await;
            }
            let lock = locker.obtain("k").wait(WAIT).await.expect("the lock");
            let obtained = now();
            println!("{}", obtained.as_nanos());
            lock.release().await;
        });
    }
}

fn servers(url: &str) -> Servers {
    Servers::single(url).prepare(true)
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A clock that all processes of a machine share.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let part = |n: i64| u64::try_from(n).expect("since the start of the machine");
    Duration::from_secs(part(now.tv_sec)) + Duration::from_nanos(part(now.tv_nsec))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
