//! The program against every kind of real server.
mod common;

use common::{Running, finish, run_sh, tenure, times, uptime};
use nix::sys::signal::Signal;
use tenure_tests::servers::{Kind, Server};

#[test]
fn a_lock_is_obtained_renewed_and_released() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let url = server.url();
        // Longer than the ttl: it is renewed.
        let script = "sleep 2";
        let done = finish(&mut run_sh(
            &url,
            &["--ttl", "1s", "--metadata", "me"],
            script,
        ));
        assert_eq!(done.code(), 0, "{kind:?}: {}", done.stderr);
        assert_eq!(
            finish(&mut tenure(&["status", "--url", &url, "k"])).code(),
            1,
            "{kind:?}"
        );
    }
}

#[test]
fn a_deleted_key_ends_the_command() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
        let process = Running::start(&mut run_sh(&server.url(), &["--ttl", "1h"], script));
        process.until("ready");
        assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
        process.until("asked");
        assert_eq!(process.finish().code(), 70, "{kind:?}");
    }
}

/// The loss is not reported while the command runs: only the release finds it.
#[test]
fn a_command_that_ends_well_does_not_hide_a_lost_lock() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "secret", "~* +@all -client|tracking")
        .start();
    let url = server.url_as("worker", "secret");
    let script = "trap 'exit 0' USR1; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&url, &["--ttl", "1h"], script));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);

    process.signal(Signal::SIGUSR1);

    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let words = "k: lost while the command ran: the key was deleted";
    assert!(done.stderr.contains(words), "{}", done.stderr);
}

/// One of several keys is enough.
#[test]
fn a_command_that_ends_well_does_not_hide_that_one_key_was_lost() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "secret", "~* +@all -client|tracking")
        .start();
    let url = server.url_as("worker", "secret");
    let script = "trap 'exit 0' USR1; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&url, &["--ttl", "1h", "other"], script));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "other"]).int(), 1);

    process.signal(Signal::SIGUSR1);

    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    assert_eq!(server.raw().command(&["EXISTS", "k"]).int(), 0);
}

/// What renewal needs is refused from one moment on: the command ends at once, not with the lease.
#[test]
fn a_refresh_that_is_refused_ends_the_command() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "secret", "~* +@all")
        .start();
    let url = server.url_as("worker", "secret");
    let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&url, &["--ttl", "6s"], script));
    process.until("ready");
    let less = ["ACL", "SETUSER", "worker", "-eval", "-evalsha"];
    assert_eq!(server.raw().command(&less).text(), "OK");

    process.until("asked");

    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let words = "lost while the command ran: it cannot be refreshed: NOPERM";
    assert!(done.stderr.contains(words), "{}", done.stderr);
}

#[test]
fn a_server_that_is_gone_or_silent_ends_the_command_before_the_lease_does() {
    let script = "trap 'echo asked' TERM; echo ready
        while :; do read now rest < /proc/uptime; echo $now; sleep 0.01; done";
    for silent in [false, true] {
        let mut server = Server::start(Kind::Redis7);
        let options = ["--ttl", "2s", "--grace", "800ms"];
        let process = Running::start(&mut run_sh(&server.url(), &options, script));
        process.until("ready");
        if silent {
            server.pause();
        } else {
            server.kill();
        }
        let gone_at = uptime();
        let done = process.finish();
        assert_eq!(done.code(), 70, "{}", done.stderr);
        let lines: Vec<String> = done.stdout.lines().map(str::to_owned).collect();
        assert!(lines.iter().any(|line| line == "asked"));
        let last = times(&lines).last().copied().expect("it ran");
        assert!(
            last < gone_at + 2.0 * 0.99 - 0.002 + 0.01,
            "{last} after {gone_at}"
        );
    }
}

#[test]
fn a_quorum_outlives_one_server() {
    let mut servers: Vec<Server> = (0..3).map(|_| Server::start(Kind::Redis7)).collect();
    let urls: Vec<String> = servers.iter().map(Server::url).collect();
    let mut command = tenure(&["run", "--quorum", "--ttl", "2s", "k", "--", "sh", "-c"]);
    command
        .arg("echo ready; sleep 3; echo done")
        .env("TENURE_URL", urls.join(","));
    let process = Running::start(&mut command);
    process.until("ready");
    servers[0].kill();
    let done = process.finish();
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, "done\n"),
        "{}",
        done.stderr
    );
    servers[1].kill();
    let done =
        finish(tenure(&["run", "--quorum", "k", "--", "true"]).env("TENURE_URL", urls.join(",")));
    assert_eq!(done.code(), 69, "{}", done.stderr);
}

#[test]
fn passwords_and_certificates_are_used_and_not_shown() {
    let server = Server::builder(Kind::Redis7)
        .password("hunter2")
        .tls()
        .start();
    let ca = server.ca_file();
    let ca = ca.to_str().expect("a path");
    let url = server.url();
    let done = finish(&mut run_sh(
        &url,
        &["--ca", ca, "--log", "trace"],
        "echo ran",
    ));
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, "ran\n"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    let untrusted = finish(&mut run_sh(&url, &[], "echo ran"));
    assert_eq!(untrusted.code(), 69, "{}", untrusted.stderr);
    let wrong = finish(&mut run_sh(
        &url.replace("hunter2", "hunter3"),
        &["--ca", ca],
        "echo ran",
    ));
    assert_eq!(wrong.code(), 69, "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("hunter3"), "{}", wrong.stderr);
}

#[test]
fn the_demo_runs_on_real_servers() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let done = finish(&mut tenure(&["demo", "--url", &server.url()]));
        assert_eq!(done.code(), 0, "{kind:?}: {}{}", done.stdout, done.stderr);
    }
}
