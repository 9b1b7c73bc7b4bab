//! Which processes end with the lock: all that the command started, and nothing else.
mod common;

use std::process::Command;
use std::time::Duration;

use common::{
    Running, Serve, TENURE, children, default_signals, finish, has_ended, is_held,
    is_killed_in_time, run_sh, until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const TTL: Duration = Duration::from_secs(2);
const OPTIONS: [&str; 4] = ["--ttl", "2s", "--grace", "800ms"];

#[test]
fn a_process_from_before_an_exec_of_tenure_is_left_alone() {
    let server = Serve::start(&[]);
    let script = "sleep 60 & echo $!; (sleep 61 & echo $!); exec \"$TENURE\" run k -- \
        sh -c '(setsid sh -c \"trap : TERM; echo job; while :; do sleep 0.01; done\" &) ; sleep 60'";
    let mut command = default_signals("sh");
    command.args(["-c", script]);
    command
        .env("TENURE", TENURE)
        .env("TENURE_URL", server.url());
    let process = Running::start(&mut command);
    let strangers = [process.line(), process.line()];
    process.until("job");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);

    let mut process = process;
    assert_eq!(process.wait().code(), Some(70));

    let left: Vec<&String> = strangers.iter().filter(|pid| !has_ended(pid)).collect();
    let left = left.len();
    for stranger in strangers {
        let _ = kill(
            Pid::from_raw(stranger.parse().expect("a pid")),
            Signal::SIGKILL,
        );
    }
    assert_eq!(left, 2);
    // The job, too, has closed the output.
    process.rest();
}

#[test]
fn a_daemon_does_not_outlive_a_killed_tenure() {
    let server = Serve::start(&[]);
    let daemon = "trap '' TERM; echo daemon
        while :; do read now rest < /proc/uptime; echo $now; sleep 0.01; done";
    let mut command = run_sh(
        &server.url(),
        &OPTIONS,
        "(setsid sh -c \"$DAEMON\" &); sleep 60",
    );
    let process = Running::start(command.env("DAEMON", daemon));
    process.until("daemon");
    is_killed_in_time(process, TTL);
}

#[test]
fn a_run_within_a_run_ends_with_the_outer_one() {
    let server = Serve::start(&[]);
    let inner = "trap '' TERM; echo inner; while :; do sleep 0.01; done";
    let script = "exec \"$TENURE\" run --ttl 1h inner -- sh -c \"$INNER\"";
    let mut command = run_sh(&server.url(), &OPTIONS, script);
    command.env("INNER", inner).env("TENURE", TENURE);
    let mut process = Running::start(command.env("TENURE_URL", server.url()));
    process.until("inner");

    process.signal(Signal::SIGKILL);

    let _ = process.wait();
    // The output ends when the last of them is gone.
    process.rest();
}

/// A process whose first thread has ended looks as if it had ended, and runs on.
#[test]
fn a_process_whose_first_thread_has_ended_is_ended_too() {
    let server = Serve::start(&[]);
    let program = "import ctypes, threading, time\n\
        threading.Thread(target=time.sleep, args=(60,)).start()\n\
        print('ready', flush=True)\n\
        ctypes.CDLL(None).pthread_exit(None)";
    let script = "(setsid python3 -c \"$PROGRAM\" & echo $!); sleep 60";
    let mut command = run_sh(&server.url(), &OPTIONS, script);
    let process = Running::start(command.env("PROGRAM", program));
    let (mut pid, mut is_ready) = (None, false);
    while pid.is_none() || !is_ready {
        match process.line() {
            line if line == "ready" => is_ready = true,
            line => pid = Some(line),
        }
    }
    let pid = pid.expect("a pid");
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    until(|| stat().contains(") Z "));
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);

    // It holds the output until it ends.
    let done = process.finish();

    assert_eq!(done.code(), 70, "{}", done.stderr);
    until(|| stat().is_empty());
}

/// While both processes stand still the lease passes. What stands still, too, must not go on first when it is ended.
#[test]
fn a_stopped_stray_does_not_go_on_once_the_lease_is_over() {
    let server = Serve::start(&[]);
    let stray = "trap 'echo went on' TERM CONT; echo stray; kill -STOP $$; echo went on";
    let script = "read pid name state parent group rest < /proc/$$/stat; echo $group
        (setsid sh -c \"$STRAY\" &); sleep 60";
    let mut command = run_sh(&server.url(), &OPTIONS, script);
    let process = Running::start(command.env("STRAY", stray));
    let watchdog = Pid::from_raw(process.line().parse().expect("a pid"));
    process.until("stray");
    process.signal(Signal::SIGSTOP);
    kill(watchdog, Signal::SIGSTOP).expect("it runs");
    until(|| !is_held(&server));

    process.signal(Signal::SIGCONT);

    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    assert!(!done.stdout.contains("went on"), "{}", done.stdout);
}

/// A directory that everybody may enter, with the program and one that makes its caller root.
fn for_everybody() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().expect("a directory");
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    mode(directory.path(), 0o755);
    for (from, name, bits) in [
        (TENURE.into(), "tenure", 0o755),
        (which("setpriv"), "become-root", 0o4755),
    ] {
        let to = directory.path().join(name);
        let _ = std::fs::copy::<String, _>(from, &to).expect("a copy");
        mode(&to, bits);
    }
    directory
}

fn which(program: &str) -> String {
    let done = finish(Command::new("sh").args(["-c", &format!("command -v {program}")]));
    done.stdout.trim().to_owned()
}

/// As with `tenure run k -- sudo job`.
#[test]
fn a_command_of_another_user_is_reported_at_the_start_and_nothing_spins() {
    use std::os::unix::fs::MetadataExt as _;
    if std::fs::metadata("/proc/self").expect("Linux").uid() != 0 {
        eprintln!("not tried: only root can make a program that makes others root");
        return;
    }
    let server = Serve::start(&[]);
    let directory = for_everybody();
    let path = |name| directory.path().join(name).display().to_string();
    let mut command = default_signals("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.args([&path("tenure"), "run", "--url", &server.url()]);
    command.args(["--ttl", "2s", "k", "--", &path("become-root"), "--reuid=0"]);
    let script = "echo $$; while :; do echo tick; sleep 0.1; done";
    command.args(["--clear-groups", "--", "sh", "-c", script]);
    let process = Running::start(&mut command);
    let pid = process.line();
    let words = format!("tenure: process {pid} (");
    until(|| process.said().contains(&words));
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);

    until(|| process.said().contains("the lock is lost"));
    // It cannot end the command, so it waits for it, here for at least two seconds. What it printed before is not counted.
    let _ = process.printed();
    let before = processor_time(process.pid());
    for _ in 0..20 {
        process.until("tick");
    }
    let spent = processor_time(process.pid()) - before;
    kill(Pid::from_raw(pid.parse().expect("a pid")), Signal::SIGKILL).expect("it runs on");

    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    assert!(done.stderr.contains(&words), "{}", done.stderr);
    assert!(done.stderr.contains("sudo tenure run"), "{}", done.stderr);
    let first = done.stderr.find("another user") < done.stderr.find("the lock is lost");
    assert!(first, "{}", done.stderr);
    assert!(spent < Duration::from_millis(150), "{spent:?}");
}

/// How much processor time a process has spent.
fn processor_time(pid: Pid) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a stat");
    let ticks = fields.split(' ').skip(11).take(2);
    let ticks: u64 = ticks
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn children_are_seen() {
    let server = Serve::start(&[]);
    let process = Running::start(&mut run_sh(&server.url(), &[], "echo ready; sleep 60"));
    process.until("ready");
    assert_eq!(
        children(process.pid()).len(),
        2,
        "the second process and the command"
    );
}
