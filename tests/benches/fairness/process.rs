//! The other processes, as their parent sees them.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::worker::{Job, Report};

/// A process that wants the key. It ends with its value.
pub(crate) struct Process {
    child: Child,
    told: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it; it need not be connected yet.
    pub(crate) fn start(job: &Job) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(job.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let told = child.stdin.take().expect("a pipe");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, told, said }
    }

    /// Returns when it is connected.
    pub(crate) fn wait_until_ready(&mut self) {
        assert_eq!(self.line(), "ready");
    }

    /// Lets its workers begin.
    pub(crate) fn go(&mut self, workers: usize, length: Duration) {
        let line = format!("{workers} {}\n", length.as_micros());
        self.told.write_all(line.as_bytes()).expect("it lives");
    }

    /// What became of each worker, when all have ended.
    pub(crate) fn reports(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        loop {
            let line = self.line();
            if line == "done" {
                return reports;
            }
            reports.push(Report::parse(&line).expect("a report"));
        }
    }

    fn line(&mut self) -> String {
        self.said.next().expect("it lives").expect("text")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
