//! Searches the states of small worlds and prints a table. `tests/search` runs it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints a table"
)]

use std::process::ExitCode;

use tenure_tests::search::{Report, search, worlds};

/// Arguments: `long` or `short` (default: long), then words of which a world's name must contain one.
fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let form = words
        .iter()
        .position(|word| word == "short" || word == "long");
    let plans = match form.map(|at| words.remove(at)) {
        Some(word) if word == "short" => worlds::short(),
        _ => worlds::long(),
    };
    let is_meant = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let plans: Vec<_> = plans
        .into_iter()
        .filter(|plan| is_meant(plan.setup.name))
        .collect();
    if plans.is_empty() {
        // Nothing that was searched is nothing that was shown.
        eprintln!("no world has {} in its name", words.join(" or "));
        return ExitCode::FAILURE;
    }
    println!("{}", Report::header());
    let mut result = ExitCode::SUCCESS;
    for plan in plans {
        let report = search(plan.setup, plan.limits);
        println!("{report}");
        if let Some(fault) = &report.fault {
            println!("{fault}");
            result = ExitCode::FAILURE;
        }
    }
    result
}
