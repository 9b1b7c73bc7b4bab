//! Everything that servers know of a key: who has it, who waits for it, and its last fence.

use alloc::vec::Vec;

use crate::event::NodeError;
use crate::fence::Fence;
use crate::keys::Keys;
use crate::obtain::SHARED_VALUE;
use crate::time::Instant;

use super::probe::agreed;
use super::{Holding, Probe};
use crate::id::NodeSet;

/// How many of those who share a key a server lists.
pub(crate) const LISTED: u64 = 100;

/// What is known of a key, as a quorum of the servers agrees on it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Status {
    /// What the key itself holds, and for how long; `None` if it is free. If it is shared, that is a marker, which lasts
    /// as long as the last lease or a little longer.
    pub held: Option<Holding>,
    /// Those who have the key: one, or up to 100 of those who share it, the longest lease first.
    pub holders: Vec<Holding>,
    /// How many more share the key.
    pub more: u64,
    /// How many clients have a place in the queue. A client has one for all its locks that wait to have a key alone.
    pub waiting: u64,
    /// The last fence, if the servers keep one.
    pub fence: Option<Fence>,
}

impl Status {
    /// Whether those who have the key share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.held.as_ref().is_some_and(Holding::is_shared)
    }
}

impl Holding {
    /// Whether this is the marker of a key that is shared, not the value of one holder.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        *self.value == *SHARED_VALUE
    }
}

impl Probe {
    /// One that asks for everything that is known of a key.
    pub(crate) fn of_status(keys: Keys, nodes: NodeSet, quorum: usize, deadline: Instant) -> Self {
        let mut probe = Self::new(keys, nodes, quorum, deadline);
        probe.statuses = Some(Vec::new());
        probe
    }

    pub(crate) fn status(&self) -> Option<Result<Status, NodeError>> {
        let found = self.statuses.as_ref()?;
        if found.len() < self.quorum {
            return Some(Err(self.error));
        }
        let held = || found.iter().filter_map(|status| status.held.as_ref());
        let held = held().find_map(|candidate| agreed(candidate, held, self.quorum));
        let mut values: Vec<&Holding> = Vec::new();
        for holder in found.iter().flat_map(|status| &status.holders) {
            if !values.iter().any(|other| other.value == holder.value) {
                values.push(holder);
            }
        }
        let all = || found.iter().flat_map(|status| &status.holders);
        let holders = values.into_iter();
        let holders: Vec<Holding> = holders
            .filter_map(|candidate| agreed(candidate, all, self.quorum))
            .collect();
        let listed = holders.len() as u64;
        let count =
            self.reached(|status| (status.holders.len() as u64).saturating_add(status.more));
        let fence = self.reached(|status| status.fence.map_or(0, |fence| fence.0));
        Some(Ok(Status {
            held,
            holders,
            more: count.saturating_sub(listed),
            // Of several servers in order, the first one has the queue.
            waiting: found.iter().map(|status| status.waiting).max().unwrap_or(0),
            fence: (fence > 0).then_some(Fence(fence)),
        }))
    }

    /// The largest number that at least a quorum reaches.
    fn reached(&self, number: impl Fn(&Status) -> u64) -> u64 {
        let mut numbers: Vec<u64> = self.statuses.iter().flatten().map(number).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        let place = self.quorum.saturating_sub(1);
        numbers.get(place).copied().unwrap_or(0)
    }

    /// Notes what a node found.
    pub(crate) fn note_status(&mut self, found: Status) {
        if let Some(statuses) = &mut self.statuses {
            statuses.push(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;
    use alloc::boxed::Box;
    use core::time::Duration;

    fn holding(value: &[u8], ms: u64) -> Holding {
        Holding {
            value: value.into(),
            remaining: Some(Duration::from_millis(ms)),
        }
    }

    /// What three servers in order, or of a quorum of two, come to.
    fn together(quorum: usize, found: [Status; 3]) -> Status {
        let keys = Keys::from(Key::new("k").unwrap());
        let nodes = NodeSet::first(3);
        let mut probe = Probe::of_status(keys, nodes, quorum, Instant::default());
        let asked = probe.round.next_nodes();
        for (node, found) in asked.iter().zip(found) {
            probe.answer_status(node, Ok(Box::new(found)));
        }
        assert!(probe.is_over());
        probe.status().unwrap().unwrap()
    }

    #[test]
    fn a_quorum_agrees_on_a_holder_and_its_fence() {
        let held = |value, ms, fence| Status {
            held: Some(holding(value, ms)),
            holders: [holding(value, ms)].into(),
            fence: Some(Fence(fence)),
            ..Status::default()
        };
        let found = [held(b"a", 50, 7), held(b"b", 90, 9), held(b"a", 70, 8)];
        let status = together(2, found);
        assert_eq!(status, held(b"a", 50, 8));
    }

    #[test]
    fn who_shares_a_key_is_on_every_server_in_order() {
        let shared = |holders: &[Holding], more, waiting| Status {
            held: Some(holding(SHARED_VALUE, 900)),
            holders: holders.into(),
            more,
            waiting,
            fence: None,
        };
        let (a, b) = (holding(b"a", 500), holding(b"b", 700));
        let status = together(
            3,
            [
                shared(&[b.clone(), a.clone()], 3, 2),
                shared(&[a.clone(), b.clone()], 3, 0),
                shared(&[holding(b"b", 600)], 3, 0),
            ],
        );
        assert!(status.is_shared());
        assert_eq!(status, shared(&[holding(b"b", 600)], 3, 2));
    }
}
