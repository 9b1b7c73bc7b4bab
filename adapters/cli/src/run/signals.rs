//! The signals that this process gets.

use nix::sys::signal::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// What is passed on to the command, or (CHLD) tells of it.
const LISTENED: [Signal; 10] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
    Signal::SIGCHLD,
];

/// All of them as one stream.
pub(crate) struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// Listens from now on. What was ignored when the program was started (`nohup`, a job in the background of a
    /// script) stays ignored, here and in the command.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let ignored = ignored();
        for heard in LISTENED {
            let is_ignored = ignored & (1 << (heard as u32 - 1)) != 0;
            if is_ignored && heard != Signal::SIGCHLD {
                continue;
            }
            let mut stream = signal(SignalKind::from_raw(heard as i32))
                .map_err(|error| Failure::system("cannot listen to signals", error))?;
            let sender = sender.clone();
            drop(tokio::spawn(async move {
                while stream.recv().await.is_some() && sender.send(heard).is_ok() {}
            }));
        }
        Ok(Self(receiver))
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            // The listening tasks end only with the runtime.
            None => std::future::pending().await,
        }
    }

    /// The next one that means: end.
    pub(crate) async fn end(&mut self) -> Signal {
        loop {
            let signal = self.next().await;
            if is_end(signal) {
                return signal;
            }
        }
    }
}

/// Whether a program without wishes of its own ends on it.
fn is_end(signal: Signal) -> bool {
    use Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    matches!(signal, SIGINT | SIGTERM | SIGHUP | SIGQUIT)
}

/// The set of signals that are ignored, one bit each. Zero where the system does not tell.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
