//! A Redis Cluster of masters on loopback.

use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use tenure_core::redis::slot;

use super::{Kind, Server};
use crate::ports::free_port;

const SLOTS: u16 = 16_384;
/// The nodes greet each other within a second or two; past this they never will.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Masters that share the slots evenly. Those that live go on when one has ended.
#[derive(Debug)]
pub struct Cluster {
    /// The masters, in the order of their first slots.
    pub servers: Vec<Server>,
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
            owners: Vec::new(),
        };
        cluster.owners = (0..SLOTS)
            .map(|slot| usize::from(slot) * masters / usize::from(SLOTS))
            .collect();
        for index in 0..masters {
            let range = cluster.range(index);
            let (first, last) = (range.start().to_string(), range.end().to_string());
            cluster.command(index, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            let port = cluster.servers[0].port().to_string();
            let bus = cluster.servers[0].bus_port().to_owned();
            if index > 0 {
                cluster.command(index, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
            }
        }
        cluster.wait_until_served();
        cluster
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

    /// Waits until all masters send clients to this port, which one of them announces.
    ///
    /// # Panics
    /// If that does not come about.
    pub fn wait_until_known(&self, port: u16) {
        let port = port.to_string();
        self.wait(|server| {
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
        let reply = self.servers[index].raw().command(words);
        assert_eq!(reply.text(), "OK", "{words:?}");
    }

    fn wait_until_served(&self) {
        let nodes = format!("cluster_known_nodes:{}\r\n", self.servers.len());
        self.wait(|server| {
            let info = server.raw().command(&["CLUSTER", "INFO"]).text();
            let ready = ["cluster_state:ok", "cluster_slots_ok:16384", &nodes];
            let ready = ready.iter().all(|line| info.contains(line));
            ready.then_some(()).ok_or(info)
        });
    }

    /// Waits until this is true of all masters. Otherwise it panics with the actual state.
    fn wait(&self, is: impl Fn(&Server) -> Result<(), String>) {
        let deadline = Instant::now() + LONGEST_WAIT;
        for server in &self.servers {
            while let Err(instead) = is(server) {
                assert!(Instant::now() < deadline, "still: {instead}");
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn start() -> Server {
    let bus = free_port().to_string();
    let arguments = [
        ["--cluster-enabled", "yes"],
        ["--cluster-port", &bus],
        // Nobody is elected here, and a busy machine is no failure.
        ["--cluster-node-timeout", "60000"],
        ["--cluster-require-full-coverage", "no"],
    ];
    let builder = Server::builder(Kind::Redis7);
    let words = arguments.iter().flatten();
    let builder = words.fold(builder, |builder, word| builder.arg(word));
    builder.start()
}
