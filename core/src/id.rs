//! Names for nodes, locks and requests. All are small, `Copy`, and never reused for something else.

use core::fmt;

/// How many nodes one engine may have.
pub const MAX_NODES: usize = 31;

/// One independent server, by its place in the configuration.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
// As wide as its neighbours in a request, so that these are copied in one piece.
pub struct NodeId(u32);

impl NodeId {
    /// The node at `index` in the configuration, or `None` from [`MAX_NODES`] on.
    #[must_use]
    pub fn new(index: usize) -> Option<Self> {
        u32::try_from(index)
            .ok()
            .filter(|_| index < MAX_NODES)
            .map(Self)
    }

    /// Its place in the configuration.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of nodes, as bits.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct NodeSet(u32);

impl NodeSet {
    /// No node.
    pub const EMPTY: Self = Self(0);

    /// The first `count` nodes; all of them from [`MAX_NODES`] on.
    #[must_use]
    pub const fn first(count: usize) -> Self {
        if count >= MAX_NODES {
            Self(u32::MAX >> 1)
        } else {
            Self((1 << count) - 1)
        }
    }

    /// The set that holds only `node`.
    #[must_use]
    pub const fn only(node: NodeId) -> Self {
        Self(1 << node.0)
    }

    /// How many nodes it holds.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it holds `count` nodes or more. Cheaper than to count them: a quorum is small.
    #[must_use]
    pub(crate) const fn holds(self, count: usize) -> bool {
        let (mut left, mut wanted) = (self.0, count);
        while wanted > 1 && left != 0 {
            left &= left.wrapping_sub(1);
            wanted = wanted.saturating_sub(1);
        }
        left != 0 || wanted == 0
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it holds `node`.
    #[must_use]
    pub const fn contains(self, node: NodeId) -> bool {
        self.0 & Self::only(node).0 != 0
    }

    /// Adds `node`.
    pub fn insert(&mut self, node: NodeId) {
        self.0 |= Self::only(node).0;
    }

    /// Takes `node` out; says whether it was in.
    pub fn remove(&mut self, node: NodeId) -> bool {
        let was = self.contains(node);
        self.0 &= !Self::only(node).0;
        was
    }

    /// All nodes of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The nodes that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The node with the lowest number.
    #[must_use]
    pub fn lowest(self) -> Option<NodeId> {
        (!self.is_empty()).then(|| NodeId(self.0.trailing_zeros()))
    }

    /// The node with the highest number.
    #[must_use]
    pub fn highest(self) -> Option<NodeId> {
        self.0.checked_ilog2().map(NodeId)
    }

    /// The nodes in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = NodeId> {
        let mut left = self;
        core::iter::from_fn(move || {
            let node = left.lowest()?;
            left.remove(node);
            Some(node)
        })
    }
}

impl FromIterator<NodeId> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeId>>(nodes: I) -> Self {
        nodes
            .into_iter()
            .fold(Self::EMPTY, |set, node| set.union(Self::only(node)))
    }
}

impl fmt::Debug for NodeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(|node| node.0))
            .finish()
    }
}

/// One lock (from `obtain` to its terminal event). A handle that outlived its lock is recognised, never taken for a
/// stranger's.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

impl LockId {
    /// The id as one number, for logs and for crossing a language border.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        (self.generation as u64) << 32 | self.slot as u64
    }

    /// The id that [`LockId::to_bits`] was made from.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "the two halves")]
        Self {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

impl fmt::Debug for LockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.slot, self.generation)
    }
}

/// One request of one lock to one node. The number of the round identifies replies that are too late.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct RequestId {
    pub(crate) lock: LockId,
    pub(crate) round: u32,
    pub(crate) node: NodeId,
}

impl RequestId {
    /// The lock that makes the request.
    #[must_use]
    pub const fn lock(self) -> LockId {
        self.lock
    }

    /// The node that the request goes to.
    #[must_use]
    pub const fn node(self) -> NodeId {
        self.node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_ends_at_the_limit() {
        assert!(NodeId::new(MAX_NODES - 1).is_some());
        assert!(NodeId::new(MAX_NODES).is_none());
        assert_eq!(NodeSet::first(MAX_NODES).len(), MAX_NODES);
        assert_eq!(NodeSet::first(MAX_NODES + 1).len(), MAX_NODES);
        assert_eq!(NodeSet::first(3).highest(), NodeId::new(2));
        assert_eq!(NodeSet::first(3).lowest(), NodeId::new(0));
        assert_eq!(
            (NodeSet::EMPTY.lowest(), NodeSet::EMPTY.highest()),
            (None, None)
        );
    }

    #[test]
    fn a_set_holds_as_many_as_it_counts() {
        for bits in 0..64 {
            let set = NodeSet(bits);
            for count in 0..8 {
                assert_eq!(set.holds(count), set.len() >= count, "{bits:b} {count}");
            }
        }
    }

    #[test]
    fn a_lock_id_survives_its_bits() {
        let id = LockId {
            slot: 7,
            generation: u32::MAX,
        };
        assert_eq!(LockId::from_bits(id.to_bits()), id);
    }
}
