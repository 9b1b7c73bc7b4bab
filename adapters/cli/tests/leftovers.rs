//! What a run leaves behind when things go wrong: nothing.

mod common;

use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

use self::common::{finish, run_sh};

#[test]
fn a_run_whose_reply_was_lost_releases_a_possible_grant() {
    for (kind, then) in [
        (Kind::Redis7, Then::Cut),
        (Kind::Valkey9, Then::Cut),
        (Kind::Redis7, Then::Silence),
    ] {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port());
        proxy.fail(On::Named("SET"), Fault::Reply { kept: 0 }, then);

        let done = finish(&mut run_sh(&proxy.url(), &["--ttl", "10min"], "echo ran"));

        assert_eq!(done.code(), 69, "{}", done.stderr);
        assert_eq!(done.stdout, "");
        let left = server.raw().command(&["EXISTS", "k"]);
        assert_eq!(left, Value::Int(0), "{kind:?}: {}", done.stderr);
    }
}
