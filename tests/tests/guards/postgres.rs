//! A PostgreSQL server of our own, on a socket in a directory of its own.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::shell::{Dialect, Shell};

/// Past this it will never answer.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Postgres {
    directory: TempDir,
    server: Option<Child>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        std::fs::create_dir(&data).expect("a directory");
        let user = other_user(&data);
        if user.is_some() {
            for path in [directory.path(), &data] {
                chown(path, user, user).expect("we are root");
            }
        }
        let quiet = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"];
        let created = program("initdb", user)
            .args(quiet)
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        assert!(created.expect("initdb").success());
        let mut server = program("postgres", user);
        server
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(directory.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let server = Some(server.spawn().expect("postgres"));
        let this = Self { directory, server };
        this.wait_until_ready();
        this
    }

    fn wait_until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self
            .ask("SELECT 1")
            .output()
            .is_ok_and(|done| done.status.success())
        {
            assert!(Instant::now() < deadline, "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn psql(&self) -> Command {
        let mut command = Command::new("psql");
        let quiet = ["-X", "-q", "-A", "-t", "-U", "postgres", "-d", "postgres"];
        command.args(quiet).arg("-h").arg(self.directory.path());
        command.env("PGOPTIONS", "-c client_min_messages=warning");
        command
    }

    fn ask(&self, statement: &str) -> Command {
        let mut command = self.psql();
        command.args(["-c", statement]);
        command
    }

    pub(crate) fn shell(&self) -> Shell {
        Shell::start(Dialect::Postgres, self.psql())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else {
            return;
        };
        // SIGQUIT ends all of its processes at once.
        let id = server.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &id]).status();
        let _ = server.wait();
    }
}

/// PostgreSQL does not run as root: then as the user without rights that every Unix has.
fn other_user(own: &Path) -> Option<u32> {
    let is_root = own.metadata().expect("our own").uid() == 0;
    let asked = Command::new("id").args(["-u", "nobody"]).output();
    let text = String::from_utf8(asked.expect("id").stdout).expect("a number");
    is_root.then(|| text.trim().parse().expect("a number"))
}

/// A program of the newest version. Debian does not put them in the path. It ends with us, even if we are killed.
fn program(name: &str, user: Option<u32>) -> Command {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .flatten()
        .map(|entry| entry.path())
        .max_by_key(number);
    let path = newest.map_or_else(|| name.into(), |newest| newest.join("bin").join(name));
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(id) = user.map(|id| id.to_string()) {
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command.arg("--").arg(path);
    command
}
