//! How much longer do other runtimes and lent clients take than tokio with a connection of our own? Prints ratios: all of them
//! run in turns against the same server on the same machine.
//!
//! `cargo bench -p tenure-tests --bench targets [-- smol]`

#![allow(clippy::print_stdout, reason = "its results")]

use std::future::Future;
use std::time::{Duration, Instant};

use fred::prelude::*;
use fred::types::RespVersion;
use redis::aio::ConnectionManagerConfig;
use tenure::Locker;
use tenure::client::redis_rs::Pushes;
use tenure_tests::servers::{Kind, Server};
use tokio::runtime::{Builder as Tokio, Runtime};

const PAIRS: usize = 16_000;
const TURNS: usize = 5;

/// What carries the commands, and who runs driver and tasks: one thread each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Target {
    Tokio,
    Smol,
    AsyncStd,
    RedisRs,
    Fred,
}

fn main() {
    // Cargo adds `--bench`.
    let arguments = || std::env::args().skip(1);
    // Only to see that it works.
    let smoke = arguments().any(|argument| argument == "--smoke");
    let wanted = arguments().find(|argument| !argument.starts_with("--"));
    let server = Server::start(Kind::Redis7);
    let runtime = Tokio::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    for target in [
        Target::Smol,
        Target::AsyncStd,
        Target::RedisRs,
        Target::Fred,
    ] {
        let shown = format!("{target:?}").to_lowercase();
        if !wanted.as_ref().is_none_or(|wanted| shown.contains(wanted)) {
            continue;
        }
        for tasks in [1, 64] {
            let pairs = match tasks {
                _ if smoke => tasks,
                1 => PAIRS / 8,
                _ => PAIRS,
            };
            compare(target, &runtime, &server, tasks, pairs);
        }
    }
}

/// Prints the medians of both, and how many times as long this one takes.
fn compare(target: Target, runtime: &Runtime, server: &Server, tasks: usize, pairs: usize) {
    let base = Target::Tokio.connect(runtime, server);
    let locker = target.connect(runtime, server);
    let (mut usual, mut other) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        usual.push(Target::Tokio.pairs(runtime, &base, tasks, pairs));
        other.push(target.pairs(runtime, &locker, tasks, pairs));
    }
    usual.sort_unstable();
    other.sort_unstable();
    let (usual, other) = (usual[TURNS / 2], other[TURNS / 2]);
    let each =
        |whole: Duration| whole.as_secs_f64() * 1e6 / f64::from(u32::try_from(pairs).expect("few"));
    println!(
        "{target:?}, {tasks:2} tasks: tokio {:6.2} µs, this {:6.2} µs for obtain and release: {:.2} times",
        each(usual),
        each(other),
        other.as_secs_f64() / usual.as_secs_f64(),
    );
}

impl Target {
    fn run<T>(self, runtime: &Runtime, future: impl Future<Output = T>) -> T {
        match self {
            Self::Tokio | Self::RedisRs | Self::Fred => runtime.block_on(future),
            Self::Smol => smol::block_on(future),
            Self::AsyncStd => async_std::task::block_on(future),
        }
    }

    fn connect(self, runtime: &Runtime, server: &Server) -> Locker {
        let url = server.url();
        self.run(runtime, async {
            let locker = match self {
                Self::Tokio => tenure::tokio::connect(url).await,
                Self::Smol => tenure::smol::connect(url).await,
                Self::AsyncStd => tenure::async_std::connect(url).await,
                Self::RedisRs => tenure::tokio::connect(redis_rs(&url).await).await,
                Self::Fred => tenure::tokio::connect(fred(&url).await).await,
            };
            locker.expect("a locker")
        })
    }

    fn pairs(self, runtime: &Runtime, locker: &Locker, tasks: usize, pairs: usize) -> Duration {
        let each = pairs / tasks;
        let work = move |task: usize| {
            let locker = locker.clone();
            async move {
                let key = format!("{self:?}{task}");
                for _ in 0..each {
                    let lock = locker.obtain(&key).await.expect("nobody else wants it");
                    lock.release().await;
                }
            }
        };
        let start = Instant::now();
        self.run(runtime, async {
            match self {
                Self::Tokio | Self::RedisRs | Self::Fred => {
                    let tasks = (0..tasks).map(|task| tokio::spawn(work(task)));
                    for task in tasks.collect::<Vec<_>>() {
                        task.await.expect("no panic");
                    }
                }
                Self::Smol => {
                    let tasks = (0..tasks).map(|task| smol::spawn(work(task)));
                    for task in tasks.collect::<Vec<_>>() {
                        task.await;
                    }
                }
                Self::AsyncStd => {
                    let tasks = (0..tasks).map(|task| async_std::task::spawn(work(task)));
                    for task in tasks.collect::<Vec<_>>() {
                        task.await;
                    }
                }
            }
        });
        start.elapsed()
    }
}

async fn redis_rs(url: &str) -> tenure::Server {
    let pushes = Pushes::new();
    let config = ConnectionManagerConfig::new().set_push_sender(pushes.sender());
    let client = redis::Client::open(format!("{url}/?protocol=resp3")).expect("a URL");
    let connection = client.get_connection_manager_with_config(config).await;
    let lent = tenure::client::redis_rs::lend(connection.expect("a connection"));
    lent.pushes(pushes).into()
}

async fn fred(url: &str) -> tenure::Server {
    let mut config = Config::from_url(url).expect("a URL");
    config.version = RespVersion::RESP3;
    let client = Builder::from_config(config).build().expect("a client");
    client.init().await.expect("a connection");
    tenure::client::fred::lend(client)
}
