use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

mod scripts;

use super::*;
use crate::redis::Script;
use crate::redis::resp::command;
use crate::{Instant, Secret};

/// A server with its clock in milliseconds, and what it has sent.
struct Fixture {
    server: Server,
    now: Instant,
    sent: Vec<(ConnId, String)>,
    closed: Vec<ConnId>,
    timeout: Option<Instant>,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::default();
        change(&mut options);
        Self {
            server: Server::new(options),
            now: ms(1000),
            sent: Vec::new(),
            closed: Vec::new(),
            timeout: None,
        }
    }

    fn drain(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Transmit { conn, bytes } => {
                    assert!(!bytes.is_empty());
                    let text = String::from_utf8(bytes.to_vec()).unwrap();
                    self.sent.push((conn, text));
                }
                Output::Disconnect(conn) => self.closed.push(conn),
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
            }
        }
    }

    fn take(&mut self, conn: ConnId) -> String {
        self.drain();
        let (its, others) = core::mem::take(&mut self.sent)
            .into_iter()
            .partition(|(to, _)| *to == conn);
        self.sent = others;
        let its: Vec<(ConnId, String)> = its;
        its.into_iter().map(|(_, text)| text).collect()
    }

    fn send(&mut self, conn: ConnId, words: &[&str]) -> String {
        let mut bytes = Vec::new();
        let mut args = command(&mut bytes, words.len());
        for word in words {
            args.arg(word.as_bytes());
        }
        self.server.handle_input(conn, &bytes, self.now);
        self.take(conn)
    }

    fn raw(&mut self, conn: ConnId, bytes: &[u8]) -> String {
        self.server.handle_input(conn, bytes, self.now);
        self.take(conn)
    }

    fn tracking(&mut self) -> ConnId {
        let conn = self.server.connect();
        assert!(self.send(conn, &["HELLO", "3"]).starts_with("%7\r\n"));
        assert_eq!(
            self.send(conn, &["CLIENT", "TRACKING", "ON", "NOLOOP"]),
            "+OK\r\n"
        );
        conn
    }
}

const fn ms(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

fn changed(key: &str) -> String {
    format!(
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n${}\r\n{key}\r\n",
        key.len()
    )
}

#[test]
fn a_key_is_there_for_the_whole_of_its_last_millisecond() {
    let mut fixture = Fixture::new(|_| {});
    let conn = fixture.server.connect();
    let reader = fixture.tracking();
    fixture.send(conn, &["SET", "k", "v", "PX", "100"]);
    fixture.drain();
    assert_eq!(fixture.timeout, Some(ms(1101)));
    assert_eq!(fixture.send(reader, &["PTTL", "k"]), ":100\r\n");
    fixture.now = Instant::from_micros(1_100_999);
    assert_eq!(fixture.send(conn, &["PTTL", "k"]), ":0\r\n");
    assert!(!fixture.server.is_empty(fixture.now));
    fixture.server.handle_timeout(fixture.now);
    assert_eq!(fixture.take(reader), "");
    assert_eq!(fixture.timeout, Some(ms(1101)));
    fixture.server.handle_timeout(ms(1101));
    assert_eq!(fixture.take(reader), changed("k"));
    assert_eq!(fixture.timeout, None);
    // The clock does not go back.
    assert_eq!(fixture.send(conn, &["PTTL", "k"]), ":-2\r\n");
    assert!(fixture.server.is_empty(fixture.now));
}

#[test]
fn input_that_comes_late_finds_expired_keys_gone() {
    let mut fixture = Fixture::new(|_| {});
    let reader = fixture.tracking();
    fixture.send(reader, &["SET", "k", "v", "PX", "100"]);
    fixture.send(reader, &["GET", "k"]);
    fixture.now = ms(2000);
    assert_eq!(fixture.send(reader, &["PING"]), changed("k") + "+PONG\r\n");
}

#[test]
fn without_announcement_an_expiry_is_found_by_the_next_read() {
    let mut fixture = Fixture::new(|options| options.announce_expiry = false);
    let (reader, conn) = (fixture.tracking(), fixture.server.connect());
    fixture.send(conn, &["SET", "k", "v", "PX", "100"]);
    fixture.send(reader, &["GET", "k"]);
    assert_eq!(fixture.timeout, None);
    fixture.now = ms(2000);
    fixture.server.handle_timeout(fixture.now);
    assert_eq!(fixture.take(reader), "");
    assert!(fixture.server.is_empty(fixture.now));
    assert_eq!(fixture.send(conn, &["SET", "k", "w", "NX"]), "+OK\r\n");
    assert_eq!(fixture.take(reader), changed("k"));
    // One's own discovery is no news, as measured.
    fixture.send(conn, &["PEXPIRE", "k", "100"]);
    fixture.send(reader, &["GET", "k"]);
    fixture.now = ms(3000);
    assert_eq!(fixture.send(reader, &["GET", "k"]), "_\r\n");
    assert_eq!(fixture.take(reader), "");
}

#[test]
fn a_registration_is_for_one_message_and_ended_by_any_write() {
    let mut fixture = Fixture::new(|_| {});
    let (reader, conn) = (fixture.tracking(), fixture.server.connect());
    fixture.send(reader, &["PTTL", "k"]);
    fixture.send(conn, &["SET", "k", "v", "NX", "PX", "5000"]);
    fixture.send(conn, &["SET", "k", "v", "PX", "5000"]);
    assert_eq!(fixture.take(reader), changed("k"));
    fixture.send(reader, &["PTTL", "k"]);
    assert_eq!(fixture.send(conn, &["SET", "k", "w", "NX"]), "$-1\r\n");
    assert_eq!(fixture.take(reader), "");
    fixture.send(reader, &["PEXPIRE", "k", "6000"]);
    fixture.send(conn, &["DEL", "k"]);
    assert_eq!(fixture.take(reader), "");
    fixture.send(conn, &["FLUSHALL"]);
    assert_eq!(fixture.take(reader), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    fixture.send(reader, &["GET", "k"]);
    fixture.server.handle_disconnected(reader);
    fixture.send(conn, &["SET", "k", "v"]);
    assert_eq!(fixture.take(reader), "");
}

#[test]
fn requests_may_be_split_anywhere_and_come_many_at_once() {
    let bytes = b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$4\r\na\r\nb\r\n*0\r\n*-1\r\n*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n";
    for cut in 0..bytes.len() {
        let mut fixture = Fixture::new(|_| {});
        let conn = fixture.server.connect();
        let mut replies = fixture.raw(conn, &bytes[..cut]);
        replies += &fixture.raw(conn, &bytes[cut..]);
        assert_eq!(replies, "+PONG\r\n$4\r\na\r\nb\r\n+OK\r\n");
        assert_eq!(fixture.closed, [conn]);
        assert_eq!(fixture.raw(conn, bytes), "");
    }
}

#[test]
fn bytes_that_are_no_request_end_the_connection() {
    for bytes in [
        "PING\r\n",
        "*1\r\n+PING\r\n",
        "*1\r\n$-1\r\n",
        "$4\r\nPING\r\n",
        "*1\r\n*0\r\n",
        "*9999\r\n",
    ] {
        let mut fixture = Fixture::new(|options| options.request_bytes = 1000);
        let conn = fixture.server.connect();
        assert!(
            fixture
                .raw(conn, bytes.as_bytes())
                .starts_with("-ERR Protocol error"),
            "{bytes}"
        );
        assert_eq!(fixture.closed, [conn]);
    }
}

#[test]
fn a_password_is_required() {
    let user = |name: &[u8]| User {
        name: name.into(),
        password: Secret::new(*b"pw"),
    };
    let mut fixture = Fixture::new(|options| options.users = vec![user(b"default"), user(b"ann")]);
    let conn = fixture.server.connect();
    for words in [&["GET", "k"][..], &["HELLO", "3"], &["PING"]] {
        assert!(fixture.send(conn, words).starts_with("-NOAUTH "));
    }
    for words in [
        &["AUTH", "x"][..],
        &["AUTH", "bob", "pw"],
        &["HELLO", "3", "AUTH", "ann", "x"],
    ] {
        assert!(fixture.send(conn, words).starts_with("-WRONGPASS "));
    }
    assert!(
        fixture
            .send(conn, &["HELLO", "3", "AUTH", "ann", "pw", "SETNAME", "x"])
            .starts_with("%7\r\n")
    );
    assert_eq!(fixture.send(conn, &["CLIENT", "GETNAME"]), "$1\r\nx\r\n");
    let other = fixture.server.connect();
    assert_eq!(fixture.send(other, &["AUTH", "pw"]), "+OK\r\n");
    assert!(!format!("{:?}", user(b"ann")).contains("pw"));
}

#[test]
fn a_restart_forgets_everything_but_time() {
    let mut fixture = Fixture::new(|_| {});
    let conn = fixture.server.connect();
    fixture.send(conn, &["SET", "k", "v", "PX", "100"]);
    fixture.send(conn, &["SCRIPT", "LOAD", Script::Obtain.text()]);
    fixture
        .server
        .handle_input(conn, b"*1\r\n$4\r\nPING\r\n", fixture.now);
    fixture.server.restart();
    assert_eq!(fixture.take(conn), "");
    assert_eq!(
        (fixture.closed.as_slice(), fixture.timeout),
        (&[conn][..], None)
    );
    let conn = fixture.server.connect();
    assert_eq!(
        fixture.send(conn, &["SCRIPT", "EXISTS", Script::Obtain.sha()]),
        "*1\r\n:0\r\n"
    );
    assert_eq!(fixture.send(conn, &["DBSIZE"]), ":0\r\n");
    fixture.send(conn, &["SCRIPT", "LOAD", Script::Obtain.text()]);
    fixture.server.flush_scripts();
    assert!(
        fixture
            .send(conn, &["EVALSHA", Script::Obtain.sha(), "0"])
            .starts_with("-NOSCRIPT ")
    );
}

#[test]
fn a_disabled_command_is_unknown() {
    let mut fixture = Fixture::new(|options| {
        options.resp3 = false;
        options.tracking = false;
        options.compare = false;
        options.scripts = false;
    });
    let conn = fixture.server.connect();
    assert!(fixture.send(conn, &["HELLO", "3"]).starts_with("-NOPROTO "));
    assert!(
        fixture
            .send(conn, &["CLIENT", "TRACKING", "ON"])
            .starts_with("-ERR unknown subcommand")
    );
    assert!(
        fixture
            .send(conn, &["DELIFEQ", "k", "v"])
            .starts_with("-ERR unknown command")
    );
    assert_eq!(
        fixture.send(conn, &["SET", "k", "v", "IFEQ", "v"]),
        "-ERR syntax error\r\n"
    );
    assert!(
        fixture
            .send(conn, &["EVAL", Script::Obtain.text(), "0"])
            .starts_with("-ERR unknown command")
    );
    assert_eq!(
        fixture.send(conn, &["COMMAND", "INFO", "delifeq", "eval"]),
        "*2\r\n$-1\r\n$-1\r\n"
    );
}

#[test]
fn each_limit_holds_at_it_and_one_past_it() {
    let mut fixture = Fixture::new(|options| {
        options.max_connections = 1;
        options.max_keys = 2;
        options.max_bytes = 20;
        options.request_args = 3;
        options.reply_bytes = 100;
        options.announce_expiry = false;
    });
    let conn = fixture.server.connect();
    let second = fixture.server.connect();
    assert_eq!(
        fixture.take(second),
        "-ERR max number of clients reached\r\n"
    );
    assert_eq!(core::mem::take(&mut fixture.closed), [second]);

    let ok = "+OK\r\n";
    assert_eq!(fixture.send(conn, &["SET", "a", "1234567890123456789"]), ok);
    assert!(fixture.send(conn, &["SET", "b", ""]).starts_with("-OOM "));
    assert_eq!(fixture.send(conn, &["SET", "a", ""]), ok);
    assert_eq!(fixture.send(conn, &["SET", "b", ""]), ok);
    assert!(fixture.send(conn, &["SET", "c", ""]).starts_with("-OOM "));
    // What is over makes room.
    fixture.send(conn, &["PEXPIRE", "a", "10"]);
    fixture.now = ms(2000);
    assert_eq!(fixture.send(conn, &["SET", "c", ""]), ok);

    let ping = b"*1\r\n$4\r\nPING\r\n";
    assert_eq!(fixture.raw(conn, &ping.repeat(14)).len(), 98);
    assert_eq!(fixture.raw(conn, &ping.repeat(15)), "");
    assert_eq!(core::mem::take(&mut fixture.closed), [conn]);
    let conn = fixture.server.connect();
    assert!(
        fixture
            .send(conn, &["DEL", "x", "y", "z"])
            .starts_with("-ERR Protocol error")
    );
    assert_eq!(fixture.closed, [conn]);
}

#[test]
fn client_caching_concerns_the_next_command_even_if_that_is_refused() {
    let mut fixture = Fixture::new(|_| {});
    let reader = fixture.server.connect();
    let writer = fixture.server.connect();
    fixture.send(reader, &["HELLO", "3"]);
    fixture.send(reader, &["CLIENT", "TRACKING", "ON", "OPTOUT"]);
    for (refused, is_watched) in [(true, true), (false, false)] {
        fixture.send(reader, &["CLIENT", "CACHING", "NO"]);
        if refused {
            let error = fixture.send(reader, &["NOTHING"]);
            assert!(error.starts_with("-ERR unknown command"), "{error}");
        }
        fixture.send(reader, &["GET", "k"]);
        fixture.sent.clear();
        fixture.send(writer, &["SET", "k", "v"]);
        let told = fixture.sent.iter().any(|(conn, _)| *conn == reader);
        assert_eq!(told, is_watched, "{refused}");
    }
}
