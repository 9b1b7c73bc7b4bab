//! What must have come about a while later, if nothing goes wrong meanwhile.

use std::time::Duration;

use tenure_core::{Key, Keys, LockId};

use super::exclusion::is_shared;
use super::oracle::Promise;
use super::{ClientId, World};

/// A lock that was released, on a node that its client can reach.
pub(crate) struct Leftover {
    pub(crate) client: ClientId,
    pub(crate) node: usize,
    keys: Keys,
    value: Box<[u8]>,
}

impl World {
    /// What a key is called on a server.
    pub(crate) fn on_the_wire(&self, key: &Key) -> Vec<u8> {
        [self.prefix, key.as_bytes()].concat()
    }

    /// The holders of a key of the only server, which must learn within five round trips of a change by another program.
    pub(crate) fn holders_to_notify(&self, key: &Key) -> Vec<(ClientId, LockId, Duration)> {
        let able = self.nodes.len() == 1 && self.wakes && self.nodes[0].is_well();
        let clients = self.clients.iter().enumerate().filter(|(index, client)| {
            // In the middle of a refresh it would take until the next.
            let calm = self.net.is_quiet(*index) && !client.suspended && client.clock_in_bounds;
            let fine =
                calm && self.net.is_fine(*index, 0) && !self.net.links[*index][0].loses_pushes;
            able && fine && client.is_ready(0) == Some(true)
        });
        let mut all = Vec::new();
        for (index, client) in clients {
            let trips = self.net.longest_trip(index, 0) * 10;
            for held_lock in client.valid_locks(self.now) {
                let there = self.holding(0, key);
                let ours = there.is_some_and(|(value, _)| *value == *held_lock.value)
                    && !is_shared(held_lock.mode);
                if ours && held_lock.keys.iter().any(|other| other == key) {
                    all.push((ClientId(index), held_lock.lock, trips));
                }
            }
        }
        all
    }

    /// Checks that no client still relies on the removed key.
    pub(crate) fn check_loss_reported(&mut self, client: ClientId, lock: LockId) {
        let of = &self.clients[client.0];
        if !of.clock_in_bounds {
            return;
        }
        let mut held_locks = of.valid_locks(self.now);
        let held_lock = held_locks.find(|held_lock| held_lock.lock == lock);
        let end = of.engine.lease(lock);
        let end = end.and_then(|lease| of.clock.when(lease.expires_at()));
        // What was made shorter may have been refreshed.
        let backed = |held_lock| end.is_some_and(|end| self.backs(0, held_lock, end));
        let deceived = held_lock.is_some_and(|held_lock| !backed(held_lock));
        drop(held_locks);
        if deceived {
            let how = format!("{} still relies on {lock:?}", client.0);
            return self.broken(Promise::LossReported, how);
        }
        self.kept(Promise::LossReported);
    }

    /// The nodes from which a held lock must be gone if it is released now: all nodes that its client can reach.
    pub(crate) fn nodes_to_clear(&self, client: ClientId, lock: LockId) -> Vec<Leftover> {
        let of = &self.clients[client.0];
        let held_lock = of
            .held_locks
            .iter()
            .find(|held_lock| held_lock.lock == lock);
        let Some(held_lock) = held_lock
            .filter(|held_lock| !held_lock.owned && !of.suspended && of.late_arrival.is_none())
        else {
            return Vec::new();
        };
        // A node that says WRONGTYPE says that the key is not ours. A real one sends that for no other key.
        let is_kept = |node: &usize| !self.has_sent_wrongtype(*node);
        let nodes = (0..self.nodes.len()).filter(is_kept);
        let reached = nodes.filter(|node| self.reaches(client.0, *node));
        let leftover = |node| Leftover {
            client,
            node,
            keys: held_lock.keys.clone(),
            value: held_lock.value.clone(),
        };
        reached.map(leftover).collect()
    }

    /// Checks that a released lock is gone from a node.
    pub(crate) fn check_released(&mut self, leftover: &Leftover) {
        let Leftover { client, node, .. } = leftover;
        let mut keys = leftover.keys.iter();
        let left = keys.find(|key| self.keeps(*node, key, &leftover.value));
        if left.is_some() {
            let how = format!("{} has released, and node {node} got no request", client.0);
            return self.broken(Promise::TimelyRelease, how);
        }
        self.kept(Promise::TimelyRelease);
    }
}
