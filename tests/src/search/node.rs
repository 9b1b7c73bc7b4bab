//! A node as the operations describe it: keys with a value and an end. It knows nothing of locks.

use std::sync::Arc;
use std::time::Duration;

use tenure_core::{Instant, Key, Keys, Op, Outcome};

/// An operation on its way, with all it needs to be carried out at any time.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) deed: Deed,
    pub(super) keys: Keys,
    pub(super) value: Arc<[u8]>,
    pub(super) ttl: Duration,
}

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Deed {
    Obtain { again: bool },
    Refresh,
    Check,
    Release,
}

impl Order {
    /// `None` for an operation that changes nothing and that no lock waits for.
    pub(super) fn new(op: Op<'_>) -> Option<Self> {
        let (deed, claim, ttl) = match op {
            Op::Obtain { claim, ttl, again } => (Deed::Obtain { again }, claim, ttl.as_duration()),
            Op::Refresh { claim, ttl } => (Deed::Refresh, claim, ttl.as_duration()),
            Op::Check { claim } => (Deed::Check, claim, Duration::ZERO),
            Op::Release { claim } => (Deed::Release, claim, Duration::ZERO),
            Op::Inspect { .. } | _ => return None,
        };
        Some(Self {
            deed,
            keys: claim.keys().clone(),
            value: claim.value().into(),
            ttl,
        })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Arc<[u8]>,
    pub(super) until: Instant,
}

/// Who is told when a key changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Watch {
    pub(super) key: Key,
    pub(super) client: usize,
}

#[derive(Clone, Default, Debug)]
pub(super) struct Node {
    /// In the order of their keys.
    pub(super) entries: Vec<Entry>,
    pub(super) watches: Vec<Watch>,
    /// It refuses everything until then.
    pub(super) down_until: Option<Instant>,
}

/// How a node keeps time and whether it tells of changes.
#[derive(Copy, Clone, Debug)]
pub(super) struct Manner {
    /// Its clock is as fast as the drift allows: keys end early by that much.
    pub(super) early: bool,
    pub(super) watch: bool,
}

impl Node {
    pub(super) fn value(&self, key: &Key) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == *key)
    }

    /// Carries out an order of `client`, or one that nobody waits for any more. Adds those who are to be told.
    pub(super) fn execute(
        &mut self,
        order: &Order,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Vec<Watch>,
    ) -> Outcome {
        let is_ours = |entry: &Entry| entry.value == order.value;
        let granted = match order.deed {
            Deed::Obtain { again } => order
                .keys
                .iter()
                .all(|key| self.value(key).is_none_or(|entry| again && is_ours(entry))),
            Deed::Refresh | Deed::Check => {
                let mut keys = order.keys.iter();
                keys.all(|key| self.value(key).is_some_and(is_ours))
            }
            Deed::Release => return self.release(order, client, wakes),
        };
        if granted && order.deed != Deed::Check {
            let until = now + lifetime(order.ttl, manner);
            for key in order.keys.iter() {
                self.changed(key, client, wakes);
                self.put(key, order, until);
            }
        }
        if let Some(client) = client.filter(|_| manner.watch) {
            self.watch(&order.keys, client);
        }
        if granted {
            return Outcome::Granted { fence: None };
        }
        let lasts = order.keys.iter().filter_map(|key| self.value(key));
        let retry_after = lasts.map(|entry| entry.until.saturating_since(now)).max();
        Outcome::Denied {
            retry_after: retry_after.filter(|_| order.deed != Deed::Check),
            watched: manner.watch,
        }
    }

    fn release(&mut self, order: &Order, client: Option<usize>, wakes: &mut Vec<Watch>) -> Outcome {
        let before = self.entries.len();
        for key in order.keys.iter() {
            if self
                .value(key)
                .is_some_and(|entry| entry.value == order.value)
            {
                self.entries.retain(|entry| entry.key != *key);
                self.changed(key, client, wakes);
            }
        }
        if before - self.entries.len() == order.keys.len() {
            Outcome::Granted { fence: None }
        } else {
            Outcome::Denied {
                retry_after: None,
                watched: false,
            }
        }
    }

    fn put(&mut self, key: &Key, order: &Order, until: Instant) {
        self.entries.retain(|entry| entry.key != *key);
        self.entries.push(Entry {
            key: key.clone(),
            value: order.value.clone(),
            until,
        });
        self.entries.sort_by(|a, b| a.key.cmp(&b.key));
    }

    fn watch(&mut self, keys: &Keys, client: usize) {
        for key in keys.iter() {
            let key = key.clone();
            self.watches.push(Watch { key, client });
        }
        self.watches.sort_unstable();
        self.watches.dedup();
    }

    /// A registration ends with the first change. Whoever made the change is not told.
    fn changed(&mut self, key: &Key, by: Option<usize>, wakes: &mut Vec<Watch>) {
        let (told, kept) = self.watches.drain(..).partition(|watch| watch.key == *key);
        self.watches = kept;
        let told: Vec<Watch> = told;
        wakes.extend(told.into_iter().filter(|watch| Some(watch.client) != by));
    }

    /// Drops what has come to its end.
    pub(super) fn expire(&mut self, now: Instant, wakes: &mut Vec<Watch>) -> bool {
        let over: Vec<Key> = (self.entries.iter().filter(|entry| entry.until <= now))
            .map(|entry| entry.key.clone())
            .collect();
        for key in &over {
            self.entries.retain(|entry| entry.key != *key);
            self.changed(key, None, wakes);
        }
        !over.is_empty()
    }
}

/// How long a key lasts on the client's clock: the whole ttl, or all but 1 % and 2 ms.
fn lifetime(ttl: Duration, manner: Manner) -> Duration {
    if manner.early {
        ttl - ttl / 100 - Duration::from_millis(2)
    } else {
        ttl
    }
}
