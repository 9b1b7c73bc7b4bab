//! The scripts of locks that share their key, with all that others may do to their keys.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tenure_core::redis::Script;
use tenure_tests::servers::{Kind, Server};

use crate::answers_alike;
use crate::pair::{CLIENTS, Pair, UNREGISTERED, Words, words};

const SCRIPTS: [Script; 5] = [
    Script::Enter,
    Script::Share,
    Script::Stay,
    Script::Leave,
    Script::Status,
];

/// So far apart that no sum of them, or of their eighths, is near another: the times of two servers differ a little.
const TTLS: [&str; 3] = ["1000000", "2300000", "8700000"];

/// By how much a lock is older than it looks, in microseconds: it may come before others that were there earlier.
const WAITED: [&str; 4] = ["0", "0", "1000000000", "2000000000"];

#[test]
fn modes_of_redis_7_are_alike() {
    alike(Kind::Redis7);
}

#[test]
fn modes_of_redis_6_2_are_alike() {
    alike(Kind::Redis62);
}

#[test]
fn modes_of_valkey_9_are_alike() {
    alike(Kind::Valkey9);
}

fn alike(kind: Kind) {
    let words = prop_oneof![
        12 => script(),
        3 => status(),
        3 => foreign(),
        2 => companions(),
        4 => reading(),
        2 => tracking(),
    ];
    let operations = vec((0..CLIENTS, words), 1..60);
    answers_alike(kind, operations, prepare);
}

fn prepare(pair: &mut Pair) {
    for script in SCRIPTS {
        let load = [b"SCRIPT".to_vec(), b"LOAD".to_vec(), script.text().into()];
        pair.step(2, &load.to_vec()).expect("the same answer");
    }
    pair.let_time_pass();
}

/// A script with its keys and arguments, as a line.
fn line(script: Script, key: &str, value: &str, args: &str) -> String {
    let (count, others) = if script == Script::Stay {
        (2, String::new())
    } else {
        let others = format!("{{{key}}}~exclusive {{{key}}}~shared {{{key}}}~alive");
        (6, format!(" {others} {{{key}}}~bell:{value}"))
    };
    let sha = script.sha();
    format!("EVALSHA {sha} {count} {key} {{{key}}}~in{others} {value} {args}")
}

fn key() -> impl Strategy<Value = &'static str> {
    select(vec!["k", "k", "k", "other"])
}

fn value() -> impl Strategy<Value = &'static str> {
    select(vec!["value-aa", "value-bb", "value-cc", "dd"])
}

fn script() -> BoxedStrategy<Words> {
    let patience = select(vec!["0", "0", "60000"]);
    let limit = select(vec!["0", "0", "1", "2"]);
    let change = select(vec!["", "", "", "yes"]);
    let script = select(vec![
        Script::Enter,
        Script::Share,
        Script::Share,
        Script::Stay,
        Script::Leave,
    ]);
    let times = (select(&TTLS), patience, select(&WAITED));
    (script, key(), value(), times, limit, change)
        .prop_map(|(script, key, value, times, limit, change)| {
            let (ttl, patience, waited) = times;
            let keep = if change.is_empty() { "" } else { " keep" };
            let args = match script {
                Script::Enter => format!("{ttl} {patience} {waited} {change}"),
                Script::Share => format!("{ttl} {patience} {waited} {limit} {change}"),
                Script::Stay => format!("{ttl}{keep}"),
                Script::Leave => format!("{ttl} {limit}"),
                Script::Obtain | Script::Refresh | Script::Release | Script::Status => {
                    String::new()
                }
            };
            words(&line(script, key, value, &args))
        })
        .prop_flat_map(|words| (any::<bool>(), Just(words)))
        .prop_map(|(unregistered, mut words)| {
            if unregistered {
                words.insert(0, UNREGISTERED.into());
            }
            words
        })
        .boxed()
}

/// Everything that is known of a key.
fn status() -> BoxedStrategy<Words> {
    let most = select(vec!["100", "100", "1", "0", "-1", "many"]);
    (key(), most, any::<bool>())
        .prop_map(|(key, most, unregistered)| {
            let others = ["in", "exclusive", "shared", "alive", "fence"];
            let others = others.map(|kind| format!("{{{key}}}~{kind}")).join(" ");
            let sha = Script::Status.sha();
            let mut words = words(&format!("EVALSHA {sha} 6 {key} {others} {most}"));
            if unregistered {
                words.insert(0, UNREGISTERED.into());
            }
            words
        })
        .boxed()
}

/// What other libraries and people do to the key itself.
fn foreign() -> BoxedStrategy<Words> {
    let line = select(vec![
        "SET k other NX PX 3700000",
        "SET k value-aa PX 3700000",
        "SET k other",
        "SET k ~shared PX 400000",
        "DEL k",
        "DEL k",
        "PEXPIRE k 400000",
        "PEXPIRE k 90000000",
        "PERSIST k",
        "HSET k field value",
    ]);
    line.prop_map(words).boxed()
}

/// Those who have died: readers and waiters whose time is over. And keys of another type.
fn companions() -> BoxedStrategy<Words> {
    let line = select(vec![
        "ZADD {k}~in 1000 dead-reader",
        "ZADD {k}~in 1000 value-bb",
        "ZADD {k}~exclusive 1000 dead-writer",
        "ZADD {k}~exclusive 1001 no-end",
        "ZADD {k}~shared 1000 dead-one",
        "HSET {k}~alive dead-writer 1000 dead-one 1000",
        "DEL {k}~in",
        "DEL {k}~exclusive {k}~alive",
        "SET {k}~exclusive x",
        "LPUSH {k}~in x",
        "SET {k}~alive x",
        "DEL {k}~in {k}~exclusive {k}~shared {k}~alive",
        "SET {k}~fence 1700000000000000",
        "LPUSH {k}~fence x",
        "DEL {k}~fence",
        "FLUSHALL",
    ]);
    line.prop_map(words).boxed()
}

fn reading() -> BoxedStrategy<Words> {
    let line = select(vec![
        "GET k",
        "PTTL k",
        "PTTL {k}~in",
        "PTTL {k}~exclusive",
        "PTTL {k}~alive",
        "TYPE {k}~in",
        "TYPE {k}~alive",
        "ZCARD {k}~in",
        "ZCARD {k}~shared",
        "ZRANGE {k}~exclusive 0 -1",
        "ZRANGE {k}~shared 0 -2",
        "ZRANGE {k}~shared 1 5",
        "ZSCORE {k}~exclusive dead-writer",
        "ZSCORE {k}~in nobody",
        "HGET {k}~alive dead-writer",
        "HGET {k}~alive nobody",
        "EXISTS {k}~in {k}~exclusive {k}~shared {k}~alive {k}~bell:dd",
    ]);
    line.prop_map(words).boxed()
}

fn tracking() -> BoxedStrategy<Words> {
    let line = select(vec![
        "CLIENT TRACKING ON OPTOUT NOLOOP",
        "CLIENT TRACKING ON OPTOUT",
        "CLIENT TRACKING ON NOLOOP",
        "CLIENT CACHING NO",
        "CLIENT CACHING NO",
        "CLIENT CACHING YES",
        "CLIENT CACHING maybe",
        "CLIENT CACHING",
    ]);
    line.prop_map(words).boxed()
}

/// A fence, and each way to change: those need more luck than there is in draws.
#[test]
fn changes_and_fences_are_alike() {
    let lines = [
        (Script::Enter, "a", "1000000 0 0 "),
        (Script::Share, "a", "1000000 0 0 0 yes"),
        (Script::Share, "b", "1000000 0 0 0 "),
        (Script::Enter, "a", "1000000 0 0 yes"),
        (Script::Leave, "b", "1000000 0"),
        (Script::Enter, "a", "1000000 0 0 yes"),
        (Script::Enter, "b", "1000000 60000 0 "),
        (Script::Share, "c", "1000000 60000 0 1 "),
        (Script::Share, "d", "1000000 60000 9000000000 1 "),
        (Script::Leave, "a", "1000000 0"),
        (Script::Enter, "b", "1000000 60000 0 "),
        (Script::Share, "d", "1000000 60000 0 1 "),
        (Script::Leave, "c", "1000000 1"),
        (Script::Leave, "d", "1000000 1"),
        (Script::Enter, "b", "1000000 60000 0 "),
    ];
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut pair = Pair::new(&server, kind);
        prepare(&mut pair);
        for (step, (script, value, args)) in lines.into_iter().enumerate() {
            let line = line(script, "k", value, args);
            assert_eq!(
                pair.step(step % CLIENTS, &words(&line)),
                Ok(()),
                "{kind:?}: {line}"
            );
        }
        let (enter, ahead) = (Script::Enter.sha(), 4_000_000_000_000_000_u64);
        let keys = "7 f {f}~in {f}~exclusive {f}~shared {f}~alive {f}~bell:a {f}~fence";
        for line in [
            format!("SET {{f}}~fence {ahead}"),
            format!("EVALSHA {enter} {keys} a 1000000 0 0  forever"),
            "GET {f}~fence".to_owned(),
            "PTTL {f}~fence".to_owned(),
            format!("EVALSHA {enter} {keys} a 1000000 0 0  86400000"),
            "PERSIST {f}~fence".to_owned(),
            format!("EVALSHA {enter} {keys} b 1000000 0 0  86400000"),
            "GET {f}~fence".to_owned(),
            "SET {f}~fence seven".to_owned(),
            format!("EVALSHA {enter} {keys} a 1000000 0 0  86400000"),
        ] {
            assert_eq!(pair.step(0, &words(&line)), Ok(()), "{kind:?}: {line}");
        }
    }
}
