//! The locks of each key, in the order of their turn.
//!
//! One ordered list serves all keys, because most keys have one lock, for a moment: a list per key would be an allocation
//! per lock. Blocks that have room are reused, so that an obtain and a release allocate nothing after warm-up.

use alloc::vec::Vec;

use crate::keys::{Key, Keys};

/// Ranks from here on are waiters, in the order of arrival. Lower ranks are locks that do not wait for a turn: holders,
/// releases, and requests that try once.
pub(crate) const WAITER: u64 = 1 << 63;

/// The most places of one block: an insertion moves half of them on average.
const BLOCK: usize = 64;

/// Places sorted by key, then by rank, in sorted blocks. `BTreeSet` would do the same with ten times the code, which counts
/// in WebAssembly, and would allocate now and then. Only a block that is alone may be empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    blocks: Vec<Vec<Place>>,
    /// How many places are those of waiters.
    waiters: usize,
}

#[derive(Clone, Debug)]
struct Place {
    key: Key,
    rank: u64,
    slot: u32,
}

impl Place {
    fn sort_key(&self) -> (&[u8], u64) {
        (self.key.as_bytes(), self.rank)
    }
}

impl Index {
    /// Adds a lock. Returns whether no other lock has any of its keys.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn insert(&mut self, keys: &Keys, rank: u64, slot: u32) -> bool {
        if self.blocks.is_empty() {
            self.blocks.push(Vec::new());
        }
        let mut alone = true;
        for key in keys.iter() {
            let place = Place {
                key: key.clone(),
                rank,
                slot,
            };
            let (number, at) = self.find((key.as_bytes(), rank));
            alone &= !self.is_beside(key, number, at);
            self.waiters = self.waiters.saturating_add(usize::from(rank >= WAITER));
            let Some(block) = self.blocks.get_mut(number) else {
                continue;
            };
            block.insert(at, place);
            if block.len() > BLOCK {
                let rest = block.split_off(BLOCK / 2);
                self.blocks.insert(number.saturating_add(1), rest);
            }
        }
        alone
    }

    /// Whether there is any waiter. Most engines have none, and skip all that concerns turns.
    pub(crate) const fn has_waiters(&self) -> bool {
        self.waiters > 0
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn remove(&mut self, keys: &Keys, rank: u64) {
        for key in keys.iter() {
            let sort_key = (key.as_bytes(), rank);
            let (number, at) = self.find(sort_key);
            let several = self.blocks.len() > 1;
            let Some(block) = self.blocks.get_mut(number) else {
                continue;
            };
            if block
                .get(at)
                .is_some_and(|place| place.rank == rank && place.key.is(key))
            {
                block.remove(at);
                self.waiters = self.waiters.saturating_sub(usize::from(rank >= WAITER));
                if block.is_empty() && several {
                    self.blocks.remove(number);
                }
            }
        }
    }

    /// The first lock of `key` with at least this rank: its rank and slot.
    pub(crate) fn first_from(&self, key: &[u8], rank: u64) -> Option<(u64, u32)> {
        let (number, at) = self.find((key, rank));
        let here = self.blocks.get(number)?.get(at);
        // The last place of a block is followed by the first one of the next.
        let place = here.or_else(|| self.blocks.get(number.saturating_add(1))?.first())?;
        (place.key.as_bytes() == key).then_some((place.rank, place.slot))
    }

    /// Whether the place before or after this spot has the same key.
    fn is_beside(&self, key: &Key, number: usize, at: usize) -> bool {
        let Some(block) = self.blocks.get(number) else {
            return false;
        };
        // If the place before it were in another block, the spot would belong to the end of that block.
        let before = at.checked_sub(1).and_then(|at| block.get(at));
        let next = || self.blocks.get(number.saturating_add(1))?.first();
        let behind = block.get(at).or_else(next);
        let has = |place: Option<&Place>| place.is_some_and(|place| place.key == *key);
        has(before) || has(behind)
    }

    /// The block of this spot, and the number of places before it in that block.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn find(&self, sort_key: (&[u8], u64)) -> (usize, usize) {
        let starts = |block: &Vec<Place>| {
            block
                .first()
                .is_some_and(|place| place.sort_key() <= sort_key)
        };
        let number = match self.blocks.len() {
            0 | 1 => 0,
            _ => self.blocks.partition_point(starts).saturating_sub(1),
        };
        let block = self.blocks.get(number).map_or(&[][..], Vec::as_slice);
        (
            number,
            block.partition_point(|place| place.sort_key() < sort_key),
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::format;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn blocks_hold_the_same_as_an_ordered_set() {
        let (mut index, mut plain, mut rng) = (Index::default(), BTreeSet::new(), Rng::new(3));
        for _ in 0..50_000 {
            let (name, rank) = (format!("k{}", rng.next_u64() % 40), rng.next_u64() % 100);
            let keys = Keys::from(Key::new(&name).unwrap());
            let alone = plain.iter().all(|(other, _)| *other != name);
            if plain.insert((name.clone(), rank)) {
                let slot = u32::try_from(rank).unwrap();
                assert_eq!(index.insert(&keys, rank, slot), alone);
            } else if rng.next_u64() % 3 != 0 {
                plain.remove(&(name.clone(), rank));
                index.remove(&keys, rank);
            }
            let from = rng.next_u64() % 110;
            let next = plain.range((name.clone(), from)..).next();
            let expected = next.filter(|(key, _)| *key == name).map(|(_, rank)| *rank);
            let found = index.first_from(name.as_bytes(), from);
            assert_eq!(found.map(|(rank, _)| rank), expected);
            let count: usize = index.blocks.iter().map(Vec::len).sum();
            assert_eq!(count, plain.len());
        }
        assert!(index.blocks.len() > 8, "there were splits");
        for (name, rank) in plain {
            index.remove(&Keys::from(Key::new(&name).unwrap()), rank);
        }
        assert_eq!(index.blocks.iter().map(Vec::len).collect::<Vec<_>>(), [0]);
    }

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
