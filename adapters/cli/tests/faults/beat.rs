//! A process of a job: it writes into the ledger that it runs.

use std::fs::File;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, setpgid};

/// The first argument that makes this program such a process.
pub(crate) const NAME: &str = "__beat";
const PAUSE: Duration = Duration::from_millis(5);

/// One line of the ledger. Lines are in the order in which they were written.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Beat {
    pub(crate) job: String,
    /// Seconds since the machine was started.
    pub(crate) at: f64,
}

pub(crate) fn now() -> f64 {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("Linux");
    Duration::from(now).as_secs_f64()
}

/// `JOB LEDGER [COUNT]`: writes COUNT lines, or lines without end.
pub(crate) fn beat(arguments: &[String]) -> ExitCode {
    let [job, ledger, count @ ..] = arguments else {
        return ExitCode::FAILURE;
    };
    let count = count
        .first()
        .map_or(u64::MAX, |count| count.parse().expect("a number"));
    if std::env::var_os("OWN_GROUP").is_some() {
        let zero = Pid::from_raw(0);
        setpgid(zero, zero).expect("a child of its own");
    }
    let mut ledger = File::options()
        .append(true)
        .open(ledger)
        .expect("the ledger");
    for _ in 0..count {
        // One write: the order of the lines is that in which they happened.
        let line = format!("{job} {}\n", now());
        ledger.write_all(line.as_bytes()).expect("the ledger");
        std::thread::sleep(PAUSE);
    }
    ExitCode::SUCCESS
}

/// All lines of a ledger.
pub(crate) fn read(text: &str) -> Vec<Beat> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(job, at)| Beat {
            job: job.to_owned(),
            at: at.parse().expect("a time"),
        })
        .collect()
}
