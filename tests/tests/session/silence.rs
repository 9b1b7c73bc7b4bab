//! A silently dead connection carries no wakes: while a waiter may depend on one, a silent connection is probed.

use std::time::Duration;

use tenure_core::{Config, Event, Key, NodeConfig, NodeError, NodeState, NotObtained, Obtain, Ttl};

use crate::{Talk, plain, request};

const SILENCE: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);

/// The holder of a lock that is renewed after 100 s.
fn holding(config: Config) -> Talk {
    let mut talk = Talk::greeted(config);
    let ttl = Ttl::new(Duration::from_secs(300)).expect("a ttl");
    talk.obtain(Obtain { ttl, ..request() });
    talk.answer(b"+OK\r\n:300000\r\n");
    talk.said.clear();
    talk
}

#[test]
fn a_silent_connection_is_probed_while_a_lock_is_held() {
    let mut talk = holding(plain());
    let start = talk.now;
    talk.sleep();
    assert_eq!(talk.now.saturating_since(start), SILENCE);
    assert_eq!(talk.names(), ["PING"]);
    // No answer: the connection is dead.
    talk.sleep();
    assert_eq!(talk.now.saturating_since(start), SILENCE + TIMEOUT);
    assert_eq!(talk.disconnects, 1);
    let (node, state) = (talk.node, NodeState::Down(NodeError::TimedOut));
    assert_eq!(talk.events.last(), Some(&Event::Node { node, state }));
}

#[test]
fn any_answer_to_a_probe_shows_life_and_any_input_postpones_it() {
    for answer in [
        "+PONG\r\n",
        "-NOPERM this user has no permissions to run the 'ping' command\r\n",
        "-ERR unknown command 'PING', with args beginning with: \r\n",
    ] {
        let mut talk = holding(plain());
        talk.sleep();
        assert_eq!(talk.names(), ["PING"]);
        talk.answer(answer.as_bytes());
        let heard = talk.now;
        assert_eq!(talk.due, Some(heard + SILENCE), "{answer}");
        // A push for another key, two seconds later.
        talk.now = talk.now + Duration::from_secs(2);
        talk.answer(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n");
        talk.sleep();
        talk.sleep();
        assert_eq!(talk.names(), ["PING"]);
        assert_eq!(
            talk.now.saturating_since(heard),
            SILENCE + Duration::from_secs(2)
        );
        assert_eq!(talk.disconnects, 0);
    }
}

#[test]
fn requests_after_a_probe_are_answered_after_it() {
    let mut config = plain();
    config.limits.pending_requests = 1;
    let mut talk = holding(config);
    talk.sleep();
    let key = Key::new("other").expect("a key");
    let lock = talk.obtain(Obtain {
        keys: key.into(),
        ..request()
    });
    assert_eq!(
        talk.names(),
        ["PING", "SET", "PTTL"],
        "a probe takes no place"
    );
    talk.answer(b"+PONG\r\n+OK\r\n:30000\r\n");
    assert!(talk.engine.lease(lock).is_some(), "{:?}", talk.events);
}

#[test]
fn a_request_behind_a_probe_that_is_never_answered_is_settled_like_any_other() {
    let mut talk = holding(plain());
    talk.sleep();
    let key = Key::new("other").expect("a key");
    let lock = talk.obtain(Obtain {
        keys: key.into(),
        ..request()
    });
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    let is_terminal =
        |event: &Event| matches!(event, Event::NotObtained { lock: l, .. } if *l == lock);
    for _ in 0..4 {
        talk.sleep();
    }
    assert!(talk.events.iter().any(is_terminal), "{:?}", talk.events);
}

#[test]
fn without_locks_nothing_is_probed_and_nothing_is_due() {
    let mut talk = Talk::greeted(plain());
    assert_eq!(talk.due, None);
    let lock = talk.hold();
    assert!(talk.due.is_some());
    talk.engine.release(lock, talk.now);
    talk.drain();
    talk.answer(b":1\r\n");
    assert_eq!(talk.due, None);
    talk.said.clear();

    // Silence counts from when somebody minds it.
    talk.now = talk.now + Duration::from_secs(100);
    let keys = Key::new("k").expect("a key").into();
    let inspection = talk.engine.inspect(keys, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["GET", "PTTL"]);
    assert_eq!(talk.due, Some(talk.now + TIMEOUT));
    talk.answer(b"$-1\r\n:-2\r\n");
    assert!(talk.engine.take_inspection(inspection).is_some());
    assert_eq!(talk.due, None);
}

#[test]
fn neither_a_lent_client_is_probed_nor_one_with_probes_disabled() {
    let mut never = plain();
    never.idle_probe = None;
    let mut talk = Talk::new(Config::single(NodeConfig {
        lent: true,
        tracking: false,
        ..NodeConfig::default()
    }));
    talk.answer(crate::NEITHER);
    for mut talk in [talk, Talk::greeted(never)] {
        talk.hold();
        let start = talk.now;
        while talk.said.is_empty() {
            talk.sleep();
        }
        assert_eq!(talk.names(), ["EVALSHA", "PTTL"]);
        let third = Duration::from_secs(10);
        assert_eq!(talk.now.saturating_since(start), third);
    }
}

#[test]
fn a_connection_that_breaks_is_not_reported_as_too_slow() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.obtain(request());
    let keys = Key::new("j").expect("a key").into();
    let inspection = talk.engine.inspect(keys, talk.now);
    talk.drain();

    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();

    let reason = NotObtained::Unreachable(NodeError::Disconnected);
    assert!(talk.events.contains(&Event::NotObtained { lock, reason }));
    let found = talk.engine.take_inspection(inspection);
    assert_eq!(found, Some(Err(NodeError::Disconnected)));
}
