//! Scripts of the modes, run by the embedded server: what a node knows of a key is put into an empty server, which runs one
//! script, and is read again. So there is no second model of the scripts, a mistake in those of the embedded server shows in
//! the search, and what is kept of a node is small.
//!
//! The server counts in whole milliseconds. A microsecond of the search is one of them, so that no time is rounded.

use std::time::Duration;

use tenure_core::memory::{ConnId, Options, Output, Server};
use tenure_core::redis::Script;
use tenure_core::{Instant, KeySet, Lease, Obstacle, Outcome};

use super::client::Client;
use super::node::{Entry, Manner, ModelNode, NOTHING_LEFT, Watches, lifetime};
use super::order::{Action, Order, Value};

/// The key and its companions, in the order of the scripts.
const COMPANIONS: [&str; 6] = ["k", "k~in", "k~exclusive", "k~shared", "k~alive", "k~bell"];

/// Those who share a key, by the end of their leases, and when the server forgets all of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Sharers {
    pub(super) inside: Vec<(Value, Instant)>,
    pub(super) until: Option<Instant>,
}

impl Sharers {
    /// Those of all leases, and its own.
    pub(super) fn ends(&self) -> impl Iterator<Item = Instant> + '_ {
        let leases = self.inside.iter().map(|(_, end)| *end);
        leases.chain(self.until)
    }
}

impl ModelNode {
    /// Runs the script of `order`, if it is one of those of the modes.
    pub(super) fn run(
        &mut self,
        order: &Order,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Watches,
    ) -> Option<Outcome> {
        let (script, limit, waits) = match order.action {
            Action::Enter { .. } => (Script::Enter, 0, true),
            Action::Share { limit, waits, .. } => (Script::Share, limit, waits),
            Action::Stay { .. } => (Script::Stay, 0, false),
            Action::Leave { limit } => (Script::Leave, limit, false),
            Action::CheckShared => return Some(self.check_shared(order)),
            Action::Obtain { .. }
            | Action::Refresh { .. }
            | Action::Check
            | Action::Look
            | Action::Release => return None,
        };
        let key = order.keys().next()?;
        assert_eq!(order.keys().count(), 1, "only one key can be shared");
        let watches = client.filter(|_| manner.watch && waits);
        let before = watches.filter(|_| script == Script::Share);
        self.watches[key] |= before.map_or(0, |client| 1 << client);
        let mut server = Loaded::new(self, key, now);
        let answer = server.run(script, order, limit, manner);
        if server.notified {
            self.changed(key, client, wakes);
        }
        server.read_into(self, key, now);
        let after = watches.filter(|_| script == Script::Enter);
        self.watches[key] |= after.map_or(0, |client| 1 << client);
        Some(outcome(&answer, script, watches.is_some()))
    }

    /// Whether one who shares the key is noted there, and the key looks held, until the end of this lease.
    pub(super) fn covers(&self, key: usize, client: &Client, lease: Lease) -> bool {
        let until = lease.expires_at();
        let marker = self.entries[key]
            .is_some_and(|entry| entry.value == Value::SHARED && entry.until >= until);
        let sharers = &self.sharers[key];
        let mut inside = sharers.inside.iter();
        // One that changes, or may have changed, is relied on as sharing the key, and may have it alone.
        let alone = self.entries[key]
            .is_some_and(|entry| entry.until >= until && client.has_value(entry.value));
        alone
            || marker
                && sharers.until.is_some_and(|end| end >= until)
                && inside.any(|(value, end)| *end >= until && client.has_value(*value))
    }

    /// The key has the marker, and the value is among those who share the key.
    fn check_shared(&self, order: &Order) -> Outcome {
        let is_inside = |key: usize| {
            let is_ours = |(value, _): &(Value, Instant)| *value == order.value;
            let shared = self.entries[key].is_some_and(|entry| entry.value == Value::SHARED);
            let alone = self.entries[key].is_some_and(|entry| entry.value == order.value);
            alone || shared && self.sharers[key].inside.iter().any(is_ours)
        };
        if order.keys().all(is_inside) {
            Outcome::GRANTED
        } else {
            NOTHING_LEFT
        }
    }
}

/// A reply that is no error.
#[derive(PartialEq, Eq, Debug)]
enum Reply {
    Text(String),
    Number(i64),
    Nothing,
}

/// What the core makes of a reply: see `core/src/redis/exchange/modes.rs`.
fn outcome(answer: &[Reply], script: Script, has_time: bool) -> Outcome {
    let (by, left) = match answer {
        [Reply::Number(1)] => return Outcome::GRANTED,
        [Reply::Number(0)] => return NOTHING_LEFT,
        [Reply::Number(by), Reply::Number(left), _] => (*by, *left),
        _ => panic!("no script replies {answer:?}"),
    };
    let (by, reported) = match by {
        0 => (Obstacle::Holder, true),
        -1 => (Obstacle::Sharing, script == Script::Enter),
        _ => (Obstacle::Queue(None), false),
    };
    let mut held = KeySet::NONE;
    held.insert(0);
    Outcome::Denied {
        retry_after: u64::try_from(left).ok().map(Duration::from_micros),
        first_free: None,
        watched: has_time && reported,
        held: Some(held),
        by,
    }
}

/// An embedded server that knows one key, and two connections to it: the second is notified when the key changes.
struct Loaded {
    server: Server,
    client: ConnId,
    now: Instant,
    /// What has come for the first one.
    replies: Vec<u8>,
    /// Something has come for the second one.
    notified: bool,
}

impl Loaded {
    fn new(node: &ModelNode, key: usize, now: Instant) -> Self {
        let mut server = Server::new(Options::default());
        let (client, watcher) = (server.connect(), server.connect());
        let mut loaded = Self {
            server,
            client,
            now: Instant::from_micros(now.as_micros() * 1_000),
            replies: Vec::new(),
            notified: false,
        };
        let left = |until: Instant| until.saturating_since(now).as_micros().to_string();
        if let Some(entry) = node.entries[key] {
            let value = entry.value.text();
            loaded.send(client, &["SET", "k", &value, "PX", &left(entry.until)]);
        }
        let sharers = &node.sharers[key];
        for (value, end) in &sharers.inside {
            let end = end.as_micros().to_string();
            loaded.send(client, &["ZADD", "k~in", &end, &value.text()]);
        }
        if let Some(until) = sharers.until {
            loaded.send(client, &["PEXPIRE", "k~in", &left(until)]);
        }
        loaded.send(watcher, &["HELLO", "3"]);
        loaded.send(watcher, &["CLIENT", "TRACKING", "ON"]);
        loaded.send(watcher, &["GET", "k"]);
        loaded.replies.clear();
        loaded.notified = false;
        loaded
    }

    fn send(&mut self, conn: ConnId, words: &[&str]) {
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes.extend(["$", &word.len().to_string(), "\r\n", word, "\r\n"]);
        }
        self.server.handle_input(conn, bytes.as_bytes(), self.now);
        while let Output::Transmit { conn, bytes } = self.server.poll_output() {
            if conn == self.client {
                self.replies.extend_from_slice(bytes);
            } else {
                self.notified = true;
            }
        }
    }

    fn ask(&mut self, words: &[&str]) -> Vec<Reply> {
        self.replies.clear();
        self.send(self.client, words);
        read(&self.replies)
    }

    /// Nobody waits in order: all have waited for no time, and leave nothing when they are denied.
    fn run(&mut self, script: Script, order: &Order, limit: u32, manner: Manner) -> Vec<Reply> {
        let ttl = lifetime(order.ttl_ms, manner).as_micros().to_string();
        let (value, limit) = (order.value.text(), limit.to_string());
        let changes = matches!(
            order.action,
            Action::Enter { change: true } | Action::Share { change: true, .. }
        );
        let change = if changes { "change" } else { "" };
        let keep = order.action == (Action::Stay { keep: true });
        let (keys, args): (_, &[&str]) = match script {
            Script::Enter => (6, &[&value, &ttl, "0", "0", change]),
            Script::Share => (6, &[&value, &ttl, "0", "0", &limit, change]),
            Script::Stay if keep => (2, &[&value, &ttl, "keep"]),
            Script::Stay => (2, &[&value, &ttl]),
            Script::Leave => (6, &[&value, &ttl, &limit]),
            Script::Obtain | Script::Refresh | Script::Release | Script::Status => {
                unreachable!("no script of a mode")
            }
        };
        let count = keys.to_string();
        let mut words = vec!["EVAL", script.text(), &count];
        words.extend(COMPANIONS.iter().take(keys).chain(args));
        self.ask(&words)
    }

    fn read_into(&mut self, node: &mut ModelNode, key: usize, now: Instant) {
        let until = |replies: Vec<Reply>| match replies[..] {
            [Reply::Number(-2)] => None,
            [Reply::Number(left)] => {
                let left = u64::try_from(left).expect("an end");
                Some(now + Duration::from_micros(left))
            }
            _ => panic!("no time: {replies:?}"),
        };
        let value = match &self.ask(&["GET", "k"])[..] {
            [Reply::Text(value)] => Some(Value::of(value)),
            _ => None,
        };
        let end = until(self.ask(&["PTTL", "k"]));
        node.entries[key] = value.zip(end).map(|(value, until)| Entry { value, until });
        let mut inside = Vec::new();
        for member in self.ask(&["ZRANGE", "k~in", "0", "-1"]) {
            let Reply::Text(value) = member else {
                panic!("not a member: {member:?}")
            };
            let score = self.ask(&["ZSCORE", "k~in", &value]);
            let [Reply::Text(end)] = &score[..] else {
                panic!("not a score: {score:?}")
            };
            let end = end.parse().expect("a whole number");
            inside.push((Value::of(&value), Instant::from_micros(end)));
        }
        node.sharers[key] = Sharers {
            inside,
            until: until(self.ask(&["PTTL", "k~in"])),
        };
    }
}

/// All strings and numbers of these replies, without the arrays around them.
fn read(mut bytes: &[u8]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let end = rest.iter().position(|byte| *byte == b'\r');
        let (line, after) = rest.split_at(end.expect("a whole line"));
        let line = str::from_utf8(line).expect("plain text");
        bytes = &after[2..];
        match kind {
            b':' => replies.push(Reply::Number(line.parse().expect("a number"))),
            b'$' if line == "-1" => replies.push(Reply::Nothing),
            b'$' => {
                let (text, after) = bytes.split_at(line.parse().expect("a length"));
                let text = String::from_utf8(text.to_vec()).expect("plain text");
                replies.push(Reply::Text(text));
                bytes = &after[2..];
            }
            b'*' => {}
            _ => panic!("the embedded server says {line}"),
        }
    }
    replies
}
