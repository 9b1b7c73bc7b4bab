//! `tenure run` with a standard error that takes nothing: a paused pager, `^S` on a terminal, a full pipe. Nobody waits
//! for it.
mod common;

use std::io::{PipeReader, PipeWriter, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use common::{Running, Serve, children, has_ended, is_held, is_killed_in_time, run_sh, until};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, kill};

const TTL: Duration = Duration::from_secs(2);

/// A pipe that is full. It stays so while its reader is kept.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let set = |flags| fcntl(&writer, FcntlArg::F_SETFL(flags)).expect("a pipe");
    set(OFlag::O_NONBLOCK);
    while (&writer).write(&[b'x'; 4096]).is_ok() {}
    set(OFlag::empty());
    (reader, writer)
}

#[test]
fn a_killed_tenure_takes_its_command_along_though_nobody_reads_its_messages() {
    let server = Serve::start(&[]);
    let (_reader, writer) = full_pipe();
    let script = "trap '' TERM; echo ready
        while :; do read now rest < /proc/uptime; echo $now; sleep 0.01; done";
    let mut command = run_sh(&server.url(), &["--ttl", "2s", "--grace", "800ms"], script);
    let process = Running::start_with(command.stderr(writer));
    process.until("ready");
    is_killed_in_time(process, TTL);
}

#[test]
fn a_killed_second_process_stops_no_renewal_though_nobody_reads_its_messages() {
    let server = Serve::start(&[]);
    let (_reader, writer) = full_pipe();
    let script = "read pid name state parent group rest < /proc/$$/stat; kill -KILL $group
        echo ready; sleep 5; echo done";
    let mut command = run_sh(&server.url(), &["--ttl", "2s"], script);
    let process = Running::start_with(command.stderr(writer));
    process.until("ready");
    process.until("done");
    let done = process.finish();
    assert_eq!(done.code(), 0, "it was renewed");
}

#[test]
fn logs_that_nobody_reads_hold_up_nothing() {
    let server = Serve::start(&[]);
    let (_reader, writer) = full_pipe();
    let mut command = run_sh(
        &server.url(),
        &["--log", "trace", "--ttl", "1s"],
        "sleep 3; exit 7",
    );
    let mut process = Running::start_with(command.stderr(writer));
    assert_eq!(process.wait().code(), Some(7));
    assert!(!is_held(&server));
}

/// The caller of tenure may have set its output so that a write fails instead of waiting.
#[test]
fn a_standard_error_that_never_waits_gets_everything_all_the_same() {
    let server = Serve::start(&[]);
    let (reader, writer) = full_pipe();
    let _ = fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pipe");
    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut command = run_sh(&server.url(), &["--ttl", "1h"], script);
    let mut process = Running::start_with(command.stderr(writer));
    drop(command);
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);
    // What is in its way is read once there is something to say.
    until(|| children(process.pid()).len() <= 1);
    let text = std::io::read_to_string(reader).expect("text");
    assert_eq!(process.wait().code(), Some(70));
    let said = text.trim_start_matches('x');
    assert!(said.starts_with("tenure: the lock is lost"), "{said}");
    assert!(said.contains("lost while the command ran"), "{said}");
}

#[test]
fn each_message_is_one_write() {
    let server = Serve::start(&[]);
    let (reader, writer) = UnixDatagram::pair().expect("sockets");
    reader
        .set_read_timeout(Some(common::DEADLINE))
        .expect("a socket");
    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let options = ["--ttl", "1h", "--log", "debug"];
    let mut command = run_sh(&server.url(), &options, script);
    let process = Running::start_with(command.stderr(OwnedFd::from(writer)));
    process.until("ready");
    assert_eq!(server.raw().command(&["DEL", "k"]).int(), 1);

    let mut buffer = [0; 4096];
    loop {
        let length = reader.recv(&mut buffer).expect("a message in time");
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(message.ends_with('\n'), "{message:?}");
        if message.contains("lost while the command ran") {
            assert!(message.starts_with("tenure: k: lost"), "{message:?}");
            break;
        }
    }
    assert_eq!(process.finish().code(), 70);
}

#[test]
fn a_killed_tenure_is_reported_by_its_second_process() {
    let server = Serve::start(&[]);
    let script = "echo $$; trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let mut process = Running::start(&mut run_sh(&server.url(), &["--ttl", "2s"], script));
    let command = process.line();
    process.until("ready");
    kill(process.pid(), Signal::SIGKILL).expect("it runs");
    let _ = process.wait();
    until(|| has_ended(&command));
    let done = process.finish();
    let words = "tenure: killed while its command ran: ending the command\n";
    assert_eq!(done.stderr.matches(words).count(), 1, "{}", done.stderr);
}
