//! One deadline per slot, in a heap that is changed in place: nothing stale is ever in it, and it allocates only when
//! there are more slots than ever before.

use alloc::vec::Vec;

use crate::time::Instant;

const NOWHERE: u32 = u32::MAX;

/// Deadlines of slots numbered from zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    /// A binary heap, the earliest first; equal times in the order of their slots, so that runs repeat exactly.
    heap: Vec<(Instant, u32)>,
    /// The place of each slot in the heap.
    places: Vec<u32>,
}

impl Timers {
    /// The earliest deadline and its slot.
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().copied()
    }

    /// Sets, moves or (with `None`) removes the deadline of `slot`.
    pub(crate) fn set(&mut self, slot: u32, at: Option<Instant>) {
        match (self.place(slot), at) {
            (None, None) => {}
            (None, Some(at)) => self.add(slot, at),
            (Some(place), Some(at)) => {
                if let Some(entry) = self.heap.get_mut(place) {
                    entry.0 = at;
                }
                if self.heap.len() > 1 {
                    self.settle(place);
                }
            }
            (Some(place), None) => self.remove(slot, place),
        }
    }

    // Apart from `set`, as the next two are, so that a deadline that only moves needs no room on the stack.
    #[inline(never)]
    fn remove(&mut self, slot: u32, place: usize) {
        self.heap.swap_remove(place);
        self.note(slot, NOWHERE);
        if place < self.heap.len() {
            self.settle(place);
        }
    }

    #[inline(never)]
    fn add(&mut self, slot: u32, at: Instant) {
        if self.places.len() <= slot as usize {
            self.places
                .resize((slot as usize).saturating_add(1), NOWHERE);
        }
        let place = self.heap.len();
        self.heap.push((at, slot));
        self.rise(place);
    }

    fn place(&self, slot: u32) -> Option<usize> {
        self.places
            .get(slot as usize)
            .filter(|place| **place != NOWHERE)
            .map(|place| *place as usize)
    }

    fn note(&mut self, slot: u32, place: u32) {
        if let Some(entry) = self.places.get_mut(slot as usize) {
            *entry = place;
        }
    }

    #[inline(never)]
    fn settle(&mut self, place: usize) {
        let place = self.rise(place);
        self.sink(place);
    }

    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn rise(&mut self, mut place: usize) -> usize {
        while let Some(parent) = place.checked_sub(1).map(|above| above / 2) {
            if self.heap.get(parent) <= self.heap.get(place) {
                break;
            }
            self.swap(parent, place);
            place = parent;
        }
        self.note_place(place);
        place
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let left = place.saturating_mul(2).saturating_add(1);
            let right = left.saturating_add(1);
            let earlier = match (self.heap.get(left), self.heap.get(right)) {
                (Some(l), Some(r)) if r < l => right,
                (Some(_), _) => left,
                (None, _) => break,
            };
            if self.heap.get(place) <= self.heap.get(earlier) {
                break;
            }
            self.swap(place, earlier);
            place = earlier;
        }
        self.note_place(place);
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.note_place(a);
        self.note_place(b);
    }

    fn note_place(&mut self, place: usize) {
        if let Some((_, slot)) = self.heap.get(place).copied() {
            self.note(slot, u32::try_from(place).unwrap_or(NOWHERE));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn the_first_is_always_the_earliest() {
        let (mut timers, mut plain, mut rng) = (Timers::default(), [None; 40], Rng::new(1));
        for _ in 0..20_000 {
            let slot = u32::try_from(rng.next_u64() % 40).unwrap();
            let at = (rng.next_u64() % 4 != 0).then(|| Instant::from_micros(rng.next_u64() % 100));
            timers.set(slot, at);
            plain[slot as usize] = at;
            let expected = (0..40_u32)
                .filter_map(|s| plain[s as usize].map(|at| (at, s)))
                .min();
            assert_eq!(timers.first(), expected);
        }
    }
}
