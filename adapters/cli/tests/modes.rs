//! `tenure run` with `--read`, `--write`, `--in-turn` and `--permits`, and what `tenure status` says of it.
mod common;

use common::{Serve, finish, run_sh, tenure};
use tenure_tests::servers::{Kind, Server};

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

/// The status of `k` while these runs go on inside each other.
fn shared_by(url: &str, runs: &[&str], status: &str) -> String {
    let program = env!("CARGO_BIN_EXE_tenure");
    let inner = format!("{program} status {status} --url {url} k");
    let script = runs.iter().fold(inner, |inner, options| {
        format!("{program} run --url {url} {options} k -- sh -c '{inner}'")
    });
    let done = finish(&mut run_sh(
        url,
        &["--read", "--metadata", "first"],
        &script,
    ));
    assert_eq!(done.code(), 0, "{}", done.stderr);
    done.stdout
}

#[test]
fn the_status_of_a_shared_key_has_each_holder() {
    let memory = Serve::start(&[]);
    let servers = Kind::ALL.map(|kind| Server::start(kind));
    let urls = servers.iter().map(|server| server.url());
    for url in urls.chain([memory.url()]) {
        let text = shared_by(&url, &["--permits 3 --metadata second"], "");
        assert!(
            text.contains("\n  shared    by 2 readers or permits\n"),
            "{text}"
        );
        for name in ["first", "second"] {
            assert!(text.contains(&format!(" {name}, for ")), "{text}");
        }
        let json = shared_by(&url, &["--read"], "--json");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            (&json["mode"], &json["waiting"]),
            (&"shared".into(), &0.into())
        );
        let holders = json["holders"].as_array().expect("holders");
        assert_eq!((holders.len(), &json["more_holders"]), (2, &0.into()));
        let named = holders
            .iter()
            .filter(|holder| holder["metadata"] == "first");
        assert_eq!(named.count(), 1, "{json}");
    }
}

#[test]
fn the_status_has_the_length_of_the_queue() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        // As clients leave them; the second one has died.
        for words in [
            &["ZADD", "{k}~exclusive", "1", "one", "2", "two"][..],
            &["ZADD", "{k}~shared", "3", "three"],
            &[
                "HSET",
                "{k}~alive",
                "one",
                "4000000000000",
                "two",
                "1",
                "three",
                "4000000000000",
            ],
        ] {
            server.raw().command(words);
        }
        let done = finish(&mut tenure(&["status", "--url", &server.url(), "k"]));
        assert_eq!(
            done.stdout, "k is free\n  waiting   2 clients\n",
            "{}",
            done.stderr
        );
    }
}

/// It needs rights that only locks with modes need.
#[test]
fn who_may_read_the_key_only_sees_that_it_is_shared() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "secret", "~k +@all -@sortedset")
        .start();
    server.raw().command(&["SET", "k", "~shared"]);
    let url = server.url_as("worker", "secret");
    let done = finish(&mut tenure(&["status", "--url", &url, "k"]));
    let text = "k is held without an end: it has no ttl\n  shared    by readers or permits\n";
    assert_eq!(
        (done.code(), done.stdout.as_str()),
        (0, text),
        "{}",
        done.stderr
    );
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
