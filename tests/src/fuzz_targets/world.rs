//! Any schedule of a whole world.

use crate::schedule::Schedule;

/// Every byte string is a schedule: see [`Schedule::from_bytes`].
///
/// # Panics
/// If a promise is broken, with its log.
pub fn world(input: &[u8]) {
    let schedule = Schedule::from_bytes(input);
    if schedule.play().violation.is_some() {
        let report = schedule.play_logged();
        panic!("{}\n{:?}", report.lines.join("\n"), report.violation);
    }
}
