//! The second process of `tenure run`: it knows the lease, and tenure knows what it did.
mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Duration;

use common::{
    Running, Serve, default_signals, finish, has_ended, is_held, latest_lease_end, run_sh, tenure,
    times, until, uptime, watchdog_of,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const TTL: Duration = Duration::from_secs(2);

/// How long the key still stands.
fn remaining(server: &Serve) -> i64 {
    server.raw().command(&["PTTL", "k"]).int()
}

/// How many bytes a process has written. The watchdog writes nothing but its answers to what the first process sends.
fn written(pid: Pid) -> u64 {
    let counters = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("it runs");
    let mut lines = counters.lines();
    let count = lines.find_map(|line| line.strip_prefix("wchar: "));
    count.expect("a counter").parse().expect("a number")
}

/// Waits until the watchdog has answered once more.
fn answered(watchdog: Pid) {
    let before = written(watchdog);
    until(|| written(watchdog) > before);
}

/// Waits until the key has just been refreshed, and until the watchdog knows. Returns a time shortly before the refresh.
fn renewed(server: &Serve, watchdog: Pid) -> f64 {
    let look = || (uptime(), written(watchdog), remaining(server));
    let (mut before, mut now) = (look(), look());
    until(|| {
        before = std::mem::replace(&mut now, look());
        before.2 < now.2
    });
    until(|| written(watchdog) > before.1);
    before.0
}

/// False if the test itself was held up, and the first process stood still for much longer than a second.
fn survives_three_stops() -> bool {
    let server = Serve::start(&[]);
    let script = "trap 'exit 0' USR1; echo ready; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &["--ttl", "2s"], script));
    process.until("ready");
    let watchdog = watchdog_of(&process);
    for _ in 0..3 {
        let refreshed = renewed(&server, watchdog);
        let stopped = uptime();
        process.signal(Signal::SIGSTOP);
        until(|| uptime() >= stopped + 1.0);
        process.signal(Signal::SIGCONT);
        if uptime() > refreshed + 1.3 {
            return false;
        }
    }
    let _ = renewed(&server, watchdog);
    process.signal(Signal::SIGUSR1);
    let done = process.finish();
    assert_eq!(done.code(), 0, "{}", done.stderr);
    assert!(!done.stderr.contains("tenure:"), "{}", done.stderr);
    true
}

#[test]
fn a_stop_of_a_second_after_a_renewal_ends_no_command_with_a_ttl_of_two() {
    until(survives_three_stops);
}

/// The lock is renewed at once after that, and a command that ends well does not hide what happened to it.
#[test]
fn a_command_ended_by_the_second_process_is_reported_though_the_lock_was_kept() {
    let server = Serve::start(&[]);
    let stray = "(setsid sh -c \"trap '' TERM; echo stray; while :; do sleep 0.01; done\" &)";
    let script =
        format!("{stray}; trap 'echo asked; exit 0' TERM; echo $$; while :; do sleep 0.01; done");
    let process = Running::start(&mut run_sh(
        &server.url(),
        &["--ttl", "4s", "--grace", "1900ms"],
        &script,
    ));
    let mut command = String::new();
    let mut seen = 0;
    while seen < 2 {
        let line = process.line();
        seen += 1;
        if line != "stray" {
            command = line;
        }
    }

    process.signal(Signal::SIGSTOP);
    process.until("asked");
    until(|| has_ended(&command));
    process.signal(Signal::SIGCONT);

    // It waits for the end of the output, which the stray holds.
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    assert!(
        done.stderr.contains("lost while the command ran"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_second_process_that_dies_or_stops_during_the_wait_is_replaced() {
    for signal in [Signal::SIGKILL, Signal::SIGSTOP] {
        let server = Serve::start(&[]);
        let holder = Running::start(&mut run_sh(&server.url(), &[], "echo ready; sleep 60"));
        holder.until("ready");
        let options = ["--wait", "1h", "--ttl", "2s", "--grace", "800ms"];
        let script = "trap '' TERM; echo ready
            while :; do read now rest < /proc/uptime; echo $now; sleep 0.01; done";
        let mut waiting = Running::start(&mut run_sh(&server.url(), &options, script));
        let first = watchdog_of(&waiting);
        until(|| is_blocked(first));
        kill(first, signal).expect("it runs");
        assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
        waiting.until("ready");

        waiting.signal(Signal::SIGKILL);

        let killed_at = uptime();
        let _ = waiting.wait();
        let last = times(&waiting.rest()).last().copied().unwrap_or(killed_at);
        let end = latest_lease_end(killed_at, TTL);
        assert!(last < end, "{signal}: {last} after {killed_at}");
        let _ = kill(first, Signal::SIGKILL);
    }
}

/// Whether it ignores or blocks SIGTERM, as it does once it is ready.
fn is_blocked(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.unwrap_or(0) & (1 << (Signal::SIGTERM as u32 - 1)) != 0
}

#[test]
fn a_killed_second_process_is_reported_and_ends_nothing() {
    let server = Serve::start(&[]);
    let script = "trap 'exit 7' USR1; read pid name state parent group rest < /proc/$$/stat
        kill -KILL $group; while kill -0 $parent; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &[], script));
    until(|| process.said().contains("the second process is gone"));
    process.signal(Signal::SIGUSR1);
    let done = process.finish();
    assert_eq!(done.code(), 7, "{}", done.stderr);
    assert!(
        done.stderr.contains("the second process is gone"),
        "{}",
        done.stderr
    );
    assert!(!is_held(&server));
}

#[test]
fn the_second_process_is_not_reported_as_gone_when_it_was_ended_with_the_command() {
    let server = Serve::start(&[]);
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let options = ["--ttl", "1h", "--grace", "100ms"];
    let process = Running::start(&mut run_sh(&server.url(), &options, script));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    let done = process.finish();
    assert_eq!(done.code(), 70);
    assert!(!done.stderr.contains("second process"), "{}", done.stderr);
}

/// It leads the command's group, and may be stopped for as long as anybody likes.
#[test]
fn a_second_process_that_is_kept_stopped_does_not_hold_up_the_release() {
    let server = Serve::start(&[]);
    let keep = "(while kill -STOP $group; do :; done > /dev/null 2>&1 &)";
    let script = format!("read pid name state parent group rest < /proc/$$/stat; {keep}; exit 7");
    let done = finish(&mut run_sh(&server.url(), &[], &script));
    assert_eq!(done.code(), 7, "{}", done.stderr);
    assert!(!is_held(&server));
}

/// Old news does not count: it reads all messages before it checks the clock.
#[test]
fn a_second_process_that_was_stopped_for_longer_than_a_ttl_ends_nothing() {
    let server = Serve::start(&[]);
    let script = "read pid name state parent group rest < /proc/$$/stat
        trap 'exit 0' USR1; echo $group; while :; do sleep 0.01; done";
    let process = Running::start(&mut run_sh(&server.url(), &["--ttl", "3s"], script));
    let watchdog = Pid::from_raw(process.line().parse().expect("a pid"));
    // Tenure lets it go on each time; it is stopped again at once.
    let end = uptime() + 5.0;
    until(|| {
        kill(watchdog, Signal::SIGSTOP).expect("it runs");
        uptime() >= end
    });
    // What it makes of the first answer is done before the next one.
    answered(watchdog);
    answered(watchdog);
    process.signal(Signal::SIGUSR1);
    let done = process.finish();
    assert_eq!(done.code(), 0, "{}", done.stderr);
    assert!(!done.stderr.contains("tenure:"), "{}", done.stderr);
}

#[test]
fn the_hidden_command_ends_with_its_input() {
    let done = finish(&mut tenure(&["__watchdog", "mark"]));
    assert_eq!((done.code(), done.stderr.as_str()), (0, ""));
}

/// Starts the hidden command as tenure does, with a lease that outlives the test. Then `start` is called with the number of
/// its group, and its input ends. Returns what it printed.
fn guarded(start: impl FnOnce(i32)) -> String {
    let mut watchdog = tenure(&["__watchdog", "mark"])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut reports = BufReader::new(watchdog.stdout.take().expect("a pipe")).lines();
    let mut input = watchdog.stdin.take().expect("a pipe");
    let lease = i64::MAX;
    writeln!(
        input,
        "grace 400000000 lease {lease} kill 0 child 0 0 parent 0"
    )
    .expect("it reads");
    let guards = format!("guards {lease}");
    assert!(reports.any(|line| line.is_ok_and(|line| line == guards)));
    start(i32::try_from(watchdog.id()).expect("a number"));
    drop(input);
    let mut text = String::new();
    let mut stderr = watchdog.stderr.take().expect("a pipe");
    let _ = stderr.read_to_string(&mut text).expect("text");
    let _ = watchdog.wait().expect("it ends");
    text
}

/// Tenure starts the command before it can say its number.
#[test]
fn a_command_is_ended_with_a_message_if_tenure_is_killed_before_it_names_it() {
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let mut process = None;
    let text = guarded(|group| {
        let mut command = default_signals("sh");
        command.args(["-c", script]).process_group(group);
        let started = Running::start(&mut command);
        started.until("ready");
        process = Some(started);
    });
    assert_eq!(process.expect("a command").finish().code(), 7);
    assert_eq!(
        text,
        "tenure: killed while its command ran: ending the command\n"
    );
    assert_eq!(guarded(|_| ()), "", "there was no command");
}
