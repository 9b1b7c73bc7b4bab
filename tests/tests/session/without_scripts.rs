//! Servers that run no scripts: which commands they are sent, and what each combination of replies means. The table is in
//! `core/docs/scripts.md`.

use std::time::Duration;

use tenure_core::{
    Event, Keep, Key, Keys, LockId, Loss, NodeError, NotObtained, Obtain, Released, Token, Ttl,
};

use crate::{HELLO_VALKEY_9, OK, Talk, plain, request};

/// `COMMAND INFO DELIFEQ DELEX MSETEX` of Valkey 9.1, of Valkey 9.0 and of Redis 8.4.
pub(crate) const VALKEY_9_1: &[u8] = b"*3\r\n*1\r\n:0\r\n*-1\r\n*1\r\n:0\r\n";
const VALKEY_9_0: &[u8] = b"*3\r\n*1\r\n:0\r\n*-1\r\n*-1\r\n";
const REDIS_8_4: &[u8] = b"*3\r\n*-1\r\n*1\r\n:0\r\n*1\r\n:0\r\n";
/// The reply to `COMMAND INFO` of a user who may not ask.
const SECRET: &[u8] = b"-NOPERM no permissions to run 'command|info'\r\n";
const NO_EVAL: &[u8] = b"-NOPERM this user has no permissions to run the 'eval' command\r\n";

const YES: &str = "+OK\r\n";
const ONE: &str = ":1\r\n";
const NO: &str = "$-1\r\n";
const ZERO: &str = ":0\r\n";
const OTHER_TYPE: &str = "-WRONGTYPE Operation against a key\r\n";
const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const UNKNOWN: &str = "-ERR unknown command 'X', with args beginning with: \r\n";
/// What no server sends.
const ODD: &str = "$3\r\nodd\r\n";
const TIMES: &str = ":30000\r\n:30000\r\n";

impl Talk {
    pub(crate) fn without_scripts(commands: &[u8]) -> Self {
        let mut talk = Self::new(plain());
        talk.greet_without_scripts(commands);
        talk
    }

    fn greet_without_scripts(&mut self, commands: &[u8]) {
        self.answer(HELLO_VALKEY_9);
        self.answer(&[OK, OK, OK, OK, commands, NO_EVAL].concat());
    }

    /// What was said, with `v` for the value.
    fn lines(&mut self) -> Vec<String> {
        let value = String::from_utf8(request().token.as_bytes().to_vec()).expect("ASCII");
        let lines = self.said.drain(..).map(|command| command.join(" "));
        lines.map(|line| line.replace(&value, "v")).collect()
    }

    fn hold_both(&mut self) -> LockId {
        let lock = self.obtain(both());
        self.answer([ONE, TIMES].concat().as_bytes());
        let obtained = matches!(self.events.last(), Some(Event::Obtained { .. }));
        assert!(obtained, "{:?}", self.events.last());
        self.said.clear();
        lock
    }

    /// Refreshes, with these replies.
    fn refresh(&mut self, lock: LockId, replies: &[&str]) {
        let ttl = Ttl::new(Duration::from_secs(20)).expect("a ttl");
        self.engine
            .refresh(lock, Some(ttl), self.now)
            .expect("held");
        self.drain();
        self.answer(replies.concat().as_bytes());
    }

    fn release(&mut self, lock: LockId, replies: &[&str]) {
        self.engine.release(lock, self.now);
        self.drain();
        self.answer(replies.concat().as_bytes());
    }

    /// The connection breaks, and the next one is greeted.
    fn cut(&mut self, commands: &[u8]) {
        self.engine.handle_disconnected(self.node, self.now);
        self.drain();
        let connects = self.connects;
        while self.connects == connects {
            self.sleep();
        }
        self.connect();
        self.greet_without_scripts(commands);
    }
}

fn both() -> Obtain {
    let keys = ["a", "b"].map(|key| Key::new(key).expect("a key"));
    Obtain {
        keys: Keys::new(keys).expect("two"),
        ..request()
    }
}

fn refused(lock: LockId) -> Event {
    let reason = NotObtained::Refused(NodeError::NoScripts);
    Event::NotObtained { lock, reason }
}

#[test]
fn a_lock_of_several_keys_lives_without_a_script() {
    for (commands, deletes) in [
        (VALKEY_9_1, ["DELIFEQ a v", "DELIFEQ b v"]),
        (REDIS_8_4, ["DELEX a IFEQ v", "DELEX b IFEQ v"]),
    ] {
        let mut talk = Talk::without_scripts(commands);
        talk.said.clear();
        let lock = talk.obtain(both());
        assert_eq!(
            talk.lines(),
            ["MSETEX 2 a v b v NX PX 30000", "PTTL a", "PTTL b"]
        );
        talk.answer([ONE, TIMES].concat().as_bytes());
        talk.refresh(lock, &[YES, YES, TIMES]);
        assert_eq!(
            talk.lines(),
            [
                "SET a v IFEQ v PX 20000",
                "SET b v IFEQ v PX 20000",
                "PTTL a",
                "PTTL b"
            ]
        );
        let refreshed = matches!(talk.events.last(), Some(Event::Refreshed { .. }));
        assert!(refreshed, "{:?}", talk.events.last());
        talk.release(lock, &[ONE, ONE]);
        assert_eq!(talk.lines(), deletes);
        let proof = Released::Confirmed;
        assert_eq!(talk.events.last(), Some(&Event::Released { lock, proof }));
    }
}

#[test]
fn a_lock_of_one_key_needs_no_further_command() {
    let mut talk = Talk::without_scripts(VALKEY_9_0);
    talk.said.clear();
    let lock = talk.obtain(request());
    talk.answer([YES, ":30000\r\n"].concat().as_bytes());
    talk.refresh(lock, &[YES, ":20000\r\n"]);
    talk.release(lock, &[ONE]);
    assert_eq!(
        talk.lines(),
        [
            "SET k v NX PX 30000",
            "PTTL k",
            "SET k v IFEQ v PX 20000",
            "PTTL k",
            "DELIFEQ k v"
        ]
    );
}

#[test]
fn an_obtain_of_several_keys_is_granted_denied_or_failed_as_a_whole() {
    let taken = |remaining| NotObtained::Taken {
        remaining: Some(Duration::from_millis(remaining)),
        by: tenure_core::Holder::Other,
    };
    let full = NotObtained::Unreachable(NodeError::OutOfMemory);
    let odd = NotObtained::Unreachable(NodeError::Other);
    for (reply, reason) in [(ZERO, taken(30_001)), (FULL, full), (ODD, odd)] {
        let mut talk = Talk::without_scripts(VALKEY_9_1);
        let lock = talk.obtain(both());
        talk.answer([reply, ":-2\r\n:30000\r\n"].concat().as_bytes());
        let end = Event::NotObtained { lock, reason };
        assert!(talk.events.contains(&end), "{reply}: {:?}", talk.events);
    }
}

/// After an obtain without a reply. Only the last reply before the times can create something.
#[test]
fn an_obtain_is_settled_by_what_is_ours_already_or_by_the_same_obtain() {
    let granted = [
        [NO, NO, ONE],
        [YES, YES, ZERO],
        [YES, NO, ONE],
        [YES, YES, FULL],
        [FULL, OTHER_TYPE, ONE],
    ];
    let denied = [
        [NO, NO, ZERO],
        [YES, NO, ZERO],
        [NO, YES, ZERO],
        [OTHER_TYPE, YES, ZERO],
    ];
    let failed = [[NO, NO, FULL], [YES, FULL, ZERO], [FULL, NO, ZERO]];
    let unknown = [[NO, NO, ODD], [YES, ODD, ZERO]];
    let cases = [&granted[..], &denied, &failed, &unknown];
    for (expected, case) in cases.into_iter().enumerate() {
        for replies in case {
            let mut talk = Talk::without_scripts(VALKEY_9_1);
            let wait = Some(Duration::from_secs(20));
            talk.obtain(Obtain { wait, ..both() });
            talk.cut(VALKEY_9_1);
            while !talk.said.iter().any(|command| command[0] == "MSETEX") {
                talk.said.clear();
                talk.sleep();
            }
            assert_eq!(
                talk.lines().iter().rev().take(5).rev().collect::<Vec<_>>(),
                [
                    "SET a v IFEQ v PX 30000",
                    "SET b v IFEQ v PX 30000",
                    "MSETEX 2 a v b v NX PX 30000",
                    "PTTL a",
                    "PTTL b"
                ]
            );
            talk.answer([replies.concat().as_str(), TIMES].concat().as_bytes());
            let held = matches!(talk.events.last(), Some(Event::Obtained { .. }));
            assert_eq!(held, expected == 0, "{replies:?}: {:?}", talk.events);
            // Only after a denial is what may be ours given back; otherwise the same value is sent again.
            assert_eq!(
                talk.names() == ["DELIFEQ", "DELIFEQ"],
                expected == 1,
                "{replies:?}"
            );
        }
    }
}

#[test]
fn an_obtain_of_one_key_is_settled_in_one_write() {
    for (replies, held) in [([NO, YES], true), ([YES, NO], true), ([NO, NO], false)] {
        let mut talk = Talk::without_scripts(VALKEY_9_0);
        talk.obtain(crate::patient());
        talk.cut(VALKEY_9_0);
        while !talk.said.iter().any(|command| command[0] == "SET") {
            talk.said.clear();
            talk.sleep();
        }
        let lines = talk.lines();
        assert!(
            lines.ends_with(
                &["SET k v IFEQ v PX 30000", "SET k v NX PX 30000", "PTTL k"].map(String::from)
            ),
            "{lines:?}"
        );
        talk.answer([&replies.concat(), ":9000\r\n"].concat().as_bytes());
        let obtained = matches!(talk.events.last(), Some(Event::Obtained { .. }));
        assert_eq!(obtained, held, "{replies:?}");
    }
}

/// It counts only if all keys were reached; one that is not ours ends the lock, and the others are released.
#[test]
fn a_refresh_counts_only_if_it_reached_every_key() {
    for (replies, denied) in [
        ([YES, NO], true),
        ([NO, YES], true),
        ([OTHER_TYPE, YES], true),
        ([FULL, NO], true),
        ([YES, FULL], false),
        ([FULL, YES], false),
        ([YES, ODD], false),
    ] {
        let mut talk = Talk::without_scripts(VALKEY_9_1);
        let lock = talk.hold_both();
        let before = talk.engine.lease(lock).expect("held").expires_at();
        talk.refresh(lock, &[replies[0], replies[1], TIMES]);
        talk.said.drain(..4);
        let lost = Event::Lost {
            lock,
            reason: Loss::Taken,
        };
        assert_eq!(talk.events.contains(&lost), denied, "{replies:?}");
        if denied {
            assert_eq!(talk.lines(), ["DELIFEQ a v", "DELIFEQ b v"]);
            continue;
        }
        let lease = talk.engine.lease(lock).expect("held");
        assert!(lease.expires_at() < before, "cut to what was sent");
        talk.sleep();
        assert_eq!(talk.names(), ["SET", "SET", "PTTL", "PTTL"], "sent again");
        talk.answer([YES, YES, TIMES].concat().as_bytes());
        let refreshed = matches!(talk.events.last(), Some(Event::Refreshed { .. }));
        assert!(refreshed, "{replies:?}");
    }
}

#[test]
fn a_refresh_of_which_one_reply_is_lost_is_sent_again() {
    let mut talk = Talk::without_scripts(VALKEY_9_1);
    let lock = talk.hold_both();
    talk.refresh(lock, &[YES]);
    talk.cut(VALKEY_9_1);
    assert!(talk.engine.lease(lock).is_some());
    while !talk.said.iter().any(|command| command[0] == "SET") {
        talk.said.clear();
        talk.sleep();
        assert!(talk.engine.lease(lock).is_some());
    }
    talk.answer([YES, YES, TIMES].concat().as_bytes());
    let refreshed = matches!(talk.events.last(), Some(Event::Refreshed { .. }));
    assert!(refreshed, "{:?}", talk.events);
}

/// What a repeated release no longer finds was not lost before the release.
#[test]
fn a_release_that_reached_only_some_keys_is_sent_again() {
    for (first, second, proof) in [
        ([ONE, FULL], [ZERO, ONE], Released::Unconfirmed),
        ([FULL, FULL], [ONE, ONE], Released::Confirmed),
        ([FULL, FULL], [ZERO, ONE], Released::Missing),
        ([ZERO, FULL], [ZERO, ONE], Released::Missing),
    ] {
        let mut talk = Talk::without_scripts(VALKEY_9_1);
        let lock = talk.hold_both();
        talk.release(lock, &first);
        assert_eq!(talk.names(), ["DELIFEQ", "DELIFEQ"]);
        talk.sleep();
        assert_eq!(talk.names(), ["DELIFEQ", "DELIFEQ"], "sent again");
        talk.answer(second.concat().as_bytes());
        let released = Event::Released { lock, proof };
        assert_eq!(talk.events.last(), Some(&released), "{first:?}");
        assert_eq!(talk.due, None, "nothing is left to do");
    }
    for replies in [[ONE, ZERO], [OTHER_TYPE, ONE]] {
        let mut talk = Talk::without_scripts(VALKEY_9_1);
        let lock = talk.hold_both();
        talk.release(lock, &replies);
        let proof = Released::Missing;
        let released = Event::Released { lock, proof };
        assert_eq!(talk.events.last(), Some(&released), "{replies:?}");
    }
}

/// Whatever takes a script is refused before anything is sent, with the reason.
#[test]
fn what_needs_a_script_is_refused_at_once() {
    let own = Obtain {
        token: Token::new("mine").expect("a token"),
        ..request()
    };
    let fenced = Obtain {
        fence: Some(Keep::default()),
        ..request()
    };
    for (commands, request) in [
        (VALKEY_9_1, own),
        (VALKEY_9_1, fenced),
        (VALKEY_9_0, both()),
    ] {
        for wait in [None, Some(Duration::from_secs(60))] {
            let request = Obtain {
                wait,
                ..request.clone()
            };
            let mut talk = Talk::without_scripts(commands);
            talk.said.clear();
            let lock = talk.obtain(request.clone());
            assert_eq!(talk.events.last(), Some(&refused(lock)));
            assert_eq!(talk.lines(), ["EVAL return 1 0"], "only a probe");

            // The same if it was requested before the server was known.
            let mut talk = Talk::new(plain());
            let lock = talk.obtain(request);
            talk.greet_without_scripts(commands);
            assert!(talk.events.contains(&refused(lock)));
            assert_eq!(talk.said.last().expect("a proof")[0], "EVAL");
        }
    }
}

/// A user who may not ask for the commands is served by what the version promises.
#[test]
fn a_wrong_guess_without_scripts_ends_with_the_reason() {
    let mut talk = Talk::without_scripts(SECRET);
    let lock = talk.obtain(both());
    talk.answer([UNKNOWN, TIMES].concat().as_bytes());
    assert_eq!(talk.events.last(), Some(&refused(lock)));
    let lock = talk.obtain(both());
    assert_eq!(
        talk.events.last(),
        Some(&refused(lock)),
        "and is remembered"
    );

    let mut talk = Talk::without_scripts(SECRET);
    let lock = talk.hold_both();
    talk.refresh(
        lock,
        &["-ERR syntax error\r\n", "-ERR syntax error\r\n", TIMES],
    );
    let reason = Loss::Refused(NodeError::NoScripts);
    assert!(talk.events.contains(&Event::Lost { lock, reason }));
}

#[test]
fn where_scripts_run_they_are_used_for_several_keys() {
    let mut talk = Talk::new(plain());
    talk.answer(HELLO_VALKEY_9);
    talk.answer(&[OK, OK, OK, OK, VALKEY_9_1, b":1\r\n"].concat());
    talk.said.clear();
    talk.obtain(both());
    assert_eq!(talk.names(), ["EVALSHA", "PTTL", "PTTL"]);
}
