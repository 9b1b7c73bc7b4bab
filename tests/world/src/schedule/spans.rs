//! What is to be done later, and how long a byte says.

use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// None, a moment, or up to three seconds.
pub(super) fn pause(byte: u8) -> Duration {
    let n = u32::from(byte & 63) + 1;
    match byte >> 6 {
        0 => Duration::ZERO,
        1 => MS / 10 * n,
        2 => MS * 5 * n,
        _ => MS * 50 * n,
    }
}

/// From ten milliseconds to eight seconds.
pub(super) fn span(byte: u8) -> Duration {
    let n = u32::from(byte & 63) + 1;
    match byte >> 6 {
        0 => MS * n,
        1 | 2 => MS * 20 * n,
        _ => MS * 125 * n,
    }
}

/// A repair or a check that is due later.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Task {
    Weather(usize, usize),
    Wake(usize, bool),
    Unpause(usize),
    Up(usize),
    Trouble(usize),
    Clock(usize),
    Stuck(usize),
    Longer(usize, u64),
    LossReport(usize, u64, u64),
    Released(usize),
    Successor(usize),
    Pushes(usize, usize),
    Remove(usize, usize),
    Swap(usize),
    Drained(usize, u64),
    Replica(usize),
}
