//! `tenure run` with `--read`, `--write`, `--in-turn` and `--permits`, and what `tenure status` says of it.
mod common;

use common::{Serve, finish, run_sh, tenure};

/// What a run prints that tries to get the key of the run around it, in each of these ways: its exit status.
fn inside(url: &str, outer: &[&str], inner: &[&[&str]]) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_tenure");
    let tries = inner.iter().map(|options| {
        let options = options.join(" ");
        format!("{program} run --url {url} {options} k -- true 2>/dev/null; echo $?")
    });
    let script = tries.collect::<Vec<_>>().join("\n");
    let done = finish(&mut run_sh(url, outer, &script));
    assert_eq!(done.code(), 0, "{}", done.stderr);
    done.stdout.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn readers_share_a_key_and_a_writer_has_it_alone() {
    let server = Serve::start(&[]);
    let url = server.url();
    let all: [&[&str]; 5] = [
        &["--read"],
        &["--write"],
        &["--in-turn"],
        &[],
        &["--permits", "2"],
    ];
    assert_eq!(
        inside(&url, &["--read"], &all),
        ["0", "75", "75", "75", "0"]
    );
    assert_eq!(inside(&url, &["--in-turn"], &all), ["75"; 5]);
    assert_eq!(inside(&url, &["--write"], &all), ["75"; 5]);
    let permits: [&[&str]; 2] = [&["--permits", "2"], &["--permits", "1"]];
    assert_eq!(inside(&url, &["--permits", "2"], &permits), ["0", "75"]);
}

#[test]
fn the_status_of_a_shared_key_says_so() {
    let server = Serve::start(&[]);
    let url = server.url();
    let program = env!("CARGO_BIN_EXE_tenure");
    let script = format!("{program} status --url {url} k; {program} status --json --url {url} k");
    let done = finish(&mut run_sh(&url, &["--read"], &script));
    assert!(
        done.stdout
            .contains("\n  shared    by readers or permits\n"),
        "{}",
        done.stdout
    );
    assert!(done.stdout.contains(r#""shared":true"#), "{}", done.stdout);
    assert!(done.stdout.contains(r#""token":null"#), "{}", done.stdout);
}

#[test]
fn what_is_not_possible_is_an_error_of_usage() {
    let server = Serve::start(&[]);
    let url = server.url();
    for options in [
        &["--read", "--write", "k"][..],
        &["--in-turn", "--write", "k"],
        &["--in-turn", "k", "other"],
        &["--permits", "0", "k"],
        &["--read", "--fence", "k"],
        &["--write", "k", "other"],
    ] {
        let mut run = tenure(&["run", "--url", &url]);
        let done = finish(run.args(options).args(["--", "true"]));
        assert_eq!(done.code(), 64, "{options:?}: {}", done.stderr);
    }
}
