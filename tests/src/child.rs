//! A copy of a benchmark's own program: its parent sends it orders and reads its reports, line by line.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

/// A running copy, ended with its value.
pub struct Child {
    child: std::process::Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts this very program once more, with what `set` adds to the command: arguments or variables.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(set: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let mut child = set(&mut command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let stdin = child.stdin.take().expect("a pipe");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self {
            child,
            stdin,
            stdout,
        }
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).expect("it lives");
    }

    /// Waits for the next line of its standard output.
    ///
    /// # Panics
    ///
    /// If it has ended, or the line is not text.
    pub fn line(&mut self) -> String {
        self.stdout.next().expect("it lives").expect("text")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Fails only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
