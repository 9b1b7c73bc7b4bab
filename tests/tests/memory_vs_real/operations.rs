//! Random operations: what Tenure sends, and what is near to it.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tenure_core::redis::Script;
use tenure_tests::servers::Kind;

use crate::pair::{CLIENTS, Words, words};

/// Who sends what.
pub(crate) type Operation = (usize, Words);

/// Operations that this kind of server knows as `memory` does. What the others answer is listed here:
/// - Redis 6.2 has no `SET … NX GET`; it takes `SCRIPT EXISTS` without a hash.
/// - Redis 6.2 and 7.0 have no `CLIENT SETINFO` and no `CLIENT NO-TOUCH`, Redis 6.2 no `CLIENT NO-EVICT`.
/// - What `COMMAND INFO` says of a command that is there differs from version to version.
pub(crate) fn operations(kind: Kind) -> impl Strategy<Value = Vec<Operation>> {
    let words = prop_oneof![
        4 => set(kind),
        4 => locking(kind),
        2 => several(),
        4 => reading(),
        3 => writing(),
        3 => scripts(),
        1 => session(),
        1 => odd(),
    ];
    vec((0..CLIENTS, words), 1..60)
}

fn key() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "b", "c", "h"])
}

fn value() -> impl Strategy<Value = &'static str> {
    select(vec!["v", "w", "vw", ""])
}

/// Long enough that nothing expires.
const TTLS: [&str; 3] = ["1000000", "2000000", "3000000"];

/// What Tenure sends to one key.
fn locking(kind: Kind) -> BoxedStrategy<Words> {
    let ttl = select(&TTLS);
    let compare = kind.has_compare();
    (key(), value(), ttl, 0..5)
        .prop_map(move |(key, value, ttl, which)| {
            words(&match which {
                0 if compare => format!("SET {key} {value} IFEQ {value} PX {ttl}"),
                1 if compare => format!("DELIFEQ {key} {value}"),
                4 => format!("PTTL {key}"),
                _ => format!("SET {key} {value} NX PX {ttl}"),
            })
        })
        .boxed()
}

/// `MSETEX`, with numbers of keys that fit and others.
fn several() -> BoxedStrategy<Words> {
    let option = select(vec![
        "NX",
        "NX PX 1000000",
        "nx PX 2000000",
        "XX",
        "KEEPTTL",
        "PX 1000000",
        "EX 1000",
        "PX 0",
        "PX -1",
        "PX abc",
        "PX",
        "PX 9223372036854775807",
        "GET",
        "IFEQ v",
    ]);
    let count = select(vec!["0", "-1", "x", "007", "2147483647", "2147483648", "9"]);
    (
        vec((key(), value()), 0..4),
        vec(option, 0..3),
        count,
        0..8_u8,
    )
        .prop_map(|(pairs, options, odd, which)| {
            let count = pairs.len().to_string();
            let mut line = format!("MSETEX {}", if which == 0 { odd } else { &count });
            for word in pairs.iter().flat_map(|(key, value)| [key, value]) {
                line = format!("{line} {word}");
            }
            for option in options {
                line = format!("{line} {option}");
            }
            words(&line)
        })
        .boxed()
}

fn set(kind: Kind) -> BoxedStrategy<Words> {
    let option = select(vec![
        "NX",
        "nx",
        "XX",
        "GET",
        "KEEPTTL",
        "PX 1000000",
        "EX 1000",
        "PX 0",
        "PX -1",
        "PX abc",
        "PX",
        "EX 007",
        "PX 9223372036854775807",
        "EX 9223372036854775807",
        "PX 99999999999999999999",
        "FOO",
        "IFEQ v",
        "IFEQ w",
        "IFEQ",
    ]);
    (key(), value(), vec(option, 0..4))
        .prop_map(|(key, value, options)| {
            let options: String = options.iter().map(|option| format!(" {option}")).collect();
            words(&format!("SET {key} {value}{options}"))
        })
        .prop_filter("Redis 6.2 has no NX with GET", move |words| {
            let has = |name: &[u8]| {
                words
                    .iter()
                    .skip(3)
                    .any(|word| word.eq_ignore_ascii_case(name))
            };
            kind != Kind::Redis62 || !(has(b"NX") && has(b"GET"))
        })
        .boxed()
}

fn reading() -> BoxedStrategy<Words> {
    let name = select(vec!["GET", "PTTL", "TTL", "TYPE", "EXISTS", "get"]);
    prop_oneof![
        4 => (name, key()).prop_map(|(name, key)| words(&format!("{name} {key}"))),
        1 => vec(key(), 1..4).prop_map(|keys| words(&format!("EXISTS {}", keys.join(" ")))),
    ]
    .boxed()
}

fn writing() -> BoxedStrategy<Words> {
    let time = select(vec![
        "1000000",
        "0",
        "-1",
        "abc",
        "9223372036854775807",
        "-9223372036854775808",
    ]);
    prop_oneof![
        3 => vec(key(), 1..4).prop_map(|keys| words(&format!("DEL {}", keys.join(" ")))),
        3 => (select(vec!["PEXPIRE", "EXPIRE"]), key(), time)
            .prop_map(|(name, key, time)| words(&format!("{name} {key} {time}"))),
        1 => key().prop_map(|key| words(&format!("PERSIST {key}"))),
        1 => Just(words("HSET h f v")),
        1 => key().prop_map(|key| words(&format!("LPUSH {key} x"))),
        1 => select(vec!["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB x", "DBSIZE"]).prop_map(words),
    ]
    .boxed()
}

fn scripts() -> BoxedStrategy<Words> {
    // For the others see `modes.rs`.
    let script = select(vec![Script::Obtain, Script::Refresh, Script::Release]);
    let ttl = select(vec!["1000000", "2000000", "2000000", "0", "-1", "abc"]);
    let called = (
        script,
        any::<bool>(),
        vec(key(), 0..4),
        vec(value(), 0..2),
        ttl,
        any::<bool>(),
        0..20,
    )
        .prop_map(|(script, by_hash, keys, values, ttl, keep, count)| {
            let (name, body) = if by_hash {
                ("EVALSHA", script.sha())
            } else {
                ("EVAL", script.text())
            };
            let count = match count {
                0 => "x".to_owned(),
                1 => "-1".to_owned(),
                2 => "99".to_owned(),
                _ => keys.len().to_string(),
            };
            let mut words: Vec<&str> = vec![name, body, &count];
            words.extend(&keys);
            words.extend(&values);
            if !values.is_empty() {
                words.push(ttl);
                // For an obtain it would mean a fence: see `fences.rs`.
                let keep = keep && script != Script::Obtain;
                words.extend(keep.then_some("keep"));
            }
            words.iter().map(|word| word.as_bytes().to_vec()).collect()
        });
    let about = (select(&Script::ALL), 0..6).prop_map(|(script, which)| match which {
        5 => vec![b"EVAL".to_vec(), b"return 1".to_vec(), b"0".to_vec()],
        0 => words("SCRIPT FLUSH"),
        1 => words(&format!("SCRIPT EXISTS {} x", script.sha().to_uppercase())),
        _ => vec![b"SCRIPT".to_vec(), b"LOAD".to_vec(), script.text().into()],
    });
    prop_oneof![5 => called, 1 => about].boxed()
}

fn session() -> BoxedStrategy<Words> {
    select(vec![
        "HELLO",
        "HELLO 2",
        "HELLO 3",
        "HELLO 3",
        "HELLO 3 SETNAME x",
        "HELLO 3 AUTH default any",
        "CLIENT TRACKING ON",
        "CLIENT TRACKING ON NOLOOP",
        "CLIENT TRACKING ON NOLOOP",
        "CLIENT TRACKING OFF",
        "CLIENT SETNAME y",
        "CLIENT GETNAME",
        "CLIENT ID",
        "SELECT 1",
        "SELECT 0",
        "SELECT 0",
        "RESET",
        "PING",
        "ECHO x",
        "AUTH default any",
    ])
    .prop_map(words)
    .boxed()
}

fn odd() -> BoxedStrategy<Words> {
    select(vec![
        "HELLO 4",
        "HELLO x",
        "HELLO 3 FOO",
        "HELLO 3 AUTH x",
        "HELLO 3 AUTH x y",
        "HELLO 3 SETNAME a\tb",
        "AUTH",
        "AUTH x",
        "AUTH x y",
        "AUTH a b c",
        "SELECT",
        "SELECT x",
        "SELECT 16",
        "SELECT -1",
        "CLIENT",
        "CLIENT FOO",
        "CLIENT ID x",
        "CLIENT SETNAME",
        "CLIENT SETNAME a\tb",
        "CLIENT SETNAME ",
        "CLIENT TRACKING",
        "CLIENT TRACKING x",
        "CLIENT TRACKING ON x",
        "COMMAND INFO nosuch",
        "MSETEX",
        "MSETEX 1 a",
        "COMMAND FOO",
        "PING a b",
        "PING a",
        "ECHO",
        "GET",
        "GET a b",
        "SET a",
        "DEL",
        "EXISTS",
        "PTTL",
        "PEXPIRE a",
        "PERSIST",
        "HSET h f",
        "HSET h f v g",
        "LPUSH h",
        "TYPE",
        "DBSIZE x",
        "FOO",
        "FOO bar baz",
        "SCRIPT",
        "SCRIPT FOO",
        "SCRIPT LOAD",
        "SCRIPT FLUSH x",
        "EVAL",
        "EVALSHA x 0",
        "EVALSHA x",
        "DELIFEQ",
        "RESET x",
        "FLUSHALL x",
    ])
    .prop_map(words)
    .boxed()
}
