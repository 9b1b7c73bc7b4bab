//! Each answer that a server may give, and what follows from it.

use std::time::Duration;

use tenure_core::{Event, Holder, Loss, NodeError, NotObtained, Obtain, Released, Token, Ttl};

use crate::{Talk, patient, plain, request};

#[test]
fn errors_that_pass_are_waited_out() {
    for (line, error) in [
        (
            "LOADING Redis is loading the dataset in memory",
            NodeError::Loading,
        ),
        ("CLUSTERDOWN Hash slot not served", NodeError::ClusterDown),
        (
            "TRYAGAIN Multiple keys request during rehashing of slot",
            NodeError::TryAgain,
        ),
        (
            "OOM command not allowed when used memory > 'maxmemory'.",
            NodeError::OutOfMemory,
        ),
        (
            "MISCONF Redis is configured to save RDB snapshots",
            NodeError::Misconfigured,
        ),
        ("BUSY Redis is busy running a script.", NodeError::Busy),
        (
            "NOREPLICAS Not enough good replicas to write.",
            NodeError::NoReplicas,
        ),
        (
            "ERR max number of clients reached",
            NodeError::TooManyClients,
        ),
        ("SOMETHING new", NodeError::Other),
    ] {
        let mut talk = Talk::greeted(plain());
        let lock = talk.obtain(request());
        talk.answer(format!("-{line}\r\n-{line}\r\n").as_bytes());
        let reason = NotObtained::Unreachable(error);
        assert_eq!(
            talk.events.last(),
            Some(&Event::NotObtained { lock, reason }),
            "{line}"
        );

        talk.obtain(patient());
        talk.said.clear();
        talk.answer(format!("-{line}\r\n-{line}\r\n").as_bytes());
        talk.sleep();
        assert_eq!(talk.names(), ["SET", "PTTL"], "repeated after {line}");
        assert_eq!(talk.disconnects, 0);
    }
}

#[test]
fn errors_that_only_a_person_can_mend_end_a_wait_at_once() {
    for (line, error) in [
        ("MOVED 3999 127.0.0.1:6381", NodeError::Moved),
        ("ASK 3999 127.0.0.1:6381", NodeError::Moved),
        (
            "CROSSSLOT Keys in request don't hash to the same slot",
            NodeError::CrossSlot,
        ),
        ("NOAUTH Authentication required.", NodeError::NoAuth),
        (
            "NOPERM this user has no permissions to run the 'set' command",
            NodeError::NoPermission,
        ),
        (
            "ERR unknown command 'SET', with args beginning with: 'k'",
            NodeError::Unsupported,
        ),
    ] {
        let mut talk = Talk::greeted(plain());
        let lock = talk.obtain(patient());
        talk.answer(format!("-{line}\r\n-{line}\r\n").as_bytes());
        let reason = NotObtained::Refused(error);
        assert_eq!(
            talk.events.last(),
            Some(&Event::NotObtained { lock, reason }),
            "{line}"
        );
    }
}

#[test]
fn a_replica_is_left_for_the_current_address_of_the_name() {
    for line in [
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link down",
    ] {
        let mut talk = Talk::greeted(plain());
        let lock = talk.obtain(patient());
        talk.answer(format!("-{line}\r\n:-2\r\n").as_bytes());
        assert_eq!(talk.disconnects, 1, "{line}");
        while talk.connects < 2 {
            talk.sleep();
        }
        talk.connect();
        talk.greet_and_keep();
        talk.answer(b"+OK\r\n:30000\r\n");
        assert!(matches!(talk.events.last(), Some(Event::Obtained { lock: l, .. }) if *l == lock));
    }
}

#[test]
fn a_key_of_another_type_is_taken() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.obtain(request());
    talk.answer(b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n:-1\r\n");
    let reason = NotObtained::Taken {
        remaining: None,
        by: Holder::Other,
    };
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock, reason })
    );
}

#[test]
fn a_script_that_is_missing_is_sent_along() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.hold();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.drain();
    assert_eq!(talk.names(), ["EVALSHA", "PTTL"]);
    talk.answer(b"-NOSCRIPT No matching script. Please use EVAL.\r\n:29000\r\n");
    assert_eq!(talk.names(), ["EVAL", "PTTL"]);
    talk.answer(b":1\r\n:30000\r\n");
    let Some(Event::Refreshed { requested, .. }) = talk.events.last() else {
        panic!("{:?}", talk.events);
    };
    assert!(requested);

    talk.engine.release(lock, talk.now);
    talk.drain();
    talk.answer(b"-NOSCRIPT No matching script. Please use EVAL.\r\n");
    assert_eq!(talk.names(), ["EVALSHA", "EVAL"]);
    talk.answer(b":1\r\n");
    let proof = Released::Confirmed;
    assert_eq!(talk.events.last(), Some(&Event::Released { lock, proof }));
}

/// Handles of the same token in other processes may have a longer ttl.
#[test]
fn a_renewal_with_a_token_of_ones_own_keeps_a_longer_time_and_a_requested_refresh_does_not() {
    let own = || Token::new("my own").expect("a token");
    let drawn = || request().token;
    let mut config = plain();
    config.idle_probe = None;
    let redis = || Talk::greeted(config.clone());
    let valkey = || Talk::greeted_by_valkey(config.clone());
    for (mut talk, token, renewed, refreshed) in [
        (redis(), own(), ["EVALSHA", "keep"], ["EVALSHA", "20000"]),
        (redis(), drawn(), ["EVALSHA", "30000"], ["EVALSHA", "20000"]),
        (valkey(), own(), ["EVALSHA", "keep"], ["SET", "20000"]),
        (valkey(), drawn(), ["SET", "30000"], ["SET", "20000"]),
    ] {
        let lock = talk.obtain(Obtain { token, ..request() });
        talk.grant();
        talk.sleep();
        assert_eq!(talk.ends_of_first(), renewed);
        talk.grant();

        let ttl = Some(Ttl::new(Duration::from_secs(20)).expect("a ttl"));
        talk.engine.refresh(lock, ttl, talk.now).expect("held");
        talk.drain();
        assert_eq!(talk.ends_of_first(), refreshed);
    }
}

#[test]
fn a_wrong_guess_about_a_server_costs_one_trip_and_is_remembered() {
    let mut talk = Talk::new(plain());
    talk.answer(b"%2\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n");
    // It does not say what it knows, and knows less than its version promises.
    talk.answer(
        b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n-NOPERM no permissions to run 'command|info'\r\n:1\r\n",
    );
    let lock = talk.hold();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.drain();
    assert_eq!(talk.said[0][3], "IFEQ");
    talk.said.clear();
    talk.answer(b"-ERR syntax error\r\n:29000\r\n");
    assert_eq!(talk.names(), ["EVALSHA", "PTTL"]);
    talk.answer(b":1\r\n:30000\r\n");

    talk.engine.release(lock, talk.now);
    talk.drain();
    assert_eq!(talk.names(), ["DELIFEQ"]);
    talk.answer(b"-ERR unknown command 'DELIFEQ', with args beginning with: 'k'\r\n");
    assert_eq!(talk.names(), ["EVALSHA"]);
    talk.answer(b":1\r\n");

    let lock = talk.hold();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.engine.release(lock, talk.now);
    talk.drain();
    assert_eq!(
        talk.names(),
        ["EVALSHA"],
        "the lock is released, so its refresh is not sent"
    );
}

#[test]
fn an_error_that_is_not_known_keeps_the_words_of_the_server() {
    let mut talk = Talk::greeted(plain());
    assert_eq!(talk.engine.unknown_error(), None);
    let lock = talk.obtain(request());
    talk.answer(b"-PROXY upstream \x1b is gone, try 'k' later\r\n:-2\r\n");
    let reason = NotObtained::Unreachable(NodeError::Other);
    assert_eq!(
        talk.events.last(),
        Some(&Event::NotObtained { lock, reason })
    );
    let words = Some("PROXY upstream \\x1b is gone, try");
    assert_eq!(talk.engine.unknown_error(), words);
    assert_eq!(talk.engine.unknown_error_of(talk.node), words);

    // One that is known says nothing new, nor do errors that repeat what was sent.
    let token = String::from_utf8(request().token.as_bytes().to_vec()).expect("ASCII");
    for line in [
        "OOM command not allowed when used memory > 'maxmemory'.".to_owned(),
        format!("ERR do not know {token}"),
        "ERR odd, with args beginning with: k".to_owned(),
    ] {
        talk.obtain(request());
        talk.answer(format!("-{line}\r\n:-2\r\n").as_bytes());
        assert_eq!(talk.engine.unknown_error(), words, "{line}");
    }
}

#[test]
fn an_error_that_denies_a_refresh_reveals_nothing_about_the_holder() {
    let mut talk = Talk::greeted(plain());
    let lock = talk.hold();
    let end = talk.engine.lease(lock).expect("held").expires_at();
    talk.engine.refresh(lock, None, talk.now).expect("held");
    talk.drain();
    talk.answer(b"-OOM command not allowed when used memory > 'maxmemory'.\r\n:29000\r\n");
    assert!(talk.engine.lease(lock).is_some());
    talk.said.clear();
    talk.sleep();
    assert_eq!(talk.names(), ["EVALSHA", "PTTL"], "tried again");
    while talk.now < end {
        talk.answer(b"-OOM command not allowed\r\n:1\r\n");
        talk.sleep();
    }
    let lost = Event::Lost {
        lock,
        reason: Loss::Expired {
            error: Some(NodeError::OutOfMemory),
        },
    };
    assert!(talk.events.contains(&lost));
}

#[test]
fn an_answer_to_nothing_and_bytes_that_are_not_resp_end_the_connection() {
    for (bytes, error) in [
        (&b"+OK\r\n"[..], NodeError::Malformed),
        (b"hello\r\n", NodeError::Malformed),
        (b"$99999999999\r\n", NodeError::AnswerTooLarge),
        (
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            NodeError::AnswerTooLarge,
        ),
    ] {
        let mut talk = Talk::greeted(plain());
        talk.answer(bytes);
        let state = tenure_core::NodeState::Down(error);
        assert_eq!(
            talk.events.last(),
            Some(&Event::Node {
                node: talk.node,
                state
            })
        );
        assert_eq!(talk.disconnects, 1);
    }
}

#[test]
fn where_bytes_are_split_changes_nothing() {
    let answers = b"+OK\r\n:30000\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
    let run = |split: usize| {
        let mut talk = Talk::greeted(plain());
        talk.obtain(request());
        let (first, second) = answers.split_at(split);
        talk.answer(first);
        talk.answer(second);
        assert_eq!(
            talk.said.last().map(|said| said.join(" ")),
            Some("PTTL k".to_owned())
        );
        talk.answer(b"$-1\r\n:-2\r\n");
        talk.events
    };
    let whole = run(answers.len());
    assert!(
        matches!(
            whole.last(),
            Some(Event::Lost {
                reason: Loss::Taken,
                ..
            })
        ),
        "{whole:?}"
    );
    for split in 0..answers.len() {
        assert_eq!(run(split), whole, "split at {split}");
    }
}

#[test]
fn no_answer_in_time_ends_the_connection_and_is_not_held_by_others() {
    let mut talk = Talk::greeted(plain());
    let start = talk.now;
    let lock = talk.obtain(request());
    talk.sleep();
    assert_eq!(talk.now.saturating_since(start), Duration::from_secs(1));
    assert_eq!(talk.disconnects, 1);
    let reason = NotObtained::Unreachable(NodeError::TimedOut);
    assert!(
        talk.events.contains(&Event::NotObtained { lock, reason }),
        "{:?}",
        talk.events
    );
}

#[test]
fn a_try_waits_for_a_good_connection_to_be_made_again_but_not_for_a_bad_one() {
    let mut talk = Talk::greeted(plain());
    talk.hold();
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    let events = talk.events.len();
    talk.obtain(request());
    talk.sleep();
    assert_eq!((talk.events.len(), talk.connects), (events, 2), "it waits");
    talk.connect();
    talk.greet_and_keep();
    assert!(talk.names().contains(&"SET".to_owned()), "and is asked");

    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    talk.sleep();
    let waiting = talk.obtain(request());
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    let late = talk.obtain(request());
    for lock in [waiting, late] {
        let reason = NotObtained::Unreachable(NodeError::Disconnected);
        assert!(talk.events.contains(&Event::NotObtained { lock, reason }));
    }
}

#[test]
fn reconnects_to_a_replica_do_not_get_faster() {
    let mut talk = Talk::greeted(plain());
    talk.obtain(patient());
    for whole in [20, 40, 80, 160, 320, 640] {
        talk.answer(b"-READONLY You can't write against a read only replica.\r\n:-2\r\n");
        talk.pauses_up_to(whole);
        talk.connect();
        talk.greet_and_keep();
        while !talk.names().contains(&"SET".to_owned()) {
            talk.sleep();
        }
    }
}

impl Talk {
    /// Grants the command that was said first, and forgets all that was said.
    fn grant(&mut self) {
        let by_script = self.said[0][0] == "EVALSHA";
        self.said.clear();
        let granted: &[u8] = if by_script { b":1\r\n" } else { crate::OK };
        self.answer(&[granted, b":30000\r\n"].concat());
    }

    /// The first and the last word of the command that was said first.
    fn ends_of_first(&self) -> [&str; 2] {
        let first = &self.said[0];
        [&first[0], &first[first.len() - 1]]
    }

    /// The handshake once more, without checking the commands.
    fn greet_and_keep(&mut self) {
        self.answer(crate::HELLO_REDIS_7);
        self.answer(&[crate::OK, crate::OK, crate::OK, crate::OK, crate::NEITHER].concat());
    }
}
