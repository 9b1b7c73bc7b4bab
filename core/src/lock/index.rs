//! Which locks care about a key, in the order of their turn.

use alloc::collections::BTreeSet;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::ops::Bound;

use crate::claim::{Key, Keys};

/// Ranks from here on are waiters, in the order in which they came. Below stand holders and all others, which do not
/// queue.
pub(crate) const WAITER: u64 = 1 << 63;

/// Key → locks, ordered by rank.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index(BTreeSet<Place>);

#[derive(Clone, Debug)]
struct Place {
    key: Key,
    rank: u64,
    slot: u32,
}

impl Index {
    pub(crate) fn insert(&mut self, keys: &Keys, rank: u64, slot: u32) {
        for key in keys.iter() {
            self.0.insert(Place {
                key: key.clone(),
                rank,
                slot,
            });
        }
    }

    pub(crate) fn remove(&mut self, keys: &Keys, rank: u64) {
        for key in keys.iter() {
            self.0.remove(&(key.as_bytes(), rank) as &dyn Spot);
        }
    }

    /// The first lock of `key` with at least this rank: its rank and slot.
    pub(crate) fn first_from(&self, key: &[u8], rank: u64) -> Option<(u64, u32)> {
        let from = (key, rank);
        let range = (Bound::Included(&from as &dyn Spot), Bound::Unbounded);
        let place = self.0.range::<dyn Spot, _>(range).next()?;
        (place.key.as_bytes() == key).then_some((place.rank, place.slot))
    }
}

/// A place by borrowed parts, so that looking one up allocates nothing.
trait Spot {
    fn spot(&self) -> (&[u8], u64);
}

impl Spot for Place {
    fn spot(&self) -> (&[u8], u64) {
        (self.key.as_bytes(), self.rank)
    }
}

impl Spot for (&[u8], u64) {
    fn spot(&self) -> (&[u8], u64) {
        *self
    }
}

impl<'a> Borrow<dyn Spot + 'a> for Place {
    fn borrow(&self) -> &(dyn Spot + 'a) {
        self
    }
}

impl Ord for dyn Spot + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.spot().cmp(&other.spot())
    }
}

impl PartialOrd for dyn Spot + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Spot + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.spot() == other.spot()
    }
}

impl Eq for dyn Spot + '_ {}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.spot().cmp(&other.spot())
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.spot() == other.spot()
    }
}

impl Eq for Place {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_of_a_key_come_in_the_order_of_their_rank() {
        let keys = |names: &[&str]| Keys::new(names.iter().map(|n| Key::new(n).unwrap())).unwrap();
        let mut index = Index::default();
        index.insert(&keys(&["a", "ab"]), WAITER | 2, 2);
        index.insert(&keys(&["a"]), 1, 1);
        assert_eq!(index.first_from(b"a", 0), Some((1, 1)));
        assert_eq!(index.first_from(b"a", 2), Some((WAITER | 2, 2)));
        assert_eq!(
            index.first_from(b"a", WAITER | 3),
            None,
            "does not run into the next key"
        );
        assert_eq!(index.first_from(b"", 0), None);
        index.remove(&keys(&["a", "ab"]), WAITER | 2);
        assert_eq!(index.first_from(b"ab", 0), None);
    }
}
