//! When a waiting lock retries: plain data, whose progress lives in the lock.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::rng::Rng;

/// The shortest pause.
const LEAST: Duration = Duration::from_millis(1);

/// How long a waiting lock pauses between attempts. Values below 1 ms count as 1 ms.
///
/// Where nodes report a release (client tracking), pauses are not needed and not used: the lock retries when it is woken
/// and when the holder's time is over. Elsewhere the holder's remaining time caps every pause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retry {
    pauses: Pauses,
    jitter: Jitter,
    limit: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Pauses {
    None,
    Every(Duration),
    Exponential { min: Duration, max: Duration },
    Sequence(Arc<[Duration]>),
}

/// Jitter: how a pause is randomised, so that many waiters do not retry at the same time.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all.
    None,
    /// Randomises the last `percent` % of each pause: 100 ms at 50 becomes 50 to 100 ms. Values above 100 count as 100.
    Full {
        /// The random share of the pause, in percent.
        percent: u8,
    },
    /// Each pause is drawn between the shortest pause and `factor` times the one before, and is never longer than the
    /// longest. 3 is usual; 0 counts as 1.
    Decorrelated {
        /// How fast pauses may grow.
        factor: u8,
    },
}

impl Retry {
    /// No pause: retry only when woken or when the holder's time is over.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            pauses: Pauses::None,
            jitter: Jitter::None,
            limit: None,
        }
    }

    /// The same pause each time.
    #[must_use]
    pub const fn every(pause: Duration) -> Self {
        Self {
            pauses: Pauses::Every(pause),
            jitter: Jitter::None,
            limit: None,
        }
    }

    /// Pauses that double from `min` to `max`.
    #[must_use]
    pub const fn exponential(min: Duration, max: Duration) -> Self {
        Self {
            pauses: Pauses::Exponential { min, max },
            jitter: Jitter::None,
            limit: None,
        }
    }

    /// The user's own pauses, in order. After the last one the lock does not retry.
    #[must_use]
    pub fn sequence(pauses: impl IntoIterator<Item = Duration>) -> Self {
        let pauses = pauses.into_iter().collect::<Vec<_>>().into();
        Self {
            pauses: Pauses::Sequence(pauses),
            jitter: Jitter::None,
            limit: None,
        }
    }

    /// Adds jitter to the pauses.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// At most `attempts` further attempts after the first, for any reason.
    #[must_use]
    pub const fn limit(mut self, attempts: u32) -> Self {
        self.limit = Some(attempts);
        self
    }

    /// Whether the lock may make one more attempt.
    pub(crate) fn allows(&self, progress: &RetryProgress) -> bool {
        let pauses = match &self.pauses {
            Pauses::Sequence(pauses) => u32::try_from(pauses.len()).unwrap_or(u32::MAX),
            Pauses::None | Pauses::Every(_) | Pauses::Exponential { .. } => u32::MAX,
        };
        progress.attempts <= self.limit.unwrap_or(u32::MAX).min(pauses)
    }

    /// What of the progress changes what comes later: for pauses that are always the same only whether there was an attempt, and
    /// whether more than once.
    #[cfg(feature = "search")]
    pub(crate) fn remembered(&self, progress: &RetryProgress) -> (u32, u32, Duration) {
        let same = matches!(self.pauses, Pauses::None | Pauses::Every(_));
        let free = matches!(self.jitter, Jitter::None | Jitter::Full { .. });
        if same && free && self.limit.is_none() {
            (progress.attempts.min(2), 0, Duration::ZERO)
        } else {
            (progress.attempts, progress.pauses, progress.previous)
        }
    }

    /// The pause before the next attempt; `None` where only a wake or the holder's end may start it.
    pub(crate) fn pause(&self, progress: &mut RetryProgress, rng: &mut Rng) -> Option<Duration> {
        let step = progress.pauses;
        progress.pauses = step.saturating_add(1);
        let (base, floor, ceiling) = match &self.pauses {
            Pauses::None => return None,
            Pauses::Every(pause) => (*pause, *pause, pause.saturating_mul(3)),
            Pauses::Exponential { min, max } => {
                let doubled = min.saturating_mul(1 << step.min(31));
                (doubled.min(*max), *min, *max)
            }
            Pauses::Sequence(pauses) => {
                let pause = *pauses.get(step as usize)?;
                (pause, pause, pause)
            }
        };
        let pause = match self.jitter {
            Jitter::None => base,
            Jitter::Full { percent } => {
                let open = base.saturating_mul(u32::from(percent.min(100))) / 100;
                base.saturating_sub(open)
                    .saturating_add(rng.duration_up_to(open))
            }
            Jitter::Decorrelated { factor } => {
                let before = progress.previous.max(floor);
                let grown = before.saturating_mul(u32::from(factor.max(1))).min(ceiling);
                floor
                    .saturating_add(rng.duration_up_to(grown.saturating_sub(floor)))
                    .min(ceiling)
            }
        };
        // A pause of nothing would be a loop without end.
        let pause = pause.max(LEAST);
        progress.previous = pause;
        Some(pause)
    }
}

/// 16 ms doubling to one second, half of each pause left to chance.
impl Default for Retry {
    fn default() -> Self {
        Self::exponential(Duration::from_millis(16), Duration::from_secs(1))
            .jitter(Jitter::Full { percent: 50 })
    }
}

/// How far one lock has come in its retries.
#[derive(Clone, Default, Debug)]
pub(crate) struct RetryProgress {
    /// Attempts so far, the first included.
    pub(crate) attempts: u32,
    pauses: u32,
    previous: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pauses(retry: &Retry, count: usize) -> Vec<Option<Duration>> {
        let (mut progress, mut rng) = (RetryProgress::default(), Rng::new(7));
        (0..count)
            .map(|_| retry.pause(&mut progress, &mut rng))
            .collect()
    }

    #[test]
    fn pauses_follow_their_plan() {
        assert_eq!(pauses(&Retry::none(), 1), [None]);
        assert_eq!(pauses(&Retry::every(MS), 2), [Some(MS), Some(MS)]);
        let doubling = Retry::exponential(MS, MS * 5);
        assert_eq!(pauses(&doubling, 4), [1, 2, 4, 5].map(|n| Some(MS * n)));
        let own = Retry::sequence([MS * 9, MS]);
        assert_eq!(pauses(&own, 3), [Some(MS * 9), Some(MS), None]);
    }

    #[test]
    fn a_limit_counts_attempts_after_the_first() {
        let after = |attempts| RetryProgress {
            attempts,
            ..RetryProgress::default()
        };
        let retry = Retry::every(MS).limit(2);
        assert!(retry.allows(&after(2)));
        assert!(!retry.allows(&after(3)));
        let own = Retry::sequence([MS]);
        assert!(own.allows(&after(1)));
        assert!(!own.allows(&after(2)));
        assert!(!Retry::none().limit(0).allows(&after(1)));
    }

    #[test]
    fn full_jitter_leaves_the_fixed_share_and_never_exceeds_the_pause() {
        let retry = Retry::every(MS * 100).jitter(Jitter::Full { percent: 25 });
        let drawn = pauses(&retry, 200);
        assert!(
            drawn
                .iter()
                .flatten()
                .all(|pause| (MS * 75..=MS * 100).contains(pause))
        );
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn decorrelated_jitter_stays_between_floor_and_ceiling() {
        let retry =
            Retry::exponential(MS * 10, MS * 200).jitter(Jitter::Decorrelated { factor: 3 });
        let drawn = pauses(&retry, 200);
        assert!(
            drawn
                .iter()
                .flatten()
                .all(|pause| (MS * 10..=MS * 200).contains(pause))
        );
        assert!(
            drawn.iter().flatten().any(|pause| *pause > MS * 60),
            "it grows"
        );
    }
}
