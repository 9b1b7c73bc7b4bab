//! Schedules drawn by seeds: every promise, and every law, on each of them.
#![allow(clippy::print_stdout, reason = "the log of a schedule")]

use tenure_tests::schedule::{Schedule, shrink};

/// How many seeds a normal run plays.
const SEEDS: u64 = 2000;

#[test]
fn every_promise_is_kept_in_every_schedule() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    (worker..SEEDS)
                        .step_by(workers as usize)
                        .find(|seed| Schedule::from_seed(*seed).play().violation.is_some())
                })
            })
            .collect();
        let first = runs
            .into_iter()
            .filter_map(|run| run.join().expect("a report"))
            .min();
        if let Some(seed) = first {
            fail(seed);
        }
    });
}

fn fail(seed: u64) {
    let schedule = Schedule::from_seed(seed);
    let violation = schedule.play().violation.expect("it was broken before");
    let (short, _) = shrink(&schedule, violation.promise);
    let report = short.play_logged();
    let shown = report.violation.map(|v| v.to_string()).unwrap_or_default();
    panic!(
        "{}\nseed {seed}: {violation}\nshortened: {shown}\n{:?}",
        report.lines.join("\n"),
        short.to_bytes()
    );
}
