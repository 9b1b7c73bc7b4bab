//! The signals that this process gets.

use std::future::poll_fn;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;
use crate::sys;

/// Signals that are not handled: they cannot be caught, report a fault of this very process, or have a right default: no
/// effect, or a stop.
const LEFT_ALONE: [i32; 12] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGPIPE,
    libc::SIGURG,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// All others, by number, real-time ones included: passed on to the command, or (CHLD) about it.
pub(crate) struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Listens from now on. What was ignored when the program was started (`nohup`, a job in the background of a
    /// script) stays ignored, here and in the command.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let mut streams = Vec::new();
        for number in 1..=sys::last_signal() {
            let is_ignored = sys::was_ignored(number) && number != libc::SIGCHLD;
            if is_ignored || LEFT_ALONE.contains(&number) {
                continue;
            }
            match signal(SignalKind::from_raw(number)) {
                Ok(stream) => streams.push((number, stream)),
                // The C library keeps the first real-time signals to itself.
                Err(_) if number > 31 => {}
                Err(error) => return Err(Failure::system("cannot listen to signals", error)),
            }
        }
        Ok(Self(streams))
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> i32 {
        poll_fn(|cx| {
            for (number, stream) in &mut self.0 {
                if stream.poll_recv(cx).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next one that means: end. There is no command yet to pass it on to.
    pub(crate) async fn end(&mut self) -> i32 {
        loop {
            match self.next().await {
                libc::SIGCHLD | libc::SIGCONT | libc::SIGWINCH => {}
                libc::SIGTSTP => drop(sys::kill(sys::own_pid(), libc::SIGSTOP)),
                signal => return signal,
            }
        }
    }
}
