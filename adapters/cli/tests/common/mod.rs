//! The built program, its output line by line, and a deadline for everything.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for any machine; nothing waits for it unless something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// `tenure` with these arguments, cut off from the tester's environment.
pub(crate) fn tenure(arguments: &[&str]) -> Command {
    // The caller of these tests may ignore signals (`nohup`, or a shell in the background), and that is inherited.
    let mut command = default_signals(TENURE);
    command
        .args(arguments)
        .env_remove("TENURE_URL")
        .env_remove("RUST_LOG");
    command
}

/// The program.
pub(crate) const TENURE: &str = env!("CARGO_BIN_EXE_tenure");

/// A program with the signals of a fresh login.
pub(crate) fn default_signals(program: &str) -> Command {
    let mut command = Command::new("env");
    command.args(["--default-signal", program]);
    command
}

/// The processes whose parent it is.
pub(crate) fn children(pid: Pid) -> Vec<Pid> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pids = text.split_whitespace().map(|pid| pid.parse());
    pids.map(|pid| Pid::from_raw(pid.expect("a pid"))).collect()
}

/// The second process of a run that has not started its command yet, from when on it is the program that it will be: until
/// then its parent stands still with it.
pub(crate) fn watchdog_of(run: &Running) -> Pid {
    let found = || {
        let mut children = children(run.pid()).into_iter();
        children.find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.windows(10).any(|word| word == b"__watchdog")
        })
    };
    until(|| found().is_some());
    found().expect("it was there")
}

/// Whether a process is gone, or waits to be collected.
pub(crate) fn has_ended(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

/// The latest end of a lease that was granted before `now`, as the core computes it, and what `/proc/uptime` rounds off.
pub(crate) fn latest_lease_end(now: f64, ttl: Duration) -> f64 {
    now + ttl.as_secs_f64() * 0.99 - 0.002 + 0.01
}

/// Kills a run whose command prints the time again and again, and checks that this stops before the lease ends.
pub(crate) fn is_killed_in_time(mut process: Running, ttl: Duration) {
    process.signal(Signal::SIGKILL);
    let killed_at = uptime();
    let _ = process.wait();
    let last = times(&process.rest()).last().copied().unwrap_or(killed_at);
    assert!(
        last < latest_lease_end(killed_at, ttl),
        "{last} after {killed_at}"
    );
}

/// Whether somebody holds `k`.
pub(crate) fn is_held(server: &Serve) -> bool {
    let done = finish(&mut tenure(&["status", "--url", &server.url(), "k"]));
    match done.code() {
        0 => true,
        1 => false,
        other => panic!("{other}: {}", done.stderr),
    }
}

/// `tenure run [options] k -- sh -c script` against a server.
pub(crate) fn run_sh(url: &str, options: &[&str], script: &str) -> Command {
    let mut command = tenure(&["run", "--url", url]);
    command.args(options).args(["k", "--", "sh", "-c", script]);
    command
}

/// What a command did from beginning to end.
pub(crate) struct Done {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Its status; −n for the end by signal n.
    pub(crate) fn code(&self) -> i32 {
        code_of(self.status)
    }
}

fn code_of(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| -status.signal().unwrap_or(0))
}

/// Runs a command to its end.
pub(crate) fn finish(command: &mut Command) -> Done {
    Running::start(command).finish()
}

/// Waits until something is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "it does not come to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process that runs, with its output.
pub(crate) struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    said: Arc<Mutex<String>>,
    listener: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with(command.stderr(Stdio::piped()))
    }

    /// The same with a standard error of the caller's own.
    pub(crate) fn start_with(command: &mut Command) -> Self {
        let command = command.stdout(Stdio::piped());
        let mut child = command
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("a pipe");
        let stderr = child.stderr.take();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let said = Arc::<Mutex<String>>::default();
        let listener = stderr.map(|stderr| {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                    *said.lock().expect("no panic") += &format!("{line}\n");
                }
            })
        });
        Self {
            child,
            lines,
            said,
            listener,
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// The next line of its output.
    pub(crate) fn line(&self) -> String {
        let line = self.lines.recv_timeout(DEADLINE);
        line.unwrap_or_else(|error| panic!("{error}, and it says: {}", self.said()))
    }

    /// What it has said on standard error until now.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no panic").clone()
    }

    /// Waits until it prints this line.
    pub(crate) fn until(&self, expected: &str) {
        while self.line() != expected {}
    }

    /// The lines that it has printed by now and that were not read.
    pub(crate) fn printed(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// What is left of its output. It ends when no process holds it: neither the program nor anything that it
    /// has started.
    pub(crate) fn rest(&self) -> Vec<String> {
        let end = Instant::now() + DEADLINE;
        let mut lines = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return lines,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("something still runs: {lines:?}"),
            }
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it runs");
    }

    /// Its status, if it has ended; −n for the end by signal n.
    pub(crate) fn try_code(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("it is ours")?;
        Some(code_of(status))
    }

    /// Waits for the program itself, whatever it left behind.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        until(|| {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.expect("it has ended")
    }

    pub(crate) fn finish(mut self) -> Done {
        let status = self.wait();
        let stdout = self.rest().iter().map(|line| format!("{line}\n")).collect();
        if let Some(listener) = self.listener.take() {
            listener.join().expect("no panic");
        }
        Done {
            status,
            stdout,
            stderr: self.said(),
        }
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing behind: the watchdog ends the command.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `tenure serve` on a free port.
pub(crate) struct Serve {
    process: Running,
    port: u16,
}

impl Serve {
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::listen("127.0.0.1:0", options)
    }

    /// At an address that was free a moment ago.
    pub(crate) fn listen(address: &str, options: &[&str]) -> Self {
        let mut command = tenure(&["serve", "--listen", address]);
        let process = Running::start(command.args(options));
        let line = process.line();
        let port = line
            .strip_prefix("listening on 127.0.0.1:")
            .expect("its address");
        Self {
            port: port.parse().expect("a port"),
            process,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn raw(&self) -> tenure_tests::raw::Raw {
        tenure_tests::raw::Raw::tcp(self.port)
    }

    pub(crate) fn process(&mut self) -> &mut Running {
        &mut self.process
    }

    /// As a crash.
    pub(crate) fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        let _ = self.process.wait();
    }
}

/// What `/proc/uptime` shows, which goes on while the machine sleeps; a shell reads it without another process.
pub(crate) fn uptime() -> f64 {
    let text = std::fs::read_to_string("/proc/uptime").expect("Linux");
    let first = text.split(' ').next().expect("two numbers");
    first.parse().expect("seconds")
}

/// The numbers among the lines.
pub(crate) fn times(lines: &[String]) -> Vec<f64> {
    lines.iter().filter_map(|line| line.parse().ok()).collect()
}
