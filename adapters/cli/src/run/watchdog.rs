//! The second process of a run. It leads the process group of the command, and ends the command when the first process is
//! gone (`kill -9`) or no longer vouches for the lease (stopped, hung).
//!
//! As long as the leader exists, the system gives the number of the group to no other. And the leader knows that number
//! before the command starts, so there is no moment at which a command runs that it could not end. The contract with the
//! first process is in [`super::protocol`].

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

use super::descendants::{self, Process};
use super::ending::{Ending, Step};
use super::protocol::{Known, Report};
use crate::{clock, output, sys};

/// How often the processes that were killed are checked.
const KILLING: Duration = Duration::from_millis(5);

/// The process itself.
struct Watchdog {
    ending: Ending,
    /// Nothing before the first line.
    known: Option<Known>,
    /// Of a line that is not whole yet.
    input: Vec<u8>,
    /// The first process is gone.
    orphaned: bool,
    mark: String,
    /// When this process was started: nothing of the run is older.
    since: u64,
    /// What there was of the run when that was looked for last.
    seen: Vec<Process>,
    /// What it has said that it cannot end.
    refused: BTreeSet<i32>,
}

/// Runs until there is nothing left to guard.
pub(crate) fn watchdog(mark: String) {
    // Signals to the group are meant for the command.
    if SigSet::all().thread_block().is_err() {
        return;
    }
    let own = sys::own_pid();
    let mut watchdog = Watchdog {
        ending: Ending::second(Duration::ZERO),
        known: None,
        input: Vec::new(),
        orphaned: false,
        mark,
        since: descendants::process(own).map_or(0, |process| process.started),
        seen: Vec::new(),
        refused: BTreeSet::new(),
    };
    for pipe in [std::io::stdin().as_fd(), std::io::stdout().as_fd()] {
        // A first process that does not read must not be able to hold this one up.
        if sys::set_nonblocking(pipe).is_err() {
            return;
        }
    }
    watchdog.report();
    watchdog.guard();
    output::flush();
}

impl Watchdog {
    fn guard(&mut self) {
        loop {
            self.read_message();
            let Some(rest) = self.step() else { return };
            if self.orphaned {
                std::thread::sleep(rest);
                continue;
            }
            let stdin = std::io::stdin();
            let mut news = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            // Rounded up, so that it does not wake too early and spin.
            let rest = rest.saturating_add(Duration::from_millis(1));
            let _ = poll(
                &mut news,
                PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX),
            );
        }
    }

    /// Reads all that the first process has written. The last line counts.
    fn read_message(&mut self) {
        let mut heard = false;
        let mut buffer = [0; 4096];
        while !self.orphaned {
            match std::io::stdin().lock().read(&mut buffer) {
                Ok(0) => self.orphaned = true,
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    while let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = self.input.drain(..=end).collect();
                        heard |= self.learn(&String::from_utf8_lossy(&line));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.orphaned = true,
            }
        }
        if heard {
            self.report();
        }
    }

    /// False if the line says nothing.
    fn learn(&mut self, line: &str) -> bool {
        let Ok(known) = line.parse::<Known>() else {
            return false;
        };
        if self.known.is_none() {
            self.ending = Ending::second(known.grace);
        }
        if let Some(at) = known.kill_at {
            self.ending.sigterm_sent(at);
        }
        self.known = Some(known);
        true
    }

    fn report(&self) {
        let report = match self.ending.kill_at() {
            Some(kill_at) => Report::Asked { kill_at },
            None => Report::Guards {
                lease_end: self.known.unwrap_or_default().lease_end,
            },
        };
        // Nobody may be there to read it; that ends nothing.
        let _ = std::io::stdout()
            .lock()
            .write_all(report.to_string().as_bytes())
            .and_then(|()| std::io::stdout().flush());
    }

    /// Does what is due. How long to rest, or `None` when there is nothing to guard.
    fn step(&mut self) -> Option<Duration> {
        // A lease is sent before the command is started.
        let Some(known) = self.known else {
            return (!self.orphaned).then_some(clock::LONGEST_REST);
        };
        let now = clock::now();
        match self.ending.step(now, known.lease_end, self.orphaned) {
            Step::Wait(until) => Some(until.saturating_sub(now).min(clock::LONGEST_REST)),
            Step::Terminate(_) => {
                // The report first: it waits for nobody, and the first process must have it when the command ends.
                self.report();
                let is_killed = self.orphaned && (known.child.is_some() || self.has_members());
                self.ask();
                if is_killed {
                    output::say("killed while its command ran: ending the command");
                }
                Some(Duration::ZERO)
            }
            Step::Kill => self.kill(),
        }
    }

    /// `None` when nothing is left that it could end.
    fn kill(&mut self) -> Option<Duration> {
        // To look for everything takes a while on a busy machine: what was seen last time goes first.
        let mut seen = std::mem::take(&mut self.seen);
        seen.retain(descendants::is_there);
        self.signal_each(&seen, libc::SIGKILL);
        let Some(members) = self.members() else {
            // Nobody can say what is left. This process is one of them.
            let _ = sys::kill_group(sys::own_group(), libc::SIGKILL);
            return None;
        };
        self.signal_each(&members, libc::SIGKILL);
        let is_left = members.iter().any(|left| !self.refused.contains(&left.pid));
        is_left.then_some(KILLING)
    }

    /// Asks everything to end; the group, which is quick, before what must be looked for.
    fn ask(&mut self) {
        let group = sys::own_group();
        for signal in sys::TERMINATE {
            let _ = sys::kill_group(group, signal);
        }
        let members = self.members().unwrap_or_default();
        let outside = members.iter().filter(|process| process.group != group);
        let outside: Vec<Process> = outside.cloned().collect();
        for signal in sys::TERMINATE {
            self.signal_each(&outside, signal);
        }
        self.seen = members;
    }

    fn signal_each(&mut self, members: &[Process], signal: i32) {
        let refused = members
            .iter()
            .filter(|process| sys::kill(process.pid, signal) == Err(Errno::EPERM))
            .filter(|process| !self.refused.contains(&process.pid));
        let refused: Vec<&Process> = refused.collect();
        for process in refused {
            let _ = self.refused.insert(process.pid);
            output::say(&process.refusal());
        }
    }

    /// Whether there is something to end. A first process that is killed right after it has started the command has not
    /// named it yet.
    fn has_members(&self) -> bool {
        self.members().is_some_and(|members| !members.is_empty())
    }

    /// Everything of the run but this process.
    fn members(&self) -> Option<Vec<Process>> {
        let group = sys::own_group();
        let known = self.known.unwrap_or_default();
        // Once the first process is gone, its number may be another's.
        let parent = known.parent.filter(|_| !self.orphaned);
        let is_root = |process: &Process| {
            process.group == group
                || known.child == Some((process.pid, process.started))
                || parent == Some(process.parent)
        };
        let all = parent
            .and_then(descendants::below)
            .or_else(descendants::processes)?;
        Some(descendants::of_run(all, &self.mark, self.since, is_root))
    }
}
