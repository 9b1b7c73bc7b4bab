//! `tenure run` under random faults, with a ledger that every process of a job writes into, and a judge that reads it.
//!
//! `tests/faults --runs N` plays N rounds, each from a number; without arguments, as with `cargo test`, it is a short run.
//! A round is a [`plan::Plan`]: a tree of processes that run under the lock, and faults that happen to the two processes of
//! tenure and to the server. Meanwhile another run waits for the same lock.
#![allow(
    clippy::print_stdout,
    reason = "it is a program that prints its findings"
)]

#[path = "../common/mod.rs"]
mod common;

mod beat;
mod judge;
mod plan;
mod round;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use judge::Verdict;
use plan::Plan;

/// What a run without arguments plays.
const SHORT: u64 = 40;
/// How many rounds are played at once: they mostly wait.
const AT_ONCE: u64 = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|first| first == beat::NAME) {
        return beat::beat(&arguments[1..]);
    }
    let number = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        let value = arguments.get(at + 1)?;
        Some(
            value
                .parse()
                .unwrap_or_else(|_| panic!("{name} {value}: a number is needed")),
        )
    };
    let (from, runs) = match number("--seed") {
        Some(seed) => (seed, 1),
        None => (
            number("--from").unwrap_or(0),
            number("--runs").unwrap_or(SHORT),
        ),
    };
    play(from, runs)
}

/// Plays so many rounds and prints what came of them.
fn play(from: u64, runs: u64) -> ExitCode {
    let next = AtomicU64::new(from);
    let verdicts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(runs) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + runs {
                        break;
                    }
                    let plan = Plan::of(seed);
                    let verdict = judge::judge(&plan, &round::play(&plan));
                    if runs == 1 {
                        println!("{plan:#?}\n{verdict:#?}");
                    }
                    for broken in &verdict.broken {
                        println!("round {seed}: {broken}\n  {plan:?}");
                    }
                    verdicts.lock().expect("no panic").push(verdict);
                }
            });
        }
    });
    let verdicts = verdicts.into_inner().expect("no panic");
    let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    let broken = count(|verdict| !verdict.broken.is_empty());
    println!(
        "{} rounds: {} jobs ended in time, {} left alone, {} excused, {broken} broken",
        verdicts.len(),
        count(|verdict| verdict.ended && !verdict.excused),
        count(|verdict| !verdict.ended && !verdict.excused),
        count(|verdict| verdict.excused),
    );
    if broken == 0 && verdicts.len() as u64 == runs {
        ExitCode::SUCCESS
    } else {
        println!("play one of them again: tests/faults --seed N");
        ExitCode::FAILURE
    }
}
