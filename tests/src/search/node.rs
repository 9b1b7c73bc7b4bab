//! A node as the operations describe it: keys with a value and an end. It knows nothing of locks.

use std::time::Duration;

use tenure_core::{Fence, Instant, KeySet, Obstacle, Outcome};

use super::order::{Action, Order, Value};
use super::per_key::Commands;
use super::scripts::Sharers;

/// Keys are the letters from a on.
pub(super) const KEYS: [&str; 3] = ["a", "b", "c"];

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) until: Instant,
}

/// Clients as bits, by key: who gets a notification of a change.
pub(super) type Watches = [u8; KEYS.len()];

#[derive(Clone, Default, Debug)]
pub(super) struct ModelNode {
    pub(super) entries: [Option<Entry>; KEYS.len()],
    pub(super) sharers: [Sharers; KEYS.len()],
    pub(super) watches: Watches,
    /// The last fence of each key. Those of real nodes also follow the clock, which only makes them larger.
    pub(super) counters: [u64; KEYS.len()],
    /// It refuses everything until then.
    pub(super) down_until: Option<Instant>,
}

/// How a node keeps time and whether it reports changes.
#[derive(Copy, Clone, Debug)]
pub(super) struct Manner {
    /// Its clock is as fast as the drift allows: keys end early by that much.
    pub(super) early: bool,
    pub(super) watch: bool,
    /// It does not report that a key has expired.
    pub(super) silent: bool,
    pub(super) commands: Commands,
}

impl ModelNode {
    pub(super) fn is_empty(&self) -> bool {
        let sharers = self.sharers.iter().all(|sharers| sharers.until.is_none());
        sharers && self.entries.iter().all(Option::is_none)
    }

    /// When something that it knows comes to its end.
    pub(super) fn ends(&self) -> impl Iterator<Item = Instant> + '_ {
        let alone = self.entries.iter().flatten().map(|entry| entry.until);
        let inside = self.sharers.iter().flat_map(Sharers::ends);
        alone.chain(inside)
    }

    /// Every value that is anywhere on it.
    pub(super) fn values(&self) -> impl Iterator<Item = Value> + '_ {
        let alone = self.entries.iter().flatten().map(|entry| entry.value);
        let inside = self.sharers.iter().flat_map(|sharers| &sharers.inside);
        alone.chain(inside.map(|(value, _)| *value))
    }

    /// Carries out an order of `client`, or one that nobody waits for. Adds those who get a notification.
    pub(super) fn execute(
        &mut self,
        order: &Order,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Watches,
    ) -> Outcome {
        if let Some(outcome) = self.run(order, client, now, manner, wakes) {
            return outcome;
        }
        let is_ours = |entry: Entry| entry.value == order.value;
        let granted = match order.action {
            Action::Obtain { again, .. } => order
                .keys()
                .all(|key| self.entries[key].is_none_or(|entry| again && is_ours(entry))),
            Action::Refresh { .. } | Action::Check => {
                let mut keys = order.keys();
                keys.all(|key| self.entries[key].is_some_and(is_ours))
            }
            Action::Look => order.keys().all(|key| self.entries[key].is_none()),
            Action::Enter { .. }
            | Action::Share { .. }
            | Action::Stay { .. }
            | Action::CheckShared
            | Action::Leave { .. } => unreachable!("it is a script"),
            Action::Release => return self.release(order, client, wakes),
        };
        if granted && !matches!(order.action, Action::Check | Action::Look) {
            let keep = !matches!(order.action, Action::Refresh { keep: false, .. });
            let (value, until) = (order.value, now + lifetime(order.ttl_ms, manner));
            for key in order.keys() {
                if keep && self.entries[key].is_some_and(|entry| entry.until > until) {
                    continue;
                }
                self.changed(key, client, wakes);
                self.entries[key] = Some(Entry { value, until });
            }
        }
        if let Some(client) = client.filter(|_| manner.watch) {
            for key in order.keys() {
                self.watches[key] |= 1 << client;
            }
        }
        let lasts = order.keys().filter_map(|key| self.entries[key]);
        let lasts = lasts.map(|entry| entry.until.saturating_since(now));
        if granted {
            let remaining = (order.action == Action::Check)
                .then(|| lasts.min())
                .flatten();
            let remaining = remaining.map(|time| by_node(time, manner));
            let fence = self.count(order);
            return Outcome::Granted { fence, remaining };
        }
        self.denied(order, now, manner)
    }

    /// The outcome for a client that learns which values there are.
    pub(super) fn denied(&self, order: &Order, now: Instant, manner: Manner) -> Outcome {
        if order.action == Action::Release {
            return NOTHING_LEFT;
        }
        let lasts = order.keys().filter_map(|key| self.entries[key]);
        let lasts = lasts.map(|entry| entry.until.saturating_since(now));
        let (first, longest) = lasts.fold(
            (None, None),
            |(first, longest): (Option<Duration>, _), left| {
                (
                    Some(first.map_or(left, |first| first.min(left))),
                    longest.max(Some(left)),
                )
            },
        );
        Outcome::Denied {
            retry_after: longest.filter(|_| order.action != Action::Check),
            first_free: first.filter(|first| Some(*first) < longest),
            watched: manner.watch,
            held: Some(self.held(order)),
            by: Obstacle::Holder,
        }
    }

    /// Steps or raises the counters, as far as the order wants that. Returns the number of a grant.
    fn count(&mut self, order: &Order) -> Option<Fence> {
        let largest = order.keys().map(|key| self.counters[key]).max()?;
        let (least, fence) = match order.action {
            Action::Obtain { fence: true, .. } => (largest + 1, Some(Fence(largest + 1))),
            Action::Refresh {
                seal: Some(seal), ..
            } => (seal, None),
            Action::Obtain { .. } | Action::Refresh { .. } => return None,
            Action::Check | Action::Look | Action::Release => return None,
            Action::Enter { .. } | Action::Share { .. } => return None,
            Action::Stay { .. } | Action::CheckShared | Action::Leave { .. } => return None,
        };
        for key in order.keys() {
            self.counters[key] = self.counters[key].max(least);
        }
        fence
    }

    fn held(&self, order: &Order) -> KeySet {
        let mut held = KeySet::NONE;
        let places = order.keys().enumerate();
        let there = places.filter(|(_, key)| self.entries[*key].is_some());
        there.for_each(|(place, _)| held.insert(place));
        held
    }

    fn release(&mut self, order: &Order, client: Option<usize>, wakes: &mut Watches) -> Outcome {
        let mut all = true;
        for key in order.keys() {
            if self.entries[key].is_some_and(|entry| entry.value == order.value) {
                self.entries[key] = None;
                self.changed(key, client, wakes);
            } else {
                all = false;
            }
        }
        if all {
            return Outcome::GRANTED;
        }
        NOTHING_LEFT
    }

    /// A registration ends with the first change. The client that made the change gets no notification.
    pub(super) fn changed(&mut self, key: usize, by: Option<usize>, wakes: &mut Watches) {
        let notified = std::mem::take(&mut self.watches[key]);
        wakes[key] |= notified & !by.map_or(0, |client| 1 << client);
    }

    /// Nobody is left at the other end of a client's connection.
    pub(super) fn forget(&mut self, client: usize) {
        for watches in &mut self.watches {
            *watches &= !(1 << client);
        }
    }

    /// Drops what has come to its end.
    pub(super) fn expire(&mut self, now: Instant, manner: Manner, wakes: &mut Watches) -> bool {
        let mut any = false;
        for key in 0..KEYS.len() {
            if self.entries[key].is_some_and(|entry| entry.until <= now) {
                self.entries[key] = None;
                if !manner.silent {
                    self.changed(key, None, wakes);
                }
                any = true;
            }
            if self.sharers[key].until.is_some_and(|until| until <= now) {
                self.sharers[key] = Sharers::default();
            }
        }
        any
    }
}

/// The outcome of a release that did not find all keys, and of a script that changed nothing.
pub(super) const NOTHING_LEFT: Outcome = Outcome::Denied {
    retry_after: None,
    first_free: None,
    watched: false,
    held: None,
    by: Obstacle::Holder,
};

/// How long a key lasts on the client's clock: the whole ttl, or all but 1 % and 2 ms.
pub(super) fn lifetime(ttl_ms: u32, manner: Manner) -> Duration {
    let ttl = Duration::from_millis(u64::from(ttl_ms));
    if manner.early {
        ttl - ttl / 100 - Duration::from_millis(2)
    } else {
        ttl
    }
}

/// What a time on the client's clock is on the clock of the node.
fn by_node(time: Duration, manner: Manner) -> Duration {
    if manner.early {
        (time + Duration::from_millis(2)) * 100 / 99
    } else {
        time
    }
}
