//! The script for values in Redis.

use tenure_core::{Fence, GUARDED_SET};
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};

use crate::{Guard, ROUNDS, Resource, stale_writes, the_largest_fence_counts};

struct Key(Raw);

impl Key {
    fn set(&mut self, fence: &str, more: &[&str]) -> Value {
        let words = ["EVAL", GUARDED_SET, "2", "k", "{k}guard", fence];
        self.0.command(&[&words[..], more].concat())
    }
}

impl Resource for Key {
    fn write(&mut self, fence: Fence, value: u64) -> bool {
        let set = self.set(&fence.to_string(), &[&value.to_string()]);
        assert!([Value::Int(0), Value::Int(1)].contains(&set), "{set:?}");
        set == Value::Int(1)
    }

    fn overwrite(&mut self, value: u64) {
        let value = value.to_string();
        assert_eq!(self.0.command(&["SET", "k", &value]), Value::ok());
    }

    fn read(&mut self) -> u64 {
        self.0
            .command(&["GET", "k"])
            .text()
            .parse()
            .expect("a number")
    }
}

#[test]
fn no_stale_write_gets_through_the_script() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut key = Key(server.raw());
        assert_eq!(stale_writes(&mut key, Guard::Missing), ROUNDS, "{kind:?}");
        assert_eq!(stale_writes(&mut key, Guard::Used), 0, "{kind:?}");
        server.raw().command(&["FLUSHALL"]);
        the_largest_fence_counts(&mut key);
    }
}

#[test]
fn the_script_takes_a_ttl_and_refuses_what_is_no_fence() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let (mut key, mut raw) = (Key(server.raw()), server.raw());
        assert_eq!(key.set("7", &["a", "PX", "3600000"]), Value::Int(1));
        assert!(raw.command(&["PTTL", "k"]).int() > 3_000_000);
        assert_eq!(raw.command(&["PTTL", "{k}guard"]), Value::Int(-1));
        // A variable that is not set, and what Lua would take for a number.
        for wrong in ["", "nan", "inf", "0x10", "-1", "1e9", "8 "] {
            assert!(key.set(wrong, &["b"]).is_error("ERR"), "{kind:?}: {wrong}");
        }
        let options: [&[&str]; 5] = [
            &["b", "PX", "soon"],
            &["b", "PX"],
            &["b", "NX"],
            &["b", "PX", "1000", "XX"],
            &["b", "get"],
        ];
        for wrong in options {
            assert!(key.set("8", wrong).is_error("ERR"), "{kind:?}: {wrong:?}");
        }
        let both = raw.command(&["MGET", "k", "{k}guard"]);
        assert_eq!(both, Value::Array(vec![Value::bulk("a"), Value::bulk("7")]));
        // A guard that somebody has overwritten lets nobody through.
        raw.command(&["SET", "{k}guard", "?"]);
        assert!(matches!(key.set("8", &["b"]), Value::Error(_)), "{kind:?}");
        assert_eq!(raw.command(&["GET", "k"]).text(), "a");
    }
}
