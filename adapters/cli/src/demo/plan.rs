//! What each worker does, drawn from a seed.

use std::time::Duration;

use tenure_core::Rng;

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
    /// Crashes silently when its work is done.
    Crashing,
}

/// The turns of each worker: two for everybody; one of them refreshes in its first, another crashes in its first. So
/// somebody is always left to take over.
pub(crate) fn plan(workers: usize, seed: u64) -> Vec<Vec<Turn>> {
    let mut random = Rng::new(seed);
    let crashing = random.below(workers as u64) as usize;
    let refreshing = (crashing + 1 + random.below(workers as u64 - 1) as usize) % workers;
    (0..workers)
        .map(|worker| {
            let mut turns = vec![
                random_turn(&mut random, Duration::ZERO),
                random_turn(&mut random, random_pause(seed, worker)),
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
    let mut random = Rng::new(seed ^ worker as u64);
    Duration::from_millis(random.below(40))
}

fn random_turn(random: &mut Rng, pause: Duration) -> Turn {
    Turn {
        pause,
        work: Duration::from_millis(40 + random.below(80)),
        course: Course::Plain,
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
    fn one_refreshes_another_crashes_and_one_is_left() {
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
