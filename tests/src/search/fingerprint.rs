//! Knowing a state again, in 64 bits.
//!
//! Two states are the same if nothing that can still happen distinguishes them. Times count as distances from now, values
//! by whose they are and how they compare, numbers of locks and rounds not at all. Beyond that two kinds of things may
//! change places:
//!
//! - **Nodes that are asked all at once.** Every round over them asks all of its nodes before anything else happens, so
//!   that the order of asking, lowest first, shows nowhere: the requests go to different lines. From then on a lock
//!   counts answers and never compares numbers of nodes, and what it knows of a node is one bit in each of its sets. So
//!   a state is what concerns no single node, and for each node a *column*: the node itself, its lines, and its bit in
//!   each set of each lock. Changing places of nodes changes places of columns and nothing else: the sorted columns say
//!   the same for all orders, without trying them. Nodes that are asked in order keep their places.
//! - **Clients that want the same.** Their locks have different tokens, which are only ever compared for equality, and
//!   start with the same chance. A client's own part names no other client, so clients are sorted by it; of those that
//!   are equal in this all orders are tried, and the least fingerprint counts.
//!
//! A value is named after its client's place and its place among that client's values: those of its locks in the order
//! of their slots, then all others. Names depend on no order of nodes.
//!
//! That equal fingerprints have equal futures is not only argued: [`super::audit()`] checks it, step by step.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;
use tenure_core::{Instant, Outcome, RequestId};

use super::client::{Answer, Client, Line};
use super::node::{KEYS, ModelNode};
use super::order::{Order, Value};
use super::setup::{Budget, NODES, node_id};
use super::state::SearchState;

/// The values of one client, by name.
#[derive(Default)]
struct Names(Vec<Value>);

impl Names {
    fn add(&mut self, value: Value) -> u64 {
        let known = self.0.iter().position(|known| *known == value);
        let place = known.unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        });
        place as u64
    }

    fn of(&self, value: Value) -> Option<usize> {
        self.0.iter().position(|known| *known == value)
    }
}

/// A client apart from all others.
struct Part {
    /// What concerns no single node.
    own: u64,
    /// Its part of each column.
    lines: [u64; NODES],
    names: Names,
}

fn hasher() -> impl Hasher {
    FixedState::with_seed(0).build_hasher()
}

fn print(thing: impl Hash) -> u64 {
    let mut hasher = hasher();
    thing.hash(&mut hasher);
    hasher.finish()
}

impl SearchState {
    /// The same for all states that only differ in names. With `alike`, nodes and clients may change places, too, where
    /// they are alike.
    #[must_use]
    pub fn fingerprint(&self, alike: bool) -> u64 {
        with_budget(self.fingerprint_but_budget(alike), &self.budget)
    }

    /// The fingerprint, and those of the states that differ in nothing but that more may still go wrong in them. What
    /// can happen here can happen there, too.
    pub(super) fn fingerprints(&self, alike: bool) -> (u64, impl Iterator<Item = u64> + use<>) {
        let print = self.fingerprint_but_budget(alike);
        let budget = self.budget;
        let above = self.setup.budget.up_from(budget);
        let above = above.filter(move |other| *other != budget);
        let above = above.map(move |other| with_budget(print, &other));
        (with_budget(print, &budget), above)
    }

    fn fingerprint_but_budget(&self, alike: bool) -> u64 {
        let clients = 0..self.clients.len();
        let parts: Vec<Part> = clients.clone().map(|c| self.part(c)).collect();
        let mut order: Vec<usize> = clients.collect();
        if !(alike && self.setup.has_equal_clients()) {
            return self.print(&parts, &order, alike);
        }
        order.sort_unstable_by_key(|c| parts[*c].own);
        let mut least = u64::MAX;
        each_order(&mut order, 0, &parts, &mut |order| {
            least = least.min(self.print(&parts, order, alike));
        });
        least
    }

    fn print(&self, parts: &[Part], order: &[usize], alike: bool) -> u64 {
        let mut columns = [0; NODES];
        let columns = &mut columns[..self.nodes.len()];
        for (n, column) in columns.iter_mut().enumerate() {
            *column = self.print_node(n, parts, order);
        }
        if alike && self.setup.has_equal_nodes() {
            columns.sort_unstable();
        }
        // Whether a key vanished only matters as long as there was one ask.
        let vanished = self.vanished && self.requests < 2;
        let mut hasher = hasher();
        (self.requests.min(2), vanished, self.fault).hash(&mut hasher);
        self.fences.hash(&mut hasher);
        for c in order {
            parts[*c].own.hash(&mut hasher);
        }
        columns.hash(&mut hasher);
        hasher.finish()
    }

    fn print_node(&self, n: usize, parts: &[Part], order: &[usize]) -> u64 {
        let mut hasher = hasher();
        let h = &mut hasher;
        let node: &ModelNode = &self.nodes[n];
        let down = node.down_until.map(|at| at.saturating_since(self.now));
        (down, node.counters).hash(h);
        for key in 0..KEYS.len() {
            for c in order {
                (node.watches[key] >> c & 1).hash(h);
            }
            // Without a name it belongs to nobody.
            node.entries[key].is_some().hash(h);
            if let Some(entry) = node.entries[key] {
                name_of(entry.value, parts, order).hash(h);
                entry.until.saturating_since(self.now).hash(h);
            }
            let sharers = &node.sharers[key];
            let left = |end: Instant| end.saturating_since(self.now);
            sharers.until.map(left).hash(h);
            // All whose lease is over are alike.
            let inside = sharers.inside.iter();
            let mut inside: Vec<_> = inside
                .map(|(value, end)| (name_of(*value, parts, order), left(*end)))
                .collect();
            inside.sort_unstable();
            inside.hash(h);
        }
        for c in order {
            parts[*c].lines[n].hash(h);
        }
        hasher.finish()
    }

    fn part(&self, c: usize) -> Part {
        let client = &self.clients[c];
        let mut names = Names::default();
        let mut hasher = hasher();
        let h = &mut hasher;
        // One that is through is like one that is no more.
        let through = client.is_through();
        through.hash(h);
        if !through {
            for user in &client.users {
                user.requests_left().hash(h);
                for phase in user.phases() {
                    phase.hash(h);
                }
            }
            let mut name = |value: &[u8]| names.add(Value::read(value));
            client.locks().fingerprint(self.now, &mut name, h);
            for user in &client.users {
                for (id, letters) in user.open() {
                    (low_half(id.to_bits()), letters).hash(h);
                }
            }
        }
        Self::name_the_rest(client, &mut names);
        let mut lines = [0; NODES];
        for (n, line) in lines.iter_mut().enumerate().take(self.nodes.len()) {
            *line = print_line(client, n, &names);
        }
        let own = hasher.finish();
        Part { own, lines, names }
    }

    /// Names the values without a lock that are still on their way, in the order of their numbers.
    fn name_the_rest(client: &Client, names: &mut Names) {
        let lines = client.lines.iter();
        let orders = lines.flat_map(|line| {
            let requests = line.requests.iter().map(|request| &request.order);
            requests.chain(&line.strays).map(|order| order.value)
        });
        let mut rest: Vec<Value> = orders.filter(|value| !names.0.contains(value)).collect();
        rest.sort_unstable();
        rest.dedup();
        names.0.extend(rest);
    }
}

/// Whose value it is, and which of that client: `None` if it belongs to nobody.
fn name_of(value: Value, parts: &[Part], order: &[usize]) -> Option<(Option<usize>, usize)> {
    if value == Value::SHARED {
        return Some((None, 0));
    }
    let owner = usize::from(value.client);
    let place = order.iter().position(|c| *c == owner);
    let name = parts[owner].names.of(value);
    name.map(|name| (place, name))
}

fn with_budget(but_budget: u64, budget: &Budget) -> u64 {
    print((but_budget, budget))
}

/// Calls `act` with every order of the clients that are equal in their own part.
fn each_order(order: &mut [usize], from: usize, parts: &[Part], act: &mut impl FnMut(&[usize])) {
    if from + 1 >= order.len() {
        return act(order);
    }
    let own = parts[order[from]].own;
    for other in from..order.len() {
        if parts[order[other]].own == own {
            order.swap(from, other);
            each_order(order, from + 1, parts, act);
            order.swap(from, other);
        }
    }
}

fn print_line(client: &Client, n: usize, names: &Names) -> u64 {
    let line: &Line = &client.lines[n];
    let mut hasher = hasher();
    let h = &mut hasher;
    if client.alive {
        client.locks().node_fingerprint(node_id(n), h);
    }
    line.requests.len().hash(h);
    for request in &line.requests {
        print_id(client, request.id).hash(h);
        print_order(&request.order, names).hash(h);
    }
    line.answers.len().hash(h);
    for answer in &line.answers {
        match answer {
            Answer::Wake(key) => (0_u8, key).hash(h),
            Answer::Outcome(id, outcome) => {
                let (awaited, slot) = print_id(client, *id);
                (1_u8, awaited, slot).hash(h);
                // Of an answer that comes too late only that it comes matters.
                awaited.then(|| print_outcome(outcome)).hash(h);
            }
        }
    }
    line.strays.len().hash(h);
    for order in &line.strays {
        print_order(order, names).hash(h);
    }
    hasher.finish()
}

/// Of an old request only that it is old matters, and whether its lock is still there.
fn print_id(client: &Client, id: RequestId) -> (bool, Option<u64>) {
    let known = client.locks().claim(id.lock()).is_some();
    let slot = known.then(|| low_half(id.lock().to_bits()));
    (client.locks().awaits(id), slot)
}

/// The slot of a lock.
const fn low_half(bits: u64) -> u64 {
    bits & u32::MAX as u64
}

fn print_order(order: &Order, names: &Names) -> impl Hash {
    let value = names.of(order.value);
    (
        order.action,
        order.keys,
        value,
        order.ttl_ms,
        order.progress,
    )
}

fn print_outcome(outcome: &Outcome) -> u64 {
    let what = std::mem::discriminant(outcome);
    match outcome {
        Outcome::Denied {
            retry_after,
            first_free,
            watched,
            held,
            by,
        } => print((what, retry_after, first_free, watched, held, by)),
        Outcome::Failed(error) => print((what, error)),
        Outcome::Granted { fence, .. } => print((what, fence)),
        Outcome::Unknown | _ => print(what),
    }
}

impl std::fmt::Debug for SearchState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .field("fault", &self.fault)
            .finish_non_exhaustive()
    }
}
