//! `tenure serve`, `tenure status` and `tenure demo`.
mod common;

use std::io::Write;

use common::{Running, Serve, finish, run_sh, tenure, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

#[test]
fn serve_ends_on_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Serve::start(&[]);
        let mut raw = server.raw();
        server.process().signal(signal);
        assert_eq!(server.process().wait().code(), Some(0));
        assert!(raw.try_command(&["PING"]).is_err());
    }
}

#[test]
fn a_taken_address_is_reported() {
    let server = Serve::start(&[]);
    let address = server.url().replace("redis://", "");
    let done = finish(&mut tenure(&["serve", "--listen", &address]));
    assert_eq!(done.code(), 69);
    assert!(done.stderr.contains("--listen"), "{}", done.stderr);
}

#[test]
fn a_password_is_required() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("password");
    std::fs::write(&file, "hunter2\n").expect("a file");
    let server = Serve::start(&["--password-file", file.to_str().expect("a path")]);
    let status = |url: &str| finish(&mut tenure(&["status", "--url", url, "k"]));
    assert_eq!(status(&server.url().replace("//", "//:hunter2@")).code(), 1);
    for url in [server.url(), server.url().replace("//", "//:hunter3@")] {
        let done = status(&url);
        assert_eq!(done.code(), 69);
        assert!(!done.stderr.contains("hunter"), "{}", done.stderr);
    }
}

#[test]
fn a_slow_reader_does_not_hold_up_others() {
    let server = Serve::start(&[]);
    let mut slow = server.raw();
    let value = "x".repeat(100_000);
    assert_eq!(
        slow.command(&["SET", "big", &value]),
        tenure_tests::raw::Value::ok()
    );
    // More answers than a socket takes, none of them read.
    let request = tenure_tests::raw::encode(&["GET", "big"]).repeat(150);
    slow.send_bytes(&request);
    assert_eq!(
        server.raw().command(&["GET", "k"]),
        tenure_tests::raw::Value::Null
    );
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    let mut server = Serve::start(&[]);
    let pid = server.process().pid();
    let open = || {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("its files");
        files.count()
    };
    let before = open();
    let address = server.url().replace("redis://", "");
    let mut deaf = std::net::TcpStream::connect(address).expect("a connection");
    let value = "x".repeat(100_000);
    let reply = server.raw().command(&["SET", "big", &value]);
    assert_eq!(reply, tenure_tests::raw::Value::ok());
    until(|| open() > before);

    // In the end more than is kept for anybody; each time less, so that some of it waits for the client by then.
    let request = tenure_tests::raw::encode(&["GET", "big"]).repeat(50);
    for _ in 0..10 {
        if deaf.write_all(&request).is_err() {
            break;
        }
        server.raw().command(&["GET", "k"]);
    }

    until(|| open() == before);
}

#[test]
fn status_reports_the_holder_of_a_key() {
    let server = Serve::start(&[]);
    let status = |options: &[&str]| {
        finish(
            tenure(&["status", "k"])
                .args(options)
                .env("TENURE_URL", server.url()),
        )
    };
    let free = status(&["--json"]);
    assert_eq!(free.code(), 1);
    let free: Value = serde_json::from_str(&free.stdout).expect("JSON");
    assert_eq!(
        free,
        json!({
            "key": "k", "held": false, "remaining_ms": null, "token": null, "metadata": null, "fence": null, "shared": false,
            "mode": null, "holders": [], "more_holders": 0, "waiting": 0
        })
    );

    let script = "echo $TENURE_TOKEN; sleep 60";
    let holder = Running::start(&mut run_sh(
        &server.url(),
        &["--metadata", "host-7"],
        script,
    ));
    let token = holder.line();
    let held = status(&["--json"]);
    assert_eq!(held.code(), 0);
    let held: Value = serde_json::from_str(&held.stdout).expect("JSON");
    assert_eq!(held["token"], token);
    assert_eq!(held["metadata"], "host-7");
    let remaining = held["remaining_ms"].as_u64().expect("a number");
    assert!((1..=10_000).contains(&remaining), "{remaining}");
    assert!(status(&[]).stdout.starts_with("k is held for "));
}

#[test]
fn the_demo_finds_nothing_wrong() {
    let server = Serve::start(&[]);
    for options in [
        &[][..],
        &["--workers", "2", "--seed", "9"],
        &["--url", &server.url()],
    ] {
        let done = finish(tenure(&["demo"]).args(options));
        assert_eq!(done.code(), 0, "{}", done.stderr);
        for expected in [
            "obtains it",
            "refreshes",
            "crashes",
            "takes over",
            "no two held it at once",
        ] {
            assert!(
                done.stdout.contains(expected),
                "{expected}: {}",
                done.stdout
            );
        }
        assert!(!done.stdout.contains('\u{1b}'), "colours are for terminals");
    }
}
