//! How a server process begins: with our arguments, bound to the life of this process, and answering.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Server;
use crate::raw::Raw;

/// A server answers a few milliseconds after its start; past this it never will.
const LONGEST_START: Duration = Duration::from_secs(30);
const LOG: &str = "log";

/// Why a server did not start. The text is what it logged.
pub(super) enum Failure {
    PortTaken(String),
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortTaken(log) | Self::Other(log) => f.write_str(log),
        }
    }
}

impl Server {
    /// Puts the certificate where the server reads it.
    pub(super) fn write_identity(&self) {
        if let Some(identity) = &self.identity {
            std::fs::write(self.ca_file(), &identity.certificate)
                .and_then(|()| std::fs::write(self.directory.path().join("key.pem"), &identity.key))
                .expect("files in our own directory");
        }
    }

    /// Starts the process once and waits for its first answer.
    pub(super) fn try_launch(&mut self) -> Result<(), Failure> {
        let command = self.command();
        let child = spawn(command).map_err(|error| Failure::Other(error.to_string()))?;
        self.pid = child.id();
        self.child = Some(child);
        self.wait_until_ready()
    }

    fn command(&self) -> Command {
        let mut command = bound_to_us(&self.program);
        let port = self.port.to_string();
        let (plain, tls) = if self.builder.tls {
            ("0", Some(port.as_str()))
        } else {
            (port.as_str(), None)
        };
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(configuration) = &self.builder.sentinel {
            // It writes down what it learns.
            let file = self.directory.path().join("sentinel.conf");
            std::fs::write(file, configuration).expect("a file in our own directory");
            command.args(["sentinel.conf", "--sentinel"]);
        }
        command
            .args(["--port", plain, "--bind", "127.0.0.1"])
            .args(["--unixsocket", "socket", "--dir", ".", "--logfile", LOG])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        if let Some(port) = tls {
            command
                .args(["--tls-port", port, "--tls-auth-clients", "no"])
                .args([
                    "--tls-cert-file",
                    "certificate.pem",
                    "--tls-key-file",
                    "key.pem",
                ])
                .args(["--tls-ca-cert-file", "certificate.pem"]);
        }
        command.args(&self.builder.arguments);
        command
    }

    /// Asks on the Unix socket, which lies in our directory: on the port another server could answer. A server opens
    /// it after its port.
    fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + LONGEST_START;
        while Instant::now() < deadline {
            let child = self.child.as_mut().expect("just started");
            let ended = child.try_wait().expect("the state of a child");
            if ended.is_some() {
                self.child = None;
                return Err(self.failure());
            }
            if self.answers() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.kill();
        Err(Failure::Other(format!(
            "no answer within {LONGEST_START:?}: {}",
            self.log()
        )))
    }

    fn answers(&self) -> bool {
        let Ok(mut raw) = Raw::try_unix(&self.socket_path()) else {
            return false;
        };
        // Without its password the server answers with an error, but it answers.
        raw.try_command(&["PING"])
            .is_ok_and(|reply| !reply.is_error("LOADING"))
    }

    fn failure(&self) -> Failure {
        let log = self.log();
        if log.contains("Address already in use") {
            Failure::PortTaken(log)
        } else {
            Failure::Other(log)
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join(LOG))
            .unwrap_or_else(|error| format!("no log: {error}"))
    }
}

/// A command whose process dies with ours, even if we are killed. The kernel does that where it is asked to;
/// elsewhere only `Drop` ends a server.
fn bound_to_us(program: &Path) -> Command {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    const BIND: [&str; 3] = ["--pdeathsig", "KILL", "--"];
    let tried = || Command::new("setpriv").args(BIND).arg("true").status();
    if !*AVAILABLE.get_or_init(|| tried().is_ok_and(|status| status.success())) {
        return Command::new(program);
    }
    // It replaces itself by the program, so the process id stays.
    let mut command = Command::new("setpriv");
    command.args(BIND).arg(program);
    command
}

/// Starts a process from a thread that never ends: "the parent's death" means that of the thread, and a server may
/// outlive the test that started it.
fn spawn(command: Command) -> io::Result<Child> {
    type Job = (Command, Sender<io::Result<Child>>);
    static JOBS: OnceLock<Sender<Job>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, receiver) = channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in receiver {
                // Nobody who asked has gone away: they wait below.
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, child) = channel();
    jobs.send((command, answer)).expect("the thread never ends");
    child.recv().expect("the thread answers each job")
}
