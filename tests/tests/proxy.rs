//! The proxy loses exactly the messages that a test names.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::raw::{Raw, Value, encode};
use tenure_tests::servers::{Kind, Server};

fn proxied() -> (Server, Proxy) {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    (server, proxy)
}

fn pong() -> Value {
    Value::Simple("PONG".to_owned())
}

/// What the server has under a key, seen past the proxy.
fn stored(server: &Server, key: &str) -> Value {
    server.raw().command(&["GET", key])
}

#[track_caller]
fn assert_ended(raw: &mut Raw) {
    let error = raw
        .try_read_value()
        .expect_err("the connection should have ended");
    let ended = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
    assert!(ended.contains(&error.kind()), "{error:?}");
}

#[track_caller]
fn assert_silent(raw: &mut Raw) {
    raw.timeout(Duration::from_millis(50));
    let error = raw
        .try_read_value()
        .expect_err("the connection should be silent");
    assert!(
        [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()),
        "{error:?}"
    );
}

#[test]
fn without_faults_everything_passes_and_is_counted() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port());
        let mut raw = Raw::tcp(proxy.port());

        assert_eq!(raw.command(&["SET", "k", "a\r\nb"]), Value::ok());
        raw.send_bytes(&[encode(&["GET", "k"]), encode(&["PTTL", "k"])].concat());
        assert_eq!(raw.read_value(), Value::bulk("a\r\nb"));
        assert_eq!(raw.read_value(), Value::Int(-1));

        assert_eq!(proxy.commands(), ["SET k a\r\nb", "GET k", "PTTL k"]);
        assert_eq!((proxy.connections(), proxy.round_trips()), (1, 2));
    }
}

#[test]
fn the_reply_of_every_nth_command_is_lost_and_the_connection_cut() {
    let (server, proxy) = proxied();
    proxy.fail(On::Every(3), Fault::Reply { kept: 0 }, Then::Cut);
    for round in 0..3 {
        let mut raw = Raw::tcp(proxy.port());
        assert_eq!(raw.command(&["PING"]), pong());
        assert_eq!(raw.command(&["PING"]), pong());
        raw.send(&["SET", "k", &round.to_string()]);
        assert_ended(&mut raw);
        assert_eq!(stored(&server, "k"), Value::bulk(round.to_string()));
    }
    assert_eq!(proxy.command_count(), 9);
}

#[test]
fn a_lost_command_does_not_reach_the_server_but_those_before_it_do() {
    let (server, proxy) = proxied();
    for then in [Then::Cut, Then::Silence] {
        server.raw().command(&["FLUSHALL"]);
        let mut raw = Raw::tcp(proxy.port());
        proxy.fail(On::Nth(2), Fault::Command, then);
        raw.send_bytes(&["a", "b", "c"].map(|k| encode(&["SET", k, "v"])).concat());

        assert_eq!(raw.read_value(), Value::ok());
        match then {
            Then::Cut => assert_ended(&mut raw),
            Then::Silence => assert_silent(&mut raw),
        }
        assert_eq!(stored(&server, "a"), Value::bulk("v"));
        assert_eq!(stored(&server, "b"), Value::Null);
        assert_eq!(stored(&server, "c"), Value::Null);
    }
}

#[test]
fn a_command_can_be_lost_by_name_and_alone() {
    let (server, proxy) = proxied();
    proxy.fail(On::Named("set"), Fault::Command, Then::Cut);
    let mut raw = Raw::tcp(proxy.port());
    assert_eq!(raw.command(&["PING"]), pong());
    raw.send(&["SET", "k", "v"]);
    assert_ended(&mut raw);
    assert_eq!(stored(&server, "k"), Value::Null);

    let mut again = Raw::tcp(proxy.port());
    assert_eq!(again.command(&["SET", "k", "v"]), Value::ok());
}

#[test]
fn a_reply_is_cut_in_its_middle() {
    let (_server, proxy) = proxied();
    proxy.fail(On::Nth(1), Fault::Reply { kept: 3 }, Then::Cut);
    let mut raw = Raw::tcp(proxy.port());
    raw.send(&["PING"]);

    assert_ended(&mut raw);
    assert_eq!(raw.unread(), b"+PO");
}

#[test]
fn the_second_of_two_replies_in_one_write_is_lost() {
    let (server, proxy) = proxied();
    proxy.fail(On::Named("PTTL"), Fault::Reply { kept: 0 }, Then::Silence);
    let mut raw = Raw::tcp(proxy.port());
    raw.send_bytes(&[encode(&["SET", "k", "v"]), encode(&["PTTL", "k"])].concat());

    assert_eq!(raw.read_value(), Value::ok());
    assert_silent(&mut raw);
    raw.send(&["SET", "k", "later"]);
    proxy.wait_for_commands(3);
    assert_eq!(stored(&server, "k"), Value::bulk("v"));
}

#[test]
fn a_black_hole_takes_connections_and_bytes_and_gives_nothing() {
    let (server, proxy) = proxied();
    let mut old = Raw::tcp(proxy.port());
    assert_eq!(old.command(&["PING"]), pong());

    proxy.black_hole(true);
    let mut new = Raw::tcp(proxy.port());
    for raw in [&mut old, &mut new] {
        raw.send(&["SET", "k", "v"]);
        assert_silent(raw);
    }
    assert_eq!(stored(&server, "k"), Value::Null);

    proxy.black_hole(false);
    assert_eq!(Raw::tcp(proxy.port()).command(&["PING"]), pong());
    assert_silent(&mut old);
}

#[test]
fn refused_connections_fail_at_once_and_old_ones_live_on() {
    let (_server, proxy) = proxied();
    let mut old = Raw::tcp(proxy.port());
    for _ in 0..3 {
        proxy.refuse();
        let refused = Raw::try_tcp(proxy.port()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(old.command(&["PING"]), pong());
        proxy.accept();
        assert_eq!(Raw::tcp(proxy.port()).command(&["PING"]), pong());
    }
}

#[test]
fn held_replies_come_when_they_may_pass() {
    let (server, proxy) = proxied();
    let mut raw = Raw::tcp(proxy.port());
    let mut watcher = server.raw();
    watcher.command(&["SUBSCRIBE", "done"]);

    proxy.hold();
    raw.send(&["PUBLISH", "done", "x"]);
    // The server has acted, for it notifies a third party.
    assert!(matches!(watcher.read_value(), Value::Array(_)));
    assert_silent(&mut raw);

    proxy.pass();
    raw.timeout(tenure_tests::raw::TIMEOUT);
    assert_eq!(raw.read_value(), Value::Int(1));
}

#[test]
fn a_delay_is_a_lower_bound() {
    let (_server, proxy) = proxied();
    let mut raw = Raw::tcp(proxy.port());
    proxy.delay(Duration::from_millis(30));
    let begin = Instant::now();
    assert_eq!(raw.command(&["PING"]), pong());
    assert!(begin.elapsed() >= Duration::from_millis(30));
}

#[test]
fn cut_ends_every_connection_and_new_ones_work() {
    let (_server, proxy) = proxied();
    let mut raws = [Raw::tcp(proxy.port()), Raw::tcp(proxy.port())];
    assert_eq!(raws[0].command(&["PING"]), pong());
    proxy.cut();
    raws.iter_mut().for_each(assert_ended);
    assert_eq!(Raw::tcp(proxy.port()).command(&["PING"]), pong());
}

#[test]
fn a_server_that_is_down_closes_connections_and_one_elsewhere_takes_over() {
    let (mut server, proxy) = proxied();
    server.kill();
    assert_ended(&mut Raw::tcp(proxy.port()));

    let other = Server::start(Kind::Valkey9);
    proxy.retarget(other.port());
    assert_eq!(Raw::tcp(proxy.port()).command(&["PING"]), pong());
}

#[test]
fn push_messages_pass_and_are_no_replies() {
    let (server, proxy) = proxied();
    let mut raw = Raw::tcp(proxy.port());
    raw.command(&["HELLO", "3"]);
    raw.command(&["CLIENT", "TRACKING", "ON"]);
    raw.command(&["GET", "k"]);
    proxy.fail(On::Named("BLPOP"), Fault::Reply { kept: 0 }, Then::Cut);
    raw.send(&["BLPOP", "list", "0"]);
    proxy.wait_for_commands(4);

    server.raw().command(&["SET", "k", "v"]);
    assert!(matches!(raw.read_value(), Value::Push(_)));
    server.raw().command(&["RPUSH", "list", "x"]);
    assert_ended(&mut raw);
}

#[test]
fn nothing_reaches_the_server_after_the_command_whose_reply_is_lost() {
    let (server, proxy) = proxied();
    proxy.fail(On::Nth(1), Fault::Reply { kept: 0 }, Then::Cut);
    let mut raw = Raw::tcp(proxy.port());
    server.pause();
    raw.send(&["SET", "a", "v"]);
    proxy.wait_for_commands(1);
    raw.send(&["SET", "b", "v"]);
    proxy.wait_for_commands(2);
    server.resume();

    assert_ended(&mut raw);
    assert_eq!(stored(&server, "a"), Value::bulk("v"));
    assert_eq!(stored(&server, "b"), Value::Null);
}

#[test]
fn tls_passes_as_it_is() {
    let server = Server::builder(Kind::Redis7).tls().start();
    let proxy = Proxy::start(server.port());
    let mut raw = Raw::try_tls(proxy.port(), server.ca_pem()).unwrap();
    assert_eq!(raw.command(&["PING"]), pong());

    proxy.silence();
    raw.send(&["PING"]);
    assert_silent(&mut raw);
    proxy.cut();
    raw.timeout(tenure_tests::raw::TIMEOUT);
    assert_ended(&mut raw);
    assert_eq!(proxy.command_count(), 0);
}
