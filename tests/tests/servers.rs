//! The servers and the client that other tests rely on do what they promise.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};

#[test]
fn every_server_starts_and_answers() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();

        assert_eq!(raw.command(&["SET", "k", "a\r\nb"]), Value::ok());
        assert_eq!(raw.command(&["GET", "k"]), Value::bulk("a\r\nb"));
        assert_eq!(raw.command(&["GET", "none"]), Value::Null);
        assert!(raw.command(&["NOSUCH"]).is_error("ERR"));

        let info = raw.command(&["INFO", "server"]).text();
        assert!(
            info.contains(&format!("process_id:{}\r\n", server.pid())),
            "{kind:?} is another process: {info}"
        );
        let version = match kind {
            Kind::Redis7 => "redis_version:7.",
            Kind::Redis62 => "redis_version:6.2.",
            Kind::Redis8 => "redis_version:8.",
            Kind::Valkey9 => "valkey_version:9.",
        };
        assert!(info.contains(version), "{kind:?}: {info}");
    }
}

#[test]
fn every_server_speaks_resp3() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();

        assert!(matches!(raw.command(&["HELLO", "3"]), Value::Map(_)));
        assert_eq!(
            raw.command(&["CLIENT", "TRACKING", "ON", "NOLOOP"]),
            Value::ok()
        );
        assert_eq!(raw.command(&["PTTL", "k"]), Value::Int(-2));
        assert_eq!(server.raw().command(&["SET", "k", "v"]), Value::ok());
        let invalidation = [
            Value::bulk("invalidate"),
            Value::Array(vec![Value::bulk("k")]),
        ];
        assert_eq!(raw.read_value(), Value::Push(invalidation.into()));
    }
}

#[test]
fn only_kinds_with_compare_know_its_commands() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        raw.command(&["SET", "k", "mine"]);

        let set = raw.command(&["SET", "k", "mine", "IFEQ", "mine", "PX", "1000"]);
        let deleted = raw.command(&["DELIFEQ", "k", "mine"]);
        if kind.has_compare() {
            assert_eq!((set, deleted), (Value::ok(), Value::Int(1)));
        } else {
            assert!(set.is_error("ERR syntax"), "{kind:?}: {set:?}");
            assert!(
                deleted.is_error("ERR unknown command"),
                "{kind:?}: {deleted:?}"
            );
        }
    }
}

#[test]
fn a_paused_server_answers_only_when_it_goes_on() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        server.pause();
        raw.send(&["PING"]);

        assert_eq!(state(server.pid()), 'T');
        server.resume();
        assert_eq!(raw.read_value(), Value::Simple("PONG".to_owned()));
    }
}

#[test]
fn a_killed_server_is_gone_and_comes_back_empty_on_its_port() {
    for kind in Kind::ALL {
        let mut server = Server::start(kind);
        let mut raw = server.raw();
        let port = server.port();
        raw.command(&["SET", "k", "v"]);

        server.kill();
        assert!(raw.try_read_value().is_err());
        assert!(Raw::try_tcp(port).is_err());

        server.restart();
        assert_eq!(server.port(), port);
        assert_eq!(server.raw().command(&["GET", "k"]), Value::Null);
    }
}

#[test]
fn a_server_ends_with_its_value_even_when_it_is_paused() {
    let server = Server::start(Kind::Redis7);
    let (port, pid, socket) = (server.port(), server.pid(), server.socket_path());
    server.pause();

    drop(server);
    assert!(Raw::try_tcp(port).is_err());
    assert!(!std::fs::exists(format!("/proc/{pid}")).unwrap());
    assert!(!socket.exists());
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let server = std::thread::spawn(|| Server::start(Kind::Redis7))
        .join()
        .unwrap();
    assert_eq!(
        server.raw().command(&["PING"]),
        Value::Simple("PONG".to_owned())
    );
}

#[test]
fn a_server_ends_with_a_killed_test_process() {
    const PID_FILE: &str = "TENURE_PID_FILE";
    // This test runs itself as the process that is killed.
    if let Some(file) = std::env::var_os(PID_FILE) {
        let server = Server::start(Kind::Redis7);
        std::fs::write(file, server.pid().to_string()).unwrap();
        let own = rustix::process::getpid();
        rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let killed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_server_ends_with_a_killed_test_process"])
        .env(PID_FILE, &file)
        .env("TMPDIR", directory.path())
        .output()
        .unwrap();
    assert_eq!(killed.status.signal(), Some(9), "{killed:?}");

    let pid = std::fs::read_to_string(file).unwrap().parse().unwrap();
    // The kernel sends the signal at once; the end of the process takes it a moment.
    let deadline = std::time::Instant::now() + tenure_tests::raw::TIMEOUT;
    while !['?', 'Z'].contains(&state(pid)) {
        assert!(
            std::time::Instant::now() < deadline,
            "process {pid} is still there"
        );
        std::thread::yield_now();
    }
}

#[test]
fn a_chosen_port_that_is_taken_is_an_error() {
    let first = Server::start(Kind::Redis7);
    let port = first.port();
    let second = std::panic::catch_unwind(|| Server::builder(Kind::Redis62).port(port).start());
    let message = *second.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("Address already in use"), "{message}");
}

#[test]
fn a_password_is_required_where_one_is_set() {
    for kind in Kind::ALL {
        let server = Server::builder(kind).password("se cret").start();

        let reply = Raw::tcp(server.port()).command(&["PING"]);
        assert!(reply.is_error("NOAUTH"), "{kind:?}: {reply:?}");
        assert_eq!(
            server.raw().command(&["PING"]),
            Value::Simple("PONG".to_owned())
        );
        assert_eq!(
            server.url(),
            format!("redis://:se cret@127.0.0.1:{}", server.port())
        );
    }
}

#[test]
fn an_acl_user_may_do_everything_in_its_rules() {
    for kind in Kind::ALL {
        let server = Server::builder(kind)
            .acl_user("ann", "pass", "~a:* +set +get")
            .start();
        let mut raw = Raw::tcp(server.port());

        assert!(raw.command(&["AUTH", "ann", "wrong"]).is_error("WRONGPASS"));
        assert_eq!(raw.command(&["AUTH", "ann", "pass"]), Value::ok());
        assert_eq!(raw.command(&["SET", "a:1", "v"]), Value::ok());
        assert!(raw.command(&["SET", "b:1", "v"]).is_error("NOPERM"));
        assert!(raw.command(&["DEL", "a:1"]).is_error("NOPERM"));
        assert_eq!(
            server.url_as("ann", "pass"),
            format!("redis://ann:pass@127.0.0.1:{}", server.port())
        );
    }
}

#[test]
fn a_unix_socket_leads_to_the_same_keys() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = Raw::try_unix(&server.socket_path()).unwrap();

        assert_eq!(raw.command(&["SET", "k", "v"]), Value::ok());
        assert_eq!(server.raw().command(&["GET", "k"]), Value::bulk("v"));
    }
}

#[test]
fn tls_is_verified_by_the_certificate_of_this_server() {
    let server = Server::builder(Kind::Redis7).tls().password("p").start();
    let other = Server::builder(Kind::Redis7).tls().start();
    assert!(server.url().starts_with("rediss://:p@localhost:"));

    assert_eq!(
        server.raw().command(&["PING"]),
        Value::Simple("PONG".to_owned())
    );
    let refused = Raw::try_tls(server.port(), other.ca_pem()).unwrap_err();
    assert!(refused.to_string().contains("certificate"), "{refused}");
    let plain = Raw::tcp(server.port()).try_command(&["PING"]);
    assert!(plain.is_err(), "{plain:?}");
}

/// The state letter of a process; `?` when there is none.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest);
    after_name
        .and_then(|rest| rest.chars().next())
        .unwrap_or('?')
}
