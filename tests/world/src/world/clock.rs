//! Clocks that differ: every client and every server reads true time in its own way.

use tenure_core::Instant;

/// How one machine reads true time: with an offset, and too fast or too slow.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Clock {
    /// Where the present rate began, in true time and in its own, in microseconds.
    truth: u64,
    own: u64,
    /// Its microseconds in a million true ones; zero if it stands still.
    rate: u64,
}

/// The rate of true time.
pub const TRUE_RATE: u64 = 1_000_000;

impl Clock {
    /// A clock that reads `offset` at the beginning of true time.
    #[must_use]
    pub const fn new(offset: u64, rate: u64) -> Self {
        Self {
            truth: 0,
            own: offset,
            rate,
        }
    }

    /// What it reads at a true instant.
    #[must_use]
    pub const fn read(&self, at: Instant) -> Instant {
        let passed = at.as_micros().saturating_sub(self.truth);
        Instant::from_micros(self.own + passed * self.rate / TRUE_RATE)
    }

    /// The first true instant at which it reads that much; `None` if it never will.
    #[must_use]
    pub const fn when(&self, reads: Instant) -> Option<Instant> {
        let missing = reads.as_micros().saturating_sub(self.own);
        if missing == 0 {
            return Some(Instant::from_micros(self.truth));
        }
        if self.rate == 0 {
            return None;
        }
        let passed = match missing.checked_mul(TRUE_RATE) {
            Some(product) => product.div_ceil(self.rate),
            None => return None,
        };
        Some(Instant::from_micros(self.truth + passed))
    }

    /// Its microseconds in a million true ones.
    #[must_use]
    pub const fn rate(&self) -> u64 {
        self.rate
    }

    /// Runs at another rate from `now` on.
    pub const fn run_at(&mut self, rate: u64, now: Instant) {
        self.own = self.read(now).as_micros();
        self.truth = now.as_micros();
        self.rate = rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_waiting_agree_to_the_microsecond() {
        for rate in [990_000, 995_500, TRUE_RATE, 1_004_500, 1_300_000] {
            let mut clock = Clock::new(77, TRUE_RATE);
            clock.run_at(rate, Instant::from_micros(1_000));
            for micros in 2_000..4_000 {
                let at = clock.when(Instant::from_micros(micros)).unwrap();
                assert!(clock.read(at).as_micros() >= micros);
                let before = Instant::from_micros(at.as_micros() - 1);
                assert!(clock.read(before).as_micros() < micros);
            }
        }
        let mut still = Clock::new(0, TRUE_RATE);
        still.run_at(0, Instant::from_micros(5));
        assert_eq!(still.when(Instant::from_micros(6)), None);
    }
}
