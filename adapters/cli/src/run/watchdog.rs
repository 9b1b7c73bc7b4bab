//! The second process of a run. It leads the command's process group, and ends the command when the first process is
//! gone (`kill -9`) or does not answer for the lease (stopped, hung).
//!
//! Being the group's leader it keeps the group's number from being given to others, and it knows the number before the
//! command is there: nothing can happen between the start of the command and the moment when it is told of it.
//!
//! # The contract of the two processes
//!
//! The first process writes all that it knows as one line ([`Known`]) whenever any of it changes; the last line counts,
//! and the watchdog reads all of them before it looks at the clock. It answers each time it has read with what it has
//! done itself ([`Report`]). Neither ever waits for the other: what a pipe does not take is written again later.
//!
//! | | the first process | the watchdog |
//! |---|---|---|
//! | before the command | sends the lease, and starts the command only when the watchdog has repeated it; else it takes another watchdog | ends when its input does |
//! | a renewal | sends the new end at once | waits for it |
//! | `grace` before the end of the lease, or a loss | SIGTERM, sends when it will kill | waits until then |
//! | ¾ of `grace` before the end, and nothing sent | stopped or hung | SIGTERM, reports it |
//! | `margin` before the end, or the time sent | SIGKILL | SIGKILL, until nothing is left |
//! | the watchdog's report, after a stop | ends what is left; the status is 70 | |
//! | its end without a report | says so, guards alone | |
//! | the end of its input | | SIGTERM at once, SIGKILL after ¾ of `grace` and before `margin` |
//! | the command has ended | ends the watchdog, then releases | |
//!
//! Whoever signals does that first and speaks afterwards.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::str::FromStr;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

use super::descendants::{self, Process};
use super::ending::{Ending, Step};
use crate::{clock, output, sys};

/// All that the first process knows and the watchdog must.
#[derive(Copy, Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Known {
    pub(crate) grace: Duration,
    /// When the lease ends, by [`clock`].
    pub(crate) lease_end: Duration,
    /// The command was asked to end. Kill it then.
    pub(crate) kill_at: Option<Duration>,
    /// The command's number and when it was started.
    pub(crate) child: Option<(i32, u64)>,
    /// The first process's number, if nothing but the run descends from it.
    pub(crate) parent: Option<i32>,
}

/// What the watchdog has done, as answer to a line with this end of the lease.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// Nothing.
    Guards { lease_end: Duration },
    /// It has asked the command to end, and kills it then.
    Asked { kill_at: Duration },
}

/// Times are nanoseconds; 0 stands for what is not there.
impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (child, started) = self.child.unwrap_or_default();
        let kill_at = self.kill_at.unwrap_or_default();
        let [grace, lease, kill] = [self.grace, self.lease_end, kill_at].map(|t| t.as_nanos());
        let parent = self.parent.unwrap_or_default();
        writeln!(
            f,
            "grace {grace} lease {lease} kill {kill} child {child} {started} parent {parent}"
        )
    }
}

impl FromStr for Known {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            "grace",
            grace,
            "lease",
            lease,
            "kill",
            kill,
            "child",
            child,
            started,
            "parent",
            parent,
        ] = *words
        else {
            return Err(());
        };
        let child = (number(child)?, number(started)?);
        let parent = number(parent)?;
        let kill_at = time(kill)?;
        Ok(Self {
            grace: time(grace)?,
            lease_end: time(lease)?,
            kill_at: (!kill_at.is_zero()).then_some(kill_at),
            child: (child.0 > 0).then_some(child),
            parent: (parent > 0).then_some(parent),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guards { lease_end } => writeln!(f, "guards {}", lease_end.as_nanos()),
            Self::Asked { kill_at } => writeln!(f, "asked {}", kill_at.as_nanos()),
        }
    }
}

impl FromStr for Report {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        match line.trim_end().split_once(' ') {
            Some(("guards", end)) => Ok(Self::Guards {
                lease_end: time(end)?,
            }),
            Some(("asked", at)) => Ok(Self::Asked { kill_at: time(at)? }),
            _ => Err(()),
        }
    }
}

fn number<T: FromStr>(word: &str) -> Result<T, ()> {
    word.parse().map_err(|_| ())
}

fn time(word: &str) -> Result<Duration, ()> {
    number(word).map(Duration::from_nanos)
}

/// How often a run looks again at what it kills.
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
        if do_not_wait(pipe).is_err() {
            return;
        }
    }
    watchdog.report();
    watchdog.guard();
    output::flush();
}

/// Reading and writing fail instead of waiting.
pub(crate) fn do_not_wait(pipe: BorrowedFd<'_>) -> Result<(), Errno> {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)
}

impl Watchdog {
    fn guard(&mut self) {
        loop {
            self.hear();
            let Some(rest) = self.step() else { return };
            if self.orphaned {
                std::thread::sleep(rest);
                continue;
            }
            let stdin = std::io::stdin();
            let mut news = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            // Rounded up, so that it does not look again too early and spin.
            let rest = rest.saturating_add(Duration::from_millis(1));
            let _ = poll(
                &mut news,
                PollTimeout::try_from(rest).unwrap_or(PollTimeout::MAX),
            );
        }
    }

    /// Reads all that the first process has written. The last line counts.
    fn hear(&mut self) {
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
            self.ending.asked(at);
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
            Step::Ask(_) => {
                // The report first: it waits for nobody, and the first process must have it when the command ends.
                self.report();
                self.signal(libc::SIGTERM);
                // A stopped process acts on SIGTERM only when it goes on.
                self.signal(libc::SIGCONT);
                if self.orphaned && known.child.is_some() {
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

    /// Signals everything once; the group, which is quick, before what must be looked for.
    fn signal(&mut self, signal: i32) {
        let group = sys::own_group();
        let _ = sys::kill_group(group, signal);
        let members = self.members().unwrap_or_default();
        let outside = members.iter().filter(|process| process.group != group);
        let outside: Vec<Process> = outside.cloned().collect();
        self.signal_each(&outside, signal);
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
            output::say(&super::group::refusal(process));
        }
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
        let all = descendants::processes()?;
        Some(descendants::of_run(all, &self.mark, self.since, is_root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let least = Known {
            grace: Duration::ZERO,
            lease_end: Duration::from_nanos(u64::MAX),
            kill_at: None,
            child: None,
            parent: None,
        };
        let most = Known {
            grace: Duration::from_millis(5),
            kill_at: Some(Duration::from_secs(7)),
            child: Some((77, 5_000_000_000)),
            parent: Some(76),
            ..least
        };
        for known in [least, most] {
            assert_eq!(known.to_string().parse(), Ok(known));
        }
        for line in [
            "",
            "grace 1",
            "grace x lease 1 kill 0 child 0 0 parent 0",
            "grace 1 lease -1 kill 0 child 0 0 parent 0",
            "grace 1 lease 1 kill 0 child 0 0 parent 0 more",
        ] {
            assert_eq!(line.parse::<Known>(), Err(()), "{line}");
        }
        let (lease_end, kill_at) = (Duration::from_nanos(3), Duration::from_secs(4));
        for report in [Report::Guards { lease_end }, Report::Asked { kill_at }] {
            assert_eq!(report.to_string().parse(), Ok(report));
        }
        assert_eq!("guards".parse::<Report>(), Err(()));
    }
}
