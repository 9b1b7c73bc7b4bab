//! How much of what one connection can carry do 64 tasks on one locker get? Prints ratios, never absolute goals: both
//! sides run in turns against the same server on the same machine.
//!
//! `cargo bench -p tenure-tests --bench adapter [-- 'one thread, 64']`

#![allow(clippy::print_stdout, reason = "its results")]

use std::time::{Duration, Instant};

use tenure::Locker;
use tenure_tests::raw::encode;
use tenure_tests::servers::{Kind, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

const PAIRS: usize = 64_000;
const TURNS: usize = 5;

fn main() {
    // Cargo adds `--bench`.
    let arguments = || std::env::args().skip(1);
    // Only to see that it works.
    let smoke = arguments().any(|argument| argument == "--smoke");
    let wanted = arguments().find(|argument| !argument.starts_with("--"));
    let server = Server::start(Kind::Redis7);
    let one = Builder::new_current_thread().enable_all().build();
    let two = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtimes = [("one thread", one), ("two threads", two)];
    for (name, runtime) in runtimes {
        let runtime = runtime.expect("a runtime");
        for tasks in [1, 64] {
            let shown = format!("{name}, {tasks}");
            if !wanted.as_ref().is_none_or(|wanted| shown.contains(wanted)) {
                continue;
            }
            let pairs = match tasks {
                _ if smoke => tasks,
                1 => PAIRS / 8,
                _ => PAIRS,
            };
            compare(name, &runtime, &server, tasks, pairs);
        }
    }
}

/// Prints the medians of both, and what part of raw speed the adapter has.
fn compare(name: &str, runtime: &Runtime, server: &Server, tasks: usize, pairs: usize) {
    let locker = runtime
        .block_on(tenure::tokio::connect(server.url()))
        .expect("a locker");
    let (mut raw, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let port = server.port();
        let task = runtime.spawn(raw_pairs(port, tasks, pairs));
        raw.push(runtime.block_on(task).expect("no panic"));
        ours.push(runtime.block_on(our_pairs(&locker, tasks, pairs)));
    }
    raw.sort_unstable();
    ours.sort_unstable();
    let (raw, ours) = (raw[TURNS / 2], ours[TURNS / 2]);
    let each =
        |whole: Duration| whole.as_secs_f64() * 1e6 / f64::from(u32::try_from(pairs).expect("few"));
    println!(
        "{name}, {tasks:2} tasks: raw {:6.2} µs, tenure {:6.2} µs for obtain and release: {:.2} of raw",
        each(raw),
        each(ours),
        raw.as_secs_f64() / ours.as_secs_f64(),
    );
}

/// The same commands in the same batches, without anything that understands them.
async fn raw_pairs(port: u16, tasks: usize, pairs: usize) -> Duration {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("open");
    stream.set_nodelay(true).expect("a socket");
    let script = include_str!("../../core/src/redis/lua/release.lua");
    let mut buffer = vec![0; 64 * 1024];
    let mut setup = async |command: &[&str]| {
        stream.write_all(&encode(command)).await.expect("sent");
        let length = stream.read(&mut buffer).await.expect("answered");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    // What the server does for a connection that gets notifications of changes is part of what it can do.
    setup(&["HELLO", "3"]).await;
    setup(&["CLIENT", "TRACKING", "ON", "NOLOOP"]).await;
    let reply = setup(&["SCRIPT", "LOAD", script]).await;
    let hash = reply.lines().nth(1).expect("a hash");

    let start = Instant::now();
    let (mut asked, mut released) = (Vec::new(), Vec::new());
    for _ in 0..pairs / tasks {
        asked.clear();
        released.clear();
        for task in 0..tasks {
            let (key, value) = (format!("raw{task}"), "0123456789012345678901");
            asked.extend(encode(&["SET", &key, value, "NX", "PX", "30000"]));
            asked.extend(encode(&["PTTL", &key]));
            released.extend(encode(&["EVALSHA", hash, "1", &key, value]));
        }
        exchange(&mut stream, &asked, &mut buffer, tasks * 2).await;
        exchange(&mut stream, &released, &mut buffer, tasks).await;
    }
    start.elapsed()
}

async fn exchange(stream: &mut TcpStream, out: &[u8], buffer: &mut [u8], mut replies: usize) {
    stream.write_all(out).await.expect("sent");
    while replies > 0 {
        let length = stream.read(buffer).await.expect("answered");
        assert!(length > 0, "closed");
        replies -= buffer[..length]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
    }
}

async fn our_pairs(locker: &Locker, tasks: usize, pairs: usize) -> Duration {
    let start = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let locker = locker.clone();
            tokio::spawn(async move {
                let key = format!("ours{task}");
                for _ in 0..pairs / tasks {
                    let lock = locker.obtain(&key).await.expect("nobody else wants it");
                    lock.release().await;
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("no panic");
    }
    start.elapsed()
}
