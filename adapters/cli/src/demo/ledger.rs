//! Who held the lock from when to when, by one clock, and whether any two did at once.

use std::time::{Duration, Instant};

/// A time in which a worker relied on the lock: from `from` until before `to`.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interval {
    pub(crate) worker: usize,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

/// All such times.
#[derive(Default, Debug)]
pub(crate) struct Ledger(Vec<Interval>);

impl Ledger {
    pub(crate) fn add(&mut self, interval: Interval) {
        self.0.push(interval);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every interval that began before an earlier one had ended, with that one.
    pub(crate) fn overlaps(&self) -> Vec<(Interval, Interval)> {
        let mut found = Vec::new();
        let mut longest: Option<Interval> = None;
        for interval in self.in_order() {
            match longest {
                Some(earlier) if interval.from < earlier.to => found.push((earlier, interval)),
                _ => {}
            }
            if longest.is_none_or(|earlier| earlier.to < interval.to) {
                longest = Some(interval);
            }
        }
        found
    }

    /// The shortest time between an end and the beginning that follows it.
    pub(crate) fn closest(&self) -> Option<Duration> {
        let intervals = self.in_order();
        let pairs = intervals.iter().zip(intervals.iter().skip(1));
        pairs
            .map(|(earlier, later)| later.from.saturating_duration_since(earlier.to))
            .min()
    }

    fn in_order(&self) -> Vec<Interval> {
        let mut intervals = self.0.clone();
        intervals.sort_by_key(|interval| interval.from);
        intervals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Intervals in milliseconds from one start; workers numbered in the order given.
    fn ledger(intervals: &[(u64, u64)]) -> Ledger {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut ledger = Ledger::default();
        for (worker, &(from, to)) in intervals.iter().enumerate() {
            let (from, to) = (at(from), at(to));
            ledger.add(Interval { worker, from, to });
        }
        ledger
    }

    fn workers(intervals: &[(u64, u64)]) -> Vec<(usize, usize)> {
        let overlaps = ledger(intervals).overlaps();
        overlaps.iter().map(|(a, b)| (a.worker, b.worker)).collect()
    }

    #[test]
    fn one_after_the_other_is_no_overlap_not_even_without_a_gap() {
        assert!(workers(&[]).is_empty());
        assert!(workers(&[(20, 30), (0, 10), (10, 20)]).is_empty());
    }

    #[test]
    fn two_at_once_are_found_in_any_order_of_notes() {
        assert_eq!(workers(&[(0, 10), (9, 20)]), [(0, 1)]);
        assert_eq!(workers(&[(9, 20), (0, 10)]), [(1, 0)]);
    }

    #[test]
    fn one_that_lies_within_an_earlier_one_is_found_behind_another() {
        // The third overlaps with the first only; the second, which ended before, must not hide that.
        assert_eq!(workers(&[(0, 100), (10, 20), (50, 60)]), [(0, 1), (0, 2)]);
    }

    #[test]
    fn the_closest_two_are_measured() {
        assert_eq!(
            ledger(&[(0, 10), (15, 20), (22, 30)]).closest(),
            Some(Duration::from_millis(2))
        );
        assert_eq!(ledger(&[(0, 10)]).closest(), None);
    }
}
