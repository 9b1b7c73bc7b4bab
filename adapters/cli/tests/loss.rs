//! `tenure run` when the lock is lost, and when tenure itself is.
mod common;

use std::time::Duration;

use common::{Running, Serve, has_ended, latest_lease_end, run_sh, times, until, uptime};
use nix::sys::signal::Signal;

/// Does not end when asked to, and says all the time that it runs.
const STUBBORN: &str = "trap 'echo asked' TERM; echo ready
    while :; do read now rest < /proc/uptime; echo $now; sleep 0.01; done";
const TTL: Duration = Duration::from_secs(2);
const OPTIONS: [&str; 4] = ["--ttl", "2s", "--grace", "800ms"];

#[test]
fn a_deleted_key_ends_the_command_at_once() {
    let server = Serve::start(&[]);
    let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &["--ttl", "1h"], script));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    // Long before any renewal would have found the loss.
    process.until("asked");
    let done = process.finish();
    assert_eq!(done.code(), 70);
    assert!(
        done.stderr
            .contains("lost while the command ran: the key was deleted"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_stubborn_command_is_killed_after_the_grace() {
    let server = Serve::start(&[]);
    let process = Running::start(&mut run_sh(
        &server.url(),
        &["--ttl", "1h", "--grace", "300ms"],
        STUBBORN,
    ));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    process.until("asked");
    let asked = uptime();
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let lines: Vec<String> = done.stdout.lines().map(str::to_owned).collect();
    let last = times(&lines).last().copied().expect("it had its grace");
    assert!(last - asked > 0.1, "it had {} s", last - asked);
}

#[test]
fn a_dead_server_ends_the_command_before_the_lease_does() {
    let mut server = Serve::start(&[]);
    let process = Running::start(&mut run_sh(&server.url(), &OPTIONS, STUBBORN));
    process.until("ready");
    server.kill();
    let killed_at = uptime();
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let lines: Vec<String> = done.stdout.lines().map(str::to_owned).collect();
    let asked = lines
        .iter()
        .position(|line| line == "asked")
        .expect("it was asked first");
    assert!(asked > 0, "not before it had to be");
    let last = times(&lines).last().copied().expect("it ran");
    assert!(
        last < latest_lease_end(killed_at, TTL),
        "{last} after {killed_at}"
    );
}

#[test]
fn a_command_does_not_outlive_a_killed_tenure() {
    let server = Serve::start(&[]);
    let script = format!("(trap '' TERM; while :; do sleep 0.01; done) & {STUBBORN}");
    let mut process = Running::start(&mut run_sh(&server.url(), &OPTIONS, &script));
    process.until("ready");
    process.signal(Signal::SIGKILL);
    let killed_at = uptime();
    assert_eq!(process.wait().code(), None);
    // The output ends when the last of them is gone.
    let lines = process.rest();
    assert!(lines.iter().any(|line| line == "asked"));
    let last = times(&lines).last().copied().unwrap_or(killed_at);
    assert!(
        last < latest_lease_end(killed_at, TTL),
        "{last} after {killed_at}"
    );
}

#[test]
fn a_command_does_not_outlive_the_lease_of_a_stopped_tenure() {
    let server = Serve::start(&[]);
    let process = Running::start(&mut run_sh(
        &server.url(),
        &OPTIONS,
        &format!("echo $$; {STUBBORN}"),
    ));
    let command = process.line();
    process.until("ready");
    process.signal(Signal::SIGSTOP);
    let stopped_at = uptime();
    until(|| has_ended(&command));
    process.signal(Signal::SIGCONT);
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let lines: Vec<String> = done.stdout.lines().map(str::to_owned).collect();
    assert!(lines.iter().any(|line| line == "asked"));
    let last = times(&lines)
        .last()
        .copied()
        .expect("it ran on for a while");
    assert!(
        last < latest_lease_end(stopped_at, TTL),
        "{last} after {stopped_at}"
    );
}

#[test]
fn a_process_that_left_the_group_is_ended_too() {
    let server = Serve::start(&[]);
    // A daemon: another session, no parent.
    let script =
        "(setsid sh -c \"trap '' TERM; echo daemon; while :; do sleep 0.01; done\" &); sleep 60";
    let process = Running::start(&mut run_sh(&server.url(), &OPTIONS, script));
    process.until("daemon");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    // `finish` waits for the end of the output, which the daemon holds.
    assert_eq!(process.finish().code(), 70);
}

#[test]
fn children_get_their_grace_when_the_command_is_gone_first() {
    let server = Serve::start(&[]);
    let child = "trap 'sleep 0.2; read now rest < /proc/uptime; echo $now; exit' TERM
        echo ready; while :; do sleep 0.01; done";
    let mut command = run_sh(&server.url(), &["--ttl", "20s"], "sh -c \"$CHILD\"; true");
    let mut process = Running::start(command.env("CHILD", child));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    assert_eq!(process.wait().code(), Some(70));
    let ended_at = uptime();
    let cleaned_at = times(&process.rest()).last().copied().expect("it had time");
    assert!(cleaned_at <= ended_at, "tenure did not wait for it");
}

#[test]
fn a_lost_lock_is_reported_even_if_the_command_succeeds() {
    let server = Serve::start(&[]);
    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &["--ttl", "1h"], script));
    process.until("ready");
    assert_eq!(
        server.raw().command(&["SET", "k", "somebody"]),
        tenure_tests::raw::Value::ok()
    );
    assert_eq!(process.finish().code(), 70);
    // What is not ours is not released.
    assert_eq!(server.raw().command(&["GET", "k"]).text(), "somebody");
}
