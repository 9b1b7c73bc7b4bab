//! Points in time, as the core sees them: whole microseconds since some moment that only the caller knows.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point on the caller's clock, in microseconds. It has no epoch: only differences mean something.
///
/// The clock must never stand still while a lease runs. In particular it must go on while the machine is suspended
/// (`CLOCK_BOOTTIME` on Linux), because the server's clock does. A clock that steps back is tolerated: the core keeps
/// the latest instant that it was given.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The point `micros` microseconds after the caller's own zero.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the caller's own zero.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is not earlier.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The same in a form that is cheap to add.
    pub(crate) const fn micros_since(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }

    /// This point moved back by `duration`, not beyond the caller's zero.
    #[must_use]
    pub fn saturating_before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

/// A duration in whole microseconds: added with one instruction, where a [`Duration`] takes a dozen.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct Micros(pub(crate) u64);

impl Micros {
    pub(crate) const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(micros(duration))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0)
    }
}

impl Add for Micros {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self(self.0.saturating_add(more.0))
    }
}

impl Add<Micros> for Instant {
    type Output = Self;

    fn add(self, duration: Micros) -> Self {
        Self(self.0.saturating_add(duration.0))
    }
}

/// Adds a duration. A sum past the end of time is the end of time.
impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

fn micros(duration: Duration) -> u64 {
    let part = u64::from(duration.subsec_micros());
    duration
        .as_secs()
        .saturating_mul(1_000_000)
        .saturating_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_saturate() {
        let end = Instant::from_micros(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::from_micros(5) + Duration::MAX, end);
        assert_eq!(
            Instant::from_micros(5).saturating_since(end),
            Duration::ZERO
        );
        assert_eq!(
            Instant::from_micros(5).saturating_before(Duration::from_secs(1)),
            Instant::from_micros(0)
        );
        assert_eq!(
            Instant::from_micros(3_000_001).saturating_since(Instant::from_micros(1)),
            Duration::from_secs(3)
        );
    }
}
