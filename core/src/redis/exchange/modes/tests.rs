//! What is sent for locks that share their key, and what the replies mean.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use super::*;
use crate::claim::Claim;
use crate::event::NodeError;
use crate::id::{LockId, NodeId, RequestId};
use crate::keys::Key;
use crate::lock::Op;
use crate::obtain::Mode;
use crate::redis::exchange::{Exchange, Finding};
use crate::redis::resp::{DecodeLimits, Decoder};
use crate::redis::wire::{LastTtl, Wire};
use crate::time::Instant;
use crate::token::Token;
use crate::ttl::Ttl;

fn claim(key: &str) -> Claim {
    let token = Token::new("token-0123").unwrap();
    Claim::new(b"p:", Key::new(key).unwrap().into(), token, b"")
}

fn ttl() -> Ttl {
    Ttl::new(Duration::from_secs(8)).unwrap()
}

const READ: Mode = Mode::Shared { limit: None };

fn obtain(claim: &Claim, mode: Mode, waits: bool) -> Op<'_> {
    Op::Obtain {
        claim,
        ttl: ttl(),
        again: false,
        mode,
        fence: None,
        waits,
        ticket: None,
        change: false,
    }
}

struct Line {
    exchange: Exchange,
    capability: Capability,
}

impl Line {
    fn new(tracking: bool) -> Self {
        let mut capability = Capability::BASIC;
        capability.tracking = tracking;
        let exchange = Exchange::default();
        Self {
            exchange,
            capability,
        }
    }

    /// The words of what is sent for an operation.
    fn send(&mut self, op: Op<'_>) -> String {
        let request = RequestId {
            lock: LockId::from_bits(1),
            round: 0,
            node: NodeId::new(0).unwrap(),
        };
        let mut out = Vec::new();
        let mut wire = Wire {
            out: &mut out,
            capability: &mut self.capability,
            prefix: b"p:",
            ttl: &mut LastTtl::default(),
        };
        self.exchange
            .send(request, op, &mut wire, Instant::default());
        let text = String::from_utf8(out).unwrap();
        let words = text.split("\r\n").filter(|line| !line.starts_with('$'));
        let words: Vec<&str> = words.collect();
        let text = words.join(" ");
        Script::ALL.iter().fold(text, |text, script| {
            text.replace(script.sha(), &format!("{script:?}"))
        })
    }

    fn receive(&mut self, replies: &str) -> Option<Outcome> {
        let mut decoder = Decoder::new(DecodeLimits::default());
        decoder.feed(replies.as_bytes());
        let mut outcome = None;
        while let Some(reply) = decoder.next_reply().unwrap() {
            let received = self
                .exchange
                .receive(reply, |_, _| false, &mut self.capability);
            if let Some((_, Finding::Outcome(last))) = received.flatten() {
                outcome = Some(last);
            }
        }
        outcome
    }
}

const COMPANIONS: &str =
    "p:k {p:k}~in {p:k}~exclusive {p:k}~shared {p:k}~alive {p:k}~bell:token-01";

#[test]
fn each_operation_of_each_mode_has_its_commands() {
    let claim = claim("k");
    let permit = Mode::Shared {
        limit: NonZeroU32::new(3),
    };
    let mut line = Line::new(false);
    let sent = line.send(obtain(&claim, Mode::InTurn, false));
    assert_eq!(
        sent,
        format!("*14 EVALSHA Enter 6 {COMPANIONS} token-0123 8000 0 0  *2 PTTL p:k ")
    );
    let sent = line.send(obtain(&claim, READ, false));
    assert_eq!(
        sent,
        format!("*15 EVALSHA Share 6 {COMPANIONS} token-0123 8000 0 0 0  ")
    );
    let sent = line.send(obtain(&claim, permit, true));
    assert_eq!(
        sent,
        format!("*2 PTTL p:k *15 EVALSHA Share 6 {COMPANIONS} token-0123 8000 0 0 3  ")
    );
    let (mode, claim) = (permit, &claim);
    let sent = line.send(Op::Release {
        claim,
        ttl: ttl(),
        mode,
    });
    assert_eq!(
        sent,
        format!("*12 EVALSHA Leave 6 {COMPANIONS} token-0123 8000 3 ")
    );
    let sent = line.send(Op::Refresh {
        claim,
        ttl: ttl(),
        keep: true,
        mode,
        fence: None,
    });
    assert_eq!(sent, "*8 EVALSHA Stay 2 p:k {p:k}~in token-0123 8000 keep ");
    let sent = line.send(Op::Check { claim, mode });
    assert_eq!(sent, "*2 GET p:k *3 ZSCORE {p:k}~in token-0123 ");
}

#[test]
fn the_status_of_a_key_is_one_script() {
    let sent = Line::new(false).send(Op::Status {
        keys: claim("k").keys(),
    });
    let companions = "{p:k}~in {p:k}~exclusive {p:k}~shared {p:k}~alive {p:k}~fence";
    assert_eq!(sent, format!("*10 EVALSHA Status 6 p:k {companions} 100 "));
}

#[test]
fn a_key_with_a_tag_keeps_it_in_its_companions() {
    let claim = claim("{job}k");
    let sent = Line::new(false).send(Op::Check {
        claim: &claim,
        mode: READ,
    });
    assert_eq!(sent, "*2 GET p:{job}k *3 ZSCORE p:{job}k~~in token-0123 ");
}

#[test]
fn only_the_first_request_of_a_connection_changes_how_it_tracks() {
    let claim = claim("k");
    let mut line = Line::new(true);
    let sent = line.send(obtain(&claim, READ, false));
    assert!(
        sent.starts_with("*5 CLIENT TRACKING ON OPTOUT NOLOOP *3 CLIENT CACHING NO *15 EVALSHA")
    );
    assert_eq!(line.receive("+OK\r\n+OK\r\n:1\r\n"), Some(Outcome::GRANTED));
    let sent = line.send(obtain(&claim, READ, true));
    assert!(
        sent.starts_with("*2 PTTL p:k *3 CLIENT CACHING NO *15 EVALSHA"),
        "{sent}"
    );
    // The server does not allow it: then it is not requested again.
    let refused = line.receive(":-2\r\n-ERR not now\r\n*3\r\n:0\r\n:500\r\n$0\r\n\r\n");
    let Some(Outcome::Denied { watched, by, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((watched, by), (true, Obstacle::Holder));
    let sent = line.send(obtain(&claim, Mode::InTurn, false));
    assert!(sent.starts_with("*14 EVALSHA Enter"), "{sent}");
}

const fn millis(time: u64) -> Option<Duration> {
    Some(Duration::from_millis(time))
}

const WRITE: Mode = Mode::InTurn;

/// Whether the lock waits, what the server replies, and when to retry, whether a wake will come, and who is in the way.
type Denial = (Mode, bool, &'static str, (Option<Duration>, bool, Obstacle));

const DENIALS: [Denial; 8] = [
    (
        WRITE,
        false,
        "*3\r\n:0\r\n:70\r\n$0\r\n\r\n:70\r\n",
        (millis(71), true, Obstacle::Holder),
    ),
    (
        WRITE,
        false,
        "*3\r\n:0\r\n:-1\r\n$0\r\n\r\n:-1\r\n",
        (None, true, Obstacle::Holder),
    ),
    (
        WRITE,
        false,
        "*3\r\n:-1\r\n:70\r\n$0\r\n\r\n:90\r\n",
        (millis(71), true, Obstacle::Sharing),
    ),
    // It has gone between the two.
    (
        WRITE,
        false,
        "*3\r\n:-1\r\n:70\r\n$0\r\n\r\n:-2\r\n",
        (millis(0), true, Obstacle::Sharing),
    ),
    // Nobody has the key, but somebody waits.
    (
        WRITE,
        false,
        "*3\r\n:-2\r\n:70\r\n$3\r\nabc\r\n:-2\r\n",
        (millis(71), false, Obstacle::Queue(None)),
    ),
    (
        READ,
        true,
        ":90\r\n*3\r\n:0\r\n:70\r\n$0\r\n\r\n",
        (millis(71), true, Obstacle::Holder),
    ),
    (
        READ,
        true,
        ":90\r\n*3\r\n:-1\r\n:70\r\n$0\r\n\r\n",
        (millis(71), false, Obstacle::Sharing),
    ),
    (
        READ,
        false,
        "*3\r\n:0\r\n:70\r\n$0\r\n\r\n",
        (millis(71), false, Obstacle::Holder),
    ),
];

#[test]
fn a_denial_says_who_is_in_the_way_and_whether_a_wake_will_come() {
    let claim = claim("k");
    for (mode, waits, replies, expected) in DENIALS {
        let mut line = Line::new(true);
        line.send(obtain(&claim, mode, waits));
        let (time, rest) = match replies.strip_prefix(":90\r\n*") {
            Some(_) => replies.split_at(5),
            None => ("", replies),
        };
        let outcome = line.receive(&format!("{time}+OK\r\n+OK\r\n{rest}"));
        let Some(Outcome::Denied {
            retry_after,
            watched,
            held,
            by,
            ..
        }) = outcome
        else {
            panic!("{outcome:?}");
        };
        assert_eq!((retry_after, watched, by), expected, "{mode:?} {replies}");
        assert!(held.is_some_and(|held| held.contains(0)));
    }
}

/// The key may be free: a lock that retried at once would do so endlessly.
#[test]
fn a_companion_of_another_type_is_in_the_way_until_somebody_removes_it() {
    let claim = claim("k");
    let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    let replies = [
        (WRITE, format!("+OK\r\n+OK\r\n{wrong}:-2\r\n")),
        (READ, format!(":-2\r\n+OK\r\n+OK\r\n{wrong}")),
    ];
    for (mode, replies) in replies {
        let mut line = Line::new(true);
        line.send(obtain(&claim, mode, true));
        let denied = line.receive(&replies);
        let blocked = matches!(
            denied,
            Some(Outcome::Denied {
                retry_after: None,
                watched: false,
                ..
            })
        );
        assert!(blocked, "{denied:?}");
    }
}

#[test]
fn other_replies_grant_refuse_or_say_nothing() {
    let claim = claim("k");
    let fenced = |fence| Outcome::Granted {
        fence: Some(Fence(fence)),
        remaining: None,
    };
    let denial = "-NOPERM this user has no permissions\r\n:9\r\n";
    for (replies, expected) in [
        (":1\r\n:9\r\n", Outcome::GRANTED),
        (":1732812345678901\r\n:9\r\n", fenced(1_732_812_345_678_901)),
        (denial, Outcome::Failed(NodeError::NoPermission)),
        ("*2\r\n:0\r\n:1\r\n:9\r\n", Outcome::Unknown),
        ("*3\r\n:7\r\n:1\r\n$0\r\n\r\n:9\r\n", Outcome::Unknown),
        ("*3\r\n$1\r\n0\r\n:1\r\n$0\r\n\r\n:9\r\n", Outcome::Unknown),
        ("+OK\r\n:9\r\n", Outcome::Unknown),
        (":-1\r\n:9\r\n", Outcome::Unknown),
    ] {
        let mut line = Line::new(false);
        line.send(obtain(&claim, Mode::InTurn, false));
        assert_eq!(line.receive(replies), Some(expected), "{replies}");
    }
}

#[test]
fn one_who_shares_a_key_is_checked_by_marker_and_score() {
    let claim = claim("k");
    let granted = |replies: &str, tracking: bool| {
        let mut line = Line::new(tracking);
        line.send(Op::Check {
            claim: &claim,
            mode: READ,
        });
        let outcome = line.receive(replies);
        matches!(outcome, Some(Outcome::Granted { .. }))
    };
    assert!(granted("$7\r\n~shared\r\n,17\r\n", false));
    assert!(granted("$7\r\n~shared\r\n$2\r\n17\r\n", false));
    assert!(granted(
        "+OK\r\n+OK\r\n$7\r\n~shared\r\n+OK\r\n,17\r\n",
        true
    ));
    assert!(!granted("$7\r\n~shared\r\n_\r\n", false));
    assert!(!granted("$5\r\nother\r\n,17\r\n", false));
    assert!(!granted("_\r\n,17\r\n", false));
    assert!(!granted("-WRONGTYPE x\r\n_\r\n", false));
}
