//! Prints the traces of seeds, one per line: `traces COUNT`. Fails if locks of some mode are in none of them.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that reports"
)]

use std::collections::BTreeMap;

use tenure_world::schedule::Schedule;

/// What some of the schedules must do: other seeds would compare less than they seem to.
const MODES: [&str; 5] = [
    "read locks",
    "write locks",
    "permits",
    "changes from reader to writer",
    "changes from writer to reader",
];

fn main() {
    let count = std::env::args().nth(1);
    let count: u64 = count.map_or(200, |count| count.parse().expect("a number"));
    let mut seeds: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..count {
        let report = Schedule::from_seed(seed).play();
        for mode in report.used.keys().filter(|used| MODES.contains(used)) {
            *seeds.entry(mode).or_default() += 1;
        }
        println!("{:016x}", report.trace);
    }
    for mode in MODES {
        let Some(count) = seeds.get(mode) else {
            eprintln!("no schedule has {mode}: play more seeds");
            std::process::exit(1);
        };
        eprintln!("{mode} in {count} of them");
    }
}
