//! A master, its replica, and three sentinels that watch them, on loopback.

use super::waiting::{has_line, ok, until, wait};
use super::{Kind, Server};
use crate::raw::Value;

/// How long a server is silent before sentinels count it as down, in milliseconds: a busy machine is no failure.
const LONG_SILENCE: &str = "60000";
/// The same once the master has ended.
const SHORT_SILENCE: &str = "1000";

/// The servers and their sentinels.
#[derive(Debug)]
pub struct Sentinels {
    /// The master of today.
    pub master: Server,
    /// Its replica; after a failover, the old master, which has ended.
    pub replica: Server,
    sentinels: Vec<Server>,
}

impl Sentinels {
    /// What the sentinels call the master.
    pub const NAME: &str = "locks";

    /// Starts all of them, and waits until the sentinels know each other and the replica.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn start() -> Self {
        let [master, replica] = [(); 2].map(|()| {
            let delay = ["--repl-diskless-sync-delay", "0"];
            let builder = Server::builder(Kind::Redis7);
            builder.arg(delay[0]).arg(delay[1]).start()
        });
        let port = master.port().to_string();
        ok(&replica, &["REPLICAOF", "127.0.0.1", &port]);
        let info = ["INFO", "replication"];
        wait([&replica], |replica| {
            has_line(replica, &info, "master_link_status:up")
        });
        let name = Self::NAME;
        let configuration = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 2\n\
            sentinel down-after-milliseconds {name} {LONG_SILENCE}\n\
            sentinel failover-timeout {name} 10000\n"
        );
        let start = || {
            let builder = Server::builder(Kind::Redis7);
            builder.sentinel(configuration.clone()).start()
        };
        let sentinels = (0..3).map(|_| start()).collect();
        let all = Self {
            master,
            replica,
            sentinels,
        };
        for (field, count) in [("num-slaves", "1"), ("num-other-sentinels", "2")] {
            wait(&all.sentinels, |sentinel| {
                let state = state(sentinel);
                let at = state.iter().position(|word| word == field);
                let known = at.is_some_and(|at| state.get(at + 1).is_some_and(|is| is == count));
                known.then_some(()).ok_or_else(|| format!("{state:?}"))
            });
        }
        all
    }

    /// The ports of the sentinels.
    pub fn ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(Server::port).collect()
    }

    /// Ends the master, and waits until the sentinels have made a master of its replica and say so.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn fail_over(&mut self) {
        self.master.kill();
        self.replica.resume();
        self.allow(SHORT_SILENCE);
        self.wait_for_replica();
        self.allow(LONG_SILENCE);
        std::mem::swap(&mut self.master, &mut self.replica);
    }

    /// Makes a master of the replica, and a replica of the master, as for maintenance.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn change_places(&mut self) {
        ok(&self.sentinels[0], &["SENTINEL", "FAILOVER", Self::NAME]);
        self.wait_for_replica();
        let info = ["INFO", "replication"];
        wait([&self.master], |old| {
            has_line(old, &info, "master_link_status:up")
        });
        std::mem::swap(&mut self.master, &mut self.replica);
    }

    /// Cuts the replica off from its master, until the next failover: what the master takes from now on is lost with it.
    pub fn cut_replica(&self) {
        self.replica.pause();
        let kill = ["CLIENT", "KILL", "TYPE", "replica"];
        let killed = self.master.raw().command(&kill);
        assert_eq!(killed.int(), 1, "one replica");
    }

    /// Waits until the replica has a key.
    ///
    /// # Panics
    /// If that does not come about.
    pub fn wait_until_copied(&self, key: &str) {
        let mut raw = self.replica.raw();
        until(|| {
            let exists = raw.command(&["EXISTS", key]);
            (exists.int() == 1)
                .then_some(())
                .ok_or_else(|| key.to_owned())
        });
    }

    fn allow(&self, silence: &str) {
        for sentinel in &self.sentinels {
            let set = [
                "SENTINEL",
                "SET",
                Self::NAME,
                "down-after-milliseconds",
                silence,
            ];
            ok(sentinel, &set);
        }
    }

    fn wait_for_replica(&self) {
        let port = self.replica.port().to_string();
        wait(&self.sentinels, |sentinel| {
            let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::NAME];
            let reply = sentinel.raw().command(&ask);
            let named = matches!(&reply, Value::Array(words) if words.get(1).is_some_and(|word| word.text() == port));
            named.then_some(()).ok_or_else(|| format!("{reply:?}"))
        });
        wait([&self.replica], |replica| {
            has_line(replica, &["INFO", "replication"], "role:master")
        });
    }
}

/// What a sentinel says about the master: names and values in turn.
fn state(sentinel: &Server) -> Vec<String> {
    let ask = ["SENTINEL", "MASTER", Sentinels::NAME];
    let reply = sentinel.raw().command(&ask);
    let Value::Array(words) = reply else {
        panic!("not a list: {reply:?}");
    };
    words.iter().map(Value::text).collect()
}
