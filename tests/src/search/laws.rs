//! What must hold after every step.

use std::num::NonZeroU32;

use tenure_core::{Event, Lease, Loss, Mode, Renewal};

use super::client::{Client, Line, blames_others};
use super::node::{KEYS, ModelNode};
use super::state::SearchState;

impl SearchState {
    /// Whether a client may get this event.
    pub(super) fn judge(&mut self, event: &Event) {
        if blames_others(event) && self.requests == 1 && !self.vanished {
            self.fault = Some("somebody else was blamed, and there was nobody else");
        }
        let renews = self.setup.renewal != Renewal::Manual;
        if let Event::Lost { reason, .. } = event
            && (renews || *reason == Loss::Taken)
            && self.is_without_trouble()
        {
            self.fault = Some("without any trouble, a lock was lost");
        }
        if matches!(event, Event::NotObtained { .. }) && self.setup.patient {
            self.fault = Some("a wait ended without a lock");
        }
        if let Event::Obtained { lease, .. } | Event::Refreshed { lease, .. } = event
            && !lease.is_valid(self.now)
        {
            self.fault = Some("a lease was over when its lock was reported");
        }
    }

    /// Whether a fence is larger than those that were reported before.
    pub(super) fn compare(&mut self, c: usize, event: &Event) {
        let Event::Obtained { lock, .. } = *event else {
            return;
        };
        let locks = self.clients[c].locks();
        let held = locks.lease(lock).and_then(|_| locks.claim(lock));
        let Some(claim) = held.filter(|_| self.setup.fence) else {
            return;
        };
        let fence = locks.fence(lock).map_or(0, |fence| fence.0);
        for key in claim.keys().iter() {
            let last = &mut self.fences[usize::from(key.as_bytes()[0] - b'a')];
            if fence <= *last {
                self.fault = Some("a fence was not larger than the one before");
            }
            *last = fence;
        }
    }

    /// Whether all is as it must be between two steps.
    pub(super) fn check(&mut self) {
        let is_late = |client: &Client| client.overstays(self.now) && !client.is_due(self.now);
        if self.clients.iter().any(is_late) {
            self.fault = Some("the end of a lease went by unnoticed");
        }
        if self.setup.exclusive {
            self.check_believers();
        }
        if self.is_without_trouble()
            && self.is_over()
            && self.nodes.iter().any(|node| !node.is_empty())
        {
            self.fault = Some("without any trouble, a key was left behind");
        }
    }

    /// Who relies on a lock has it alone, or shares it with no more than the largest limit of one of them. Who shares it is noted
    /// on the node for as long as that.
    fn check_believers(&mut self) {
        let clients = self.clients.iter().enumerate();
        let held: Vec<(usize, Lease, Mode, &str)> = clients
            .flat_map(|(c, client)| {
                let leases = client.valid_leases(self.now);
                leases.map(move |(lease, mode, set)| (c, lease, mode, set))
            })
            .collect();
        for (key, letter) in KEYS.iter().enumerate() {
            let mut shared: Vec<Option<NonZeroU32>> = Vec::new();
            let mut alone = 0;
            for (c, lease, mode, _) in held.iter().filter(|(.., set)| set.contains(letter)) {
                let Mode::Shared { limit } = *mode else {
                    alone += 1;
                    continue;
                };
                shared.push(limit);
                let client = &self.clients[*c];
                let covers = |node: &ModelNode| node.covers(key, client, *lease);
                if !self.nodes.iter().all(covers) {
                    self.fault = Some("a client shares a lock, and a node does not know it");
                }
            }
            if alone > 1 || alone == 1 && !shared.is_empty() {
                self.fault = Some("two clients rely on the same lock");
            }
            let limits = shared.iter().copied().collect::<Option<Vec<_>>>();
            let largest = limits.and_then(|limits| limits.into_iter().max());
            if largest.is_some_and(|largest| shared.len() > largest.get() as usize) {
                self.fault = Some("more clients share a lock than the limit");
            }
        }
    }

    /// Nothing has gone wrong so far.
    fn is_without_trouble(&self) -> bool {
        self.budget.troubles() == self.setup.budget.troubles()
    }

    /// Nothing is under way, and nobody will start anything.
    pub(super) fn is_over(&self) -> bool {
        self.clients
            .iter()
            .all(|client| client.locks().is_drained() && client.lines.iter().all(Line::is_idle))
    }
}
