//! [`Promise::InOrder`], and who is in front of a lock in the queue of a node.

use std::time::Duration;

use tenure_core::{Instant, Key, LockId, Mode};

use super::World;
use super::exclusion::companion;
use super::oracle::{Promise, Violation};
use super::prompt::Found;

/// The longest time that a place is kept without another request.
const MOST_TIMEOUT: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);

/// What a node keeps of those who have a key, and of those who wait for it.
#[derive(Debug)]
pub(super) struct Queue {
    key: Key,
    /// The values of those who have it, and whether they share it.
    holders: Vec<Box<[u8]>>,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    value: Box<[u8]>,
    /// In microseconds on the clock of the node.
    turn: i64,
    shares: bool,
}

impl World {
    /// Notes that a lock was requested. True if it waits in order.
    pub(super) fn joins_queue(&mut self, client: usize, lock: LockId) -> bool {
        let request = self.request_of(client, lock);
        let Some(request) = request.filter(|request| request.mode != Mode::Exclusive) else {
            return false;
        };
        let key = request.keys.first().clone();
        if !self.waiters.queues.contains(&key) {
            self.waiters.queues.push(key);
        }
        true
    }

    /// What a node keeps now, if queues are there. Those who no longer count are left out.
    pub(super) fn queues_of(&self, node: usize) -> Vec<Queue> {
        if node > 0 {
            return Vec::new();
        }
        let keys = self.waiters.queues.iter();
        keys.map(|key| self.queue(key)).collect()
    }

    fn queue(&self, key: &Key) -> Queue {
        let node = &self.nodes[0];
        let own = node.clock.read(self.now);
        let millis = i64::try_from(own.as_micros() / 1000).expect("a time");
        let name = String::from_utf8(self.on_the_wire(key)).expect("a key of schedules");
        let companion = |kind: &str| companion(&name, kind);
        let alive = companion("alive");
        let counts = |value: &[u8]| {
            let end = node.server.field(&alive, value, own);
            let end = end.and_then(|end| std::str::from_utf8(end).ok()?.parse::<i64>().ok());
            end.is_some_and(|end| end > millis)
        };
        let mut waiting = Vec::new();
        for (suffix, shares) in [("exclusive", false), ("shared", true)] {
            for (value, turn) in node.server.members(&companion(suffix), own) {
                if counts(&value) {
                    waiting.push(Waiting {
                        value,
                        turn,
                        shares,
                    });
                }
            }
        }
        let holders = match self.holding(0, key) {
            Some((b"~shared", _)) => {
                let inside = node.server.members(&companion("in"), own);
                let inside = inside.into_iter().filter(|(_, end)| *end > millis);
                inside.map(|(value, _)| value).collect()
            }
            Some((value, _)) => vec![value.into()],
            None => Vec::new(),
        };
        Queue {
            key: key.clone(),
            holders,
            waiting,
        }
    }

    /// Whether a place in a queue counts.
    pub(super) fn is_queued(&self) -> bool {
        let mut queues = self.queues_of(0).into_iter();
        queues.any(|queue| !queue.waiting.is_empty())
    }

    /// A request has reached a node: nobody has got a key before one who is older there.
    pub(super) fn check_order(&mut self, node: usize, before: &[Queue]) {
        if node > 0 {
            return;
        }
        for old in before {
            let new = self.queue(&old.key);
            for value in &new.holders {
                if !old.holders.contains(value)
                    && let Err(violation) = self.check_grant(value, old, &new)
                {
                    return self.oracle.report(violation, self.now);
                }
            }
        }
    }

    fn check_grant(&mut self, value: &[u8], old: &Queue, new: &Queue) -> Result<(), Violation> {
        let Some((client, requested_at, mode)) = self.waits_with(value) else {
            return Ok(());
        };
        if mode == Mode::Exclusive {
            return Ok(());
        }
        if !self.clients[client].clock_in_bounds {
            self.oracle.excuse(Promise::InOrder);
            return Ok(());
        }
        let turn = if let Some(own) = old.waiting.iter().find(|own| *own.value == *value) {
            own.turn
        } else {
            // It says for how long it has waited, by its own clock.
            let waited = self.now.saturating_since(requested_at);
            let since = self.nodes[0].clock.read(requested_at);
            let since = since.saturating_before(waited / 50 + MS);
            i64::try_from(since.as_micros()).expect("a time")
        };
        let stays = |one: &&Waiting| new.waiting.iter().any(|other| other.value == one.value);
        let older: Vec<&Waiting> = old
            .waiting
            .iter()
            .filter(|one| one.turn < turn && *one.value != *value)
            .filter(stays)
            .collect();
        let sharing = older.iter().filter(|one| one.shares).count();
        let passes = match mode {
            Mode::Shared { limit } => {
                let most = limit.map_or(usize::MAX, |limit| limit.get() as usize);
                // Those that came in together with it may have come later.
                let before = old.holders.iter().filter(|one| new.holders.contains(one));
                older.len() > sharing || sharing > 0 && before.count() + 1 + sharing > most
            }
            Mode::Exclusive | Mode::InTurn | _ => !older.is_empty(),
        };
        if passes {
            let how = format!(
                "{client} has {:?}, and {} who came before still wait: {older:?}",
                new.key,
                older.len()
            );
            return Err(Promise::InOrder.broken(how));
        }
        self.oracle.kept(Promise::InOrder);
        Ok(())
    }

    /// The client that waits for a lock with this value now, since when (true time), and in which mode. `None` if it is a
    /// token that several may have.
    fn waits_with(&self, value: &[u8]) -> Option<(usize, Instant, Mode)> {
        let mut watches = self.waiters.watches.iter();
        watches.find_map(|watch| {
            let request = self.request_of(watch.client, watch.lock)?;
            let claim = self.clients[watch.client].engine.claim(watch.lock)?;
            (*claim.value() == *value && !request.has_own_token()).then_some((
                watch.client,
                watch.requested_at,
                request.mode,
            ))
        })
    }

    /// A key is free for a lock that waits in order, but for the queue.
    pub(super) fn find_in_queue(&self, at: usize, bound: Duration, behind: bool) -> Found {
        let watch = &self.waiters.watches[at];
        let queue = self.queue(watch.keys.first());
        let mut bound = bound;
        for one in &queue.waiting {
            // The one in front takes the key, or the next one does.
            let well = self.waits_with(&one.value).filter(|(client, ..)| {
                let of = &self.clients[*client];
                !of.suspended && of.clock_in_bounds && self.reaches(*client, 0)
            });
            let Some((client, ..)) = well else {
                let timeout = MOST_TIMEOUT.min(self.oracle.longest);
                let bound = timeout + timeout / 50 + bound * 4;
                return Found::HeldUp { bound };
            };
            let steady = self.settled(client, self.waiters.trouble) <= self.now;
            bound = bound.max(self.promptness(client, behind, steady));
        }
        Found::Free { bound, behind }
    }
}
