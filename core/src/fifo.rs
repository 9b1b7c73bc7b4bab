//! First in, first out.

use alloc::vec::Vec;

/// A queue in one piece of memory, in which nothing wraps around, so that each step is a few instructions. The room of items
/// that have left is reused when the queue is empty, or when half of it is such room. So the memory stays below four times
/// the most items that were ever queued at one time.
#[derive(Clone, Debug)]
pub(crate) struct Queue<T> {
    items: Vec<T>,
    /// How many of them have left.
    left: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            left: 0,
        }
    }
}

impl<T: Copy> Queue<T> {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn push_back(&mut self, item: T) {
        if self.items.len() == self.items.capacity() {
            self.make_room();
        }
        self.items.push(item);
    }

    /// Before memory grows: as much as has left comes back.
    #[cold]
    fn make_room(&mut self) {
        if self.left >= self.len() {
            self.items.drain(..self.left);
            self.left = 0;
        }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let item = self.items.get(self.left).copied()?;
        self.left = self.left.saturating_add(1);
        if self.left == self.items.len() {
            self.items.clear();
            self.left = 0;
        }
        Some(item)
    }

    #[inline]
    pub(crate) fn front(&self) -> Option<&T> {
        self.items.get(self.left)
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // Never all of them have left.
        self.items.is_empty()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.items.len().saturating_sub(self.left)
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, T> {
        self.items.get(self.left..).unwrap_or_default().iter()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::VecDeque;

    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_is_a_queue_and_its_memory_is_bounded() {
        let (mut queue, mut plain, mut rng) = (Queue::default(), VecDeque::new(), Rng::new(1));
        let mut most = 0;
        for _ in 0..100_000 {
            if plain.len() < 50 && rng.next_u64() % 2 == 0 {
                let item = rng.next_u64();
                queue.push_back(item);
                plain.push_back(item);
            } else {
                assert_eq!(queue.pop_front(), plain.pop_front());
            }
            most = most.max(plain.len());
            assert_eq!((queue.len(), queue.front()), (plain.len(), plain.front()));
            assert_eq!(queue.is_empty(), plain.is_empty());
            assert!(queue.iter().eq(&plain));
        }
        assert!(most > 40, "{most}");
        assert!(
            queue.items.capacity() <= 4 * most,
            "grown to {}",
            queue.items.capacity()
        );
    }
}
