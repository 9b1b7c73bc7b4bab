//! Replicas that stop to follow, and take over.

use super::{Place, World};

impl World {
    /// From here on the replica of a server receives nothing more. If grants wait for it, none is reported meanwhile.
    pub fn stop_replication(&mut self, node: usize) {
        self.happens(Place::Node(node), "replica stops");
        let lags = self.has_acks();
        let of = &mut self.nodes[node];
        of.replica = Some(of.server.replica());
        of.server.stop_replicas(true);
        of.lags = lags;
    }

    /// The replica receives everything again.
    pub fn resume_replication(&mut self, node: usize) {
        self.happens(Place::Node(node), "replica follows");
        let of = &mut self.nodes[node];
        of.replica = None;
        of.server.stop_replicas(false);
        of.lags = false;
    }

    /// The replica takes over, with what it had received.
    pub fn fail_over(&mut self, node: usize) {
        self.cut_all(node);
        let of = &mut self.nodes[node];
        let current = of.server.replica();
        let stale = of.replica.take();
        let lost = stale.is_some();
        let what = if lost {
            "fails over, forgets"
        } else {
            "fails over"
        };
        // What a replica was copied with may be another trouble than that of now.
        let now = of.server.options_mut();
        let trouble = if of.refuses {
            (now.trouble, now.max_keys)
        } else {
            (None, 1 << 20)
        };
        of.server = stale.unwrap_or(current);
        of.due = None;
        of.lags = false;
        let options = of.server.options_mut();
        (options.trouble, options.max_keys) = trouble;
        self.happens(Place::Node(node), what);
        self.carry_answers(node);
        if lost && self.has_acks() {
            self.oracle.roll_back(self.now);
        } else if lost {
            self.oracle.damage(node, self.now);
        }
    }

    /// Whether no client relies on anything that a replica does not have.
    fn has_acks(&self) -> bool {
        let mut clients = self.clients.iter();
        clients.all(|client| client.config.acks.is_some())
    }
}
