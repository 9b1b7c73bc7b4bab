//! `tenure run --fence`, and what `tenure status` says of it.
mod common;

use common::{Serve, finish, run_sh, tenure};
use serde_json::Value;
use tenure_tests::servers::{Kind, Server};

/// What a script prints with these options, as numbers.
fn numbers(url: &str, options: &[&str], script: &str) -> Vec<u64> {
    let done = finish(&mut run_sh(url, options, script));
    assert_eq!(done.code(), 0, "{}", done.stderr);
    let lines = done.stdout.lines();
    lines.map(|line| line.parse().expect("a number")).collect()
}

fn fence_of(url: &str, options: &[&str]) -> Option<u64> {
    let done = finish(tenure(&["status", "--json", "--url", url]).args(options));
    let status: Value = serde_json::from_str(&done.stdout).expect("JSON");
    status["fence"].as_u64()
}

const PRINT: &str = r#"echo "$TENURE_FENCE""#;

#[test]
fn each_run_has_a_larger_number() {
    let server = Serve::start(&[]);
    let url = server.url();
    assert_eq!(fence_of(&url, &["k"]), None);
    let first = numbers(&url, &["--fence"], PRINT)[0];
    let second = numbers(&url, &["--fence"], PRINT)[0];
    assert!(first < second, "{first} {second}");
    assert_eq!(fence_of(&url, &["k"]), Some(second));

    let text = finish(&mut tenure(&["status", "--url", &url, "k"])).stdout;
    assert_eq!(text, format!("k is free\n  fence     {second}\n"));
}

/// Both keys have the same number, larger than each had; with a prefix they are other keys.
#[test]
fn several_keys_have_one_number() {
    let server = Serve::start(&[]);
    let url = server.url();
    let alone = numbers(&url, &["--fence"], PRINT)[0];
    let both = numbers(&url, &["--fence", "{k}other"], PRINT)[0];
    assert!(alone < both, "{alone} {both}");
    for key in ["k", "{k}other"] {
        assert_eq!(fence_of(&url, &[key]), Some(both), "{key}");
    }

    let prefixed = ["--prefix", "p:"];
    assert_eq!(fence_of(&url, &["--prefix", "p:", "k"]), None);
    let other = numbers(&url, &["--fence", "--prefix", "p:"], PRINT)[0];
    assert_eq!(
        fence_of(&url, &[&prefixed[..], &["k"]].concat()),
        Some(other)
    );
    assert_eq!(fence_of(&url, &["k"]), Some(both));
}

/// Not even that of a run around it.
#[test]
fn a_run_without_a_fence_has_no_number() {
    let server = Serve::start(&[]);
    let url = server.url();
    let print = r#"echo "${TENURE_FENCE-unset}""#;
    let nested = format!("$TENURE run --url {url} inner -- sh -c '{print}'");
    let mut command = run_sh(&url, &["--fence"], &nested);
    let done = finish(command.env("TENURE", common::TENURE));
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, "unset\n"),
        "{}",
        done.stderr
    );

    let mut command = run_sh(&url, &[], print);
    let done = finish(command.env("TENURE_FENCE", "7"));
    assert_eq!(done.stdout, "unset\n");
}

/// A server that compares without a script still has plain locks.
#[test]
fn without_scripts_the_command_does_not_start() {
    let refused = Server::builder(Kind::Valkey9)
        .acl_user("worker", "secret", "~* +@all -eval -evalsha")
        .start();
    let mut unknown = Server::builder(Kind::Valkey9);
    for script in ["EVAL", "EVALSHA"] {
        unknown = unknown.arg("--rename-command").arg(script).arg("");
    }
    let unknown = unknown.start();
    for url in [refused.url_as("worker", "secret"), unknown.url()] {
        for options in [&["--fence"][..], &["--fence", "--wait", "1h"]] {
            let done = finish(&mut run_sh(&url, options, "echo ran"));
            assert_eq!(
                (done.code(), done.stdout.as_str()),
                (69, ""),
                "{}",
                done.stderr
            );
            let words = "it runs no scripts";
            assert!(done.stderr.contains(words), "{}", done.stderr);
        }
        let done = finish(&mut run_sh(&url, &[], "echo ran"));
        assert_eq!(
            (done.code(), done.stdout.as_str()),
            (0, "ran\n"),
            "{}",
            done.stderr
        );
    }
}

/// Who may read the key but not its counter sees who holds it.
#[test]
fn status_does_not_need_the_counter() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "secret", "~k +@all")
        .start();
    server.raw().command(&["SET", "{k}~fence", "7"]);
    server.raw().command(&["SET", "k", "somebody"]);
    assert_eq!(fence_of(&server.url(), &["k"]), Some(7));
    let done = finish(&mut tenure(&[
        "status",
        "--url",
        &server.url_as("worker", "secret"),
        "k",
    ]));
    let text = "k is held without an end: it has no ttl\n  token     somebody\n";
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, text),
        "{}",
        done.stderr
    );
}
