//! A server and a replica of it.

use super::{Kind, Server};
use crate::proxy::Proxy;

/// A server with one replica, which reads from it through a proxy.
#[derive(Debug)]
pub struct Pair {
    /// What clients connect to.
    pub server: Server,
    /// It follows when the pair has started.
    pub replica: Server,
    /// What the replica reads through.
    pub way: Proxy,
}

impl Pair {
    /// Starts both with more arguments, and waits until the replica follows.
    pub fn start(kind: Kind, more: &[&str]) -> Self {
        let start = |arguments: &[&str]| {
            let builder = Server::builder(kind)
                .arg("--repl-diskless-sync-delay")
                .arg("0");
            let builder = builder.arg("--repl-timeout").arg("3600");
            let arguments = arguments.iter().chain(more);
            arguments
                .fold(builder, |builder, argument| builder.arg(argument))
                .start()
        };
        let server = start(&[]);
        let way = Proxy::start(server.port());
        let replica = start(&["--replicaof", "127.0.0.1", &way.port().to_string()]);
        let pair = Self {
            server,
            replica,
            way,
        };
        pair.wait_until_followed();
        pair
    }

    fn wait_until_followed(&self) {
        let mut raw = self.server.raw();
        raw.command(&["SET", "first", "1"]);
        // This does not end before it has it.
        while raw.command(&["WAIT", "1", "1000"]).int() != 1 {}
    }

    /// What the replica has.
    pub fn copy(&self, key: &str) -> String {
        self.replica.raw().command(&["GET", key]).text()
    }
}
