//! `tenure run` and `tenure demo` with grants that a real replica must confirm.
mod common;

use common::{Running, finish, run_sh, tenure, until};
use tenure_tests::servers::{Kind, Pair, Server};

const ONE: [&str; 2] = ["--acks", "1"];
/// However slow this machine is.
const PATIENT: [&str; 2] = ["--wait", "10min"];
/// No lock ends in that time.
const LONG: [&str; 2] = ["--ttl", "1h"];

fn has(server: &Server, key: &str) -> bool {
    server.raw().command(&["EXISTS", key]).int() == 1
}

/// How often the server has replied to this command.
fn calls(server: &Server, command: &str) -> u64 {
    let stats = server.raw().command(&["INFO", "commandstats"]).text();
    let (_, rest) = stats
        .split_once(&format!("cmdstat_{command}:calls="))
        .unwrap_or(("", "0,"));
    let (count, _) = rest.split_once(',').expect("more");
    count.parse().expect("a number")
}

#[test]
fn the_command_starts_when_the_replica_has_the_lock() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        let before = calls(&pair.server, "wait");
        let script = "trap exit TERM; echo $TENURE_TOKEN; while :; do sleep 0.01; done";
        let options = [ONE, PATIENT, LONG].concat();
        let process = Running::start(&mut run_sh(&pair.server.url(), &options, script));
        assert_eq!(process.line(), pair.copy("k"), "{kind:?}");
        // One while connecting, and one behind the grant.
        assert!(calls(&pair.server, "wait") >= before + 2, "{kind:?}");
        process.signal(nix::sys::signal::Signal::SIGTERM);
        process.finish();
        assert!(!has(&pair.server, "k"), "{kind:?}");
    }
}

/// As printed on the page about failover.
#[test]
fn the_example_runs() {
    let page = include_str!("../../../core/docs/failover.md");
    let (_, rest) = page.split_once("```sh\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    assert!(example.starts_with("tenure run --acks 1 "), "{example}");
    let pair = Pair::start(Kind::Redis7, &[]);
    let place = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(common::TENURE, place.path().join("tenure")).expect("a link");
    let script = "#!/bin/sh\necho \"$TENURE_KEY $TENURE_TOKEN\"\n";
    std::fs::write(place.path().join("backup.sh"), script).expect("written");
    let path = format!("{}:/usr/bin:/bin", place.path().display());
    let mut command = common::default_signals("sh");
    command
        .args(["-c", &format!("chmod +x backup.sh; {example}")])
        .current_dir(&place)
        .env("PATH", path)
        .env("TENURE_URL", pair.server.url());
    let before = calls(&pair.server, "wait");
    let done = finish(&mut command);
    assert_eq!(done.code(), 0, "{}", done.stderr);
    assert!(done.stdout.starts_with("nightly "), "{}", done.stdout);
    assert!(calls(&pair.server, "wait") >= before + 2);
}

/// The last request of a wait may be sent right before its end. The server does not read the release before it has waited for
/// replicas.
#[test]
fn no_key_is_left_whenever_the_wait_ends() {
    let pair = Pair::start(Kind::Redis7, &[]);
    pair.replica.pause();
    for millis in (280..420).step_by(20) {
        let wait = format!("{millis}ms");
        let options = [&ONE, &LONG, &["--wait", &wait][..]].concat();
        let done = finish(&mut run_sh(&pair.server.url(), &options, "echo ran"));
        assert_eq!(done.code(), 69, "{}", done.stderr);
        assert!(!has(&pair.server, "k"), "{wait}");
    }
}

#[test]
fn with_a_replica_that_has_stopped_the_command_does_not_start_and_no_key_is_left() {
    for kind in Kind::ALL {
        let pair = Pair::start(kind, &[]);
        pair.replica.pause();
        for wait in [&[][..], &["--wait", "300ms"], &["--wait", "550ms"]] {
            let options = [&ONE, &LONG, wait].concat();
            let done = finish(&mut run_sh(&pair.server.url(), &options, "echo ran"));
            assert_eq!(
                (done.code(), done.stdout.as_str()),
                (69, ""),
                "{kind:?} {wait:?}: {}",
                done.stderr
            );
            assert!(!has(&pair.server, "k"), "{kind:?} {wait:?}");
        }
        // On a busy machine a reply may come later than a request may take, which is another reason.
        until(|| {
            let options = [&ONE[..], &LONG].concat();
            let done = finish(&mut run_sh(&pair.server.url(), &options, "echo ran"));
            let words = "too few of its replicas follow it, or confirm in time";
            done.stderr.contains(words)
        });
        let done = finish(&mut run_sh(&pair.server.url(), &[], "echo ran"));
        assert_eq!(done.code(), 0, "without acks: {}", done.stderr);
    }
}

/// What was granted on the first server is given back there.
#[test]
fn each_of_several_servers_has_its_own_replica() {
    let pairs = [Kind::Redis7, Kind::Valkey9].map(|kind| Pair::start(kind, &[]));
    let urls = pairs.each_ref().map(|pair| pair.server.url());
    let run = |more: &[&str]| {
        let mut command = tenure(&["run", "--ordered", "--url", &urls[0], "--url", &urls[1]]);
        command.args(ONE).args(LONG).args(more);
        finish(command.args(["k", "--", "echo", "ran"]))
    };
    let done = run(&PATIENT);
    assert_eq!(done.code(), 0, "{}", done.stderr);
    pairs[1].replica.pause();
    let done = run(&[]);
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (69, ""),
        "{}",
        done.stderr
    );
    for pair in &pairs {
        assert!(!has(&pair.server, "k"), "{}", done.stderr);
    }
}

#[test]
fn a_renewal_that_no_replica_confirms_does_not_count() {
    let pair = Pair::start(Kind::Redis7, &[]);
    let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.01; done";
    let options = [&ONE[..], &PATIENT, &["--ttl", "6s"]].concat();
    let process = Running::start(&mut run_sh(&pair.server.url(), &options, script));
    process.until("ready");
    pair.replica.pause();
    process.until("asked");
    let done = process.finish();
    assert_eq!(done.code(), 70, "{}", done.stderr);
    let words = "k: lost while the command ran: ";
    assert!(done.stderr.contains(words), "{}", done.stderr);
}

/// `WAITAOF` is unknown to Redis before 7.2, and needs an append-only file.
#[test]
fn a_grant_may_have_to_be_on_disk() {
    let files = ["--appendonly", "yes"];
    let valkey = Pair::start(Kind::Valkey9, &files);
    let without = Pair::start(Kind::Valkey9, &[]);
    let old = Pair::start(Kind::Redis7, &files);
    for replicas in ["0", "1"] {
        let options = [&["--persisted", replicas][..], &PATIENT].concat();
        let done = finish(&mut run_sh(&valkey.server.url(), &options, "echo ran"));
        assert_eq!(
            (done.code(), done.stdout.as_str()),
            (0, "ran\n"),
            "{}",
            done.stderr
        );
        for pair in [&without, &old] {
            let options = ["--persisted", replicas];
            let done = finish(&mut run_sh(&pair.server.url(), &options, "echo ran"));
            assert_eq!(
                (done.code(), done.stdout.as_str()),
                (69, ""),
                "{}",
                done.stderr
            );
            for words in ["append-only file: see WAIT and WAITAOF", "\n--acks needs"] {
                assert!(done.stderr.contains(words), "{}", done.stderr);
            }
        }
    }
    valkey.replica.pause();
    let options = ["--persisted", "1", "--ttl", "1h"];
    let done = finish(&mut run_sh(&valkey.server.url(), &options, "echo ran"));
    assert_eq!(done.code(), 69, "{}", done.stderr);
    assert!(!has(&valkey.server, "k"));
}

#[test]
fn what_cannot_be_is_bad_usage() {
    let server = common::Serve::start(&[]);
    let url = server.url();
    for (options, words) in [
        (
            &["--acks", "1", "--token", "t"][..],
            "a token of your own cannot wait for replicas",
        ),
        (&["--acks", "0"], "'0' for '--acks <N>'"),
        (
            &["--acks", "1", "--persisted", "1"],
            "cannot be used with '--persisted <N>'",
        ),
    ] {
        let done = finish(&mut run_sh(&url, options, "echo ran"));
        assert_eq!(
            (done.code(), done.stdout.as_str()),
            (64, ""),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains(words), "{}", done.stderr);
    }
    let done = finish(&mut tenure(&["demo", "--acks", "1"]));
    assert_eq!((done.code(), done.stdout.as_str()), (64, ""));
    let words = "the embedded server has no replicas";
    assert!(done.stderr.contains(words), "{}", done.stderr);
    let done = finish(&mut tenure(&["status", "--acks", "1", "--url", &url, "k"]));
    assert_eq!(done.code(), 64, "it takes no lock: {}", done.stderr);
}

#[test]
fn the_demo_runs_with_a_replica() {
    let pair = Pair::start(Kind::Redis7, &[]);
    let before = calls(&pair.server, "wait");
    let mut command = tenure(&["demo", "--url", &pair.server.url()]);
    let done = finish(command.args(ONE));
    assert_eq!(done.code(), 0, "{}{}", done.stdout, done.stderr);
    assert!(calls(&pair.server, "wait") > before);
}
