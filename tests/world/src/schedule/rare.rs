//! Steps that only some schedules have: what operators and other programs do to keys, errors of every kind, wakes that are
//! lost, and an engine that is closed in the middle.

use std::cmp::Reverse;

use tenure_core::Key;
use tenure_core::memory::Trouble;

use super::play::Play;
use super::spans::{Task, span};
use crate::world::{Lasting, Place};

/// The errors that a server may answer with, as servers word them. Those up to `PASSING` may pass by themselves.
pub const LINES: [&str; 24] = [
    "LOADING Redis is loading the dataset in memory",
    "CLUSTERDOWN Hash slot not served",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots",
    "BUSY Redis is busy running a script.",
    "NOREPLICAS Not enough good replicas to write.",
    "READONLY You can't write against a read only replica.",
    "MASTERDOWN Link with MASTER is down",
    "NOSCRIPT No matching script. Please use EVAL.",
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "EXECABORT Transaction discarded because of previous errors.",
    "ERR something that nobody knows",
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOPERM this user has no permissions to run the command",
    "DENIED Redis is running in protected mode",
    "ERR The user executing the script can't run this command",
    "NOPROTO unsupported protocol version",
    "ERR unknown command 'SET', with args beginning with:",
    "ERR syntax error",
];
const PASSING: usize = 13;

impl Play {
    /// A step of the kind that only some schedules have; what the others do in its place is left out.
    pub(super) fn rare(&mut self, op: u8, client: usize, node: usize, (a, c): (u8, u8)) {
        match op {
            229..=230 => self.close(client, c),
            231..=233 => self.lose_pushes(client, node, c),
            234..=236 => self.answer_with(node, a, c),
            _ if self.setup.wild => self.by_hand(node, a, c),
            _ => {}
        }
    }

    /// An engine is closed; later another process takes its place.
    fn close(&mut self, client: usize, c: u8) {
        self.client_troubles[client] += 1;
        self.used("close in the middle");
        let id = self.clients[client];
        self.world.happens(Place::Client(client), "closes");
        self.world.close(id);
        self.locks[client].clear();
        let at = self.world.now() + self.setup.request_timeout * 2;
        let drained = Task::Drained(client, self.client_troubles[client]);
        self.tasks.push(Reverse((at, drained)));
        self.later(c, Task::Successor(client));
    }

    /// What a server says by itself does not arrive, while answers do.
    fn lose_pushes(&mut self, client: usize, node: usize, c: u8) {
        self.node_troubles[node] += 1;
        self.used("lost pushes");
        self.world.lose_pushes(self.clients[client], node, true);
        self.later(c, Task::Pushes(client, node));
    }

    /// A server answers with an error.
    fn answer_with(&mut self, node: usize, a: u8, c: u8) {
        self.node_troubles[node] += 1;
        // After a final error a client does not return to release leftovers.
        let lines = if self.setup.mild {
            PASSING
        } else {
            LINES.len()
        };
        let which = usize::from(a) % lines;
        let line = LINES[which];
        self.used(line);
        let options = self.world.server(node).options_mut();
        options.trouble = Some(Trouble::Says(line.as_bytes()));
        if which < PASSING {
            self.world.refuses(node, true);
        } else {
            self.world.refuses_for_good(node);
        }
        if line.starts_with("WRONGTYPE") {
            self.wrongtype_nodes.push(node);
            self.world.sends_wrongtype(node);
        }
        let word = line.split(' ').next();
        self.world
            .set_fault(Place::Node(node), Lasting::Refusing, word);
        self.later(c, Task::Trouble(node));
    }

    /// Somebody else changes a key.
    fn by_hand(&mut self, node: usize, a: u8, c: u8) {
        self.troubles += 1;
        self.node_troubles[node] += 1;
        let key = usize::from(a) % self.setup.keys;
        let (name, other) = (self.name(key), self.name((key + 1) % self.setup.keys));
        let soon = 50 + span(c).as_millis() / 4;
        let text = soon.to_string();
        let (what, command): (_, &[&[u8]]) = match a >> 5 {
            0 => ("EXPIRE by hand", &[b"PEXPIRE", &name, text.as_bytes()]),
            1 => ("PERSIST by hand", &[b"PERSIST", &name]),
            2 | 3 => {
                self.used("RENAME by hand");
                let other = if other == name {
                    b"elsewhere".to_vec()
                } else {
                    other
                };
                return self.world.rename(node, &name, &other);
            }
            4 => ("FLUSHALL by hand", &[b"FLUSHALL"]),
            7 => return self.swap_databases(node, c),
            _ => ("a key without ttl", &[b"SET", &name, b"foreign"]),
        };
        self.used(what);
        let holders = match command[0] {
            // The holder has enough time to learn of that before the key expires.
            b"PEXPIRE" => {
                let mut holders = self.holders_to_notify(key);
                holders.retain(|(.., within)| within.as_millis() * 2 < soon);
                holders
            }
            _ => Vec::new(),
        };
        self.world.command(node, command);
        for (client, lock, within) in holders {
            let report = Task::LossReport(client.index(), lock.to_bits(), self.troubles);
            self.tasks
                .push(Reverse((self.world.now() + within, report)));
        }
        if !matches!(command[0], b"PEXPIRE") {
            self.endless.push((node, key));
            self.later(c, Task::Remove(node, key));
        }
    }

    /// Somebody puts other data in the place of these, and later these back.
    fn swap_databases(&mut self, node: usize, c: u8) {
        self.used("SWAPDB by hand");
        if !self.swapped.contains(&node) {
            self.swapped.push(node);
            self.world.swap_databases(node);
            self.later(c, Task::Swap(node));
        }
    }

    pub(super) fn swap_back(&mut self, node: usize) {
        self.swapped.retain(|other| *other != node);
        self.world.swap_databases(node);
        self.world.flush_swapped(node);
    }

    pub(super) fn swap_all_back(&mut self) {
        for node in self.swapped.clone() {
            self.swap_back(node);
        }
    }

    /// Removes all that has no end.
    pub(super) fn remove_all_endless(&mut self) {
        if self.endless.is_empty() {
            return;
        }
        for node in 0..self.setup.nodes {
            for key in 0..self.setup.keys {
                self.remove_endless(node, key);
            }
        }
    }

    /// Removes what has no end, as an operator would, and as nobody else does.
    pub(super) fn remove_endless(&mut self, node: usize, key: usize) {
        let name = Key::new(format!("k{key}")).expect("a key");
        if self.world.is_endless(node, &name) {
            let name = self.world.on_the_wire(&name);
            self.world.command(node, &[b"DEL", &name]);
        }
    }
}
