//! Whole exchanges, from an operation to its outcome.

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::claim::Claim;
use crate::id::{LockId, NodeId};
use crate::keys::{Key, Keys};
use crate::obtain::Mode;
use crate::redis::resp::{DecodeLimits, Decoder};
use crate::redis::wire::LastTtl;
use crate::token::Token;

fn claim(keys: &[&str]) -> Claim {
    let keys = keys.iter().map(|key| Key::new(key).unwrap());
    let keys = Keys::new(keys.collect::<Vec<_>>()).unwrap();
    Claim::new(b"", keys, Token::new("v").unwrap(), b"")
}

/// What is sent for a check of two keys, and the outcome of the reply.
fn check(answer: &str) -> (Vec<u8>, Outcome) {
    let claim = claim(&["a", "b"]);
    let (sent, finding) = find(
        Op::Check {
            claim: &claim,
            mode: Mode::Exclusive,
        },
        answer,
    );
    let Finding::Outcome(outcome) = finding else {
        panic!("{finding:?}");
    };
    (sent, outcome)
}

/// What is sent for an operation, and the outcome of the reply.
fn find(op: Op<'_>, answer: &str) -> (Vec<u8>, Finding) {
    let request = RequestId {
        lock: LockId::from_bits(1),
        round: 0,
        node: NodeId::new(0).unwrap(),
    };
    let (mut exchange, mut capability) = (Exchange::default(), Capability::BASIC);
    capability.tracking = true;
    let mut out = Vec::new();
    let mut wire = Wire {
        out: &mut out,
        capability: &mut capability,
        prefix: b"",
        ttl: &mut LastTtl::default(),
    };
    exchange.send(request, op, &mut wire, Instant::default());
    let mut decoder = Decoder::new(DecodeLimits::default());
    decoder.feed(answer.as_bytes());
    while let Some(reply) = decoder.next_reply().unwrap() {
        let is_ours = |_, value: &[u8]| value == b"v";
        let answered = exchange.receive(reply, is_ours, &mut capability);
        if let Some((_, finding)) = answered.expect("an answer to what was sent") {
            return (out, finding);
        }
    }
    panic!("no outcome after {answer:?}");
}

#[test]
fn a_key_is_free_only_if_the_server_reports_it() {
    let claim = claim(&["a"]);
    let holder = |answer: &str| {
        let keys = claim.keys();
        match find(Op::Inspect { keys }, answer).1 {
            Finding::Found(found) => Ok(found.first().cloned().flatten()),
            Finding::Outcome(outcome) => Err(outcome),
            #[cfg(feature = "modes")]
            Finding::Status(_) => panic!("{answer:?}"),
            Finding::Again => panic!("{answer:?}"),
        }
    };
    assert_eq!(holder("$-1\r\n:-2\r\n"), Ok(None));
    assert_eq!(holder("_\r\n:-2\r\n"), Ok(None));
    let held = holder("$1\r\nx\r\n:-1\r\n").unwrap().expect("held");
    assert_eq!((&*held.value, held.remaining), (&b"x"[..], None));
    let times = [
        "+OK\r\n:5\r\n",
        "+QUEUED\r\n+QUEUED\r\n",
        ":1\r\n:5\r\n",
        "*0\r\n:-2\r\n",
        "$1\r\nx\r\n+QUEUED\r\n",
        "$-1\r\n*0\r\n",
    ];
    for answer in times {
        assert_eq!(holder(answer), Err(Outcome::Unknown), "{answer:?}");
    }
    let denied = Err(Outcome::Failed(NodeError::NoPermission));
    assert_eq!(holder("$1\r\nx\r\n-NOPERM no\r\n"), denied);
}

#[test]
fn a_check_reports_the_shortest_remaining_time() {
    const OURS: &str = "$1\r\nv\r\n";
    for (times, least) in [
        (["300", "200"], Some(200)),
        (["0", "200"], Some(0)),
        (["-1", "200"], Some(200)),
        (["-1", "-1"], None),
    ] {
        let [a, b] = times;
        let (sent, outcome) = check(&alloc::format!("{OURS}:{a}\r\n{OURS}:{b}\r\n"));
        let remaining = least.map(Duration::from_millis);
        let fence = None;
        assert_eq!(outcome, Outcome::Granted { fence, remaining }, "{times:?}");
        let text = alloc::string::String::from_utf8(sent).unwrap();
        let words: Vec<_> = text
            .split("\r\n")
            .filter(|word| !word.starts_with(['*', '$']) && !word.is_empty())
            .collect();
        assert_eq!(words, ["GET", "a", "PTTL", "a", "GET", "b", "PTTL", "b"]);
    }
}

#[test]
fn a_check_of_a_key_that_is_gone_or_ends_meanwhile_is_denied() {
    for (answer, first, second) in [
        ("$1\r\nw\r\n:300\r\n$1\r\nv\r\n:200\r\n", true, true),
        ("$1\r\nv\r\n:300\r\n$1\r\nv\r\n:-2\r\n", true, false),
        ("$-1\r\n:-2\r\n$1\r\nv\r\n:200\r\n", false, true),
    ] {
        let (_, outcome) = check(answer);
        let Outcome::Denied { watched, held, .. } = outcome else {
            panic!("{outcome:?} after {answer:?}");
        };
        assert!(watched, "the times registered our interest");
        assert_eq!(
            (
                held.is_some_and(|held| held.contains(0)),
                held.is_some_and(|held| held.contains(1))
            ),
            (first, second),
            "{answer:?}"
        );
    }
}
