//! What servers say seldom, and where answers are seldom cut: no random schedule gets there.

use std::time::Duration;

use tenure_core::{
    Config, Event, Holder, Key, Loss, Mode, NodeConfig, NodeError, NodeState, NotObtained, Obtain,
    Released, Retry, Token,
};

use crate::without_scripts::VALKEY_9_1;
use crate::{HELLO_VALKEY_9, OK, Talk, patient, plain, request};

fn own() -> Obtain {
    Obtain {
        token: Token::new("my own").expect("a token"),
        ..request()
    }
}

/// The remaining time of a key looks like a grant, and is followed by one.
#[test]
fn a_denial_whose_remaining_time_comes_in_another_piece_is_no_grant() {
    let mut talk = Talk::greeted(plain());
    let other = talk.hold();
    let keys = Key::new("another").expect("a key").into();
    let denied = talk.obtain(Obtain { keys, ..own() });
    talk.engine.release(other, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["EVALSHA", "PTTL", "EVALSHA"]);

    talk.answer(b":0\r\n");
    talk.answer(b":1\r\n:1\r\n");

    let held = |event: &Event| matches!(event, Event::Obtained { lock, .. } if *lock == denied);
    assert!(!talk.events.iter().any(held));
    // A server leaves out parts of a millisecond.
    let (remaining, by) = (Some(Duration::from_millis(2)), Holder::Other);
    let reason = NotObtained::Taken { remaining, by };
    let lock = denied;
    let end = Event::NotObtained { lock, reason };
    assert!(talk.events.contains(&end), "{:?}", talk.events);
}

#[test]
fn effects_of_an_aborted_script_are_released() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.obtain(own());
    talk.said.clear();
    talk.answer(b"-ERR Error running script: out of memory\r\n:30000\r\n");
    // It has answered.
    let reason = NotObtained::Unreachable(NodeError::Other);
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock, reason })
    );
    assert_eq!(talk.names(), ["EVALSHA"], "a release");
}

/// The connection stands, so that nothing but time brings it about.
#[test]
fn a_release_that_is_refused_for_a_while_is_tried_again() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.hold();
    talk.engine.release(lock, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["EVALSHA"]);
    let start = talk.now;
    talk.answer(b"-LOADING Redis is loading the dataset in memory\r\n");
    talk.sleep();
    assert!(talk.now.saturating_since(start) < Duration::from_secs(2));
    assert_eq!(talk.names(), ["EVALSHA"]);
}

/// Whatever that answer meant, the key may be ours.
#[test]
fn leftovers_of_our_own_attempt_are_not_reported_as_taken_by_others() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.obtain(Obtain {
        wait: Some(Duration::from_millis(3500)),
        retry: Retry::every(Duration::from_secs(10)),
        ..request()
    });
    talk.answer(b"+WHAT\r\n:30000\r\n");
    talk.said.clear();
    let ends = |event: &Event| matches!(event, Event::NotObtained { .. });
    while !talk.events.iter().any(ends) {
        talk.sleep();
        // It looks, and the key is there.
        if talk.names() == ["PTTL"] {
            talk.answer(b":27000\r\n");
        }
    }
    let by = Holder::Ourselves;
    let reason = NotObtained::TimedOut { by };
    let end = Event::NotObtained { lock, reason };
    assert!(talk.events.contains(&end), "{:?}", talk.events);
}

#[test]
fn a_waiter_retries_when_all_keys_may_have_changed() {
    let mut talk = Talk::greeted(plain());
    talk.obtain(patient());
    talk.answer(b"_\r\n:30000\r\n");
    talk.said.clear();
    talk.answer(b">2\r\n$10\r\ninvalidate\r\n_\r\n");
    assert_eq!(talk.names(), ["SET", "PTTL"]);
}

/// A driver may report that a connection is open and gone before it polls for output.
#[test]
fn commands_for_a_lost_connection_are_never_sent() {
    let mut talk = Talk::greeted(plain());
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    talk.comes_back();
    talk.said.clear();
    talk.engine.handle_connected(talk.node, talk.now);
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    assert_eq!(talk.names(), [""; 0]);
    talk.comes_back();
    talk.connect();
    assert_eq!(talk.names(), ["HELLO"]);
}

impl Talk {
    /// Sleeps until it connects again.
    fn comes_back(&mut self) {
        let connects = self.connects;
        while self.connects == connects {
            self.sleep();
        }
    }
}

#[test]
fn one_request_that_a_lent_client_has_lost_leaves_the_connection_as_it_is() {
    let node = NodeConfig {
        lent: true,
        tracking: false,
        ..NodeConfig::default()
    };
    let mut talk = Talk::new(Config::single(node));
    talk.answer(crate::NEITHER);
    let lock = talk.obtain(request());
    talk.said.clear();
    talk.answer(b"*0\r\n*0\r\n");
    let reason = NotObtained::Unreachable(NodeError::Disconnected);
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock, reason })
    );
    assert_eq!(
        talk.names(),
        ["EVALSHA"],
        "what it may have left is released"
    );
    assert_eq!(talk.disconnects, 0);
}

/// Otherwise this client would refuse every lock itself, for as long as the connection lasts.
#[test]
fn a_server_that_lost_what_its_commands_could_do_is_connected_to_again() {
    let mut talk = Talk::without_scripts(VALKEY_9_1);
    let lock = talk.hold();
    talk.engine.release(lock, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["DELIFEQ"]);
    talk.answer(b"-ERR syntax error\r\n");
    let state = NodeState::Down(NodeError::NoScripts);
    let node = talk.node;
    assert!(talk.events.contains(&Event::Node { node, state }));

    talk.sleep();
    talk.connect();
    talk.answer(HELLO_VALKEY_9);
    talk.answer(&[OK, OK, OK, OK, VALKEY_9_1, b":1\r\n"].concat());
    assert_eq!(talk.said.last().expect("the release")[0], "DELIFEQ");
    talk.answer(b":1\r\n");
    let proof = Released::Confirmed;
    assert_eq!(talk.events.last(), Some(&Event::Released { lock, proof }));
}

/// The refusal says what to permit; then the next request must not need another connection.
#[test]
fn scripts_that_are_permitted_later_are_noticed() {
    let mut talk = Talk::without_scripts(VALKEY_9_1);
    talk.said.clear();
    let refused = |lock| {
        let reason = NotObtained::Refused(NodeError::NoScripts);
        Event::NotObtained { lock, reason }
    };
    for _ in 0..2 {
        let lock = talk.obtain(own());
        assert_eq!(talk.events.last(), Some(&refused(lock)));
    }
    assert_eq!(talk.names(), ["EVAL"], "one probe at a time");
    talk.answer(b"-NOPERM this user has no permissions to run the 'eval' command\r\n");
    let lock = talk.obtain(own());
    assert_eq!(talk.events.last(), Some(&refused(lock)));
    talk.said.clear();
    talk.answer(b":1\r\n");
    talk.obtain(own());
    assert_eq!(talk.names(), ["EVALSHA", "PTTL"]);
}

/// The reply that was there before the report may be older than the change, and the one behind it does not show the value.
#[test]
fn a_change_that_is_reported_between_two_replies_to_a_check_is_checked_again() {
    let changed: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    let mut talk = Talk::greeted(plain());
    talk.obtain(request());
    let value = talk.said[0][2].clone();
    talk.answer(b"+OK\r\n:30000\r\n");
    talk.said.clear();
    talk.answer(changed);
    assert_eq!(talk.names(), ["GET", "PTTL"]);
    let ours = format!("${}\r\n{value}\r\n", value.len());
    talk.answer(&[ours.as_bytes(), changed, b":30000\r\n"].concat());
    assert_eq!(talk.names(), ["GET", "PTTL"], "once more");
    talk.answer(b"$5\r\nother\r\n:30000\r\n");
    assert!(matches!(
        talk.events.last(),
        Some(Event::Lost {
            reason: Loss::Taken,
            ..
        })
    ));
}

#[test]
fn a_lock_behind_one_that_the_server_fails_reports_the_error() {
    let mut talk = Talk::greeted(plain());
    talk.obtain(patient());
    talk.answer(b"$-1\r\n:30000\r\n");
    let behind = talk.obtain(Obtain {
        token: Token::random([8; 16]),
        wait: Some(Duration::from_millis(3800)),
        ..request()
    });
    talk.said.clear();
    let reason = loop {
        talk.sleep();
        let commands = talk.names().len();
        talk.answer("-LOADING Redis is loading\r\n".repeat(commands).as_bytes());
        let end = talk.events.iter().find_map(|event| {
            if let Event::NotObtained { lock, reason } = event
                && *lock == behind
            {
                return Some(*reason);
            }
            None
        });
        if let Some(reason) = end {
            break reason;
        }
    };
    assert_eq!(reason, NotObtained::Unreachable(NodeError::Loading));
}

/// `SET` is refused even if it takes no more memory than the key has. A script that only sets the time is not.
#[test]
fn a_refresh_that_is_refused_for_want_of_memory_is_sent_as_a_script() {
    let mut talk = Talk::greeted_by_valkey(plain());
    let lock = talk.hold();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.drain();
    assert_eq!(talk.names(), ["SET", "PTTL"]);
    talk.answer(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n:29000\r\n");
    assert_eq!(talk.names(), ["EVALSHA", "PTTL"]);
    talk.answer(b":1\r\n:30000\r\n");
    let last = talk.events.last();
    assert!(matches!(last, Some(Event::Refreshed { .. })), "{last:?}");
}

/// The reply that is still to come may be older than the bell.
#[test]
fn a_bell_that_rings_between_two_replies_lets_a_waiter_retry() {
    const DENIED: &[u8] = b"+OK\r\n*3\r\n:-2\r\n:9000\r\n$8\r\nABCDEFGH\r\n:5000\r\n";
    const RINGS: &[u8] = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$17\r\n{k}~bell:ABCDEFGH\r\n";
    let mut talk = Talk::greeted(plain());
    let mut request = patient();
    request.mode = Mode::InTurn;
    talk.obtain(request);
    talk.said.clear();
    talk.answer(&[b"+OK\r\n", DENIED].concat());
    // It registers for the bell, and retries.
    assert_eq!(talk.names(), ["PTTL", "CLIENT", "EVALSHA", "PTTL"]);
    talk.answer(&[b":-2\r\n", RINGS, DENIED].concat());
    assert_eq!(talk.names(), ["PTTL", "CLIENT", "EVALSHA", "PTTL"]);
    talk.answer(&[b":-2\r\n", DENIED].concat());
    assert!(talk.names().is_empty(), "it waits");
}
