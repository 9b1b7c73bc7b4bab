//! The server of `memory` answers as real servers do; otherwise the simulation would prove only the model.
//!
//! Each command goes to both, and what every client gets after it must be the same, byte for byte. What may differ is
//! listed in `pair.rs` and `operations.rs`.

mod fences;
mod modes;
mod operations;
mod pair;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use tenure_core::memory;
use tenure_tests::servers::{Kind, Server};

use operations::operations;
use pair::{Pair, words};

fn alike(kind: Kind) {
    answers_alike(kind, operations(kind), |_| {});
}

fn answers_alike(
    kind: Kind,
    operations: impl Strategy<Value = Vec<operations::Operation>>,
    prepare: impl Fn(&mut Pair),
) {
    let server = Server::start(kind);
    // The same operations in each run; `PROPTEST_CASES` makes it more.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, rng)
        .run(&operations, |operations| {
            let mut pair = Pair::new(&server, kind);
            prepare(&mut pair);
            for (client, words) in &operations {
                pair.step(*client, words).map_err(TestCaseError::fail)?;
            }
            Ok(())
        })
        .unwrap_or_else(|failure| match failure {
            // The operations themselves, in numbers, would fill pages.
            TestError::Fail(reason, operations) => {
                panic!("after {} operations: {reason}", operations.len())
            }
            TestError::Abort(reason) => panic!("{reason}"),
        });
}

#[test]
fn redis_7_answers_alike() {
    alike(Kind::Redis7);
}

#[test]
fn redis_6_2_answers_alike() {
    alike(Kind::Redis62);
}

#[test]
fn valkey_9_answers_alike() {
    alike(Kind::Valkey9);
}

#[test]
fn an_expiry_is_announced_alike() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let is_reported = [10, 100, 1000, 10_000].into_iter().any(|ttl| {
            let mut pair = Pair::new(&server, kind);
            pair.step(0, &words(&format!("SET k v PX {ttl}"))).unwrap();
            // On a slow machine it is over before it is read: then the next one lasts longer.
            if pair.step(0, &words("GET k")).is_err() {
                return false;
            }
            pair.expire(2, b"k").unwrap();
            true
        });
        assert!(is_reported, "{kind:?}");
    }
}

#[test]
fn swapped_databases_keep_their_keys_and_nobody_is_notified() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut pair = Pair::new(&server, kind);
        let ask = |pair: &mut Pair, lines: &[&str]| {
            for line in lines {
                pair.step(0, &words(line)).unwrap();
            }
        };
        ask(
            &mut pair,
            &["SET a first PX 60000", "GET a", "PTTL b", "SELECT 1"],
        );
        ask(&mut pair, &["SET a second PX 70000", "SELECT 0"]);
        pair.swap_databases().unwrap();
        ask(&mut pair, &["GET a", "PTTL a", "EXISTS b", "DBSIZE"]);
        ask(
            &mut pair,
            &["SELECT 1", "GET a", "PTTL a", "FLUSHDB", "SELECT 0"],
        );
        pair.swap_databases().unwrap();
        ask(&mut pair, &["GET a", "DBSIZE", "SET a third", "FLUSHALL"]);
    }
}

/// Bytes that end a connection, and what comes before its end.
#[test]
fn the_end_of_a_connection_is_alike() {
    let server = Server::start(Kind::Redis7);
    for bytes in [
        "*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n",
        "*-1\r\n*0\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n",
        "*1\r\n$-1\r\n",
        "*x\r\n",
        "*1\r\n+PING\r\n",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        let mut real = Vec::new();
        // It may reset the connection when it has not read everything.
        let _ = stream.read_to_end(&mut real);
        let (memory, closed) = end_in_memory(bytes.as_bytes());
        assert!(closed, "{bytes:?}");
        // What is wrong with the bytes is worded differently.
        let plain = |reply: Vec<u8>| {
            let text = String::from_utf8(reply).unwrap();
            let end = text.find("Protocol error").unwrap_or(text.len());
            text[..end].to_owned()
        };
        assert_eq!(plain(memory), plain(real), "{bytes:?}");
    }
}

fn end_in_memory(bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut server = memory::Server::new(memory::Options::default());
    let conn = server.connect();
    server.handle_input(conn, bytes, tenure_core::Instant::from_micros(0));
    let mut replies = Vec::new();
    let mut closed = false;
    loop {
        match server.poll_output() {
            memory::Output::Transmit { bytes, .. } => replies.extend_from_slice(bytes),
            memory::Output::Disconnect(_) => closed = true,
            memory::Output::Timeout(_) => return (replies, closed),
        }
    }
}
