//! `tenure run` when all goes well, and when it is used wrongly.
mod common;

use common::{Running, Serve, finish, is_held, run_sh, tenure, watchdog_of};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A reserved port that nobody serves.
const NOWHERE: &str = "redis://127.0.0.1:1";

#[test]
fn the_status_of_the_command_is_passed_on() {
    let server = Serve::start(&[]);
    for (script, code) in [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -KILL $$", 137),
    ] {
        let done = finish(&mut run_sh(&server.url(), &[], script));
        assert_eq!(done.code(), code, "{script}: {}", done.stderr);
    }
}

#[test]
fn the_command_knows_key_and_token() {
    let server = Serve::start(&[]);
    let script = r#"echo "$TENURE_KEY"; echo "$TENURE_TOKEN""#;
    let done = finish(&mut run_sh(&server.url(), &["other key"], script));
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(lines[..2], ["other key", "k"]);
    assert_eq!(lines[2].len(), 22);
    let done = finish(&mut run_sh(&server.url(), &["--token", "mine"], script));
    assert_eq!(done.stdout, "k\nmine\n");
}

#[test]
fn a_held_lock_is_not_obtained_twice() {
    let server = Serve::start(&[]);
    let holder = Running::start(&mut run_sh(
        &server.url(),
        &["--prefix", "p:"],
        "echo ready; sleep 60",
    ));
    holder.until("ready");
    let done = finish(&mut run_sh(&server.url(), &["--prefix", "p:"], "echo ran"));
    assert_eq!((done.code(), done.stdout.as_str()), (75, ""));
    assert!(
        done.stderr.contains("held by another client") && done.stderr.contains("--wait"),
        "{}",
        done.stderr
    );
    let waited = finish(&mut run_sh(
        &server.url(),
        &["--prefix", "p:", "--wait", "2s"],
        "echo ran",
    ));
    assert_eq!((waited.code(), waited.stdout.as_str()), (75, ""));
    let other = finish(&mut run_sh(&server.url(), &[], "echo ran"));
    assert_eq!((other.code(), other.stdout.as_str()), (0, "ran\n"));
}

#[test]
fn a_waiter_obtains_it_when_the_holder_ends() {
    let server = Serve::start(&[]);
    let script = "trap 'exit 0' USR1; echo ready; while :; do sleep 0.01; done";
    let holder = Running::start(&mut run_sh(&server.url(), &["--ttl", "1h"], script));
    holder.until("ready");
    let waiting = Running::start(&mut run_sh(&server.url(), &["--wait", "1h"], "echo ran"));
    let _ = watchdog_of(&waiting);
    holder.signal(Signal::SIGUSR1);
    let done = waiting.finish();
    assert_eq!(done.stdout, "ran\n", "{}", done.stderr);
}

#[test]
fn signals_are_passed_on() {
    let server = Serve::start(&[]);
    let script = "for s in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo $s\" $s; done; trap 'echo TERM; exit 9' TERM
        echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &[], script));
    process.until("ready");
    for (signal, name) in [
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGUSR2, "USR2"),
        (Signal::SIGWINCH, "WINCH"),
        (Signal::SIGTERM, "TERM"),
    ] {
        process.signal(signal);
        process.until(name);
    }
    assert_eq!(process.finish().code(), 9);
    assert!(!is_held(&server), "released");
}

#[test]
fn an_ignored_signal_stays_ignored() {
    let server = Serve::start(&[]);
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done";
    let arguments = ["run", "--url", &server.url(), "k", "--", "sh", "-c", script];
    let mut nohup = std::process::Command::new("nohup");
    let process = Running::start(nohup.arg(env!("CARGO_BIN_EXE_tenure")).args(arguments));
    process.until("ready");
    process.signal(Signal::SIGHUP);
    process.signal(Signal::SIGTERM);
    assert_eq!(process.finish().code(), 9);
}

#[test]
fn a_signal_ends_the_wait() {
    let server = Serve::start(&[]);
    let holder = Running::start(&mut run_sh(&server.url(), &[], "echo ready; sleep 60"));
    holder.until("ready");
    let mut waiting = Running::start(&mut run_sh(&server.url(), &["--wait", "1h"], "echo ran"));
    // It listens when it has its second process.
    let _ = watchdog_of(&waiting);
    waiting.signal(Signal::SIGINT);
    assert_eq!(waiting.wait().code(), Some(130));
}

#[test]
fn a_command_that_cannot_run_leaves_no_lock() {
    let server = Serve::start(&[]);
    for (program, code) in [("no-such-program", 127), ("/dev/null", 126)] {
        let done = finish(&mut tenure(&[
            "run",
            "--url",
            &server.url(),
            "k",
            "--",
            program,
        ]));
        assert_eq!(done.code(), code, "{}", done.stderr);
        assert!(done.stderr.contains(program), "{}", done.stderr);
        assert!(!is_held(&server));
    }
}

#[test]
fn bad_usage_has_its_status() {
    for arguments in [
        &["run", "k"][..],
        &[
            "run",
            "--ttl",
            "0s",
            "--url",
            "redis://127.0.0.1",
            "k",
            "--",
            "true",
        ],
        &["run", "--ttl", "2s", "--grace", "1s", "k", "--", "true"],
        &["run", "--url", "ftp://x", "k", "--", "true"],
        &[
            "run",
            "--url",
            "redis://a",
            "--url",
            "redis://b",
            "k",
            "--",
            "true",
        ],
        &[
            "run",
            "--quorum",
            "--url",
            "redis://a",
            "--url",
            "redis://b",
            "k",
            "--",
            "true",
        ],
        &[
            "run",
            "--ordered",
            "--url",
            "redis://a/0",
            "--url",
            "redis://:pw@A:6379/1",
            "k",
            "--",
            "true",
        ],
        &["run", "--log", "=,=", "k", "--", "true"],
        &["run", "--fence=7", "k", "--", "true"],
        &["run", "--fence", "--fence", "k", "--", "true"],
        &["run", "", "--", "true"],
        &["status", ""],
        &["serve", "--listen", "0.0.0.0:0"],
        &["conquer"],
        &[],
    ] {
        let done = finish(&mut tenure(arguments));
        assert_eq!(done.code(), 64, "{arguments:?}: {}", done.stderr);
        assert!(!done.stderr.is_empty());
    }
    for arguments in [&["--help"][..], &["--version"], &["run", "--help"]] {
        assert_eq!(finish(&mut tenure(arguments)).code(), 0);
    }
}

#[test]
fn without_a_server_there_is_advice() {
    for arguments in [&["run", "k", "--", "true"][..], &["status", "k"]] {
        let done = finish(tenure(arguments).env("TENURE_URL", NOWHERE));
        assert_eq!(done.code(), 69, "{}", done.stderr);
        assert!(done.stderr.contains("tenure serve"), "{}", done.stderr);
    }
}

#[test]
fn a_password_is_never_printed() {
    for url in [
        "redis://me:hunter2@127.0.0.1:1",
        "redis://:hunter2@127.0.0.1:1/x",
        "redis://:hunter2?@127.0.0.1:1",
        "redis://:hunter2/@127.0.0.1:1",
        "redis:hunter2@127.0.0.1:1",
        "ftp://:hunter2@127.0.0.1:1",
        "redis+unix://:hunter2@/no/such/socket",
    ] {
        let done = finish(&mut tenure(&[
            "status", "--log", "trace", "--url", url, "k",
        ]));
        assert_ne!(done.code(), 0);
        assert!(
            !format!("{}{}", done.stdout, done.stderr).contains("hunter2"),
            "{url}: {}",
            done.stderr
        );
    }
}

#[test]
fn two_runs_never_overlap() {
    let server = Serve::start(&[]);
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let script = format!(
        "echo start $$ >> {0}; sleep 0.0$(($$ % 9)); echo end $$ >> {0}",
        log.display()
    );
    let runs: Vec<Running> = (0..8)
        .map(|_| Running::start(&mut run_sh(&server.url(), &["--wait", "1h"], &script)))
        .collect();
    for run in runs {
        assert_eq!(run.finish().code(), 0);
    }
    let log = std::fs::read_to_string(log).expect("a log");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 16);
    for pair in lines.chunks(2) {
        let pids = [pair[0].strip_prefix("start "), pair[1].strip_prefix("end ")];
        assert!(pids[0].is_some() && pids[0] == pids[1], "{log}");
    }
}

#[test]
fn a_background_process_goes_on() {
    let server = Serve::start(&[]);
    let script = "sleep 60 > /dev/null 2>&1 & echo $!";
    let done = finish(&mut run_sh(&server.url(), &[], script));
    assert_eq!(done.code(), 0);
    let pid = Pid::from_raw(done.stdout.trim().parse().expect("a pid"));
    kill(pid, Signal::SIGKILL).expect("it still runs");
    assert!(!is_held(&server));
}

/// Only SIGSTOP gets through to the second process.
#[test]
fn a_stopped_second_process_does_not_hold_up_the_end() {
    let server = Serve::start(&[]);
    let script = "read pid name state parent group rest < /proc/$$/stat; kill -STOP $group; exit 7";

    let done = finish(&mut run_sh(&server.url(), &[], script));

    assert_eq!(done.code(), 7, "{}", done.stderr);
    assert_eq!(done.stderr, "", "it is not gone");
    assert!(!is_held(&server));
}

#[test]
fn servers_that_cannot_be_read_are_not_replaced_by_the_default_ones() {
    use std::os::unix::ffi::OsStrExt as _;
    let url = std::ffi::OsStr::from_bytes(b"redis://\xff");
    for arguments in [&["run", "k", "--", "true"][..], &["status", "k"]] {
        let done = finish(tenure(arguments).env("TENURE_URL", url));
        assert_eq!(done.code(), 64, "{}", done.stderr);
        assert!(done.stderr.contains("TENURE_URL"), "{}", done.stderr);
    }
}
