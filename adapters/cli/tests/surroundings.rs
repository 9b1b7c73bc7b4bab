//! `tenure run` in odd surroundings: unusual signals, programs and systems.
mod common;

use std::time::{Duration, Instant};

use common::{
    Running, Serve, TENURE, default_signals, finish, is_held, run_sh, tenure, watchdog_of,
};
use nix::sys::signal::Signal;
use tenure_tests::servers::{Kind, Server};

/// The last real-time signal, which has no name.
const LAST: i32 = 64;

fn send(process: &Running, signal: i32) {
    let pid = process.pid().to_string();
    let done = finish(std::process::Command::new("kill").args([&format!("-{signal}"), &pid]));
    assert_eq!(done.code(), 0, "{}", done.stderr);
}

#[test]
fn an_end_by_a_real_time_signal_is_an_end() {
    let server = Serve::start(&[]);
    let script = format!("kill -{LAST} $$; sleep 60");
    let done = finish(&mut run_sh(&server.url(), &[], &script));
    assert_eq!(done.code(), 128 + LAST, "{}", done.stderr);
    assert!(!is_held(&server));
}

#[test]
fn every_signal_is_passed_on() {
    let server = Serve::start(&[]);
    let script = format!(
        "trap 'echo alarm' ALRM; trap 'echo limit' XCPU; trap 'echo real-time; exit 9' {LAST}
        echo ready; while :; do sleep 0.01; done"
    );
    let process = Running::start(&mut run_sh(&server.url(), &[], &script));
    process.until("ready");
    for (signal, name) in [
        (Signal::SIGALRM as i32, "alarm"),
        (Signal::SIGXCPU as i32, "limit"),
        (LAST, "real-time"),
    ] {
        send(&process, signal);
        process.until(name);
    }
    assert_eq!(process.finish().code(), 9);
    assert!(!is_held(&server));
}

#[test]
fn any_signal_ends_the_wait_in_order() {
    let server = Serve::start(&[]);
    let holder = Running::start(&mut run_sh(&server.url(), &[], "echo ready; sleep 60"));
    holder.until("ready");
    for signal in [Signal::SIGALRM as i32, Signal::SIGUSR1 as i32, LAST] {
        let mut waiting = Running::start(&mut run_sh(&server.url(), &["--wait", "1h"], "true"));
        let _ = watchdog_of(&waiting);
        send(&waiting, signal);
        assert_eq!(waiting.wait().code(), Some(128 + signal));
    }
}

#[test]
fn a_script_without_a_first_line_is_run_by_the_shell() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Serve::start(&[]);
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("job");
    std::fs::write(&script, "echo \"$1 $TENURE_KEY\"; exit 6\n").expect("a file");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let job = script.display().to_string();
    let done = finish(&mut tenure(&[
        "run",
        "--url",
        &server.url(),
        "k",
        "--",
        &job,
        "a",
    ]));
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (6, "a k\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_command_finds_its_signals_as_tenure_found_them() {
    let server = Serve::start(&[]);
    for (option, expected) in [("--default-signal", 0), ("--ignore-signal", 1)] {
        let mut command = std::process::Command::new("env");
        command.args([
            "--default-signal",
            "env",
            &format!("{option}=PIPE,CHLD,USR2"),
        ]);
        command.args([TENURE, "run", "--url", &server.url(), "k", "--"]);
        let done = finish(command.args(["grep", "SigIgn", "/proc/self/status"]));
        let mask = done.stdout.trim().trim_start_matches("SigIgn:").trim();
        let mask = u64::from_str_radix(mask, 16).expect("a mask");
        for signal in [Signal::SIGPIPE, Signal::SIGCHLD, Signal::SIGUSR2] {
            let is_ignored = mask >> (signal as u32 - 1) & 1;
            assert_eq!(is_ignored, expected, "{signal}: {}", done.stderr);
        }
    }
}

#[test]
fn it_runs_without_proc() {
    let unshare = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
    ];
    let hidden = |script: &str| {
        let mut command = default_signals(unshare[0]);
        command.args(&unshare[1..]);
        command.arg(format!("mount -t tmpfs none /proc && {script}"));
        command
    };
    if finish(&mut hidden("true")).code() != 0 {
        eprintln!("not tried: this machine does not let its users hide /proc");
        return;
    }
    let server = Serve::start(&[]);
    let run = format!("exec {TENURE} run --ttl 2s --url {} k --", server.url());
    let done = finish(&mut hidden(&format!("{run} sh -c 'echo ran; exit 5'")));
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (5, "ran\n"),
        "{}",
        done.stderr
    );

    // All that is in the group ends with the lock, though nobody can say what that is.
    let job = "(trap \"\" TERM; while :; do sleep 0.01; done) & trap \"exit 0\" TERM; echo ready
        while :; do sleep 0.01; done";
    let process = Running::start(&mut hidden(&format!("{run} sh -c '{job}'")));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
}

#[test]
fn a_server_that_comes_up_during_the_wait_is_used() {
    let mut server = Serve::start(&[]);
    let (url, address) = (server.url(), server.url().replace("redis://", ""));
    server.kill();
    let waiting = Running::start(&mut run_sh(&url, &["--wait", "1h"], "echo ran"));
    let _ = watchdog_of(&waiting);
    let _server = Serve::listen(&address, &[]);
    let done = waiting.finish();
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, "ran\n"),
        "{}",
        done.stderr
    );
}

#[test]
fn the_wait_is_the_time_of_the_whole_start() {
    let server = Server::start(Kind::Redis7);
    server.pause();
    let url = server.url();
    let silent = ["run", "--url", &url, "--wait", "1500ms", "k", "--", "true"];
    let nobody = [
        "run",
        "--url",
        "redis://127.0.0.1:1",
        "--wait",
        "1500ms",
        "k",
        "--",
        "true",
    ];
    for arguments in [silent, nobody] {
        let begin = Instant::now();
        let done = finish(&mut tenure(&arguments));
        let spent = begin.elapsed();
        assert_eq!(done.code(), 69, "{}", done.stderr);
        assert!(
            spent > Duration::from_millis(1400),
            "{spent:?}: {}",
            done.stderr
        );
        assert!(
            spent < Duration::from_millis(2300),
            "{spent:?}: {}",
            done.stderr
        );
    }
}

/// The system looks names up on a thread that nobody can end.
#[test]
fn a_silent_name_server_does_not_make_the_wait_longer() {
    let directory = tempfile::tempdir().expect("a directory");
    let resolver = directory.path().join("resolv.conf");
    std::fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:20\n").expect("a file");
    // A socket of its own network that takes questions.
    let silent = "import socket, time\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 53))\n\
        print('listens', flush=True); time.sleep(60)";
    let script = format!(
        "ip link set lo up && mount --bind {} /etc/resolv.conf && python3 -c \"$SILENT\" | (read word
        {TENURE} run --wait 500ms --url redis://lock.example k -- true; echo $?; kill 0)",
        resolver.display()
    );
    let mut command = default_signals("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "--net",
        "setsid",
        "--wait",
    ]);
    command.args(["sh", "-c", &script]).env("SILENT", silent);
    let begin = Instant::now();
    let done = finish(&mut command);
    if done.stdout.is_empty() {
        eprintln!(
            "not tried: this machine does not let its users have such a network: {}",
            done.stderr
        );
        return;
    }
    let spent = begin.elapsed();
    assert_eq!(done.stdout, "69\n", "{}", done.stderr);
    assert!(
        spent > Duration::from_millis(500),
        "{spent:?}: {}",
        done.stderr
    );
    assert!(spent < Duration::from_secs(5), "{spent:?}: {}", done.stderr);
}

#[test]
fn advice_fits_the_cause() {
    let start = "Start a server there";
    let server = Server::builder(Kind::Redis7).password("hunter2").start();
    let url = server.url();
    let wrong = url.replace("hunter2", "hunter3");
    let none = format!("redis://127.0.0.1:{}", server.port());
    for wait in ["0s", "100ms"] {
        let run = |url: &str| {
            finish(&mut tenure(&[
                "run", "--wait", wait, "--url", url, "k", "--", "true",
            ]))
        };
        let password = "redis://USER:PASSWORD@host";
        for (url, words) in [
            (none.as_str(), password),
            (wrong.as_str(), password),
            ("redis://127.0.0.1:1", start),
            ("redis+unix:///no/such/socket", start),
        ] {
            let done = run(url);
            assert_eq!(done.code(), 69, "{url}: {}", done.stderr);
            assert!(done.stderr.contains(words), "{wait} {url}: {}", done.stderr);
            let is_reported = done.stderr.contains(start);
            assert_eq!(is_reported, words == start, "{wait} {url}: {}", done.stderr);
        }
    }
    server.pause();
    let done = finish(&mut tenure(&["status", "--url", &url, "k"]));
    assert_eq!(done.code(), 69, "{}", done.stderr);
    assert!(!done.stderr.contains(start), "{}", done.stderr);
}
