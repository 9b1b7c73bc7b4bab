//! The fence of a lock: which numbers its nodes have given.
//!
//! Each node steps a counter of its own, so the numbers of several nodes differ. The lock gets the largest, `F`. Unless a
//! quorum has given exactly `F`, a second round (`Seal`) raises the counters of a quorum to it, on nodes where our key still
//! stands. Every later holder shares a node with that quorum, obtained its key there afterwards, and so got more than `F`.
//! The plain maximum would repeat itself: one holder gets 1 on A and 2 on B, the next 2 on A and 2 on C.

use alloc::boxed::Box;

use crate::fence::{Fence, Keep};
use crate::id::{NodeId, NodeSet};
use crate::lock::Outcome;
use crate::time::Instant;

#[derive(Clone, Debug)]
pub(crate) struct Fencing {
    /// The largest number in this attempt, or zero, and how long its counters are kept.
    seal: (Fence, Keep),
    /// The nodes that have given it.
    nodes: NodeSet,
    /// When the lease of the grant that is being sealed ends.
    pub(crate) until: Option<Instant>,
}

impl Fencing {
    const fn new(keep: Keep) -> Self {
        Self {
            seal: (Fence(0), keep),
            nodes: NodeSet::EMPTY,
            until: None,
        }
    }

    #[cold]
    pub(crate) fn boxed(keep: Keep) -> Box<Self> {
        Box::new(Self::new(keep))
    }

    pub(crate) const fn keep(&self) -> Keep {
        self.seal.1
    }

    /// A new attempt begins: numbers of an earlier one count no longer.
    pub(crate) const fn restart(&mut self) {
        *self = Self::new(self.keep());
    }

    /// A node has replied, perhaps with a number.
    #[cold]
    pub(crate) fn note(&mut self, node: NodeId, outcome: Outcome) {
        if let Outcome::Granted {
            fence: Some(fence), ..
        } = outcome
        {
            self.note_number(node, fence);
        }
    }

    fn note_number(&mut self, node: NodeId, fence: Fence) {
        if self.seal.0 < fence {
            (self.seal.0, self.nodes) = (fence, NodeSet::EMPTY);
        }
        if self.seal.0 == fence {
            self.nodes.insert(node);
        }
    }

    /// Whether fewer than `quorum` nodes have given the largest number.
    pub(crate) const fn needs_seal(&self, quorum: usize) -> bool {
        self.seal.0.0 > 0 && !self.nodes.holds(quorum)
    }

    /// The largest number, for nodes that have given a smaller one.
    pub(crate) const fn seal(&self) -> &(Fence, Keep) {
        &self.seal
    }

    /// Whether this node has given the largest number.
    #[cfg(feature = "search")]
    pub(crate) const fn has_number_of(&self, node: NodeId) -> bool {
        self.nodes.contains(node)
    }

    /// The largest number; `None` if no node has given one.
    pub(crate) fn number(&self) -> Option<Fence> {
        Some(self.seal.0).filter(|fence| fence.0 > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_counts_and_needs_a_quorum() {
        let node = |index| NodeId::new(index).unwrap();
        let mut fencing = Fencing::new(Keep::default());
        assert_eq!((fencing.number(), fencing.needs_seal(1)), (None, false));
        fencing.note_number(node(0), Fence(5));
        assert!(!fencing.needs_seal(1));
        assert!(fencing.needs_seal(2));
        fencing.note_number(node(1), Fence(4));
        assert!(fencing.needs_seal(2), "a smaller number confirms nothing");
        fencing.note_number(node(2), Fence(5));
        assert!(!fencing.needs_seal(2));
        fencing.note_number(node(1), Fence(6));
        assert_eq!(fencing.number(), Some(Fence(6)));
        assert!(fencing.needs_seal(2));
        fencing.restart();
        assert_eq!(fencing.number(), None);
    }
}
