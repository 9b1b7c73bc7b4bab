//! What the modes of a lock cost beside an exclusive one: ratios and counts within one run.
//!
//! `cargo bench -p tenure-tests --bench modes [-- pairs | queue | handoff | renewals] [--smoke]`

#![allow(clippy::print_stdout, reason = "its results")]

mod counts;
mod handoff;
mod queue;
mod renewals;

use std::future::Future;
use std::time::{Duration, Instant};

use tenure::{Locker, Obtaining};
use tenure_tests::raw::Raw;
use tenure_tests::servers::{Kind, Server};
use tokio::runtime::{Builder, Runtime};

use counts::Counts;

/// How many obtains and releases in a row, and how often the modes take turns.
const PAIRS: usize = 4000;
const TURNS: usize = 5;
/// Longer than a benchmark takes, so that nothing is renewed and no place ends.
const LONG: Duration = Duration::from_secs(3600);

/// One benchmark: whether it is only to be seen that it works.
type Part = fn(&Runtime, bool);

fn main() {
    // Cargo adds `--bench`.
    let arguments = || std::env::args().skip(1);
    let smoke = arguments().any(|argument| argument == "--smoke");
    let wanted = arguments().find(|argument| !argument.starts_with("--"));
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let parts: [(&str, Part); 4] = [
        ("pairs", pairs),
        ("queue", queue::run),
        ("handoff", handoff::run),
        ("renewals", renewals::run),
    ];
    for (name, part) in parts {
        if wanted.as_ref().is_none_or(|wanted| name == wanted) {
            part(&runtime, smoke);
        }
    }
}

/// How one of several kinds of lock is requested.
type Request = fn(&Locker) -> Obtaining;

/// What is requested, by name. The first is what the others are compared with.
const MODES: [(&str, Request); 5] = [
    ("obtain", |locker| locker.obtain("k")),
    ("obtain with a fence", |locker| locker.obtain("k").fence()),
    ("write", |locker| locker.write("k")),
    ("read", |locker| locker.read("k")),
    ("permit of 8", |locker| locker.permit("k", 8)),
];

/// Obtain and release while nobody else wants the key.
fn pairs(runtime: &Runtime, smoke: bool) {
    let rounds = if smoke { 3 } else { PAIRS };
    let kinds: &[Kind] = if smoke { &[Kind::Redis7] } else { &Kind::ALL };
    for kind in kinds {
        let server = Server::start(*kind);
        let locker = runtime.block_on(tenure::tokio::connect(server.url()));
        let locker = locker.expect("a locker");
        let mut times = [const { Vec::new() }; MODES.len()];
        for _ in 0..TURNS {
            for ((_, mode), times) in MODES.iter().zip(&mut times) {
                times.push(runtime.block_on(timed(&locker, *mode, rounds)));
            }
        }
        let mut raw = server.raw();
        let mut medians = times.map(|mut times| {
            times.sort_unstable();
            times[TURNS / 2].as_secs_f64()
        });
        let base = medians[0];
        for median in &mut medians {
            *median /= base;
        }
        for ((name, mode), ratio) in MODES.iter().zip(medians) {
            let counts = runtime.block_on(counted(&mut raw, &locker, *mode));
            println!("{kind:?}, {name}: {ratio:.2} times as long as obtain; {counts}");
        }
    }
}

fn timed(locker: &Locker, mode: Request, rounds: usize) -> impl Future<Output = Duration> {
    let locker = locker.clone();
    async move {
        let start = Instant::now();
        for _ in 0..rounds {
            let lock = mode(&locker).await.expect("nobody else wants it");
            lock.release().await;
        }
        start.elapsed()
    }
}

/// The commands that the server carries out for one obtain and one release, those in scripts included.
async fn counted(raw: &mut Raw, locker: &Locker, mode: Request) -> String {
    let before = Counts::of(raw);
    let lock = mode(locker).await.expect("nobody else wants it");
    let between = Counts::of(raw);
    lock.release().await;
    let after = Counts::of(raw);
    format!(
        "{} commands to obtain, {} to release",
        between.since(&before),
        after.since(&between)
    )
}
