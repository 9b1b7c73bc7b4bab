//! The second process of a run. It leads the command's process group, and ends the command when the first process is
//! gone (`kill -9`) or does not answer for the lease (stopped, hung).
//!
//! Being the group's leader it keeps the group's number from being given to others, and it knows the number before the
//! command is there: nothing can happen between the start of the command and the moment when it is told of it.
//!
//! The first process writes a line for each thing that it ought to know. The end of its input without `over` says
//! that the first process is gone. A line is:
//! `grace NS`, `child PID`, `lease NS` (the end), `kill NS` (the command was asked to end; kill it then), `over`.

use std::io::{BufRead, Write};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::unistd::{Pid, getpgrp};

use super::ending::{Ending, Step};
use crate::clock;

/// What the first process says.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// The command's grace. Said first.
    Grace(Duration),
    /// The command runs.
    Child(i32),
    /// The lease ends then.
    Lease(Duration),
    /// The command was asked to end. Kill it then.
    Kill(Duration),
    /// The command has ended. There is nothing to guard any more.
    Over,
}

impl Word {
    pub(crate) fn line(self) -> String {
        match self {
            Self::Grace(time) => format!("grace {}\n", time.as_nanos()),
            Self::Child(pid) => format!("child {pid}\n"),
            Self::Lease(time) => format!("lease {}\n", time.as_nanos()),
            Self::Kill(time) => format!("kill {}\n", time.as_nanos()),
            Self::Over => "over\n".to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let time = || rest.parse().ok().map(Duration::from_nanos);
        match word {
            "grace" => time().map(Self::Grace),
            "child" => rest.parse().ok().map(Self::Child),
            "lease" => time().map(Self::Lease),
            "kill" => time().map(Self::Kill),
            "over" => Some(Self::Over),
            _ => None,
        }
    }
}

/// What it knows.
struct Warden {
    ending: Ending,
    child: Option<Handle>,
    lease_end: Duration,
    /// The first process is gone.
    orphaned: bool,
}

/// Runs until there is nothing left to guard.
pub(crate) fn warden() {
    // Signals to the group are meant for the command. Blocked before there is another thread, for all of them.
    if SigSet::all().thread_block().is_err() {
        return;
    }
    let (sender, words) = mpsc::channel();
    let _reader = std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if Word::parse(&line).is_none_or(|word| sender.send(word).is_err()) {
                break;
            }
        }
    });
    let mut stdout = std::io::stdout();
    if stdout
        .write_all(READY)
        .and_then(|()| stdout.flush())
        .is_err()
    {
        return;
    }
    Warden {
        ending: Ending::second(Duration::ZERO),
        child: None,
        lease_end: Duration::MAX,
        orphaned: false,
    }
    .guard(&words);
}

/// Written when no signal can end the warden any more but SIGKILL.
pub(crate) const READY: &[u8] = b"ready\n";

impl Warden {
    fn guard(mut self, words: &mpsc::Receiver<Word>) {
        loop {
            let Some(rest) = self.step() else { return };
            if self.orphaned {
                std::thread::sleep(rest);
                continue;
            }
            match words.recv_timeout(rest) {
                Ok(Word::Over) => return,
                Ok(word) => self.hear(word),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => self.orphaned = true,
            }
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Grace(grace) => self.ending = Ending::second(grace),
            Word::Child(pid) => self.child = Some(Handle::new(Pid::from_raw(pid))),
            Word::Lease(end) => self.lease_end = end,
            Word::Kill(at) => self.ending.asked(at),
            Word::Over => {}
        }
    }

    /// Does what is due. How long to rest, or `None` when there is nothing to guard.
    fn step(&mut self) -> Option<Duration> {
        // A lease is said before the command is started.
        if self.orphaned && self.lease_end == Duration::MAX {
            return None;
        }
        let now = clock::now();
        match self.ending.step(now, self.lease_end, self.orphaned) {
            Step::Wait(until) => Some(until.saturating_sub(now).min(clock::LONGEST_REST)),
            Step::Ask(_) => {
                if self.orphaned {
                    crate::say("killed while its command ran: ending the command");
                }
                self.signal(Signal::SIGTERM);
                // A stopped process acts on SIGTERM only when it goes on.
                self.signal(Signal::SIGCONT);
                Some(Duration::ZERO)
            }
            Step::Kill => {
                // The child first: it may have left the group, and the group's signal ends this process too.
                self.signal(Signal::SIGKILL);
                None
            }
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal_outside(getpgrp(), signal);
        }
        // What is gone needs no signal.
        let _ = killpg(getpgrp(), signal);
    }
}

/// The command's first process, by a handle that a later process of the same number is not mistaken for.
struct Handle {
    pid: Pid,
    #[cfg(target_os = "linux")]
    fd: Option<std::os::fd::OwnedFd>,
}

impl Handle {
    /// While the first process has not waited for it, the number is its.
    fn new(pid: Pid) -> Self {
        #[cfg(target_os = "linux")]
        let fd = rustix::process::Pid::from_raw(pid.as_raw()).and_then(|pid| {
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
        });
        Self {
            pid,
            #[cfg(target_os = "linux")]
            fd,
        }
    }

    /// Signals it if it is not in `group`, as an interactive shell, which makes a group of its own.
    fn signal_outside(&self, group: Pid, signal: Signal) {
        if nix::unistd::getpgid(Some(self.pid)) == Ok(group) {
            return;
        }
        #[cfg(target_os = "linux")]
        if let Some(fd) = &self.fd {
            if let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) {
                let _ = rustix::process::pidfd_send_signal(fd, signal);
            }
            return;
        }
        let _ = kill(self.pid, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_read_as_it_was_written() {
        for word in [
            Word::Grace(Duration::from_millis(5)),
            Word::Child(77),
            Word::Lease(Duration::from_nanos(u64::MAX)),
            Word::Kill(Duration::ZERO),
            Word::Over,
        ] {
            assert_eq!(Word::parse(word.line().trim_end()), Some(word));
        }
        for line in ["", "lease", "lease x", "lease -1", "leased 1"] {
            assert_eq!(Word::parse(line), None, "{line}");
        }
    }
}
