//! The handshake, also with servers that know less, or refuse.

use std::time::Duration;

use tenure_core::{Config, Event, NodeConfig, NodeError, NodeState, NotObtained, Secret};

use crate::{HELLO_REDIS_7, NEITHER, OK, Talk, plain, request};

/// `COMMAND INFO` alone, without the answer to `EVAL`.
const INFO_NEITHER: &[u8] = b"*3\r\n*-1\r\n*-1\r\n*-1\r\n";
const INFO_DELIFEQ: &[u8] = b"*3\r\n*1\r\n$7\r\ndelifeq\r\n*-1\r\n*-1\r\n";

#[test]
fn a_modern_server_is_greeted_in_two_trips() {
    let node = NodeConfig {
        username: Some("worker".into()),
        password: Some(Secret::new(*b"hunter2")),
        database: 4,
        ..NodeConfig::default()
    };
    let mut talk = Talk::new(Config::single(node));
    assert_eq!(
        talk.said,
        [["HELLO", "3", "AUTH", "worker", "hunter2"].map(String::from)]
    );
    talk.said.clear();

    talk.answer(HELLO_REDIS_7);
    let said: Vec<String> = talk.said.iter().map(|command| command.join(" ")).collect();
    let version = format!("CLIENT SETINFO LIB-VER {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(
        said,
        [
            "CLIENT SETNAME tenure",
            "CLIENT SETINFO LIB-NAME tenure",
            &version,
            "SELECT 4",
            "CLIENT TRACKING ON NOLOOP",
            "COMMAND INFO DELIFEQ DELEX MSETEX",
            "EVAL return 1 0"
        ]
    );
    // Redis before 7.2 does not know SETINFO. That is no reason to part.
    let unknown = b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n";
    talk.answer(&[OK, unknown, unknown, OK, OK, NEITHER].concat());
    assert_eq!(talk.events.last(), Some(&ready(&talk, true)));
}

#[test]
fn a_server_that_does_not_know_hello_is_spoken_to_in_resp2() {
    for (user, auth) in [
        (None, "AUTH hunter2"),
        (Some("worker".into()), "AUTH worker hunter2"),
    ] {
        let password = Some(Secret::new(*b"hunter2"));
        let node = NodeConfig {
            username: user,
            password,
            ..NodeConfig::default()
        };
        for refusal in [
            "ERR unknown command `HELLO`, with args beginning with: `3`, ",
            "NOPROTO unsupported protocol version",
            "ERR invalid request",
            "PROXY does not take that",
        ] {
            let mut talk = Talk::new(Config::single(node.clone()));
            talk.said.clear();
            talk.answer(format!("-{refusal}\r\n").as_bytes());
            talk.authenticates_in_resp2(auth);
        }
        let resp2 = true;
        let mut talk = Talk::new(Config::single(NodeConfig { resp2, ..node }));
        talk.authenticates_in_resp2(auth);
    }
}

#[test]
fn a_server_that_hangs_up_at_hello_can_be_left_without() {
    let mut talk = Talk::new(Config::single(NodeConfig {
        resp2: true,
        ..NodeConfig::default()
    }));
    assert!(talk.said.iter().all(|command| command[0] != "HELLO"));
    talk.answer(&[OK, OK, OK, NEITHER].concat());
    assert_eq!(talk.events.last(), Some(&ready(&talk, false)));
}

/// While a server starts, and while it has no room, there is nothing for a person to mend.
#[test]
fn errors_that_pass_are_waited_out_while_connecting() {
    let password = Some(Secret::new(*b"hunter2"));
    for (line, error) in [
        (
            "LOADING Redis is loading the dataset in memory",
            NodeError::Loading,
        ),
        (
            "ERR max number of clients reached",
            NodeError::TooManyClients,
        ),
        ("BUSY Redis is busy running a script.", NodeError::Busy),
    ] {
        for answers in [&[line][..], &["NOPROTO", line]] {
            let mut talk = Talk::new(Config::single(NodeConfig {
                password: password.clone(),
                ..NodeConfig::default()
            }));
            talk.obtain(crate::patient());
            for answer in answers {
                talk.answer(format!("-{answer}\r\n").as_bytes());
            }
            let state = NodeState::Down(error);
            let down = Event::Node {
                node: talk.node,
                state,
            };
            assert_eq!(talk.events, [down], "the wait goes on after {answers:?}");
            while talk.connects < 2 {
                talk.sleep();
            }
            talk.connect();
            talk.answer(HELLO_REDIS_7);
            talk.answer(&[OK, OK, OK, OK, NEITHER].concat());
            while !talk.names().contains(&"SET".to_owned()) {
                talk.sleep();
            }
        }
    }
}

#[test]
fn protected_mode_is_final_and_no_matter_of_rights() {
    let mut talk = Talk::new(plain());
    let lock = talk.obtain(crate::patient());
    talk.answer(
        b"-DENIED Redis is running in protected mode because protected mode is enabled\r\n",
    );
    let reason = NotObtained::Refused(NodeError::ProtectedMode);
    assert!(talk.events.contains(&Event::NotObtained { lock, reason }));
}

#[test]
fn resp3_that_is_refused_is_done_without() {
    let mut talk = Talk::new(plain());
    talk.answer(b"-NOPROTO unsupported protocol version\r\n");
    talk.answer(&[OK, OK, OK, NEITHER].concat());
    assert_eq!(talk.events.last(), Some(&ready(&talk, false)));
}

#[test]
fn tracking_that_is_refused_is_done_without() {
    let mut talk = Talk::new(plain());
    talk.answer(HELLO_REDIS_7);
    let refused = b"-NOPERM this user has no permissions to run the 'client|tracking' command\r\n";
    talk.answer(&[OK, OK, OK, refused, NEITHER].concat());
    assert_eq!(talk.events.last(), Some(&ready(&talk, false)));
}

#[test]
fn a_wrong_password_is_final() {
    let mut talk = Talk::new(plain());
    let waiting = talk.obtain(crate::patient());
    talk.answer(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    let reason = NotObtained::Refused(NodeError::WrongPassword);
    let refused = Event::NotObtained {
        lock: waiting,
        reason,
    };
    assert!(talk.events.contains(&refused), "{:?}", talk.events);
    assert_eq!(talk.disconnects, 1);

    let lock = talk.obtain(request());
    let refused = Event::NotObtained { lock, reason };
    assert_eq!(
        talk.events.last(),
        Some(&refused),
        "and later requests are answered at once"
    );
}

#[test]
fn a_database_that_is_not_there_is_final() {
    let node = NodeConfig {
        database: 99,
        ..NodeConfig::default()
    };
    let mut talk = Talk::new(Config::single(node));
    talk.answer(HELLO_REDIS_7);
    talk.answer(&[OK, OK, OK, b"-ERR DB index is out of range\r\n"].concat());
    let state = NodeState::Down(NodeError::NoDatabase);
    assert!(talk.events.contains(&Event::Node {
        node: talk.node,
        state
    }));
}

#[test]
fn a_handshake_without_an_end_is_given_up_and_tried_again_ever_more_slowly() {
    let mut talk = Talk::new(plain());
    for whole in [20, 40, 80, 160, 320, 640, 1280, 2000, 2000] {
        let start = talk.now;
        talk.sleep();
        assert_eq!(
            talk.now.saturating_since(start),
            Duration::from_secs(3),
            "the handshake"
        );
        talk.pauses_up_to(whole);
        talk.connect();
    }
    assert_eq!((talk.connects, talk.disconnects), (10, 9));
}

#[test]
fn reconnects_to_a_server_that_hangs_up_after_its_greeting_do_not_get_faster() {
    let mut talk = Talk::greeted(plain());
    for whole in [20, 40, 80, 160, 320] {
        talk.engine.handle_disconnected(talk.node, talk.now);
        talk.drain();
        talk.pauses_up_to(whole);
        talk.connect();
        talk.greet();
    }
    // Nor one that leaves the first request unanswered.
    for whole in [640, 1280] {
        talk.obtain(request());
        talk.engine.handle_disconnected(talk.node, talk.now);
        talk.drain();
        talk.pauses_up_to(whole);
        talk.connect();
        talk.greet();
    }
}

#[test]
fn a_connection_that_has_answered_or_lasted_is_made_again_soon() {
    let mut talk = Talk::greeted(plain());
    let prove: [fn(&mut Talk); 2] = [
        |talk| {
            talk.obtain(request());
            talk.answer(b"$-1\r\n:-2\r\n");
        },
        |talk| talk.now = talk.now + Duration::from_millis(2001),
    ];
    for prove in prove {
        for whole in [20, 40, 80] {
            talk.engine.handle_disconnected(talk.node, talk.now);
            talk.drain();
            talk.pauses_up_to(whole);
            talk.connect();
            talk.greet();
        }
        prove(&mut talk);
    }
    talk.engine.handle_disconnected(talk.node, talk.now);
    talk.drain();
    talk.pauses_up_to(20);
}

#[test]
fn a_server_that_refuses_scripts_is_refused_before_anything_is_obtained_where_they_are_needed() {
    let without = "ERR unknown command 'EVAL', with args beginning with: 'return 1' '0' ";
    let not_allowed = "NOPERM this user has no permissions to run the 'eval' command";
    let busy = "BUSY Redis is busy running a script.";
    for (line, error) in [
        (without, Some(NodeError::NoScripts)),
        (not_allowed, Some(NodeError::NoScripts)),
        // It passes, or says nothing of the scripts that count.
        (busy, None),
        ("ERR wrong number of keys", None),
    ] {
        let refusal = format!("-{line}\r\n");
        for commands in [INFO_NEITHER, INFO_DELIFEQ] {
            let mut talk = Talk::new(plain());
            let lock = talk.obtain(crate::patient());
            talk.answer(HELLO_REDIS_7);
            talk.answer(&[OK, OK, OK, OK, commands, refusal.as_bytes()].concat());
            match error.filter(|_| commands == INFO_NEITHER) {
                Some(error) => {
                    let reason = NotObtained::Refused(error);
                    let refused = Event::NotObtained { lock, reason };
                    assert!(talk.events.contains(&refused), "{line}");
                    assert!(!talk.events.contains(&ready(&talk, true)), "{line}");
                }
                None => assert!(talk.events.contains(&ready(&talk, true)), "{line}"),
            }
            let asked = talk.names().contains(&"SET".to_owned());
            assert_eq!(asked, error.is_none() || commands == INFO_DELIFEQ);
        }
    }
}

/// A version alone proves nothing.
#[test]
fn where_a_version_promised_too_much_and_no_script_runs_the_server_is_refused() {
    let mut talk = Talk::new(plain());
    let lock = talk.obtain(request());
    talk.answer(crate::HELLO_VALKEY_9);
    let refusal = b"-NOPERM this user has no permissions to run the 'eval' command\r\n";
    talk.answer(&[OK, OK, OK, OK, INFO_NEITHER, refusal].concat());
    let reason = NotObtained::Refused(NodeError::NoScripts);
    let refused = Event::NotObtained { lock, reason };
    assert!(talk.events.contains(&refused));
    assert!(!talk.names().contains(&"SET".to_owned()));
}

#[test]
fn scripts_are_loaded_ahead_on_demand() {
    let mut talk = Talk::new(Config::single(NodeConfig {
        prepare: true,
        ..NodeConfig::default()
    }));
    talk.answer(HELLO_REDIS_7);
    let loads = talk
        .said
        .iter()
        .filter(|command| command[0] == "SCRIPT")
        .count();
    let all = tenure_core::redis::Script::ALL.len();
    assert_eq!(loads, all);
    let sha = b"$3\r\nsha\r\n";
    talk.answer(&[OK, OK, OK, OK, NEITHER].concat());
    talk.answer(&sha.repeat(all - 1));
    assert!(talk.events.is_empty(), "the last answer is still to come");
    talk.answer(sha);
    assert_eq!(talk.events.last(), Some(&ready(&talk, true)));
}

#[test]
fn through_a_lent_client_only_the_capabilities_of_the_server_are_requested() {
    let password = Some(Secret::new(*b"not ours to send"));
    let node = NodeConfig {
        lent: true,
        tracking: false,
        password,
        database: 3,
        ..NodeConfig::default()
    };
    let mut talk = Talk::new(Config::single(node));
    assert_eq!(
        talk.said
            .iter()
            .map(|words| words.join(" "))
            .collect::<Vec<_>>(),
        ["COMMAND INFO DELIFEQ DELEX MSETEX", "EVAL return 1 0"]
    );
    talk.said.clear();
    talk.answer(b"-ERR unknown command\r\n:1\r\n");
    assert_eq!(talk.events.last(), Some(&ready(&talk, false)));
    talk.hold();
}

#[test]
fn a_lent_client_that_passes_reports_on_gets_a_request_for_them() {
    let node = NodeConfig {
        lent: true,
        ..NodeConfig::default()
    };
    for (reply, tracks) in [(OK, true), (b"-ERR unknown command\r\n".as_slice(), false)] {
        let mut talk = Talk::new(Config::single(node.clone()));
        assert_eq!(talk.said[0].join(" "), "CLIENT TRACKING ON NOLOOP");
        assert_eq!(talk.said[1].join(" "), "COMMAND INFO DELIFEQ DELEX MSETEX");
        talk.said.clear();
        talk.answer(&[reply, NEITHER].concat());
        assert_eq!(talk.events.last(), Some(&ready(&talk, tracks)));
        talk.hold();
    }
}

fn ready(talk: &Talk, tracking: bool) -> Event {
    Event::Node {
        node: talk.node,
        state: NodeState::Ready { tracking },
    }
}

impl Talk {
    /// What comes after `HELLO` has been refused, or not been said.
    fn authenticates_in_resp2(&mut self, auth: &str) {
        assert_eq!(self.said[0].join(" "), auth);
        self.said.clear();
        self.answer(OK);
        let tracks = |command: &Vec<String>| command.contains(&"TRACKING".to_owned());
        assert!(!self.said.iter().any(tracks));
        self.answer(&[OK, OK, OK, NEITHER].concat());
        assert_eq!(self.events.last(), Some(&ready(self, false)));
    }
}
