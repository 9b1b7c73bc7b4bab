//! What each worker does, drawn from a seed.

use std::time::Duration;

/// One time of holding the lock.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    /// Before it asks.
    pub(crate) pause: Duration,
    /// How long it works under the lock.
    pub(crate) work: Duration,
    pub(crate) course: Course,
}

/// How a turn goes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Course {
    /// Works and releases.
    Plain,
    /// Refreshes half-way.
    Refreshing,
    /// Is gone without a word when its work is done.
    Crashing,
}

/// The turns of each worker: two for everybody; one of them refreshes in its first, another crashes in its first. So
/// somebody is always left to take over.
pub(crate) fn plan(workers: usize, seed: u64) -> Vec<Vec<Turn>> {
    let mut random = Random(seed);
    let crashing = random.below(workers as u64) as usize;
    let refreshing = (crashing + 1 + random.below(workers as u64 - 1) as usize) % workers;
    (0..workers)
        .map(|worker| {
            let mut turns = vec![
                random.turn(Duration::ZERO),
                random.turn(random_pause(seed, worker)),
            ];
            if worker == refreshing {
                turns[0].course = Course::Refreshing;
                turns[0].work *= 2;
            } else if worker == crashing {
                turns.truncate(1);
                turns[0].course = Course::Crashing;
            }
            turns
        })
        .collect()
}

fn random_pause(seed: u64, worker: usize) -> Duration {
    let mut random = Random(seed ^ worker as u64);
    Duration::from_millis(random.below(40))
}

/// SplitMix64: plans must repeat, they need not be unpredictable.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn turn(&mut self, pause: Duration) -> Turn {
        Turn {
            pause,
            work: Duration::from_millis(40 + self.below(80)),
            course: Course::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plans() {
        assert_eq!(plan(5, 7), plan(5, 7));
        assert_ne!(plan(5, 7), plan(5, 8));
    }

    #[test]
    fn one_refreshes_another_crashes_and_somebody_is_left() {
        for workers in 2..=16 {
            for seed in 0..50 {
                let turns: Vec<Turn> = plan(workers, seed).concat();
                let count = |course| turns.iter().filter(|turn| turn.course == course).count();
                assert_eq!(count(Course::Crashing), 1);
                assert_eq!(count(Course::Refreshing), 1);
                assert_eq!(count(Course::Plain), 2 * workers - 3);
            }
        }
    }
}
