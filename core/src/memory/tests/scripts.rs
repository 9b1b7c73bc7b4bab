//! What the scripts do here must be what they do on a real server: `tests/tests/memory_vs_real` compares. These are the
//! cases that matter most.

use alloc::format;

use super::{Fixture, Instant, Script, Trouble};

#[test]
fn a_release_goes_on_past_a_key_of_another_type() {
    let mut fixture = Fixture::new(|_| {});
    let conn = fixture.server.connect();
    fixture.send(conn, &["LPUSH", "list", "x"]);
    assert_eq!(
        fixture.send(
            conn,
            &["EVAL", Script::Obtain.text(), "2", "a", "b", "v", "1000"]
        ),
        ":1\r\n"
    );
    assert_eq!(
        fixture.send(
            conn,
            &["EVALSHA", Script::Obtain.sha(), "2", "a", "b", "v", "2000"]
        ),
        ":1\r\n"
    );
    assert_eq!(fixture.send(conn, &["PTTL", "b"]), ":2000\r\n");
    assert_eq!(
        fixture.send(
            conn,
            &[
                "EVALSHA",
                Script::Obtain.sha(),
                "2",
                "c",
                "list",
                "v",
                "1000"
            ]
        ),
        ":0\r\n"
    );
    assert_eq!(fixture.send(conn, &["EXISTS", "c"]), ":0\r\n");
    assert_eq!(
        fixture.send(
            conn,
            &["EVAL", Script::Release.text(), "3", "a", "list", "b", "v"]
        ),
        ":2\r\n"
    );
    assert_eq!(fixture.server.len(fixture.now), 1);
}

#[test]
fn an_obtain_never_shortens_our_ttl_nor_does_a_refresh_that_keeps() {
    let mut fixture = Fixture::new(|_| {});
    let conn = fixture.server.connect();
    fixture.send(conn, &["SET", "a", "v", "PX", "5000"]);
    fixture.send(conn, &["SET", "b", "v"]);
    let obtain = ["EVAL", Script::Obtain.text(), "3", "a", "b", "c", "v"];
    let refresh = ["EVAL", Script::Refresh.text(), "3", "a", "b", "c", "v"];
    for (call, ends) in [
        ([&obtain[..], &["2000"]].concat(), [5000, 2000, 2000]),
        ([&obtain[..], &["3000"]].concat(), [5000, 3000, 3000]),
        (
            [&refresh[..], &["4000", "keep"]].concat(),
            [5000, 4000, 4000],
        ),
        (
            [&refresh[..], &["3000", "keep"]].concat(),
            [5000, 4000, 4000],
        ),
        ([&refresh[..], &["1000"]].concat(), [1000, 1000, 1000]),
    ] {
        assert_eq!(fixture.send(conn, &call), ":1\r\n");
        for (key, end) in ["a", "b", "c"].into_iter().zip(ends) {
            let left = fixture.send(conn, &["PTTL", key]);
            assert_eq!(left, format!(":{end}\r\n"), "{key} after {call:?}");
        }
    }
    fixture.send(conn, &["PERSIST", "a"]);
    fixture.send(conn, &[&refresh[..], &["1000", "keep"]].concat());
    assert_eq!(
        fixture.send(conn, &["PTTL", "a"]),
        ":1000\r\n",
        "an end again"
    );
}

/// A handshake requests it before anything is obtained.
#[test]
fn a_script_that_does_nothing_runs_where_scripts_run() {
    let proof = ["EVAL", "return 1", "0"];
    for (trouble, answer) in [
        (None, ":1"),
        (Some(Trouble::ReadOnly), ":1"),
        (Some(Trouble::Loading), "-LOADING"),
    ] {
        let mut fixture = Fixture::new(|options| options.trouble = trouble);
        let conn = fixture.server.connect();
        let answered = fixture.send(conn, &proof);
        assert!(answered.starts_with(answer), "{answered} with {trouble:?}");
    }
    let mut fixture = Fixture::new(|options| options.scripts = false);
    let conn = fixture.server.connect();
    let answered = fixture.send(conn, &proof);
    assert!(
        answered.starts_with("-ERR unknown command 'EVAL'"),
        "{answered}"
    );
}

#[test]
fn a_script_that_has_written_is_not_stopped_halfway_for_want_of_memory() {
    let mut fixture = Fixture::new(|options| options.max_keys = 2);
    let conn = fixture.server.connect();
    fixture.send(conn, &["SET", "x", ""]);
    let obtain = [
        "EVAL",
        Script::Obtain.text(),
        "3",
        "a",
        "b",
        "c",
        "v",
        "1000",
    ];
    assert_eq!(fixture.send(conn, &obtain), ":1\r\n");
    assert_eq!(fixture.send(conn, &["EXISTS", "a", "b", "c"]), ":3\r\n");
    let release = ["EVAL", Script::Release.text(), "3", "a", "b", "c", "v"];
    fixture.send(conn, &release);
    fixture.send(conn, &["SET", "y", ""]);
    assert!(
        fixture.send(conn, &obtain).contains("OOM "),
        "its first write"
    );
    assert_eq!(fixture.send(conn, &["EXISTS", "a", "b", "c"]), ":0\r\n");
}

#[cfg(feature = "modes")]
#[test]
fn a_fence_is_more_than_a_grant_without_one_when_the_clock_has_just_begun() {
    for script in [Script::Enter, Script::Obtain] {
        let mut fixture = Fixture::new(|_| {});
        fixture.now = Instant::from_micros(1);
        let conn = fixture.server.connect();
        let keys = ["k", "in", "exclusive", "shared", "alive", "bell", "fence"];
        let args = ["v", "1000", "0", "0", "", "86400000"];
        let (keys, args) = if script == Script::Enter {
            (&keys[..], &args[..])
        } else {
            (&["k", "fence"][..], &["v", "1000", "86400000"][..])
        };
        let count = format!("{}", keys.len());
        let words = [&["EVAL", script.text(), &count], keys, args].concat();
        assert_eq!(fixture.send(conn, &words), ":2\r\n", "{script:?}");
        assert_eq!(fixture.send(conn, &words), ":3\r\n", "{script:?}");
    }
}
