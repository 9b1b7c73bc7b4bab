//! A Redis Cluster on loopback.

use std::ops::RangeInclusive;

use tenure_core::redis::slot;

use super::waiting::{has_line, ok, until, wait};
use super::{Kind, Server};
use crate::ports::free_port;

const SLOTS: u16 = 16_384;

/// How long a server is silent before others count it as failed, in milliseconds: a busy machine is no failure.
const LONG_SILENCE: &str = "60000";
/// The same once a master has ended. Of three masters two must agree that one has failed, so none of the two that live loses its
/// slots, however slow it is.
const SHORT_SILENCE: &str = "1000";

/// Masters that share the slots evenly. Those that live go on when one has ended.
#[derive(Debug)]
pub struct Cluster {
    /// The masters, in the order of their first slots.
    pub servers: Vec<Server>,
    /// The replica of each, if there are replicas.
    pub replicas: Vec<Server>,
    /// By slot.
    owners: Vec<usize>,
}

impl Cluster {
    /// Starts so many masters of Redis 7, and waits until each serves its slots and knows the others.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn start(masters: usize) -> Self {
        let servers: Vec<Server> = (0..masters).map(|_| start()).collect();
        let mut cluster = Self {
            servers,
            replicas: Vec::new(),
            owners: Vec::new(),
        };
        cluster.owners = (0..SLOTS)
            .map(|slot| usize::from(slot) * masters / usize::from(SLOTS))
            .collect();
        for index in 0..masters {
            let range = cluster.range(index);
            let (first, last) = (range.start().to_string(), range.end().to_string());
            cluster.command(index, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            if index > 0 {
                cluster.meet(&cluster.servers[index]);
            }
        }
        cluster.wait_until_served();
        cluster
    }

    /// The same, and each master has a replica, which has all that its master has.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn start_with_replicas(masters: usize) -> Self {
        let mut cluster = Self::start(masters);
        for _ in 0..masters {
            let replica = start();
            cluster.meet(&replica);
            cluster.replicas.push(replica);
        }
        cluster.wait_until_served();
        for index in 0..masters {
            let id = cluster.id(index);
            ok(&cluster.replicas[index], &["CLUSTER", "REPLICATE", &id]);
        }
        wait(&cluster.replicas, |replica| {
            has_line(replica, &["INFO", "replication"], "master_link_status:up")
        });
        // Only who is known as a replica is elected.
        wait(&cluster.servers, |server| {
            let nodes = server.raw().command(&["CLUSTER", "NODES"]).text();
            let known = nodes.matches("slave").count() == masters;
            known.then_some(()).ok_or(nodes)
        });
        cluster
    }

    /// Ends a master, and waits until its replica was elected in its place and all know. From then on that is the server of
    /// this index, and there is no replica of it.
    ///
    /// # Panics
    /// If that does not come about.
    #[track_caller]
    pub fn fail_over(&mut self, index: usize) {
        self.servers[index].kill();
        self.replicas[index].resume();
        std::mem::swap(&mut self.servers[index], &mut self.replicas[index]);
        let set = |silence| {
            for server in self.living() {
                ok(server, &["CONFIG", "SET", "cluster-node-timeout", silence]);
            }
        };
        set(SHORT_SILENCE);
        let id = self.id(index);
        wait(self.living(), |server| {
            let nodes = server.raw().command(&["CLUSTER", "NODES"]).text();
            let line = nodes.lines().find(|line| line.starts_with(&id));
            // Slots stand at the end of the line.
            let elected = line.is_some_and(|line| line.split(' ').nth(8).is_some());
            elected.then_some(()).ok_or(nodes)
        });
        set(LONG_SILENCE);
        wait(&self.servers, |server| {
            has_line(server, &["CLUSTER", "INFO"], "cluster_state:ok")
        });
    }

    /// Cuts a replica off from its master, until the next failover: what the master takes from now on is lost with it.
    pub fn cut_replica(&self, index: usize) {
        self.replicas[index].pause();
        // What lies in the socket would be read later.
        let kill = ["CLIENT", "KILL", "TYPE", "replica"];
        let killed = self.servers[index].raw().command(&kill);
        assert_eq!(killed.int(), 1, "one replica");
    }

    /// Waits until the replica of a key's master has it.
    ///
    /// # Panics
    /// If that does not come about.
    pub fn wait_until_copied(&self, key: &str) {
        let replica = &self.replicas[self.owner(key)];
        let mut raw = replica.raw();
        raw.command(&["READONLY"]);
        until(|| {
            let exists = raw.command(&["EXISTS", key]);
            (exists.int() == 1)
                .then_some(())
                .ok_or_else(|| key.to_owned())
        });
    }

    fn living(&self) -> impl Iterator<Item = &Server> {
        let all = self.servers.iter().chain(&self.replicas);
        all.filter(|server| server.is_running())
    }

    fn meet(&self, server: &Server) {
        let port = self.servers[0].port().to_string();
        let bus = self.servers[0].bus_port();
        ok(server, &["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
    }

    /// The URLs of all masters.
    pub fn urls(&self) -> Vec<String> {
        self.servers.iter().map(Server::url).collect()
    }

    /// Which master has a key.
    pub fn owner(&self, key: &str) -> usize {
        self.owners[usize::from(slot(key.as_bytes()))]
    }

    /// A key that begins like that and that this master has.
    ///
    /// # Panics
    /// If it has no slots.
    pub fn key_on(&self, index: usize, prefix: &str) -> String {
        let keys = (0..100_000).map(|number| format!("{prefix}{number}"));
        let mut keys = keys.filter(|key| self.owner(key) == index);
        keys.next().expect("a master has slots")
    }

    /// Begins to move the slot of a key: from now on its master sends clients that ask for a key that is not there to `to`.
    pub fn begin_move(&self, key: &str, to: usize) {
        let slot = slot(key.as_bytes()).to_string();
        let from = self.owner(key);
        let [from_id, to_id] = [from, to].map(|index| self.id(index));
        self.command(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        self.command(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
    }

    /// Moves a key whose slot is being moved, with its ttl.
    pub fn move_key(&self, key: &str, to: usize) {
        let port = self.servers[to].port().to_string();
        let reply = self.servers[self.owner(key)].raw().command(&[
            "MIGRATE",
            "127.0.0.1",
            &port,
            key,
            "0",
            "30000",
        ]);
        assert!(
            ["OK", "NOKEY"].contains(&reply.text().as_str()),
            "{reply:?}"
        );
    }

    /// Ends the move of the slot of a key.
    pub fn end_move(&mut self, key: &str, to: usize) {
        let number = slot(key.as_bytes());
        let (text, id) = (number.to_string(), self.id(to));
        for index in [to, self.owner(key)] {
            self.command(index, &["CLUSTER", "SETSLOT", &text, "NODE", &id]);
        }
        self.owners[usize::from(number)] = to;
    }

    /// Makes a master forget that the slot of a key has moved there from `from`, until the new one reports it again: that is
    /// about once in a second.
    pub fn forget_move(&self, index: usize, key: &str, from: usize) {
        let slot = slot(key.as_bytes()).to_string();
        let id = self.id(from);
        self.command(index, &["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
    }

    /// Waits until all masters send clients to this port, which one of them announces.
    ///
    /// # Panics
    /// If that does not come about.
    pub fn wait_until_known(&self, port: u16) {
        let port = port.to_string();
        wait(&self.servers, |server| {
            let nodes = server.raw().command(&["CLUSTER", "NODES"]).text();
            let known = nodes.contains(&format!(":{port}@"));
            known.then_some(()).ok_or(nodes)
        });
    }

    fn range(&self, index: usize) -> RangeInclusive<u16> {
        let mut slots = (0..SLOTS).filter(|slot| self.owners[usize::from(*slot)] == index);
        let first = slots.next().expect("a master has slots");
        first..=slots.next_back().unwrap_or(first)
    }

    fn id(&self, index: usize) -> String {
        let mut raw = self.servers[index].raw();
        raw.command(&["CLUSTER", "MYID"]).text()
    }

    #[track_caller]
    fn command(&self, index: usize, words: &[&str]) {
        ok(&self.servers[index], words);
    }

    fn wait_until_served(&self) {
        let count = self.living().count();
        let nodes = format!("cluster_known_nodes:{count}\r\n");
        wait(self.living(), |server| {
            let info = server.raw().command(&["CLUSTER", "INFO"]).text();
            let ready = ["cluster_state:ok", "cluster_slots_ok:16384", &nodes];
            let ready = ready.iter().all(|line| info.contains(line));
            ready.then_some(()).ok_or(info)
        });
    }
}

fn start() -> Server {
    let bus = free_port().to_string();
    let arguments = [
        ["--cluster-enabled", "yes"],
        ["--cluster-port", &bus],
        ["--cluster-node-timeout", LONG_SILENCE],
        ["--cluster-require-full-coverage", "no"],
        // Replicas stay where they are, and none is too old to be elected.
        ["--cluster-allow-replica-migration", "no"],
        ["--cluster-replica-validity-factor", "0"],
        ["--repl-diskless-sync-delay", "0"],
    ];
    let builder = Server::builder(Kind::Redis7);
    let words = arguments.iter().flatten();
    let builder = words.fold(builder, |builder, word| builder.arg(word));
    builder.start()
}
