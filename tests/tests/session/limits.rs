//! Everything has a limit, and past it there is a typed error and nothing is lost. And secrets stay secret.

use std::time::Duration;

use tenure_core::{
    Config, Event, Key, Limits, NodeConfig, NodeError, NodeState, NotObtained, Obtain, Released,
    Secret,
};

use crate::{Talk, plain, request};

const MS: Duration = Duration::from_millis(1);

#[test]
fn locks_at_one_time() {
    let mut config = plain();
    config.limits = Limits {
        locks: 2,
        ..Limits::default()
    };
    let mut talk = Talk::greeted(config);
    let first = talk.hold();
    talk.obtain(request());
    let past = talk.obtain(request());
    let reason = NotObtained::LimitReached;
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock: past, reason })
    );
    let keys = Key::new("k").expect("a key").into();
    let inspection = talk.engine.inspect(keys, talk.now);
    assert_eq!(
        talk.engine.take_inspection(inspection),
        Some(Err(NodeError::Overloaded))
    );

    talk.drain();
    talk.engine.release(first, talk.now);
    talk.drain();
    talk.answer(b"$-1\r\n:9\r\n:1\r\n"); // The second try is denied, the release is done.
    talk.obtain(request());
    talk.answer(b"+OK\r\n:30000\r\n");
    assert!(
        matches!(talk.events.last(), Some(Event::Obtained { .. })),
        "{:?}",
        talk.events
    );
}

#[test]
fn requests_that_wait_for_an_answer() {
    let mut config = plain();
    config.limits = Limits {
        pending_requests: 2,
        ..Limits::default()
    };
    let mut talk = Talk::greeted(config);
    let first = talk.obtain(request());
    let second = talk.obtain(request());
    let past = talk.obtain(request());
    let reason = NotObtained::Unreachable(NodeError::Overloaded);
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock: past, reason })
    );
    assert_eq!(talk.said.len(), 4, "what is past the limit is not sent");

    talk.answer(b"+OK\r\n:30000\r\n$-1\r\n:30000\r\n");
    assert!(talk.engine.lease(first).is_some());
    assert!(talk.engine.lease(second).is_none());
}

/// Otherwise a key would stay on a server for no reason but a limit of ours.
#[test]
fn a_release_is_sent_past_the_limit_of_requests() {
    let mut config = plain();
    config.limits = Limits {
        pending_requests: 1,
        ..Limits::default()
    };
    let mut talk = Talk::greeted(config);
    let first = talk.hold();
    let other = || Obtain {
        keys: Key::new("other").expect("a key").into(),
        ..request()
    };
    talk.obtain(other());
    let past = talk.obtain(other());
    let reason = NotObtained::Unreachable(NodeError::Overloaded);
    let last = Some(&Event::NotObtained { lock: past, reason });
    assert_eq!(talk.events.last(), last, "the limit is reached");
    talk.said.clear();
    talk.engine.release(first, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["EVALSHA"]);
    talk.answer(b"+OK\r\n:30000\r\n:1\r\n");
    let proof = Released::Confirmed;
    let last = Some(&Event::Released { lock: first, proof });
    assert_eq!(talk.events.last(), last);
}

#[test]
fn the_size_of_an_answer() {
    let mut config = plain();
    config.limits = Limits {
        answer_bytes: 1024,
        ..Limits::default()
    };
    // An answer of exactly that many bytes, as somebody's value in an inspection; then one byte more.
    for (length, fits) in [(1024 - 9, true), (1024 - 8, false)] {
        let mut talk = Talk::greeted(config.clone());
        let keys = Key::new("k").expect("a key").into();
        let inspection = talk.engine.inspect(keys, talk.now);
        talk.drain();
        let value = "v".repeat(length);
        talk.answer(format!("${length}\r\n{value}\r\n:5\r\n").as_bytes());
        let found = talk.engine.take_inspection(inspection).expect("over");
        if fits {
            let holding = found.expect("answered")[0].clone().expect("held");
            assert_eq!(holding.value.len(), length);
        } else {
            assert!(found.is_err());
            let state = NodeState::Down(NodeError::AnswerTooLarge);
            assert!(talk.events.contains(&Event::Node {
                node: talk.node,
                state
            }));
        }
    }
}

#[test]
fn secrets_do_not_show() {
    let password = Some(Secret::new(*b"hunter2"));
    let mut talk = Talk::new(Config::single(NodeConfig {
        password,
        ..NodeConfig::default()
    }));
    let token = String::from_utf8(request().token.as_bytes().to_vec()).expect("ASCII");
    talk.obtain(request());
    let shown = format!("{:?} {:?} {:?}", talk.engine, talk.events, request());
    assert!(
        !shown.contains("hunter2") && !shown.contains(&token),
        "{shown}"
    );
    // Nor as a list of numbers.
    assert!(!shown.contains("104, 117, 110"), "{shown}");
}

/// A server that is down must not keep a processor busy, whatever somebody took for a good pause.
#[test]
fn tries_to_connect_again() {
    for (max, least) in [(2000, 500), (0, 5)].map(|(a, b)| (MS * a, MS * b)) {
        let mut config = plain();
        config.reconnect_min = Duration::ZERO;
        config.reconnect_max = max;
        let mut talk = Talk::new(config);
        let start = talk.now;
        for _ in 0..10 {
            talk.engine.handle_disconnected(talk.node, talk.now);
            talk.drain();
            talk.sleep();
        }
        assert_eq!(talk.connects, 11);
        assert!(talk.now.saturating_since(start) >= least);
    }
}
