//! Which nodes a client can reach, and what they would reply.

use super::World;

impl World {
    /// Notes from when on its client can reach a quorum, or cannot.
    pub(super) fn check_reach(&mut self, at: usize) {
        let now = self.now;
        let client = self.waiters.watches[at].client;
        let reached = (0..self.nodes.len()).filter(|node| self.reaches(client, *node));
        let reached = reached.count();
        let enough = reached >= self.quorum();
        // One denial is enough where all nodes are needed; and in bad weather an answer may still come.
        let silent =
            |node: &usize| self.net.is_fine(client, *node) || self.net.is_silent(client, *node);
        let unsure = (0..self.nodes.len()).filter(|node| !silent(node)).count();
        // A look also learns from a node that only refuses to write that the keys are held.
        let reading = (0..self.nodes.len()).filter(|node| self.reads(client, *node));
        let could_deny = reached + reading.count() + unsure + self.quorum() > self.nodes.len();
        let events_seen = self.clients[client].nodes.len();
        let watch = &mut self.waiters.watches[at];
        if watch.events_seen != events_seen {
            watch.events_seen = events_seen;
            self.waiters.running -= usize::from(watch.since.take().is_some());
            (watch.reached, watch.cut_off) = (None, None);
        }
        if enough {
            watch.reached.get_or_insert(now);
        } else {
            watch.reached = None;
        }
        if could_deny {
            watch.cut_off = None;
        } else {
            watch.cut_off.get_or_insert(now);
        }
    }

    /// Whether a client has a connection to a node over which it gets answers.
    pub(super) fn reaches(&self, client: usize, node: usize) -> bool {
        self.nodes[node].is_well()
            && self.net.is_fine(client, node)
            && self.clients[client].is_ready(node).is_some()
    }

    /// Whether a node refuses to write, or what it writes does not count, and it still lets a client read what it holds.
    fn reads(&self, client: usize, node: usize) -> bool {
        let of = &self.nodes[node];
        (of.reads || of.lags)
            && !of.paused
            && !of.down
            && self.net.is_fine(client, node)
            && self.clients[client].is_ready(node).is_some()
    }
}
