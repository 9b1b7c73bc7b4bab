//! What the reports of all workers mean together: the lines of the timeline, the intervals, the summary.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::lanes::{Ink, Lane, Pen, millis};
use super::ledger::{Interval, Ledger};
use super::worker::{Action, Report};

/// Built from one report after the other.
pub(crate) struct Timeline {
    pen: Pen,
    start: Instant,
    lanes: Vec<Lane>,
    /// Since when each worker has held the lock.
    since: Vec<Option<Instant>>,
    ledger: Ledger,
    /// When each worker asked last.
    requested_at: Vec<Instant>,
    /// How the lock became free last: when, and whether by a crash.
    freed: Option<(Instant, bool)>,
    hand_overs: Vec<Duration>,
    take_over: Option<Duration>,
    refreshed: usize,
    losses: usize,
}

impl Timeline {
    pub(crate) fn new(pen: Pen, workers: usize, start: Instant) -> Self {
        Self {
            pen,
            start,
            lanes: vec![Lane::Away; workers],
            since: vec![None; workers],
            ledger: Ledger::default(),
            requested_at: vec![start; workers],
            freed: None,
            hand_overs: Vec::new(),
            take_over: None,
            refreshed: 0,
            losses: 0,
        }
    }

    /// The line for a report, if it is worth one.
    pub(crate) fn describe(&mut self, report: Report) -> Option<String> {
        let Report { worker, at, action } = report;
        let name = worker + 1;
        let (lane, sign, text) = match action {
            Action::Asks => {
                self.requested_at[worker] = at;
                self.lanes[worker] = Lane::Waiting;
                return None;
            }
            Action::Leaves => {
                self.lanes[worker] = Lane::Away;
                return None;
            }
            Action::Obtains => {
                self.since[worker] = Some(at);
                let text = self.obtained(at, worker);
                (Lane::Holding, (Ink::New, '●'), text)
            }
            Action::Refreshes { remaining } => {
                self.refreshed += 1;
                let text = format!(
                    "{name} refreshes: its lease lasts {:.0} ms again",
                    millis(remaining)
                );
                (Lane::Holding, (Ink::Good, '↻'), text)
            }
            Action::Releases => {
                self.held_until(worker, at, false);
                (Lane::Away, (Ink::Plain, '○'), format!("{name} releases it"))
            }
            Action::Loses(loss) => {
                self.losses += 1;
                self.held_until(worker, at, false);
                (
                    Lane::Away,
                    (Ink::Bad, '!'),
                    format!("{name} has lost it: {loss}"),
                )
            }
            Action::Crashes { lease_end } => {
                self.held_until(worker, lease_end, true);
                let left = millis(lease_end.saturating_duration_since(at));
                let text = format!("{name} crashes silently. Its lease runs {left:.0} ms more");
                (Lane::Crashed, (Ink::Bad, '✗'), text)
            }
        };
        self.lanes[worker] = lane;
        let at = at.saturating_duration_since(self.start);
        Some(
            self.pen
                .line(at, &self.lanes, Some((worker, sign.0, sign.1)), &text),
        )
    }

    fn obtained(&mut self, at: Instant, worker: usize) -> String {
        let name = worker + 1;
        for lane in &mut self.lanes {
            if *lane == Lane::Crashed {
                *lane = Lane::Away;
            }
        }
        let Some((freed, by_crash)) = self.freed.take() else {
            return format!("{name} obtains it");
        };
        let pause = at.saturating_duration_since(freed);
        if by_crash {
            self.take_over = Some(pause);
            return format!(
                "{name} takes over, {:.1} ms after that lease ended",
                millis(pause)
            );
        }
        if self.requested_at[worker] > freed {
            // Nobody waited: no hand-over.
            return format!("{name} obtains it");
        }
        self.hand_overs.push(pause);
        format!("{name} obtains it, {:.1} ms later", millis(pause))
    }

    fn held_until(&mut self, worker: usize, to: Instant, by_crash: bool) {
        if let Some(from) = self.since[worker].take() {
            self.ledger.add(Interval { worker, from, to });
            self.freed = Some((to, by_crash));
        }
    }

    /// Whether no two held the lock at once.
    pub(crate) fn is_sound(&self) -> bool {
        self.ledger.overlaps().is_empty()
    }

    /// The summary.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        let mut item = |name: &str, value: String| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<12}{value}");
        };
        item("obtained", times(self.ledger.len()));
        let mut sorted = self.hand_overs.clone();
        sorted.sort();
        if let (Some(median), Some(worst)) = (sorted.get(sorted.len() / 2), sorted.last()) {
            let (median, worst) = (millis(*median), millis(*worst));
            item(
                "hand-over",
                format!("{median:.1} ms in the median, {worst:.1} ms at worst"),
            );
        }
        item("refreshed", times(self.refreshed));
        if let Some(pause) = self.take_over {
            item(
                "crash",
                format!(
                    "taken over {:.1} ms after the lease had ended",
                    millis(pause)
                ),
            );
        }
        if self.losses > 0 {
            item("lost", times(self.losses));
        }
        let overlaps = self.ledger.overlaps();
        for (earlier, later) in &overlaps {
            let both = earlier
                .to
                .min(later.to)
                .saturating_duration_since(later.from);
            item(
                "OVERLAP",
                self.pen.paint(
                    Ink::Bad,
                    &format!(
                        "{} and {} both held it for {:.3} ms",
                        earlier.worker + 1,
                        later.worker + 1,
                        millis(both),
                    ),
                ),
            );
        }
        if overlaps.is_empty() {
            let closest = self.ledger.closest().map_or_else(String::new, |closest| {
                format!(", the closest {:.3} ms apart", millis(closest))
            });
            let verdict = format!(
                "no two held it at once: {} intervals by one clock{closest}",
                self.ledger.len()
            );
            item("checked", self.pen.paint(Ink::Good, &verdict));
        }
        text
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(reports: &[(usize, u64, Action)]) -> (Timeline, Vec<String>) {
        let start = Instant::now();
        let mut timeline = Timeline::new(Pen { colours: false }, 3, start);
        let lines = reports.iter().filter_map(|&(worker, ms, action)| {
            let at = start + Duration::from_millis(ms);
            timeline.describe(Report { worker, at, action })
        });
        let lines = lines.collect();
        (timeline, lines)
    }

    #[test]
    fn a_hand_over_is_sound() {
        use Action::{Asks, Obtains, Releases};
        let (timeline, lines) = timeline(&[
            (0, 0, Asks),
            (1, 0, Asks),
            (0, 1, Obtains),
            (0, 5, Releases),
            (1, 6, Obtains),
            (1, 9, Releases),
        ]);
        assert!(timeline.is_sound());
        assert_eq!(lines[0], "    1.0 ms    ●  ┊      1 obtains it");
        assert_eq!(
            lines[2],
            "    6.0 ms       ●      2 obtains it, 1.0 ms later"
        );
        assert!(
            timeline
                .summary()
                .contains("no two held it at once: 2 intervals")
        );
    }

    #[test]
    fn two_at_once_are_not_sound() {
        use Action::{Obtains, Releases};
        let (timeline, _) = timeline(&[
            (0, 1, Obtains),
            (1, 4, Obtains),
            (0, 5, Releases),
            (1, 9, Releases),
        ]);
        assert!(!timeline.is_sound());
        assert!(
            timeline
                .summary()
                .contains("1 and 2 both held it for 1.000 ms"),
            "{}",
            timeline.summary()
        );
    }

    #[test]
    fn a_take_over_before_a_crashed_lease_has_ended_is_not_sound() {
        let lease_end = |ms| Instant::now() + Duration::from_millis(ms);
        let crash = Action::Crashes {
            lease_end: lease_end(800),
        };
        let reports = |ms| {
            [
                (0, 1, Action::Obtains),
                (0, 50, crash),
                (1, ms, Action::Obtains),
                (1, ms + 1, Action::Releases),
            ]
        };
        assert!(!timeline(&reports(700)).0.is_sound());
        assert!(timeline(&reports(900)).0.is_sound());
    }
}
