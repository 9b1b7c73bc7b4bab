//! What the program says and logs, on standard error.
//!
//! Nothing that keeps a lock may wait for a reader: a pager may be paused, a terminal stopped by `^S`, a pipe full. So a
//! thread of its own writes, and all others put their messages into a queue. Each message is one `write`, so
//! that those of several processes do not mix.

use std::io::{ErrorKind, Write};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::SigSet;

/// How many messages may wait. More are dropped: it happens only with `--log` and without a reader.
const WAITING: usize = 16 * 1024;
/// How long the end of the program waits for a reader that takes nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Says something for people to read.
pub(crate) fn say(text: &str) {
    put(format!("tenure: {text}\n").into_bytes());
}

/// Waits until everything is written, or the reader has taken nothing for a second.
pub(crate) fn flush() {
    let mut left = waiting();
    while *left > 0 {
        let before = *left;
        let (guard, timeout) = WRITTEN
            .wait_timeout(left, LONGEST_WAIT)
            .unwrap_or_else(PoisonError::into_inner);
        left = guard;
        if timeout.timed_out() && *left == before {
            return;
        }
    }
}

/// Where logs go. Each call of `write` is one message.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        put(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How many messages are not written yet.
static LEFT: Mutex<usize> = Mutex::new(0);
static WRITTEN: Condvar = Condvar::new();

fn waiting() -> std::sync::MutexGuard<'static, usize> {
    LEFT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put(message: Vec<u8>) {
    static QUEUE: OnceLock<SyncSender<Vec<u8>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = sync_channel(WAITING);
        // Without a thread nothing is said; that must not end anything either.
        let _ = std::thread::Builder::new().spawn(move || write_all(&receiver));
        sender
    });
    // Counted before, so that it is never written and not counted.
    *waiting() += 1;
    if queue.try_send(message).is_err() {
        *waiting() -= 1;
    }
}

fn write_all(messages: &Receiver<Vec<u8>>) {
    // No signal is this thread's. SIGTTOU above all: where it is blocked, a process in the background may write to a
    // terminal with `tostop` and is not stopped.
    let _ = SigSet::all().thread_block();
    for message in messages {
        write(&message);
        *waiting() -= 1;
        WRITTEN.notify_all();
    }
}

fn write(mut message: &[u8]) {
    let stderr = std::io::stderr();
    while !message.is_empty() {
        match stderr.lock().write(message) {
            Ok(0) => return,
            Ok(count) => message = &message[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The program that started this one may have made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
                let _ = poll(&mut ready, PollTimeout::NONE);
            }
            // Nobody is there to read it.
            Err(_) => return,
        }
    }
}
