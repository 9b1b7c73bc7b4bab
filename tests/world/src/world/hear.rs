//! What must have come about a while later, if nothing goes wrong meanwhile.

use std::time::Duration;

use tenure_core::{Key, Keys, LockId};

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
    pub(crate) fn who_must_hear(&self, key: &Key) -> Vec<(ClientId, LockId, Duration)> {
        let able = self.nodes.len() == 1 && self.wakes && self.nodes[0].is_well();
        let clients = self.clients.iter().enumerate().filter(|(index, client)| {
            // In the middle of a refresh it would take until the next.
            let calm = self.net.is_quiet(*index) && !client.suspended;
            let fine =
                calm && self.net.is_fine(*index, 0) && !self.net.links[*index][0].loses_pushes;
            able && fine && client.is_ready(0) == Some(true)
        });
        let mut all = Vec::new();
        for (index, client) in clients {
            let trips = self.net.longest_trip(index, 0) * 10;
            for belief in client.believes(self.now) {
                let there = self.holding(0, key);
                let ours = there.is_some_and(|(value, _)| *value == *belief.value);
                if ours && belief.keys.iter().any(|other| other == key) {
                    all.push((ClientId(index), belief.lock, trips));
                }
            }
        }
        all
    }

    /// Checks that no client still relies on the removed key.
    pub(crate) fn look_who_heard(&mut self, client: ClientId, lock: LockId) {
        let of = &self.clients[client.0];
        let mut beliefs = of.believes(self.now);
        let belief = beliefs.find(|belief| belief.lock == lock);
        let end = of.engine.lease(lock);
        let end = end.and_then(|lease| of.clock.when(lease.expires_at()));
        // What was made shorter may have been refreshed.
        let backed = |belief| end.is_some_and(|end| self.backs(0, belief, end));
        let deceived = belief.is_some_and(|belief| !backed(belief));
        drop(beliefs);
        if deceived {
            let how = format!("{} still believes in {lock:?}", client.0);
            return self.broken(Promise::Heard, how);
        }
        self.kept(Promise::Heard);
    }

    /// The nodes from which a held lock must be gone if it is released now: all nodes that its client can reach.
    pub(crate) fn who_must_let_go(&self, client: ClientId, lock: LockId) -> Vec<Leftover> {
        let of = &self.clients[client.0];
        let belief = of.beliefs.iter().find(|belief| belief.lock == lock);
        let Some(belief) =
            belief.filter(|belief| !belief.owned && !of.suspended && of.straggled.is_none())
        else {
            return Vec::new();
        };
        let reached = (0..self.nodes.len()).filter(|node| self.reaches(client.0, *node));
        let leftover = |node| Leftover {
            client,
            node,
            keys: belief.keys.clone(),
            value: belief.value.clone(),
        };
        reached.map(leftover).collect()
    }

    /// Checks that a released lock is gone from a node.
    pub(crate) fn look_what_is_left(&mut self, leftover: &Leftover) {
        let Leftover { client, node, .. } = leftover;
        let mut keys = leftover.keys.iter();
        let left = keys.find(|key| {
            let there = self.holding(*node, key);
            there.is_some_and(|(value, _)| *value == *leftover.value)
        });
        if left.is_some() {
            let how = format!("{} has let go, and node {node} was never told", client.0);
            return self.broken(Promise::Tidy, how);
        }
        self.kept(Promise::Tidy);
    }
}
