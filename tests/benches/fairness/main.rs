//! Does every process get its share of a key that several want at once, how long is the longest wait, and what does that
//! cost? Each process obtains, holds and releases in a loop, on real servers. The parent starts this program once more for
//! each process, and delays its connections where it is to be farther away.
//!
//! `cargo bench -p tenure-tests --bench fairness [-- WORD… --seconds 3 --smoke --check]`: only cases whose names contain
//! each WORD; `--check` exits with 1 if a goal is missed.

#![allow(clippy::print_stdout, reason = "its results")]

mod cases;
mod commands;
mod distance;
mod process;
mod site;
mod table;
mod worker;

use std::process::ExitCode;
use std::time::Duration;

use cases::{Case, all_cases};
use site::Site;
use table::Table;
use tenure_tests::servers::Kind;
use worker::Job;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some(worker::FLAG) {
        worker::run(&Job::parse(arguments));
        return ExitCode::SUCCESS;
    }
    let options = Options::parse(first.into_iter().chain(arguments));
    let cases = all_cases().into_iter().filter(|case| options.wants(case));
    let cases: Vec<Case> = cases.collect();
    let mut table = Table::default();
    for kind in [Kind::Redis7, Kind::Valkey9] {
        let of_kind: Vec<_> = cases.iter().filter(|case| case.kind == kind).collect();
        if of_kind.is_empty() {
            continue;
        }
        let mut site = Site::start(kind);
        for case in of_kind {
            let row = case.measure(&mut site, options.length);
            assert!(
                row.obtained > 0,
                "{}: nobody obtained anything",
                case.name()
            );
            table.print(&row);
        }
        site.print_round_trips();
    }
    let missed = table.finish();
    if options.check && missed > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What the command line says.
struct Options {
    words: Vec<String>,
    /// For how long each case is measured.
    length: Duration,
    smoke: bool,
    check: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self {
            words: Vec::new(),
            length: Duration::from_secs(3),
            smoke: false,
            check: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--smoke" => {
                    options.smoke = true;
                    options.length = Duration::from_millis(200);
                }
                "--check" => options.check = true,
                "--seconds" => {
                    let seconds = arguments.next().and_then(|number| number.parse().ok());
                    options.length = Duration::from_secs_f64(seconds.expect("--seconds NUMBER"));
                }
                // Cargo adds `--bench`.
                other if other.starts_with("--") => {}
                word => options.words.push(word.to_owned()),
            }
        }
        options
    }

    fn wants(&self, case: &Case) -> bool {
        let name = case.name();
        (!self.smoke || case.in_smoke) && self.words.iter().all(|word| name.contains(word.as_str()))
    }
}
