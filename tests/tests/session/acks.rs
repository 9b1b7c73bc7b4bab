//! What is sent for grants that replicas must have, and what each reply means.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{
    Acks, Config, Event, Key, LockId, Loss, Mode, NodeError, NodeState, NotObtained, Obtain, Token,
    Ttl,
};

use crate::{DELIFEQ, HELLO_VALKEY_9, NEITHER, OK, Talk, plain, request};

const GRANTED: &[u8] = b"+OK\r\n:30000\r\n";

fn received(replicas: u32) -> Acks {
    Acks::received(NonZeroU32::new(replicas).expect("some"))
}

fn waiting(acks: Acks) -> Config {
    let mut config = plain();
    config.acks = Some(acks);
    config
}

impl Talk {
    /// Greeted by a Valkey 9 that has as many replicas as are wanted.
    fn with_acks(acks: Acks) -> Self {
        let mut talk = Self::new(waiting(acks));
        talk.answer(HELLO_VALKEY_9);
        talk.answer(&[OK, OK, OK, OK, DELIFEQ, b":2\r\n"].concat());
        let ready = NodeState::Ready { tracking: true };
        let node = talk.node;
        assert_eq!(talk.events, [Event::Node { node, state: ready }]);
        talk.events.clear();
        talk.said.clear();
        talk
    }

    fn obtain_key(&mut self, key: &str, millis: u64) -> LockId {
        let ttl = Ttl::new(Duration::from_millis(millis)).expect("a ttl");
        let mut token = [0; 16];
        token[..key.len()].copy_from_slice(key.as_bytes());
        let key = Key::new(key).expect("a key");
        self.obtain(Obtain::new(key, Token::random(token), ttl))
    }

    /// The names of commands said, with the arguments of those that wait.
    fn waits(&mut self) -> Vec<String> {
        let said = self.said.drain(..);
        said.map(|command| match command[0].as_str() {
            "WAIT" | "WAITAOF" => command.join(" "),
            _ => command[0].clone(),
        })
        .collect()
    }

    fn obtained(&self) -> Vec<LockId> {
        let mut locks = Vec::new();
        for event in &self.events {
            if let Event::Obtained { lock, .. } = event {
                locks.push(*lock);
            }
        }
        locks
    }

    fn ends_with(&self, lock: LockId, reason: NotObtained) {
        let end = Event::NotObtained { lock, reason };
        assert!(self.events.contains(&end), "{:?}", self.events);
    }
}

#[test]
fn a_grant_is_reported_once_enough_replicas_have_it() {
    for replicas in [1, 2] {
        let mut talk = Talk::with_acks(received(2));
        let lock = talk.obtain(request());
        // A quarter of the request timeout.
        assert_eq!(talk.waits(), ["SET", "PTTL", "WAIT 2 250"]);
        talk.answer(GRANTED);
        assert_eq!(talk.events, []);
        talk.answer(format!(":{replicas}\r\n").as_bytes());
        if replicas == 2 {
            assert_eq!(talk.obtained(), [lock]);
            assert_eq!(talk.waits(), [] as [&str; 0]);
        } else {
            talk.ends_with(lock, NotObtained::Unreachable(NodeError::NoReplicas));
            assert_eq!(talk.waits(), ["DELIFEQ"], "it is given back");
        }
    }
}

#[test]
fn a_denial_does_not_wait() {
    let mut talk = Talk::with_acks(received(1));
    let lock = talk.obtain(request());
    talk.answer(b"$-1\r\n:30000\r\n");
    let denied = |event: &Event| matches!(event, Event::NotObtained { lock: of, reason: NotObtained::Taken { .. } } if *of == lock);
    assert!(talk.events.iter().any(denied), "{:?}", talk.events);
}

#[test]
fn requests_of_one_write_wait_together_for_the_shortest_time() {
    let mut talk = Talk::with_acks(received(1).within(Duration::from_millis(100)));
    let ttls = [("a", 30_000), ("b", 200), ("c", 30_000)];
    let locks = ttls.map(|(key, millis)| {
        let ttl = Ttl::new(Duration::from_millis(millis)).expect("a ttl");
        let token = Token::random([key.as_bytes()[0]; 16]);
        let request = Obtain::new(Key::new(key).expect("a key"), token, ttl);
        talk.engine.obtain(request, talk.now)
    });
    talk.drain();
    let pair = ["SET", "PTTL"];
    assert_eq!(
        talk.waits(),
        [&pair[..], &pair, &pair, &["WAIT 1 50"]].concat()
    );
    talk.answer(&[b"+OK\r\n:30000\r\n".as_slice(), b"+OK\r\n:200\r\n", GRANTED].concat());
    assert_eq!(talk.obtained(), []);
    talk.answer(b":1\r\n");
    assert_eq!(talk.obtained(), locks);
}

/// Otherwise each further request would be held up for as long as all in front of it together.
#[test]
fn what_is_sent_while_a_server_waits_is_followed_by_one_more_wait() {
    let mut talk = Talk::with_acks(received(1));
    let first = talk.obtain_key("a", 30_000);
    let later = ["b", "c"].map(|key| talk.obtain_key(key, 30_000));
    assert_eq!(
        talk.waits(),
        ["SET", "PTTL", "WAIT 1 250", "SET", "PTTL", "SET", "PTTL"]
    );
    talk.answer(&[GRANTED, b":1\r\n"].concat());
    assert_eq!(talk.obtained(), [first]);
    assert_eq!(talk.waits(), ["WAIT 1 250"]);
    talk.answer(&[GRANTED, GRANTED].concat());
    assert_eq!(talk.obtained(), [first]);
    talk.answer(b":1\r\n");
    assert_eq!(talk.obtained(), [first, later[0], later[1]]);
}

#[test]
fn only_requests_that_set_a_time_wait() {
    let mut talk = Talk::with_acks(received(1));
    let lock = talk.obtain(request());
    talk.answer(&[GRANTED, b":1\r\n"].concat());
    talk.said.clear();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.drain();
    assert_eq!(talk.waits(), ["SET", "PTTL", "WAIT 1 250"]);
    talk.answer(GRANTED);
    let refreshed = |event: &Event| matches!(event, Event::Refreshed { .. });
    assert!(!talk.events.iter().any(refreshed));
    talk.answer(b":1\r\n");
    assert!(talk.events.iter().any(refreshed));
    talk.engine.inspect(request().keys, talk.now);
    talk.drain();
    assert_eq!(talk.waits(), ["GET", "PTTL"]);
    talk.answer(b"$-1\r\n:-2\r\n");
    talk.engine.release(lock, talk.now);
    talk.drain();
    assert_eq!(talk.waits(), ["DELIFEQ"]);
}

#[test]
fn a_weak_refresh_is_repeated_and_does_not_extend_the_lease() {
    let mut talk = Talk::with_acks(received(1));
    let lock = talk.obtain(request());
    talk.answer(&[GRANTED, b":1\r\n"].concat());
    talk.said.clear();
    let lease = talk.engine.lease(lock).expect("held");
    loop {
        talk.sleep();
        let replies = talk.waits().into_iter().map(|command| match &*command {
            "SET" => "+OK\r\n",
            "PTTL" => ":30000\r\n",
            "PING" => "+PONG\r\n",
            // No replica has it.
            "WAIT 1 250" => ":0\r\n",
            // At the end.
            "DELIFEQ" => ":1\r\n",
            other => panic!("{other} is not a part of a refresh"),
        });
        let replies: String = replies.collect();
        if talk.engine.lease(lock).is_some() {
            talk.answer(replies.as_bytes());
        }
        let Some(now) = talk.engine.lease(lock) else {
            break;
        };
        assert_eq!(now.expires_at(), lease.expires_at());
    }
    let error = Some(NodeError::NoReplicas);
    let reason = Loss::Expired { error };
    assert!(
        talk.events.contains(&Event::Lost { lock, reason }),
        "{:?}",
        talk.events
    );
}

#[test]
fn a_grant_without_its_wait_is_unknown() {
    // The connection breaks between two replies.
    for replies in [b"+OK\r\n".as_slice(), GRANTED] {
        let mut talk = Talk::with_acks(received(1));
        let lock = talk.obtain(request());
        talk.answer(replies);
        talk.engine.handle_disconnected(talk.node, talk.now);
        talk.drain();
        assert_eq!(talk.obtained(), []);
        talk.ends_with(lock, NotObtained::Unreachable(NodeError::Disconnected));
    }
}

#[test]
fn a_server_that_becomes_a_replica_confirms_nothing() {
    for (line, error) in [
        (
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            NodeError::ReadOnly,
        ),
        (
            "ERR WAIT cannot be used with replica instances. Please also note that",
            NodeError::ReadOnly,
        ),
        (
            "NOPERM this user has no permissions to run the 'wait' command",
            NodeError::NoPermission,
        ),
        ("ERR unknown command 'WAIT'", NodeError::NoAcks),
    ] {
        let mut talk = Talk::with_acks(received(1));
        let lock = talk.obtain(request());
        talk.answer(GRANTED);
        talk.answer(format!("-{line}\r\n").as_bytes());
        assert_eq!(talk.obtained(), []);
        let (node, state) = (talk.node, NodeState::Down(error));
        assert!(talk.events.contains(&Event::Node { node, state }), "{line}");
        let unobtained =
            |event: &Event| matches!(event, Event::NotObtained { lock: of, .. } if *of == lock);
        assert!(talk.events.iter().any(unobtained), "{:?}", talk.events);
        assert_eq!(talk.disconnects, 1);
    }
}

#[test]
fn odd_replies_confirm_nothing() {
    for (acks, reply) in [
        (received(1), "+OK\r\n"),
        (received(1), "*2\r\n:1\r\n:1\r\n"),
        (Acks::persisted(1), ":1\r\n"),
        (Acks::persisted(1), "*1\r\n:1\r\n"),
        (Acks::persisted(1), "*2\r\n:1\r\n$1\r\n1\r\n"),
    ] {
        let mut talk = Talk::with_acks(acks);
        let lock = talk.obtain(request());
        talk.answer(GRANTED);
        talk.answer(reply.as_bytes());
        talk.ends_with(lock, NotObtained::Unreachable(NodeError::Malformed));
    }
}

#[test]
fn writing_to_disk_counts_on_the_server_and_on_its_replicas() {
    for (reply, enough) in [
        ("*2\r\n:1\r\n:1\r\n", true),
        ("*2\r\n:1\r\n:2\r\n", true),
        ("*2\r\n:0\r\n:1\r\n", false),
        ("*2\r\n:1\r\n:0\r\n", false),
    ] {
        let mut talk = Talk::with_acks(Acks::persisted(1));
        let lock = talk.obtain(request());
        assert_eq!(talk.waits(), ["SET", "PTTL", "WAITAOF 1 1 250"]);
        talk.answer(&[GRANTED, reply.as_bytes()].concat());
        let expected: &[LockId] = if enough { &[lock] } else { &[] };
        assert_eq!(talk.obtained(), expected, "{reply:?}");
    }
}

/// Before anything is obtained.
#[test]
fn a_handshake_shows_whether_the_server_can_wait() {
    for (acks, command, reply, error) in [
        (received(3), "WAIT 0 1", ":0\r\n", None),
        (
            Acks::persisted(0),
            "WAITAOF 1 0 1",
            "*2\r\n:1\r\n:0\r\n",
            None,
        ),
        (
            Acks::persisted(0),
            "WAITAOF 1 0 1",
            "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n",
            Some(NodeError::NoAcks),
        ),
        (
            Acks::persisted(0),
            "WAITAOF 1 0 1",
            "-ERR unknown command 'WAITAOF', with args beginning with: '1'\r\n",
            Some(NodeError::NoAcks),
        ),
        (
            received(1),
            "WAIT 0 1",
            "-NOPERM this user has no permissions to run the 'wait' command\r\n",
            Some(NodeError::NoPermission),
        ),
        (
            received(1),
            "WAIT 0 1",
            "-ERR WAIT cannot be used with replica instances.\r\n",
            Some(NodeError::ReadOnly),
        ),
    ] {
        let mut talk = Talk::new(waiting(acks));
        talk.answer(HELLO_VALKEY_9);
        assert!(talk.waits().contains(&command.to_owned()));
        talk.answer(&[OK, OK, OK, OK, NEITHER, reply.as_bytes()].concat());
        let state = error.map_or(NodeState::Ready { tracking: true }, NodeState::Down);
        let node = talk.node;
        assert_eq!(talk.events, [Event::Node { node, state }], "{reply:?}");
    }
}

#[test]
fn readers_wait_as_well() {
    let mut talk = Talk::with_acks(received(1));
    let mut reader = request();
    reader.mode = Mode::Shared { limit: None };
    let lock = talk.obtain(reader);
    assert_eq!(talk.waits().last().map(String::as_str), Some("WAIT 1 250"));
    // `CLIENT TRACKING`, `CLIENT CACHING`, the script, and the time.
    talk.answer(b"+OK\r\n+OK\r\n:1\r\n");
    assert_eq!(talk.obtained(), []);
    talk.answer(b":0\r\n");
    talk.ends_with(lock, NotObtained::Unreachable(NodeError::NoReplicas));
    assert!(talk.waits().contains(&"EVALSHA".to_owned()), "it leaves");
}
