//! A command that runs under a lock, from its start to its end. The contract of the two processes is in
//! [`super::protocol`].

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::time::Duration;

use super::ending::{Ending, Step};
use super::group::Group;
use super::protocol::Report;
use super::signals::Signals;
use super::terminal::Terminal;
use crate::args::RunArgs;
use crate::clock;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::say;
use crate::sys::{self, Fate};
use tenure::{Lock, Locker, Loss, NodeError};

/// How often it is checked whether processes that got SIGTERM have ended.
const ENDING: Duration = Duration::from_millis(20);
/// The same after SIGKILL.
const KILLING: Duration = Duration::from_millis(5);
/// A process that wakes later than this has stood still.
const LATE: Duration = Duration::from_millis(50);
/// How long a process that has stood still waits for the renewal that is overdue by then.
const CATCH_UP: Duration = Duration::from_millis(50);

/// A command that runs under a lock.
pub(crate) struct Job {
    lock: Lock,
    group: Group,
    signals: Signals,
    terminal: Terminal,
    ending: Ending,
    /// As last seen; the watchdog knows it too.
    lease_end: Duration,
    /// The lock is no longer held.
    is_gone: bool,
    /// The watchdog was the first to end the command.
    by_watchdog: bool,
    /// The watchdog is gone, and that was said.
    is_alone: bool,
}

impl Job {
    pub(crate) fn new(lock: Lock, group: Group, signals: Signals, grace: Duration) -> Self {
        Self {
            lock,
            group,
            signals,
            terminal: Terminal::open(),
            ending: Ending::new(grace),
            lease_end: Duration::ZERO,
            is_gone: false,
            by_watchdog: false,
            is_alone: false,
        }
    }

    /// Runs the command to its end, whatever the cause. Returns the lock, which may be lost, the status of the command, and
    /// why the lock is lost or the command had to be ended.
    pub(crate) async fn run(
        mut self,
        args: &RunArgs,
        locker: &Locker,
    ) -> (Lock, Outcome, Option<String>) {
        let outcome = self.command(args).await;
        let loss = self.reason(locker).await;
        self.group.dismiss();
        (self.lock, outcome, loss)
    }

    async fn command(&mut self, args: &RunArgs) -> Outcome {
        self.note_lease();
        if self.is_gone {
            let words = format!(
                "{}: lost before the command could start",
                args.keys.join(", ")
            );
            return Err(Failure::new(Exit::Lost, words));
        }
        let token = OsString::from_vec(self.lock.token().to_vec());
        let fence = self.lock.fence();
        let environment = [
            ("TENURE_KEY", Some(args.keys.join("\n").into())),
            ("TENURE_TOKEN", Some(token)),
            // That of a run around this one counts for other keys.
            ("TENURE_FENCE", fence.map(|fence| fence.to_string().into())),
        ];
        self.terminal.give_if_interactive(self.group.id());
        if let Err(failure) = self.group.spawn(&args.command, environment) {
            self.terminal.take_back(false);
            return Err(failure);
        }
        let mut status = None;
        loop {
            self.read_message();
            while let Some(fate) = self.group.collect() {
                match fate {
                    Fate::Ended(ended) => status = Some(ended),
                    Fate::Stopped(signal) => self.handle_stop(signal),
                }
            }
            // When the lock is gone the command's children must end too; else they are their own masters.
            if let Some(status) = status
                && !(self.ending.has_begun() && self.group.has_members())
            {
                self.terminal.take_back(status > 128);
                return Ok(status);
            }
            let rest = self.step();
            self.wait(rest).await;
        }
    }

    /// Waits for anything to happen. The end of the command, too, needs no signal of its own: a signal may be lost.
    async fn wait(&mut self, rest: Duration) {
        let (lease, until) = (self.lock.lease(), clock::now().saturating_add(rest));
        tokio::select! {
            _ = self.lock.lost(), if !self.is_gone => self.is_gone = true,
            _ = self.lock.renewed(lease), if !self.is_gone => {}
            signal = self.signals.next() => self.handle_signal(signal),
            () = self.group.reported() => {}
            () = tokio::time::sleep(rest) => {}
        }
        // Replies that wait in a socket count before the clock does: the driver of the lock gets a turn after the runtime has
        // polled the sockets.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let now = clock::now();
        let has_time = now + CATCH_UP < self.ending.last(self.lease_end);
        if now > until + LATE && has_time && !self.is_gone && !self.ending.has_begun() {
            // This process has stood still, and so has the renewal.
            let _ = tokio::time::timeout(CATCH_UP, self.lock.renewed(lease)).await;
        }
    }

    /// Takes what the watchdog has to say.
    fn read_message(&mut self) {
        while let Some(report) = self.group.next_report() {
            if let Report::Asked { kill_at } = report
                && !self.ending.has_begun()
            {
                self.ending.sigterm_sent(kill_at);
                self.by_watchdog = true;
            }
        }
        // Where the command is being ended, the watchdog ends with it.
        if self.group.is_alone() && !self.is_alone && !self.ending.has_begun() {
            self.is_alone = true;
            say("the second process is gone: if this one is killed too, the command goes on");
        }
    }

    /// Does what is due, and says how long to rest.
    fn step(&mut self) -> Duration {
        self.note_lease();
        self.group.write();
        self.group.check_command();
        let now = clock::now();
        let had_begun = self.ending.has_begun();
        let step = self.ending.step(now, self.lease_end, self.is_gone);
        let rest = match step {
            Step::Wait(until) if had_begun => until.saturating_sub(now).min(ENDING),
            Step::Wait(until) => until.saturating_sub(now).min(clock::LONGEST_REST),
            Step::Terminate(kill_at) => {
                self.group.ask_to_end();
                self.group.inform(|known| known.kill_at = Some(kill_at));
                Duration::ZERO
            }
            Step::Kill if self.group.kill() => KILLING,
            // What is left is another user's.
            Step::Kill => clock::LONGEST_REST,
        };
        if !had_begun && self.ending.has_begun() {
            say("the lock is lost or about to be: ending the command");
        }
        rest
    }

    /// Notes when the lease ends, and informs the watchdog.
    fn note_lease(&mut self) {
        // The clock is read first, so that the end can only come out too early.
        let now = clock::now();
        let remaining = self.lock.remaining();
        if remaining.is_zero() {
            // The end that was known stays: it is still the latest time at which the command may run.
            self.is_gone = true;
            return;
        }
        let end = now.saturating_add(remaining);
        // The same lease, read twice, differs by the time between the reads of the two clocks.
        if end.abs_diff(self.lease_end) > Duration::from_millis(2) {
            self.lease_end = end;
            self.group.inform(|known| known.lease_end = end);
        }
    }

    /// Why the lock is no longer held, or the command had to be ended.
    async fn reason(&self, locker: &Locker) -> Option<String> {
        if !self.lock.is_held() {
            // At once, or when the driver of the lock has read the clock, too.
            let loss = self.lock.lost().await;
            let other = NodeError::Other;
            let is_unknown =
                loss == Loss::Refused(other) || loss == Loss::Expired { error: Some(other) };
            let words = locker.unknown_error().filter(|_| is_unknown);
            return Some(
                words.map_or_else(|| loss.to_string(), |words| format!("{loss}: {words}")),
            );
        }
        let reason = if self.by_watchdog {
            "tenure stood still until the lease was about to end, and its second process ended the command"
        } else {
            "no renewal succeeded in time"
        };
        self.ending.has_begun().then(|| reason.to_owned())
    }

    /// Passes a signal on to the command.
    fn handle_signal(&mut self, signal: i32) {
        if signal == libc::SIGCHLD {
            return;
        }
        if signal == libc::SIGCONT && self.terminal.was_given() {
            // `fg` gives this process the terminal, `bg` does not.
            let _ = self.terminal.give(self.group.id());
        }
        self.group.signal(signal);
    }

    /// The command stopped. If its user stopped it, this process stops too, so that the shell gets the terminal. Then
    /// nothing is renewed: the watchdog ends the command if it is not continued in the lock's time.
    fn handle_stop(&mut self, signal: i32) {
        // It stopped while it was being ended, as by its last words from the background: it is killed in time.
        if self.ending.has_begun() {
            return;
        }
        if Terminal::is_wanted(signal) && self.terminal.give(self.group.id()) {
            self.group.signal(libc::SIGCONT);
            return;
        }
        let by_user = signal != libc::SIGSTOP || self.terminal.is_given();
        if by_user && self.terminal.has_job_control() {
            self.terminal.take_back(true);
            let _ = sys::kill(sys::own_pid(), libc::SIGSTOP);
        }
    }
}
