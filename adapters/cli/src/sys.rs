//! Calls of the system that neither std nor nix has without `unsafe`: signals by any number, real-time ones included,
//! the raw status of a child, and the signals that were ignored when the program was started.
#![allow(
    unsafe_code,
    reason = "nix refuses to decode real-time signals, and std changes SIGPIPE before `main`; each block says why it is sound"
)]

use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// The signals that ask a process to end: a stopped one acts on SIGTERM only after SIGCONT.
pub(crate) const TERMINATE: [i32; 2] = [libc::SIGTERM, libc::SIGCONT];

/// From now on reads and writes of this pipe fail instead of waiting.
pub(crate) fn set_nonblocking(pipe: BorrowedFd<'_>) -> Result<(), Errno> {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).map(drop)
}

/// The highest number of a signal.
pub(crate) fn last_signal() -> i32 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return libc::SIGRTMAX();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    return 31;
}

/// The number of this process.
pub(crate) fn own_pid() -> i32 {
    nix::unistd::Pid::this().as_raw()
}

/// The number of this process's group.
pub(crate) fn own_group() -> i32 {
    nix::unistd::getpgrp().as_raw()
}

/// Sends a signal to a process. 0 sends none, and checks whether it could be sent.
pub(crate) fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    // Sound: it touches no memory of this process.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Sends a signal to a process group.
pub(crate) fn kill_group(group: i32, signal: i32) -> Result<(), Errno> {
    // 0 and 1 would mean other groups, or everybody.
    if group <= 1 {
        return Err(Errno::ESRCH);
    }
    kill(-group, signal)
}

/// What became of a child.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It ended, with this status as a shell would have it.
    Ended(u8),
    /// A signal stopped it for now.
    Stopped(i32),
}

/// A child to which something has happened, if there is one: it is collected if it has ended.
pub(crate) fn wait_any() -> Option<(i32, Fate)> {
    loop {
        let mut status = 0;
        let flags = libc::WNOHANG | libc::WUNTRACED;
        // Sound: the status is ours, and it is written before it is read.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, flags) };
        if pid < 0 && Errno::last() == Errno::EINTR {
            continue;
        }
        if pid <= 0 {
            return None;
        }
        // All other states are of a process that still runs.
        if let Some(fate) = Fate::of(status) {
            return Some((pid, fate));
        }
    }
}

impl Fate {
    fn of(status: i32) -> Option<Self> {
        if libc::WIFEXITED(status) {
            Some(Self::Ended(
                u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX),
            ))
        } else if libc::WIFSIGNALED(status) {
            Some(Self::Ended(by_signal(libc::WTERMSIG(status))))
        } else if libc::WIFSTOPPED(status) {
            Some(Self::Stopped(libc::WSTOPSIG(status)))
        } else {
            None
        }
    }
}

/// The status that a shell gives to an end by a signal.
pub(crate) fn by_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The signals that were ignored when the program was started, one bit each.
static IGNORED: AtomicU64 = AtomicU64::new(0);

/// Whether a signal was ignored when the program was started, as under `nohup`.
pub(crate) fn was_ignored(signal: i32) -> bool {
    IGNORED.load(Ordering::Relaxed) & bit(signal) != 0
}

const fn bit(signal: i32) -> u64 {
    1_u64.wrapping_shl((signal - 1).unsigned_abs())
}

/// Lets a command find SIGPIPE and SIGCHLD as this program found them: std resets the one, and this program listens to
/// the other. All others are inherited anyway.
pub(crate) fn inherit_signals(command: &mut Command) {
    let note = move || {
        for signal in [libc::SIGPIPE, libc::SIGCHLD] {
            if was_ignored(signal) {
                // Sound between fork and exec: `signal` may be called there.
                let _ = unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
        }
        Ok(())
    };
    // Sound: the closure allocates nothing and takes no lock.
    let _ = unsafe { command.pre_exec(note) };
}

/// Runs before `main`, because std ignores SIGPIPE before that, and what it was is gone then.
#[used]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = note_ignored;

/// It uses nothing of std that `main` would have to prepare.
extern "C" fn note_ignored() {
    for signal in 1..=last_signal() {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // Sound: without a new action it only fills in the old one, and says by 0 that it has.
        let is_ignored = unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
                && action.assume_init().sa_sigaction == libc::SIG_IGN
        };
        if is_ignored {
            IGNORED.fetch_or(bit(signal), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel packs it: the signal in the low seven bits, the code above.
    #[test]
    fn an_exit_is_reported_as_a_shell_does() {
        assert_eq!(Fate::of(7 << 8), Some(Fate::Ended(7)));
        assert_eq!(Fate::of(9), Some(Fate::Ended(137)));
        assert_eq!(Fate::of(64), Some(Fate::Ended(192)), "a real-time signal");
        assert_eq!(Fate::of(19 << 8 | 0x7f), Some(Fate::Stopped(19)));
        assert_eq!(Fate::of(0xffff), None, "it goes on");
    }

    #[test]
    fn no_group_is_everybody() {
        for group in [-1, 0, 1] {
            assert_eq!(kill_group(group, 0), Err(Errno::ESRCH));
        }
    }
}
