//! The command, its process group and the watchdog that leads it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::unix::pipe;

use super::descendants::{self, MARK, Process};
use super::protocol::{Known, Report};
use crate::args::WATCHDOG;
use crate::failure::{Exit, Failure};
use crate::output::say;
use crate::sys::{self, Fate};

/// How long a watchdog may take to start.
const START_TIME: Duration = Duration::from_secs(10);
/// How long one that was ready may take to answer. It takes milliseconds, but a busy machine may need longer.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// A process group whose leader is the watchdog.
pub(crate) struct Group {
    /// The group's number, and the watchdog's.
    id: i32,
    /// Where the watchdog listens.
    input: ChildStdin,
    /// Where it reports; `None` once it is gone.
    reports: Option<pipe::Receiver>,
    /// Of a report that is not whole yet.
    unread: Vec<u8>,
    /// All that it must know, and whether it has been written.
    known: Known,
    is_written: bool,
    /// The watchdog has been collected, so that its number may be given to others.
    is_collected: bool,
    child: Option<i32>,
    mark: String,
    /// What descended from this process before (`exec tenure run`). That is not the command's.
    strangers: BTreeSet<i32>,
    /// When the watchdog was started: nothing of the run is older.
    since: u64,
    /// What the command had started when that was looked for last.
    seen: Vec<Process>,
    /// What cannot be ended because it is another user's.
    refused: BTreeSet<i32>,
    /// Everything that could be reached was killed once.
    was_killed: bool,
}

impl Group {
    /// Starts the watchdog, and does not wait for it: [`Self::repeats`] is true when it is ready.
    pub(crate) fn new(grace: Duration) -> Result<Self, Failure> {
        // What the command leaves behind comes back to this process, so that it is found when it must be ended.
        descendants::adopt();
        let own = sys::own_pid();
        let all = descendants::below(own).or_else(descendants::processes);
        let is_child = |process: &Process| process.parent == own;
        let strangers = descendants::of_run(all.unwrap_or_default(), "", u64::MAX, is_child);
        let strangers = strangers.iter().map(|process| process.pid).collect();
        Self::start(grace, strangers)
    }

    fn start(grace: Duration, strangers: BTreeSet<i32>) -> Result<Self, Failure> {
        let mark = descendants::mark();
        let mut watchdog = Command::new(this_program())
            .args([WATCHDOG, &mark])
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let id = i32::try_from(watchdog.id()).map_err(|_| failed(ErrorKind::Other))?;
        let pipes = (watchdog.stdin.take(), watchdog.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            return Err(failed(ErrorKind::Other));
        };
        // A watchdog that does not read must not be able to hold this process up.
        sys::set_nonblocking(input.as_fd()).map_err(failed)?;
        Ok(Self {
            id,
            input,
            reports: Some(reports(output)?),
            unread: Vec::new(),
            known: Known {
                grace,
                parent: strangers.is_empty().then(sys::own_pid),
                ..Known::default()
            },
            is_written: true,
            is_collected: false,
            child: None,
            mark,
            strangers,
            since: descendants::process(id).map_or(0, |process| process.started),
            seen: Vec::new(),
            refused: BTreeSet::new(),
            was_killed: false,
        })
    }

    /// Another watchdog in the place of one that does not answer, when it is ready.
    pub(crate) async fn replaced(self) -> Result<Self, Failure> {
        let (grace, strangers) = (self.known.grace, self.strangers.clone());
        self.dismiss();
        let mut next = Self::start(grace, strangers)?;
        let answer = tokio::time::timeout(START_TIME, next.report()).await;
        answer.map_err(|_| failed(ErrorKind::TimedOut))?;
        Ok(next)
    }

    /// Whether the watchdog runs and knows the lease: it repeats its end.
    pub(crate) async fn repeats(&mut self, lease_end: Duration) -> bool {
        self.inform(|known| known.lease_end = lease_end);
        let repeated = async {
            while let Some(report) = self.report().await {
                if report == (Report::Guards { lease_end }) {
                    return true;
                }
            }
            false
        };
        tokio::time::timeout(ANSWER_TIME, repeated).await == Ok(true)
    }

    pub(crate) fn id(&self) -> i32 {
        self.id
    }

    /// Starts the command in this group. What has no value in `environment` is removed from it.
    pub(crate) fn spawn(
        &mut self,
        command: &[OsString],
        environment: [(&str, Option<OsString>); 3],
    ) -> Result<(), Failure> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Failure::usage("give a command after --"));
        };
        let mut command = Command::new(program);
        let _ = command
            .args(arguments)
            .env(MARK, &self.mark)
            .process_group(self.id);
        for (name, value) in environment {
            let _ = match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        sys::inherit_signals(&mut command);
        let child = command.spawn().map_err(|error| {
            let exit = if error.kind() == ErrorKind::NotFound {
                Exit::NotFound
            } else {
                Exit::CannotRun
            };
            Failure::new(exit, format!("cannot run {}: {error}", program.display()))
        })?;
        let pid = i32::try_from(child.id()).map_err(|_| failed(ErrorKind::Other))?;
        self.child = Some(pid);
        let started = descendants::process(pid).map_or(0, |process| process.started);
        self.inform(|known| known.child = Some((pid, started)));
        Ok(())
    }

    /// Changes what the watchdog must know, and sends it.
    pub(crate) fn inform(&mut self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known);
        self.is_written = false;
        self.write();
    }

    /// Sends the watchdog what it does not know yet. Lines of this size are written whole or not at all. If the pipe is full
    /// because the watchdog stands still, it takes the newest line later.
    pub(crate) fn write(&mut self) {
        use std::io::Write as _;
        if !self.is_written {
            let line = self.known.to_string();
            let result = self.input.write_all(line.as_bytes());
            self.is_written = !result.is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        }
    }

    /// The next report that is here already.
    pub(crate) fn next_report(&mut self) -> Option<Report> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return String::from_utf8_lossy(&line).parse().ok();
            }
            let mut buffer = [0; 1024];
            match self.reports.as_mut()?.try_read(&mut buffer) {
                Ok(count @ 1..) => self.unread.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Ok(0) | Err(_) => self.reports = None,
            }
        }
    }

    /// Waits until there is a report, or the watchdog is gone. After that it waits endlessly.
    pub(crate) async fn reported(&self) {
        match &self.reports {
            Some(reports) => drop(reports.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Waits for the next report; `None` if the watchdog is gone.
    async fn report(&mut self) -> Option<Report> {
        loop {
            if let Some(report) = self.next_report() {
                return Some(report);
            }
            self.reports.as_ref()?;
            self.reported().await;
        }
    }

    /// Whether the watchdog is gone.
    pub(crate) fn is_alone(&self) -> bool {
        self.reports.is_none()
    }

    /// Passes a signal on to the command and what is in its group.
    pub(crate) fn signal(&mut self, signal: i32) {
        let child = self.child.and_then(descendants::process);
        // Once its leader was collected, the number may be another group's.
        if !self.is_collected {
            let _ = sys::kill_group(self.id, signal);
        } else if let Some(child) = &child {
            let _ = sys::kill(child.pid, signal);
        }
        self.report_refusals(child.as_slice());
    }

    /// Asks the command and all that it started to end, also outside of its group.
    pub(crate) fn ask_to_end(&mut self) {
        self.signal_all(&sys::TERMINATE);
    }

    /// Makes the command and all that it started end. True if something is left that can be ended.
    pub(crate) fn kill(&mut self) -> bool {
        self.signal_all(&[libc::SIGKILL]);
        self.was_killed = true;
        self.has_members()
    }

    /// A search for all processes takes a while on a busy machine, so the group, and those that were found last, come first.
    fn signal_all(&mut self, signals: &[i32]) {
        let each = |pid, send: fn(i32, i32) -> Result<(), Errno>| {
            for signal in signals {
                // What is gone needs no signal; what is refused is looked for below.
                let _ = send(pid, *signal);
            }
        };
        // Once its leader was collected, the number may be another group's.
        if !self.is_collected {
            each(self.id, sys::kill_group);
        }
        let is_alone = |process: &&Process| process.group != self.id || self.is_collected;
        let (seen, mut signalled) = (std::mem::take(&mut self.seen), BTreeSet::new());
        for process in seen.iter().filter(is_alone) {
            if descendants::is_there(process) {
                each(process.pid, sys::kill);
                let _ = signalled.insert(process.pid);
            }
        }
        let members = self.members().unwrap_or_default();
        for process in members.iter().filter(is_alone) {
            if !signalled.contains(&process.pid) {
                each(process.pid, sys::kill);
            }
        }
        self.report_refusals(&members);
        self.seen = members;
    }

    /// Prints once for each process of another user that it cannot be ended. A signal to a group succeeds if one member gets
    /// it, and the watchdog always does, so each process is tried.
    fn report_refusals(&mut self, processes: &[Process]) {
        for process in processes {
            let is_foreign = sys::kill(process.pid, 0) == Err(Errno::EPERM);
            if is_foreign && self.refused.insert(process.pid) {
                say(&process.refusal());
            }
        }
    }

    /// Checks whether the command could be ended, before that is needed.
    pub(crate) fn check_command(&mut self) {
        let child = self.child.filter(|child| !self.refused.contains(child));
        if let Some(process) = child.and_then(descendants::process) {
            self.report_refusals(&[process]);
        }
    }

    /// Whether anything that the command started is left and can be ended, in its group or outside. Where the system does not
    /// list processes: until it was killed.
    pub(crate) fn has_members(&self) -> bool {
        let can_be_ended = |left: &Process| !self.refused.contains(&left.pid);
        self.members()
            .map_or(!self.was_killed, |members| members.iter().any(can_be_ended))
    }

    fn members(&self) -> Option<Vec<Process>> {
        let own = sys::own_pid();
        // Whose child an orphan was nobody can say; if there were others, its mark decides.
        let adopts = self.strangers.is_empty();
        let is_root = |process: &Process| {
            process.group == self.id
                || Some(process.pid) == self.child
                || (adopts && process.parent == own)
        };
        let members_of = |all| {
            let mut members = descendants::of_run(all, &self.mark, self.since, is_root);
            members.retain(|process| process.pid != self.id);
            members
        };
        match descendants::below(own).map(members_of) {
            // A list of children may leave some out while another child ends.
            Some(members) if members.is_empty() => descendants::all_below(own).map(members_of),
            Some(members) => Some(members),
            None => descendants::processes().map(members_of),
        }
    }

    /// Collects processes that have ended. Returns the fate of the command, if it has one.
    pub(crate) fn collect(&mut self) -> Option<Fate> {
        while let Some((pid, fate)) = sys::wait_any() {
            // Adopted processes are collected and forgotten.
            if Some(pid) == self.child {
                return Some(fate);
            }
            if pid == self.id {
                match fate {
                    // A watchdog that was stopped goes on at once.
                    Fate::Stopped(_) => drop(sys::kill(pid, libc::SIGCONT)),
                    Fate::Ended(_) => self.is_collected = true,
                }
            }
        }
        None
    }

    /// There is nothing left to guard: ends the watchdog, and does not wait for that.
    pub(crate) fn dismiss(self) {
        // Before its input ends, which would mean that this process is gone.
        if !self.is_collected {
            let _ = sys::kill(self.id, libc::SIGKILL);
        }
    }
}

fn reports(output: ChildStdout) -> Result<pipe::Receiver, Failure> {
    pipe::Receiver::from_owned_fd(OwnedFd::from(output)).map_err(failed)
}

fn failed(error: impl Into<std::io::Error>) -> Failure {
    let what = "cannot start the second process of `tenure run`";
    Failure::system(what, error.into())
}

/// This very program, even if its file has been replaced since.
fn this_program() -> PathBuf {
    let itself = PathBuf::from("/proc/self/exe");
    if itself.exists() {
        return itself;
    }
    // Without /proc the name under which it was started has to do.
    let name = || std::env::args_os().next().map(PathBuf::from);
    let path = std::env::current_exe().ok();
    path.or_else(name).unwrap_or_else(|| "tenure".into())
}
