//! The pauses between two tries to connect.

use core::time::Duration;

use crate::config::Config;
use crate::id::NodeId;
use crate::rng::Rng;

/// Pauses that double, each with its upper half drawn: those who lost the same server must not all come back at once.
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
    rng: Rng,
}

impl Backoff {
    /// Nothing has gone wrong yet. The same seed comes to other pauses for each node.
    pub(crate) fn new(config: &Config, seed: u64, node: NodeId) -> Self {
        // No pause at all would never grow.
        let min = config.reconnect_min.max(Duration::from_millis(1));
        let number = u64::try_from(node.index()).unwrap_or_default();
        // Drawn from the bits turned over, since the seed itself belongs to the locks.
        let own = Rng::new(!seed ^ number.rotate_right(8)).next_u64();
        Self {
            min,
            max: config.reconnect_max.max(min),
            next: min,
            rng: Rng::new(own),
        }
    }

    /// The pause that follows now. The next one is longer.
    pub(crate) fn pause(&mut self) -> Duration {
        let whole = self.next;
        self.next = whole.saturating_mul(2).min(self.max);
        let lower = whole / 2;
        lower.saturating_add(self.rng.duration_up_to(whole.saturating_sub(lower)))
    }

    /// The server can be used: the next pause is a short one.
    pub(crate) const fn reset(&mut self) {
        self.next = self.min;
    }

    pub(crate) const fn longest(&self) -> Duration {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::config::NodeConfig;

    fn pauses(seed: u64, node: usize) -> Vec<Duration> {
        let config = Config::single(NodeConfig::default());
        let mut backoff = Backoff::new(&config, seed, NodeId::new(node).unwrap());
        (0..12).map(|_| backoff.pause()).collect()
    }

    #[test]
    fn pauses_double_and_the_upper_half_of_each_is_drawn() {
        let wholes = [
            20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000, 2000, 2000,
        ];
        let (mut low, mut high) = (0, 0);
        for seed in 0..100 {
            for (pause, whole) in pauses(seed, 0).into_iter().zip(wholes) {
                let whole = Duration::from_millis(whole);
                assert!(
                    pause >= whole / 2 && pause <= whole,
                    "{pause:?} of {whole:?}"
                );
                low += u32::from(pause < whole * 5 / 8);
                high += u32::from(pause > whole * 7 / 8);
            }
        }
        // A quarter of 1,200 each.
        assert!(low > 200 && high > 200, "{low} {high}");
    }

    #[test]
    fn a_seed_repeats_its_pauses_and_each_node_has_its_own() {
        assert_eq!(pauses(7, 0), pauses(7, 0));
        assert_ne!(pauses(7, 0), pauses(8, 0));
        assert_ne!(pauses(7, 0), pauses(7, 1));
    }
}
