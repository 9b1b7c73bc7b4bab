//! Plays a plan with real processes.

use std::io::{PipeReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::beat::{self, Beat};
use crate::common::{Running, Serve, TENURE, tenure, until};
use crate::plan::{Fault, Plan};

/// Long enough for whatever must come of the last fault: the end of a lease, and a release that nobody confirms.
const SETTLED: Duration = Duration::from_secs(5);

/// What came of a plan.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) ledger: Vec<Beat>,
    /// When the first kill of tenure or of the server was over.
    pub(crate) cut_at: Option<f64>,
    /// Whether the job wrote on until it was ended by deleting the key.
    pub(crate) was_left_alone: bool,
    /// When that was.
    pub(crate) deleted_at: Option<f64>,
    /// How the run ended; `None` if tenure was killed.
    pub(crate) status: Option<i32>,
    /// How the waiting run ended; `None` if it still waited.
    pub(crate) next: Option<i32>,
    /// How many processes of the job were left in the end.
    pub(crate) left: usize,
    /// How long a process that wanted to run had to wait for a processor at most.
    pub(crate) stall: Duration,
}

struct Round<'a> {
    server: Serve,
    job: Running,
    watchdog: Pid,
    next: Running,
    ledger: &'a Path,
    /// Kept so that what is written into its other end waits.
    _stderr: Option<PipeReader>,
    cut_at: Option<f64>,
    tenure_is_killed: bool,
    server_is_killed: bool,
}

pub(crate) fn play(plan: &Plan) -> Record {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = directory.path().join("ledger");
    std::fs::write(&ledger, "").expect("a file");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stall = scope.spawn(|| longest_stall(&is_over));
        let mut round = Round::start(plan, &ledger);
        for (before, fault) in &plan.faults {
            std::thread::sleep(*before);
            round.apply(*fault);
        }
        let record = round.end();
        is_over.store(true, Ordering::Relaxed);
        let stall = stall.join().expect("no panic");
        Record { stall, ..record }
    })
}

/// How much later than it wanted to a thread ran at most, until this is over.
fn longest_stall(is_over: &AtomicBool) -> Duration {
    const REST: Duration = Duration::from_millis(5);
    let mut longest = Duration::ZERO;
    while !is_over.load(Ordering::Relaxed) {
        let begin = Instant::now();
        std::thread::sleep(REST);
        longest = longest.max(begin.elapsed().saturating_sub(REST));
    }
    longest
}

impl<'a> Round<'a> {
    fn start(plan: &Plan, ledger: &'a Path) -> Self {
        let server = Serve::start(&[]);
        let itself = std::env::current_exe().expect("Linux");
        let beat = |job| {
            format!(
                "{} {} {job} {}",
                itself.display(),
                beat::NAME,
                ledger.display()
            )
        };
        let run = |options: &[&str], script: &str, beat: String| {
            let mut command = tenure(&["run", "--url", &server.url()]);
            command.args(options).args(["k", "--", "sh", "-c", script]);
            command.env("BEAT", beat).env("TENURE", TENURE);
            command.env("TENURE_URL", server.url());
            command
        };
        let seconds = format!("{}s", Plan::TTL.as_secs());
        let script = format!(
            "read pid name state parent group rest < /proc/$$/stat; echo $group; {}",
            plan.tree.script()
        );
        let mut command = run(&["--ttl", &seconds], &script, beat("A"));
        let (reader, writer) = full_pipe();
        let (job, stderr) = if plan.is_unread {
            (Running::start_with(command.stderr(writer)), Some(reader))
        } else {
            (Running::start(&mut command), None)
        };
        let watchdog = Pid::from_raw(job.line().parse().expect("a pid"));
        until(|| std::fs::metadata(ledger).is_ok_and(|ledger| ledger.len() > 0));
        let next = Running::start(&mut run(&["--wait", "1h"], "$BEAT 5", beat("B")));
        Self {
            server,
            job,
            watchdog,
            next,
            ledger,
            _stderr: stderr,
            cut_at: None,
            tenure_is_killed: false,
            server_is_killed: false,
        }
    }

    fn apply(&mut self, fault: Fault) {
        let server = self.server.process().pid();
        let both = [self.job.pid(), self.watchdog];
        match fault {
            Fault::KillTenure => {
                send(&both[..1], Signal::SIGKILL);
                self.tenure_is_killed = true;
                self.cut();
            }
            Fault::KillWatchdog => send(&both[1..], Signal::SIGKILL),
            Fault::KillBoth => {
                send(&both, Signal::SIGKILL);
                self.tenure_is_killed = true;
            }
            Fault::KillServer => {
                send(&[server], Signal::SIGKILL);
                self.server_is_killed = true;
                self.cut();
            }
            Fault::StopTenure(time) => stop(&both[..1], time),
            Fault::StopWatchdog(time) => stop(&both[1..], time),
            Fault::StopBoth(time) => stop(&both, time),
            Fault::StopServer(time) => stop(&[server], time),
            Fault::DeleteKey => self.delete(),
        }
    }

    fn cut(&mut self) {
        let _ = self.cut_at.get_or_insert_with(beat::now);
    }

    /// The key may be gone already, and so may the server.
    fn delete(&self) {
        if !self.server_is_killed {
            let _ = self.server.raw().try_command(&["DEL", "k"]);
        }
    }

    fn end(mut self) -> Record {
        let settled = Instant::now() + SETTLED;
        while Instant::now() < settled && self.processes() > 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let was_left_alone = self.processes() > 0 && self.has_beaten_lately();
        let deleted_at = (was_left_alone && !self.tenure_is_killed).then(beat::now);
        if deleted_at.is_some() {
            // What runs until now ends with its lock.
            self.delete();
        }
        let end = Instant::now() + SETTLED;
        let mut status = None;
        while Instant::now() < end && (status.is_none() || self.processes() > 0) {
            status = status.or_else(|| self.job.try_code());
            std::thread::sleep(Duration::from_millis(20));
        }
        let left = self.processes();
        self.clean_up();
        let end = Instant::now() + SETTLED;
        let mut next = None;
        while Instant::now() < end && next.is_none() && !self.server_is_killed {
            next = self.next.try_code();
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = std::fs::read_to_string(self.ledger).expect("the ledger");
        Record {
            ledger: beat::read(&text),
            cut_at: self.cut_at,
            was_left_alone,
            deleted_at,
            status: status.filter(|_| !self.tenure_is_killed),
            next,
            left,
            stall: Duration::ZERO,
        }
    }

    fn has_beaten_lately(&self) -> bool {
        let text = std::fs::read_to_string(self.ledger).expect("the ledger");
        let last = beat::read(&text).into_iter().rfind(|beat| beat.job == "A");
        last.is_some_and(|last| beat::now() - last.at < 1.0)
    }

    /// How many processes of the job are there.
    fn processes(&self) -> usize {
        self.job().len()
    }

    fn job(&self) -> Vec<Pid> {
        of_job(self.ledger, &[self.job.pid(), self.watchdog])
    }

    /// What is left in an excused round, or in a broken one.
    fn clean_up(&self) {
        send(&self.job(), Signal::SIGKILL);
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        self.clean_up();
    }
}

/// The living processes of A, by the ledger in their arguments or in their environment.
fn of_job(ledger: &Path, but: &[Pid]) -> Vec<Pid> {
    let words = [beat::NAME, "A", &ledger.display().to_string()].join(" ");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
        let Some(Ok(pid)) = entry.file_name().to_str().map(str::parse) else {
            continue;
        };
        let is_of_it = |file| {
            let bytes = std::fs::read(entry.path().join(file)).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            text.contains(&words)
        };
        let pid = Pid::from_raw(pid);
        if !but.contains(&pid) && (is_of_it("cmdline") || is_of_it("environ")) {
            found.push(pid);
        }
    }
    found
}

/// What is gone gets no signal.
fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        let _ = kill(*pid, signal);
    }
}

fn stop(pids: &[Pid], time: Duration) {
    send(pids, Signal::SIGSTOP);
    std::thread::sleep(time);
    send(pids, Signal::SIGCONT);
}

/// A pipe that takes nothing while its reader is kept.
fn full_pipe() -> (PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let set = |flags| fcntl(&writer, FcntlArg::F_SETFL(flags)).expect("a pipe");
    set(OFlag::O_NONBLOCK);
    while (&writer).write(&[b'x'; 4096]).is_ok() {}
    set(OFlag::empty());
    (reader, writer)
}
