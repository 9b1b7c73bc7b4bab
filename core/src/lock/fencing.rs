//! The fence of a lock: which numbers its nodes have given.
//!
//! Each node steps a counter of its own, so the numbers of several nodes differ. The lock gets the largest, `F`. Unless a
//! quorum has given exactly `F`, a second round (`Seal`) raises the counters of a quorum to it, on nodes where our key still
//! stands. Every later holder shares a node with that quorum, obtained its key there afterwards, and so got more than `F`.
//! The plain maximum would repeat itself: one holder gets 1 on A and 2 on B, the next 2 on A and 2 on C.

use crate::fence::{Fence, Keep};
use crate::id::{NodeId, NodeSet};

#[derive(Clone, Debug)]
pub(crate) struct Fencing {
    pub(crate) keep: Keep,
    /// The largest number in this attempt.
    number: Option<Fence>,
    /// The nodes that have given it.
    nodes: NodeSet,
}

impl Fencing {
    pub(crate) const fn new(keep: Keep) -> Self {
        Self {
            keep,
            number: None,
            nodes: NodeSet::EMPTY,
        }
    }

    /// A new attempt begins: numbers of an earlier one count no longer.
    pub(crate) const fn restart(&mut self) {
        *self = Self::new(self.keep);
    }

    /// A node has granted the keys with this number.
    pub(crate) fn note(&mut self, node: NodeId, fence: Fence) {
        if self.number.is_none_or(|known| known < fence) {
            (self.number, self.nodes) = (Some(fence), NodeSet::EMPTY);
        }
        if self.number == Some(fence) {
            self.nodes.insert(node);
        }
    }

    /// Whether fewer than `quorum` nodes have given the largest number.
    pub(crate) const fn needs_seal(&self, quorum: usize) -> bool {
        self.number.is_some() && !self.nodes.holds(quorum)
    }

    pub(crate) const fn number(&self) -> Option<Fence> {
        self.number
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
        fencing.note(node(0), Fence(5));
        assert!(!fencing.needs_seal(1));
        assert!(fencing.needs_seal(2));
        fencing.note(node(1), Fence(4));
        assert!(fencing.needs_seal(2), "a smaller number confirms nothing");
        fencing.note(node(2), Fence(5));
        assert!(!fencing.needs_seal(2));
        fencing.note(node(1), Fence(6));
        assert_eq!(fencing.number(), Some(Fence(6)));
        assert!(fencing.needs_seal(2));
        fencing.restart();
        assert_eq!(fencing.number(), None);
    }
}
