//! Knowing a state again: times count as distances, values by the order in which they turn up, and clients that have
//! changed places are the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use tenure_core::{LockId, Outcome, RequestId};

use super::client::{Answer, Client};
use super::node::Order;
use super::state::State;

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let there: Vec<usize> = (0..self.clients.len()).collect();
        let back: Vec<usize> = there.iter().rev().copied().collect();
        let mut print = self.fingerprint(&there);
        if !self.setup.overlapping {
            print = print.min(self.fingerprint(&back));
        }
        print.hash(hasher);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        let print = |state: &Self| {
            let mut hasher = DefaultHasher::new();
            state.hash(&mut hasher);
            hasher.finish()
        };
        print(self) == print(other)
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}

/// Gives values numbers, in the order in which it meets them.
#[derive(Default)]
struct Names(Vec<Arc<[u8]>>);

impl Names {
    fn of(&mut self, value: &[u8]) -> u64 {
        let known = self.0.iter().position(|known| **known == *value);
        let place = known.unwrap_or_else(|| {
            self.0.push(value.into());
            self.0.len() - 1
        });
        place as u64
    }
}

impl State {
    fn fingerprint(&self, order: &[usize]) -> u64 {
        let mut names = Names::default();
        let mut hasher = DefaultHasher::new();
        let h = &mut hasher;
        (self.budget, self.asks.min(2), self.vanished, self.fault).hash(h);
        for c in order {
            self.print_client(&self.clients[*c], &mut names, h);
        }
        for node in &self.nodes {
            node.entries.len().hash(h);
            for entry in &node.entries {
                (&entry.key, names.of(&entry.value)).hash(h);
                entry.until.saturating_since(self.now).hash(h);
            }
            let down = node.down_until.map(|at| at.saturating_since(self.now));
            down.hash(h);
            for c in order {
                for watch in node.watches.iter().filter(|watch| watch.client == *c) {
                    watch.key.hash(h);
                }
                false.hash(h);
            }
        }
        hasher.finish()
    }

    fn print_client(&self, client: &Client, names: &mut Names, h: &mut DefaultHasher) {
        (client.alive, client.asks_left, client.phase()).hash(h);
        if client.alive {
            let mut name = |value: &[u8]| names.of(value);
            client.locks.fingerprint(self.now, &mut name, h);
        }
        for line in &client.lines {
            line.requests.len().hash(h);
            for request in &line.requests {
                print_id(client, request.id, h);
                print_order(&request.order, names, h);
            }
            line.answers.len().hash(h);
            for answer in &line.answers {
                match answer {
                    Answer::Wake(key) => (0_u8, key).hash(h),
                    Answer::Outcome(id, outcome) => {
                        print_id(client, *id, h);
                        print_outcome(outcome, h);
                    }
                }
            }
            line.strays.len().hash(h);
            for order in &line.strays {
                print_order(order, names, h);
            }
        }
    }
}

/// Of an old request only that it is old matters, and whether its lock is still there.
fn print_id(client: &Client, id: RequestId, h: &mut DefaultHasher) {
    let lock: LockId = id.lock();
    let awaited = client.locks.op(id).is_some();
    let known = client.locks.claim(lock).is_some();
    // The low half is the slot.
    let slot = known.then_some(lock.to_bits() & u64::from(u32::MAX));
    (1_u8, awaited, slot).hash(h);
}

fn print_order(order: &Order, names: &mut Names, h: &mut DefaultHasher) {
    (order.deed, &order.keys, names.of(&order.value), order.ttl).hash(h);
}

fn print_outcome(outcome: &Outcome, h: &mut DefaultHasher) {
    std::mem::discriminant(outcome).hash(h);
    if let Outcome::Denied {
        retry_after,
        watched,
    } = outcome
    {
        (retry_after, watched).hash(h);
    }
    if let Outcome::Failed(error) = outcome {
        error.hash(h);
    }
}
