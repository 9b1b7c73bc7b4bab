//! `tenure run`: a command under a lock.

mod ending;
mod family;
mod group;
mod signals;
mod terminal;
mod warden;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use nix::sys::signal::Signal;

use self::ending::{Ending, Step};
use self::group::{Fate, Group};
use self::terminal::Terminal;
use self::warden::Word;
use crate::args::RunArgs;
use crate::clock;
use crate::failure::{Exit, Failure, Outcome};
use crate::servers;
use tenure::{
    ClaimError, Key, Keys, Lock, Locker, Loss, Metadata, NodeError, Released, Token, Ttl,
};

pub(crate) use self::signals::Signals;
pub(crate) use self::warden::warden;

/// The hidden subcommand of the second process.
pub(crate) const WARDEN: &str = "__warden";

/// How long the end of a run may wait for the servers to confirm the release.
const RELEASE_TIME: Duration = Duration::from_secs(2);
/// The same when the lock is lost anyway.
const FAREWELL_TIME: Duration = Duration::from_millis(200);

/// Obtains, runs, releases.
pub(crate) async fn run(args: RunArgs) -> Outcome {
    let grace = args.grace()?;
    check(&args).map_err(|error| Failure::usage(error.to_string()))?;
    let mut signals = Signals::listen()?;
    let locker = tokio::select! {
        locker = servers::connect(&args.servers) => locker?,
        signal = signals.end() => return Ok(group::by_signal(signal)),
    };
    // Before the lock is obtained: nobody else has to wait for its start.
    let group = Group::new(grace)?;
    let lock = tokio::select! {
        lock = obtain(&locker, &args) => lock,
        signal = signals.end() => {
            group.dismiss();
            close(&locker, RELEASE_TIME).await;
            return Ok(group::by_signal(signal));
        }
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(failure) => {
            group.dismiss();
            // What was asked for and never answered may have been granted. It is taken back first.
            close(&locker, RELEASE_TIME).await;
            return Err(failure);
        }
    };
    let mut run = Run {
        lock,
        group,
        signals,
        terminal: Terminal::open(),
        ending: Ending::new(grace),
        lease_end: Duration::ZERO,
        is_gone: false,
    };
    let outcome = run.command(&args).await;
    let mut loss = run.reason(&locker).await;
    run.group.dismiss();
    if loss.is_none() {
        loss = release(run.lock, &args.keys).await;
        close(&locker, RELEASE_TIME).await;
    } else {
        // There is nothing to wait for: what may be left of it is let go if a server listens.
        drop(run.lock);
        close(&locker, FAREWELL_TIME).await;
    }
    let status = outcome?;
    match loss {
        Some(reason) => Err(Failure::new(
            Exit::Lost,
            format!(
                "{}: lost while the command ran: {reason}",
                args.keys.join(", ")
            ),
        )),
        None => Ok(status),
    }
}

/// What is out of its limits is told even if no server can be reached.
fn check(args: &RunArgs) -> Result<(), ClaimError> {
    let keys: Vec<Key> = args.keys.iter().map(Key::new).collect::<Result<_, _>>()?;
    let _ = Keys::new(keys)?;
    let _ = Ttl::new(args.ttl)?;
    let _ = args.metadata.as_ref().map(Metadata::new).transpose()?;
    let _ = args.token.as_ref().map(Token::new).transpose()?;
    Ok(())
}

async fn obtain(locker: &Locker, args: &RunArgs) -> Result<Lock, Failure> {
    let mut obtain = locker.obtain(args.keys.clone()).ttl(args.ttl);
    if !args.wait.is_zero() {
        obtain = obtain.wait(args.wait);
    }
    if let Some(metadata) = &args.metadata {
        obtain = obtain.metadata(metadata.clone());
    }
    if let Some(token) = &args.token {
        obtain = obtain.token(token.clone());
    }
    obtain
        .await
        .map_err(|error| servers::not_obtained(&error, &args.keys, args.wait))
}

/// Releases the lock. Why it had been lost before, if the release is the first to find that.
async fn release(lock: Lock, keys: &[String]) -> Option<String> {
    let released = tokio::time::timeout(RELEASE_TIME, lock.release()).await;
    match released {
        Ok(Released::Confirmed) => None,
        Ok(Released::Missing) => Some(Loss::Taken.to_string()),
        Ok(Released::Expired) => Some(Loss::Expired { error: None }.to_string()),
        Ok(proof @ Released::Shared) => {
            crate::say(&format!("{}: {proof}", keys.join(", ")));
            None
        }
        // What is not known here is not confirmed either.
        Ok(Released::Unconfirmed | _) | Err(_) => {
            crate::say(&format!(
                "{}: too few servers confirm the release: it is free when its ttl is over",
                keys.join(", ")
            ));
            None
        }
    }
}

async fn close(locker: &Locker, time: Duration) {
    // A server that does not answer must not hold up the end.
    let _ = tokio::time::timeout(time, locker.close()).await;
}

/// A command that runs under a lock.
struct Run {
    lock: Lock,
    group: Group,
    signals: Signals,
    terminal: Terminal,
    ending: Ending,
    /// As last seen; the warden knows it too.
    lease_end: Duration,
    /// The lock is not held any more.
    is_gone: bool,
}

impl Run {
    /// Runs the command to its end, whoever causes that.
    async fn command(&mut self, args: &RunArgs) -> Outcome {
        self.look_at_lease();
        let token = OsString::from_vec(self.lock.token().to_vec());
        let environment = [
            ("TENURE_KEY", args.keys.join("\n").into()),
            ("TENURE_TOKEN", token),
        ];
        self.terminal.give_if_interactive(self.group.id());
        let mut status = match self.group.spawn(&args.command, environment) {
            Ok(()) => None,
            Err(failure) => {
                self.terminal.take_back(false);
                return Err(failure);
            }
        };
        loop {
            let rest = self.step();
            // When the lock is gone the command's children must end too; else they are their own masters.
            if let Some(status) = status
                && !(self.ending.has_begun() && self.group.has_members())
            {
                self.terminal.take_back(status > 128);
                return Ok(status);
            }
            tokio::select! {
                _ = self.lock.lost(), if !self.is_gone => self.is_gone = true,
                signal = self.signals.next() => {
                    if let Some(ended) = self.handle_signal(signal) {
                        status = Some(ended);
                    }
                }
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// Does what is due, and says how long to rest.
    fn step(&mut self) -> Duration {
        self.look_at_lease();
        let now = clock::now();
        match self.ending.step(now, self.lease_end, self.is_gone) {
            Step::Wait(until) if self.ending.has_begun() => {
                until.saturating_sub(now).min(Duration::from_millis(20))
            }
            Step::Wait(until) => until.saturating_sub(now).min(clock::LONGEST_REST),
            Step::Ask(kill_at) => {
                self.group.tell(Word::Kill(kill_at));
                crate::say("the lock is lost or about to be: ending the command");
                self.group.ask_to_end();
                Duration::ZERO
            }
            Step::Kill => {
                self.group.kill();
                Duration::from_millis(5)
            }
        }
    }

    /// Notes when the lease ends, and tells the warden.
    fn look_at_lease(&mut self) {
        // The clock first: the end may only come out too early.
        let now = clock::now();
        let remaining = self.lock.remaining();
        if remaining.is_zero() {
            // The end that was known stays: it is still the latest time at which the command may run.
            self.is_gone = true;
            return;
        }
        let end = now.saturating_add(remaining);
        // Two looks at the same lease differ by the time between the two clocks.
        if end.abs_diff(self.lease_end) > Duration::from_millis(2) {
            self.lease_end = end;
            self.group.tell(Word::Lease(end));
        }
    }

    /// Why the lock is not held any more, or the command had to be ended.
    async fn reason(&self, locker: &Locker) -> Option<String> {
        if !self.lock.is_held() {
            // At once, or when the lock's driver has looked at the clock too.
            let loss = self.lock.lost().await;
            let other = NodeError::Other;
            let is_unknown =
                loss == Loss::Refused(other) || loss == Loss::Expired { error: Some(other) };
            let words = locker.unknown_error().filter(|_| is_unknown);
            return Some(
                words.map_or_else(|| loss.to_string(), |words| format!("{loss}: {words}")),
            );
        }
        self.ending
            .has_begun()
            .then(|| "no renewal got through in time".to_owned())
    }

    /// The status of the command if the signal tells of its end.
    fn handle_signal(&mut self, signal: Signal) -> Option<u8> {
        if signal == Signal::SIGCHLD {
            match self.group.collect()? {
                Fate::Ended(status) => return Some(status),
                Fate::Stopped(signal) => self.handle_stop(signal),
            }
            return None;
        }
        if signal == Signal::SIGCONT && self.terminal.was_given() {
            // `fg` gives this process the terminal, `bg` does not.
            let _ = self.terminal.give(self.group.id());
        }
        self.group.signal(signal);
        None
    }

    /// The command stopped. If its user stopped it, this process stops too, so that the shell gets the terminal. Then
    /// nothing is renewed: the warden ends the command if it is not continued in the lock's time.
    fn handle_stop(&mut self, signal: Signal) {
        if Terminal::is_wanted(signal) && self.terminal.give(self.group.id()) {
            self.group.signal(Signal::SIGCONT);
            return;
        }
        let by_user = signal != Signal::SIGSTOP || self.terminal.is_given();
        if by_user && self.terminal.has_job_control() {
            self.terminal.take_back(true);
            let _ = nix::sys::signal::raise(Signal::SIGSTOP);
        }
    }
}
