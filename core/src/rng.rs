//! A small seeded generator for retry jitter. Nothing secret comes from it.

use core::time::Duration;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A duration from zero to `most`, both included.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let micros = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        // The high half of a product is even over the range, and needs no division.
        let span = u128::from(micros).saturating_add(1);
        let drawn = u128::from(self.next()).saturating_mul(span) >> 64;
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
        let drawn: alloc::vec::Vec<_> = (0..100).map(|_| rng.up_to(most).as_micros()).collect();
        assert!(drawn.contains(&0) && drawn.contains(&3));
        assert!(drawn.iter().all(|micros| *micros <= 3));
        rng.up_to(Duration::MAX);
    }

    #[test]
    fn the_sequence_is_the_published_one() {
        // The first value of SplitMix64 for seed 0, as in its reference implementation.
        assert_eq!(Rng::new(0).next(), 0xe220_a839_7b1d_cdaf);
    }
}
