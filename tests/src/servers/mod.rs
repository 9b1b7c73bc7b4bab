//! Real servers, owned by the test that starts them.
//!
//! Each has a free port of 127.0.0.1 and a directory of its own, keeps nothing on disk, and ends with its [`Server`]: also when the
//! test panics, and, on Linux, when the test process is killed. `tests/setup` installs the programs.

use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use tempfile::TempDir;

mod cluster;
mod launch;
mod pair;
mod sentinels;
mod waiting;

pub use cluster::Cluster;
pub use pair::Pair;
pub use sentinels::Sentinels;

use crate::ports::free_port;
use crate::raw::Raw;
use crate::tls::Identity;
use launch::Failure;

/// Which program a server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Redis 7 (what Debian has), the only one with TLS.
    Redis7,
    /// Redis 6.2, the oldest that Tenure supports.
    Redis62,
    /// Redis 8.6, which has other commands for that (`SET … IFEQ`, `DELEX`). Needs `tests/setup redis8`, which not every
    /// machine can do, so it is not among [`ALL`](Self::ALL).
    Redis8,
    /// Valkey 9, which compares a value itself (`SET … IFEQ`, `DELIFEQ`).
    Valkey9,
}

impl Kind {
    /// All that are always there.
    pub const ALL: [Self; 3] = [Self::Redis7, Self::Redis62, Self::Valkey9];

    /// Whether the server has `SET … IFEQ` and `DELIFEQ`.
    pub const fn has_compare(self) -> bool {
        matches!(self, Self::Valkey9)
    }

    /// Whether the server has TLS.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Redis7)
    }

    /// The name of its file in `target/servers`; in capitals after `TENURE_`, that of the variable that replaces it.
    const fn name(self) -> &'static str {
        match self {
            Self::Redis7 => "redis7",
            Self::Redis62 => "redis62",
            Self::Redis8 => "redis8",
            Self::Valkey9 => "valkey9",
        }
    }

    /// Its program, which is never silently missing.
    fn program(self) -> PathBuf {
        let name = self.name();
        let variable = format!("TENURE_{}", name.to_uppercase());
        let installed = || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../target/servers")
                .join(name)
        };
        let program = std::env::var_os(&variable).map_or_else(installed, PathBuf::from);
        assert!(
            program.exists(),
            "there is no {}: run `tests/setup servers redis8`, or set {variable}",
            program.display(),
        );
        std::path::absolute(program).expect("a path")
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Builder {
    kind: Kind,
    port: Option<u16>,
    password: Option<String>,
    tls: bool,
    sentinel: Option<String>,
    arguments: Vec<String>,
}

impl Builder {
    /// The password of the default user; without one it needs none.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.arg("--requirepass").arg(password)
    }

    /// One more user, with ACL rules such as `~* &* +@all`.
    #[must_use]
    pub fn acl_user(self, name: &str, secret: &str, rules: &str) -> Self {
        let user = self
            .arg("--user")
            .arg(name)
            .arg("on")
            .arg(&format!(">{secret}"));
        rules
            .split_whitespace()
            .fold(user, |builder, rule| builder.arg(rule))
    }

    /// TLS, and nothing but TLS, on the server's port; with a new certificate for `localhost` and 127.0.0.1.
    ///
    /// # Panics
    /// If this kind of server has none ([`Kind::has_tls`]).
    #[must_use]
    pub fn tls(mut self) -> Self {
        assert!(self.kind.has_tls(), "{:?} is built without TLS", self.kind);
        self.tls = true;
        self
    }

    /// Makes a sentinel of it, with this configuration.
    #[must_use]
    fn sentinel(mut self, configuration: String) -> Self {
        self.sentinel = Some(configuration);
        self
    }

    /// One more command line argument.
    #[must_use]
    pub fn arg(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A port chosen by the test, instead of a free one.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Starts the server; it answers when this returns.
    ///
    /// # Panics
    /// If the program is missing or does not start; with what it logged.
    #[track_caller]
    pub fn start(self) -> Server {
        let directory = tempfile::Builder::new()
            .prefix("tenure-")
            .tempdir()
            .expect("a temporary directory");
        let identity = self.tls.then(Identity::generate);
        let mut server = Server {
            program: self.kind.program(),
            port: self.port.unwrap_or_else(free_port),
            pid: 0,
            child: None,
            directory,
            identity,
            builder: self,
        };
        server.write_identity();
        loop {
            match server.try_launch() {
                Ok(()) => return server,
                // Somebody was faster: as long as the choice is ours, take another port.
                Err(Failure::PortTaken(_)) if server.builder.port.is_none() => {
                    server.port = free_port()
                }
                Err(failure) => panic!("{:?} does not start: {failure}", server.builder.kind),
            }
        }
    }
}

/// A running server, or one that [`kill`](Self::kill) has ended.
#[derive(Debug)]
pub struct Server {
    builder: Builder,
    program: PathBuf,
    port: u16,
    pid: u32,
    child: Option<Child>,
    directory: TempDir,
    identity: Option<Identity>,
}

impl Server {
    /// Starts a server without password and TLS.
    #[track_caller]
    pub fn start(kind: Kind) -> Self {
        Self::builder(kind).start()
    }

    /// Begins to describe a server.
    pub const fn builder(kind: Kind) -> Builder {
        Builder {
            kind,
            port: None,
            password: None,
            tls: false,
            sentinel: None,
            arguments: Vec::new(),
        }
    }

    /// Which program it runs.
    pub const fn kind(&self) -> Kind {
        self.builder.kind
    }

    /// Its port on 127.0.0.1; the same after a restart.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The port of its cluster bus.
    fn bus_port(&self) -> &str {
        let arguments = &self.builder.arguments;
        let name = arguments.iter().position(|word| word == "--cluster-port");
        let port = name.and_then(|index| arguments.get(index + 1));
        port.expect("it is part of a cluster")
    }

    /// Its URL for the default user: `redis://127.0.0.1:port`, with the password where there is one (not escaped), and
    /// `rediss://localhost:port` with TLS.
    pub fn url(&self) -> String {
        let login = self.builder.password.as_ref().map(|p| format!(":{p}@"));
        self.url_with(&login.unwrap_or_default())
    }

    /// Its URL for an ACL user; name and secret are not escaped.
    pub fn url_as(&self, name: &str, secret: &str) -> String {
        self.url_with(&format!("{name}:{secret}@"))
    }

    fn url_with(&self, login: &str) -> String {
        let (scheme, host) = if self.builder.tls {
            ("rediss", "localhost")
        } else {
            ("redis", "127.0.0.1")
        };
        format!("{scheme}://{login}{host}:{}", self.port)
    }

    /// Its Unix socket; every server has one.
    pub fn socket_path(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// The certificate to trust, as PEM.
    ///
    /// # Panics
    /// If the server has no TLS.
    #[track_caller]
    pub fn ca_pem(&self) -> &str {
        &self
            .identity
            .as_ref()
            .expect("a server with TLS")
            .certificate
    }

    /// The same certificate as a file.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// Its process.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// A connection as an application makes it, logged in as the default user.
    ///
    /// # Panics
    /// If the server does not take it.
    #[track_caller]
    pub fn raw(&self) -> Raw {
        let raw = match &self.identity {
            Some(identity) => Raw::try_tls(self.port, &identity.certificate),
            None => Raw::try_tcp(self.port),
        };
        self.logged_in(
            raw.unwrap_or_else(|error| panic!("no connection to {}: {error}", self.url())),
        )
    }

    #[track_caller]
    fn logged_in(&self, mut raw: Raw) -> Raw {
        if let Some(password) = &self.builder.password {
            let reply = raw.command(&["AUTH", password]);
            assert_eq!(reply.text(), "OK", "the server refuses its own password");
        }
        raw
    }

    fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Ends the process at once, as a crash does (`SIGKILL`), and waits until it is gone. Its keys go with it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only if the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts the server again on the same port, without its keys; ends it first if it runs.
    ///
    /// # Panics
    /// If it does not start, also because somebody else took its port meanwhile.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill();
        if let Err(failure) = self.try_launch() {
            panic!("{:?} does not start again: {failure}", self.builder.kind);
        }
    }

    /// Stops the process (`SIGSTOP`) and returns when it stands still: it then takes connections and bytes, as far as the
    /// operating system buffers them, and answers nothing.
    #[track_caller]
    pub fn pause(&self) {
        self.signal(Signal::STOP);
        // A signal arrives some time later; what follows must not race it.
        let seen = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.process()), seen).expect("the state of a child");
        assert!(
            status.is_some_and(|s| s.stopped()),
            "the server ended instead"
        );
    }

    /// Lets a paused process go on; it then answers what has arrived meanwhile.
    #[track_caller]
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    #[track_caller]
    fn signal(&self, signal: Signal) {
        kill_process(self.process(), signal).expect("a signal to a child");
    }

    #[track_caller]
    fn process(&self) -> Pid {
        Pid::from_child(self.child.as_ref().expect("a running server"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
