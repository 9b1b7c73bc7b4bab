//! Random numbers that repeat: the same seed gives the same sequence.

use core::time::Duration;

/// A small seeded generator: the engine draws the jitter of its pauses from it, and simulations draw their schedules.
///
/// It is `SplitMix64` (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014). Anyone can
/// compute the sequence from a few of its numbers, so nothing secret may come from it: draw tokens from the operating
/// system.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of the sequence.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        match self.next_u64().checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }

    /// A number from 0 to `most`, both included.
    pub const fn up_to(&mut self, most: u64) -> u64 {
        let drawn = self.next_u64();
        match most.checked_add(1) {
            // Simulations often ask for zero, and a division takes longer than all the rest.
            Some(1) => 0,
            Some(end) => drawn % end,
            None => drawn,
        }
    }

    /// True once in `times` draws, on average.
    pub const fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// A duration from zero to `most`, both included, in whole microseconds.
    pub fn duration_up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        // The high half of a product is even over the range, and needs no division.
        let span = u128::from(micros).saturating_add(1);
        let drawn = u128::from(self.next_u64()).saturating_mul(span) >> 64;
        Duration::from_micros(u64::try_from(drawn).unwrap_or(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_reach_both_ends() {
        let mut rng = Rng::new(0);
        let most = Duration::from_micros(3);
        let drawn: alloc::vec::Vec<_> = (0..100)
            .map(|_| rng.duration_up_to(most).as_micros())
            .collect();
        assert!(drawn.contains(&0) && drawn.contains(&3));
        assert!(drawn.iter().all(|micros| *micros <= 3));
        rng.duration_up_to(Duration::MAX);
        let drawn: alloc::vec::Vec<_> = (0..100).map(|_| rng.up_to(3)).collect();
        assert!(drawn.contains(&0) && drawn.contains(&3));
        assert!(drawn.iter().all(|number| *number <= 3));
    }

    #[test]
    fn each_draw_takes_one_number_of_the_sequence_for_any_range() {
        let (mut rng, mut plain) = (Rng::new(5), Rng::new(5));
        for range in [0, 1, u64::MAX] {
            rng.up_to(range);
            rng.below(range);
            plain.next_u64();
            plain.next_u64();
        }
        assert_eq!(rng.next_u64(), plain.next_u64());
    }

    #[test]
    fn the_sequence_is_the_published_one() {
        // The first value of SplitMix64 for seed 0, as in its reference implementation.
        assert_eq!(Rng::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
    }
}
