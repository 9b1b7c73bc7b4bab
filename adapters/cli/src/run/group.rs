//! The command, its process group and the warden that leads it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::family;
use super::warden::{READY, Word};
use crate::failure::{Exit, Failure};

/// A process group whose leader is the warden.
pub(crate) struct Group {
    id: Pid,
    /// Where the warden listens.
    words: ChildStdin,
    /// Kept so that it is not mistaken for a process of the command's.
    warden: Child,
    child: Option<Pid>,
}

/// What became of the command.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It ended, with this status as a shell would have it.
    Ended(u8),
    /// A signal stopped it for now.
    Stopped(Signal),
}

impl Group {
    /// Starts the warden, and returns when it is ready.
    pub(crate) fn new(grace: Duration) -> Result<Self, Failure> {
        let failed =
            |error| Failure::system("cannot start the second process of `tenure run`", error);
        // What the command leaves behind comes back to this process, so that it is found when it must be ended.
        family::adopt();
        let mut warden = Command::new(this_program()?)
            .arg(super::WARDEN)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let id = i32::try_from(warden.id()).map(Pid::from_raw);
        let (Ok(id), Some(words), Some(stdout)) = (id, warden.stdin.take(), warden.stdout.take())
        else {
            return Err(failed(ErrorKind::Other.into()));
        };
        let mut answer = Vec::new();
        let _ = BufReader::new(stdout)
            .read_until(b'\n', &mut answer)
            .map_err(failed)?;
        if answer != READY {
            return Err(failed(ErrorKind::UnexpectedEof.into()));
        }
        // A warden that does not read must not be able to hold this process up.
        let _ = fcntl(&words, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(|error| failed(error.into()))?;
        let mut group = Self {
            id,
            words,
            warden,
            child: None,
        };
        group.tell(Word::Grace(grace));
        Ok(group)
    }

    pub(crate) fn id(&self) -> Pid {
        self.id
    }

    /// Starts the command in this group.
    pub(crate) fn spawn(
        &mut self,
        command: &[OsString],
        environment: [(&str, OsString); 2],
    ) -> Result<(), Failure> {
        let Some((program, arguments)) = command.split_first() else {
            return Err(Failure::usage("a command is needed behind --"));
        };
        let child = Command::new(program)
            .args(arguments)
            .envs(environment)
            .process_group(self.id.as_raw())
            .spawn()
            .map_err(|error| {
                let exit = if error.kind() == ErrorKind::NotFound {
                    Exit::NotFound
                } else {
                    Exit::CannotRun
                };
                Failure::new(exit, format!("cannot run {}: {error}", program.display()))
            })?;
        let Ok(pid) = i32::try_from(child.id()) else {
            return Err(Failure::system("cannot run", ErrorKind::Other));
        };
        self.child = Some(Pid::from_raw(pid));
        self.tell(Word::Child(pid));
        Ok(())
    }

    /// Tells the warden.
    pub(crate) fn tell(&mut self, word: Word) {
        // Whole lines of this size are written at once or not at all. A warden that is gone cannot be helped, and one
        // that is stopped acts on what it knows: an earlier end of the lease.
        let _ = self.words.write_all(word.line().as_bytes());
    }

    /// Signals the command and what it started.
    pub(crate) fn signal(&self, signal: Signal) {
        // What is gone needs no signal.
        let _ = killpg(self.id, signal);
    }

    /// Asks the command and all that descends from it to end, also outside of its group.
    pub(crate) fn ask_to_end(&self) {
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            self.signal(signal);
            for pid in self.strays() {
                let _ = kill(pid, signal);
            }
        }
    }

    /// Makes the command and all that descends from it end.
    pub(crate) fn kill(&self) {
        for pid in self.strays() {
            let _ = kill(pid, Signal::SIGKILL);
        }
        self.signal(Signal::SIGKILL);
    }

    /// Whether anything that the command started is left, in its group or outside.
    pub(crate) fn has_members(&self) -> bool {
        !self.members().is_empty()
    }

    fn members(&self) -> Vec<family::Process> {
        let mut members = family::descendants();
        members.retain(|process| process.pid != self.id);
        members
    }

    /// What descends from the command and has left the group.
    fn strays(&self) -> impl Iterator<Item = Pid> {
        let group = self.id;
        self.members()
            .into_iter()
            .filter_map(move |process| (process.group != group).then_some(process.pid))
    }

    /// Collects what has ended, and says what became of the command if anything did.
    pub(crate) fn collect(&self) -> Option<Fate> {
        let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED;
        loop {
            let status = match waitpid(None, Some(flags)) {
                Ok(WaitStatus::StillAlive) | Err(_) => return None,
                Ok(status) => status,
            };
            if status.pid() == Some(self.id) {
                self.mind_warden(status);
            }
            // Adopted processes are collected and forgotten.
            if status.pid() != self.child {
                continue;
            }
            if let Some(fate) = Fate::of(status) {
                return Some(fate);
            }
        }
    }

    /// A warden that was stopped goes on at once; one that has ended is missed.
    fn mind_warden(&self, status: WaitStatus) {
        if let WaitStatus::Stopped(warden, _) = status {
            let _ = kill(warden, Signal::SIGCONT);
        } else if self.child.is_some() {
            crate::say(
                "the second process is gone: if this one is killed too, the command goes on",
            );
        }
    }

    /// The command is over: lets the warden go.
    pub(crate) fn dismiss(mut self) {
        self.tell(Word::Over);
        drop(self.words);
        // It cannot hear that while it is stopped.
        let _ = kill(self.id, Signal::SIGCONT);
        // It may have been collected with the command's processes.
        let _ = self.warden.wait();
    }
}

impl Fate {
    fn of(status: WaitStatus) -> Option<Self> {
        match status {
            WaitStatus::Exited(_, code) => Some(Self::Ended(u8::try_from(code).unwrap_or(u8::MAX))),
            WaitStatus::Signaled(_, signal, _) => Some(Self::Ended(by_signal(signal))),
            WaitStatus::Stopped(_, signal) => Some(Self::Stopped(signal)),
            // Continued, or told to a debugger: it still runs.
            WaitStatus::Continued(_) | WaitStatus::StillAlive => None,
            #[cfg(target_os = "linux")]
            WaitStatus::PtraceEvent(..) | WaitStatus::PtraceSyscall(_) => None,
        }
    }
}

/// The status that a shell gives to an end by a signal.
pub(crate) fn by_signal(signal: Signal) -> u8 {
    u8::try_from(128 + signal as i32).unwrap_or(u8::MAX)
}

/// This very program, even if its file has been replaced since.
fn this_program() -> Result<std::path::PathBuf, Failure> {
    let itself = std::path::PathBuf::from("/proc/self/exe");
    if itself.exists() {
        return Ok(itself);
    }
    std::env::current_exe().map_err(|error| Failure::system("cannot find this program", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fate_is_told_as_a_shell_tells_it() {
        let pid = Pid::from_raw(1);
        let fate = |status| Fate::of(status);
        assert_eq!(fate(WaitStatus::Exited(pid, 7)), Some(Fate::Ended(7)));
        let killed = WaitStatus::Signaled(pid, Signal::SIGKILL, false);
        assert_eq!(fate(killed), Some(Fate::Ended(137)));
        assert_eq!(fate(WaitStatus::Continued(pid)), None);
    }
}
