//! The shortest schedule that still breaks the same promise.

use super::{Report, STEP, Schedule};
use crate::world::Promise;

/// Takes steps out, and simplifies what is left, as long as the same promise is broken.
#[must_use]
pub fn shrink(schedule: &Schedule, promise: Promise) -> (Schedule, Report) {
    let mut best = schedule.clone();
    let mut report = best.play();
    let still = |candidate: &Schedule| {
        let report = candidate.play();
        let same = report.violation.as_ref().map(|v| v.promise) == Some(promise);
        same.then_some(report)
    };
    let mut progress = true;
    while progress {
        progress = false;
        // Runs of steps, longest first.
        let mut size = best.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < best.steps.len() {
                let mut candidate = best.clone();
                let end = (at + size).min(candidate.steps.len());
                candidate.steps.drain(at..end);
                if let Some(better) = still(&candidate) {
                    (best, report) = (candidate, better);
                    progress = true;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        // Zero is the simplest value of every byte.
        let bytes = best.to_bytes();
        for at in 0..bytes.len() {
            let mut simpler = best.to_bytes();
            let is_pause = at >= super::HEADER && (at - super::HEADER).is_multiple_of(STEP);
            for value in [0, simpler[at] & 0xc0] {
                if simpler[at] == value || (is_pause && value == 0 && simpler[at] < 64) {
                    continue;
                }
                simpler[at] = value;
                let candidate = Schedule::from_bytes(&simpler);
                if let Some(better) = still(&candidate) {
                    (best, report) = (candidate, better);
                    progress = true;
                    break;
                }
                simpler = best.to_bytes();
            }
        }
    }
    (best, report)
}
