//! How a record is kept.

use std::fmt::Display;

use tenure_core::{Event, Instant, Keys, LockId};

use super::super::client::Client;
use super::super::clock::Clock;
use super::super::wire;
use super::{Claim, Fault, Kind, Lasting, Message, Place, Record, Stored};

impl Record {
    /// A client or a server says something on a connection. What falls into a `broken` one is lost.
    #[cold]
    pub(crate) fn sends(
        &mut self,
        (conn, up, broken): (usize, bool, bool),
        (client, node): (usize, usize),
        bytes: &[u8],
        now: Instant,
    ) {
        let asking = self.pipes.entry((conn, true)).or_default();
        let (kind, text) = if up {
            let text = wire::show(bytes);
            asking.introducing = is_introduction(&text);
            self.note_writer(client, bytes);
            (Kind::Request, text)
        } else {
            let kind = if bytes.starts_with(b">") {
                Kind::Wake
            } else {
                Kind::Answer
            };
            (kind, bytes.escape_ascii().to_string())
        };
        let introducing = self.pipes[&(conn, true)].introducing && kind != Kind::Wake;
        self.messages.push(Message {
            client,
            node,
            kind: if introducing {
                Kind::Introduction
            } else {
                kind
            },
            up,
            sent: now,
            done: broken.then_some(now),
            lost: broken,
            text,
        });
        if !broken {
            let message = self.messages.len() - 1;
            let pipe = self.pipes.entry((conn, up)).or_default();
            pipe.sent += bytes.len();
            pipe.under_way.push((pipe.sent, message));
        }
    }

    fn note_writer(&mut self, client: usize, bytes: &[u8]) {
        wire::each(bytes, |args| {
            if let Some(value) = wire::value_set(args) {
                self.writers.insert(value.into(), client);
            }
        });
    }

    /// So many bytes came to the other end; `received` says whether anybody was there.
    #[cold]
    pub(crate) fn arrives(
        &mut self,
        pipe: (usize, bool),
        count: usize,
        received: bool,
        now: Instant,
    ) {
        let Some(pipe) = self.pipes.get_mut(&pipe) else {
            return;
        };
        pipe.arrived += count;
        let arrived = pipe.arrived;
        for (_, message) in pipe.under_way.extract_if(.., |(end, _)| *end <= arrived) {
            let message = &mut self.messages[message];
            message.done = Some(now);
            message.lost = !received;
        }
    }

    /// Of what is under way all but the first `keep` bytes are lost.
    #[cold]
    pub(crate) fn loses(&mut self, conn: usize, up: bool, keep: usize, now: Instant) {
        let Some(pipe) = self.pipes.get_mut(&(conn, up)) else {
            return;
        };
        let last = pipe.arrived + keep;
        for (_, message) in pipe.under_way.extract_if(.., |(end, _)| *end > last) {
            let message = &mut self.messages[message];
            message.done = Some(now);
            message.lost = true;
        }
    }

    /// Another client has come.
    #[cold]
    pub(crate) fn joins(&mut self, now: Instant) {
        self.clients.push(now);
    }

    /// A client begins to obtain a lock.
    #[cold]
    pub(crate) fn requests(&mut self, client: usize, lock: LockId, keys: &Keys, now: Instant) {
        let keys: Vec<String> = keys
            .iter()
            .map(|key| key.as_bytes().escape_ascii().to_string())
            .collect();
        for key in &keys {
            if let Err(at) = self.keys.binary_search(key) {
                self.keys.insert(at, key.clone());
            }
        }
        self.claims.push(Claim {
            client,
            lock,
            keys,
            requested_at: now,
            since: None,
            refreshed: Vec::new(),
            end: None,
            how: String::new(),
            until: Instant::default(),
        });
    }

    /// A client receives an event.
    #[allow(clippy::wildcard_enum_match_arm, reason = "what is not about a lock")]
    #[cold]
    pub(crate) fn receives(&mut self, client: usize, event: &Event, clock: Clock, now: Instant) {
        match event {
            Event::Obtained { lock, lease } => {
                if let Some(claim) = self.claim(client, *lock) {
                    claim.since = Some(now);
                    claim.until = lease.expires_at();
                }
            }
            Event::Refreshed { lock, lease, .. } => {
                if let Some(claim) = self.claim(client, *lock) {
                    claim.refreshed.push(now);
                    claim.until = lease.expires_at();
                }
            }
            Event::Lost { lock, reason } => self.ends(client, Some(*lock), reason, clock, now),
            Event::NotObtained { lock, reason } => {
                self.ends(client, Some(*lock), reason, clock, now);
            }
            _ => {}
        }
    }

    fn claim(&mut self, client: usize, lock: LockId) -> Option<&mut Claim> {
        let mine = |claim: &&mut Claim| {
            claim.client == client && claim.lock == lock && claim.end.is_none()
        };
        self.claims.iter_mut().rev().find(mine)
    }

    /// A client no longer wants or holds a lock, or all its locks.
    #[cold]
    pub(crate) fn ends(
        &mut self,
        client: usize,
        lock: Option<LockId>,
        how: impl Display,
        clock: Clock,
        now: Instant,
    ) {
        for claim in &mut self.claims {
            if claim.client == client
                && claim.end.is_none()
                && lock.is_none_or(|lock| lock == claim.lock)
            {
                claim.end = Some(claim.held_until(clock, now));
                claim.how = how.to_string();
            }
        }
    }

    /// What stands under a key on a server just now, and until when it will.
    #[cold]
    pub(crate) fn stores(
        &mut self,
        node: usize,
        key: &str,
        found: Option<(&[u8], Instant)>,
        now: Instant,
    ) {
        let here = |stored: &&mut Stored| stored.open && stored.node == node && stored.key == key;
        if let Some(stored) = self.stored.iter_mut().find(here) {
            if let Some((value, end)) = found
                && *stored.value == *value
            {
                stored.end = end;
                return;
            }
            stored.open = false;
            stored.end = stored.end.min(now);
        }
        if let Some((value, end)) = found {
            self.stored.push(Stored {
                node,
                key: key.to_owned(),
                client: self.writers.get(value).copied(),
                since: now,
                end,
                value: value.into(),
                open: true,
            });
        }
    }

    /// Something goes wrong in a moment.
    #[cold]
    pub(crate) fn happens(&mut self, place: Place, what: impl Into<String>, now: Instant) {
        self.faults.push(Fault {
            place,
            what: what.into(),
            since: now,
            end: now,
            open: None,
        });
    }

    /// A fault begins, or with `None` the one of that kind ends. Returns whether that is new.
    #[cold]
    pub(crate) fn set_fault(
        &mut self,
        place: Place,
        kind: Lasting,
        what: Option<&str>,
        now: Instant,
    ) -> bool {
        let open = |fault: &&mut Fault| fault.open == Some(kind) && fault.place == place;
        let before = self.faults.iter_mut().find(open);
        if before.as_ref().map(|fault| &*fault.what) == what {
            return false;
        }
        if let Some(fault) = before {
            fault.open = None;
            fault.end = now;
        }
        if let Some(what) = what {
            self.happens(place, what, now);
            if let Some(fault) = self.faults.last_mut() {
                fault.open = Some(kind);
            }
        }
        true
    }

    /// The recording ends.
    #[cold]
    pub(crate) fn is_over(&mut self, clients: &[Client], now: Instant) {
        self.end = now;
        for (index, client) in clients.iter().enumerate() {
            self.ends(index, None, "the end", client.clock, now);
        }
        for stored in &mut self.stored {
            stored.end = stored.end.min(now);
        }
        for fault in self.faults.iter_mut().filter(|fault| fault.open.is_some()) {
            fault.end = now;
        }
    }
}

impl Claim {
    /// A sleeper's lease ends on its own clock, though that is reported later.
    fn held_until(&self, clock: Clock, now: Instant) -> Instant {
        let over = self.since.and_then(|_| clock.when(self.until));
        over.map_or(now, |over| over.min(now).max(self.requested_at))
    }
}

fn is_introduction(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "HELLO",
        "AUTH",
        "CLIENT",
        "COMMAND",
        "SELECT",
        "INFO",
        "SCRIPT",
        "EVAL return 1",
    ];
    WORDS.iter().any(|word| text.starts_with(word))
}
