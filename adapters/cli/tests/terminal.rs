//! `tenure run` on a terminal: the command has it, and the user's shell gets it back.
mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use common::{DEADLINE, Serve, TENURE, default_signals, finish, tenure, until};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A session with a terminal of its own, and what is shown on it.
struct Session {
    child: Child,
    keyboard: File,
    shown: mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Session {
    /// Starts a program as the leader of a new session on a new terminal.
    fn start(server: &Serve, arguments: &[&str]) -> Self {
        let pty = openpty(None, None).expect("a terminal");
        let side = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let child = default_signals("setsid")
            .args(["--ctty", "--wait"])
            .args(arguments)
            .env("TENURE_URL", server.url())
            .env("TENURE", TENURE)
            .env("PS1", "prompt:")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("setsid of util-linux");
        let keyboard = File::from(pty.master);
        let mut screen = keyboard.try_clone().expect("a descriptor");
        let (sender, shown) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            // It fails when the last process has closed the terminal.
            while let Ok(length @ 1..) = screen.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            shown,
            seen: String::new(),
        }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("a terminal");
    }

    /// Waits until this is shown, after all that was waited for before.
    fn sees(&mut self, expected: &str) {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.seen.find(expected) {
                let _ = self.seen.drain(..at + expected.len());
                return;
            }
            let left = end.saturating_duration_since(Instant::now());
            match self.shown.recv_timeout(left) {
                Ok(bytes) => self.seen += &String::from_utf8_lossy(&bytes),
                Err(_) => panic!("not shown: {expected:?} but {:?}", self.seen),
            }
        }
    }

    fn ends(&mut self) -> Option<i32> {
        let mut status = None;
        until(|| {
            status = self.child.try_wait().expect("it is ours");
            status.is_some()
        });
        status.and_then(|status| status.code())
    }
}

impl Drop for Session {
    /// A test that fails leaves nothing behind: everything in the session is killed.
    fn drop(&mut self) {
        let leader = self.child.id().to_string();
        for entry in std::fs::read_dir("/proc").expect("Linux").flatten() {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // PID (NAME) STATE PARENT GROUP SESSION
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            if fields.split(' ').nth(3) == Some(leader.as_str())
                && let Some(Ok(pid)) = entry.file_name().to_str().map(str::parse)
            {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_keyboard_is_the_commands() {
    let server = Serve::start(&[]);
    let script = "printf 'name? '; read name; echo \"hello $name\"; exit 4";
    let mut session = Session::start(&server, &[TENURE, "run", "k", "--", "sh", "-c", script]);
    session.sees("name? ");
    session.types("ann\n");
    session.sees("hello ann");
    assert_eq!(session.ends(), Some(4));
}

#[test]
fn the_interrupt_key_reaches_the_command() {
    let server = Serve::start(&[]);
    let script = "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.01; done";
    let mut session = Session::start(&server, &[TENURE, "run", "k", "--", "sh", "-c", script]);
    session.sees("ready");
    session.types("\u{3}");
    session.sees("interrupted");
    assert_eq!(session.ends(), Some(5));
}

#[test]
fn a_script_gets_its_terminal_back() {
    let server = Serve::start(&[]);
    let script = "$TENURE run k -- sh -c 'read a; echo one $a'; read b; echo two $b";
    let mut session = Session::start(&server, &["sh", "-c", script]);
    session.types("ann\nbob\n");
    session.sees("one ann");
    session.sees("two bob");
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn a_command_in_a_pipeline_gets_the_terminal_on_request() {
    let server = Serve::start(&[]);
    let mut session = Session::start(&server, &["sh", "-i"]);
    session.sees("prompt:");
    session.types("$TENURE run k -- sh -c 'read name; echo hello $name' | tr a-z A-Z\n");
    session.sees("tr a-z A-Z");
    session.types("ann\n");
    session.sees("HELLO ANN");
    session.sees("prompt:");
    session.types("exit 6\n");
    assert_eq!(session.ends(), Some(6));
}

#[test]
fn a_stopped_command_gives_the_shell_its_terminal_and_goes_on() {
    let server = Serve::start(&[]);
    let mut session = Session::start(&server, &["sh", "-i"]);
    session.sees("prompt:");
    session.types("$TENURE run --ttl 1h k -- sh -c 'echo re''ady; read name; echo hello $name'\n");
    session.sees("ready");
    session.types("\u{1a}");
    session.sees("prompt:");
    let status = || finish(tenure(&["status", "k"]).env("TENURE_URL", server.url())).code();
    assert_eq!(status(), 0, "still held");
    session.types("echo in''between\n");
    session.sees("inbetween");
    session.types("fg\n");
    session.types("ann\n");
    session.sees("hello ann");
    session.sees("prompt:");
    assert_eq!(status(), 1, "released");
    session.types("exit 7\n");
    assert_eq!(session.ends(), Some(7));
}

#[test]
fn an_interactive_shell_is_killed_when_the_lock_is_lost() {
    let server = Serve::start(&[]);
    let mut session = Session::start(&server, &["sh", "-i"]);
    session.sees("prompt:");
    session.types("PS1=inner: $TENURE run --grace 100ms --ttl 1h k -- sh -i\n");
    session.sees("inner:");
    // A job of its own: another group, which the terminal belongs to.
    session.types("sh -c 'echo jo''b; while :; do sleep 0.01; done'\n");
    session.sees("job");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    session.sees("lost while the command ran");
    session.sees("prompt:");
    session.types("echo status $?\n");
    session.sees("status 70");
    session.types("exit 8\n");
    assert_eq!(session.ends(), Some(8));
}

/// With `tostop` a process in the background that writes to the terminal is stopped.
#[test]
fn a_message_from_the_background_does_not_stop_tenure() {
    let server = Serve::start(&[]);
    let mut session = Session::start(&server, &["sh", "-i"]);
    session.sees("prompt:");
    session.types("stty tostop\n");
    session.sees("prompt:");
    let directory = tempfile::tempdir().expect("a directory");
    let begun = directory.path().join("begun");
    let script = format!(
        "trap 'exit 0' TERM; : >{}; while :; do sleep 0.01; done",
        begun.display()
    );
    session.types(&format!(
        "$TENURE run --ttl 1h --grace 200ms k -- sh -c \"{script}\" 2>/dev/tty </dev/null >/dev/null & wait $!; echo status $?\n"
    ));
    until(|| begun.exists());
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    session.sees("lost while the command ran");
    session.sees("status 70");
    session.types("exit 8\n");
    assert_eq!(session.ends(), Some(8));
}
