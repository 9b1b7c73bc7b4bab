//! Members with a score each, which is a whole number here: locks need no others.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

#[derive(Clone, Default)]
pub(super) struct SortedSet {
    scores: BTreeMap<Arc<[u8]>, i64>,
    /// By score, then by the bytes of the member, as in Redis.
    order: BTreeSet<(i64, Arc<[u8]>)>,
    bytes: usize,
}

impl SortedSet {
    pub(super) fn len(&self) -> usize {
        self.scores.len()
    }

    /// What the members and their scores take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<i64> {
        self.scores.get(member).copied()
    }

    /// By rising score.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, &Arc<[u8]>)> {
        self.order.iter().map(|(score, member)| (*score, member))
    }

    /// Gives a member this score. Returns the one that it had.
    pub(super) fn insert(&mut self, member: &[u8], score: i64) -> Option<i64> {
        let old = self.remove(member);
        let member: Arc<[u8]> = member.into();
        self.bytes = self.bytes.saturating_add(size_of(&member));
        self.order.insert((score, member.clone()));
        self.scores.insert(member, score);
        old
    }

    pub(super) fn remove(&mut self, member: &[u8]) -> Option<i64> {
        let (member, score) = self.scores.remove_entry(member)?;
        self.bytes = self.bytes.saturating_sub(size_of(&member));
        self.order.remove(&(score, member));
        Some(score)
    }

    /// Removes all members up to this score. Returns how many there were.
    #[cfg(feature = "modes")]
    pub(super) fn remove_up_to(&mut self, score: i64) -> usize {
        let mut removed = 0_usize;
        while let Some((first, member)) = self.order.first()
            && *first <= score
        {
            let member = member.clone();
            self.remove(&member);
            removed = removed.saturating_add(1);
        }
        removed
    }
}

fn size_of(member: &[u8]) -> usize {
    member.len().saturating_add(size_of_score())
}

const fn size_of_score() -> usize {
    core::mem::size_of::<i64>()
}
