//! The other processes, as their parent sees them.

use std::time::Duration;

use tenure_tests::child::Child;

use crate::worker::{Job, Report};

/// A process that wants the key. It ends with its value.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it; it need not be connected yet.
    pub(crate) fn start(job: &Job) -> Self {
        Self(Child::start(|command| command.args(job.arguments())))
    }

    /// Returns when it is connected.
    pub(crate) fn wait_until_ready(&mut self) {
        assert_eq!(self.0.line(), "ready");
    }

    /// Lets its workers begin.
    pub(crate) fn go(&mut self, workers: usize, length: Duration) {
        self.0.send(&format!("{workers} {}", length.as_micros()));
    }

    /// What became of each worker, when all have ended.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        loop {
            let line = self.0.line();
            if line == "done" {
                return reports;
            }
            reports.push(Report::parse(&line).expect("a report"));
        }
    }
}
