//! The clock that leases are measured with.

use std::fmt;
use std::sync::Arc;

use tenure_core::Instant;

/// The source of the time. All handles and the driver of one locker share it.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> Instant + Send + Sync>);

impl Clock {
    /// The clock for real servers. It continues while the machine is suspended, as the clocks of the servers do.
    ///
    /// Linux, Android, OpenBSD and Fuchsia: `CLOCK_BOOTTIME`. Apple: `CLOCK_MONOTONIC`, which counts sleep there.
    /// Elsewhere: the clock of the standard library, advanced by what only the wall clock has counted.
    pub(crate) fn real() -> Self {
        Self(Arc::new(real()))
    }

    /// Any other clock.
    #[cfg(any(feature = "tokio", test))]
    pub(crate) fn from_fn(now: impl Fn() -> Instant + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> Instant {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

#[cfg(any(
    target_os = "linux",
    target_os = "android",
    target_os = "openbsd",
    target_os = "fuchsia",
    target_vendor = "apple"
))]
fn real() -> impl Fn() -> Instant + Send + Sync {
    use rustix::time::{ClockId, clock_gettime};
    #[cfg(target_vendor = "apple")]
    const CLOCK: ClockId = ClockId::Monotonic;
    #[cfg(not(target_vendor = "apple"))]
    const CLOCK: ClockId = ClockId::Boottime;
    || {
        let now = clock_gettime(CLOCK);
        // Neither part is ever negative for these clocks.
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let micros = u64::try_from(now.tv_nsec / 1_000).unwrap_or_default();
        Instant::from_micros(seconds.saturating_mul(1_000_000).saturating_add(micros))
    }
}

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "openbsd",
    target_os = "fuchsia",
    target_vendor = "apple"
)))]
fn real() -> impl Fn() -> Instant + Send + Sync {
    use std::sync::{Mutex, PoisonError};
    use std::time::SystemTime;
    let start = (std::time::Instant::now(), SystemTime::now());
    let sum = Mutex::new(Sum::default());
    move || {
        let steady = start.0.elapsed();
        let wall = SystemTime::now()
            .duration_since(start.1)
            .unwrap_or_default();
        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
        Instant::from_micros(0) + sum.at(steady, wall)
    }
}

/// A steady clock that may stand still during a suspend, advanced by what the wall clock has counted meanwhile.
#[cfg_attr(
    any(unix, target_os = "fuchsia"),
    allow(dead_code, reason = "only where the system has no better clock")
)]
#[derive(Default)]
struct Sum {
    steady: std::time::Duration,
    wall: std::time::Duration,
    slept: std::time::Duration,
}

#[cfg_attr(
    any(unix, target_os = "fuchsia"),
    allow(dead_code, reason = "only where the system has no better clock")
)]
impl Sum {
    /// Smaller differences are corrections of the wall clock, and the two clocks are not read at the same moment.
    const SUSPEND: std::time::Duration = std::time::Duration::from_secs(1);

    /// The sum when the two clocks have come this far. A wall clock that is set forward only makes leases end early.
    fn at(
        &mut self,
        steady: std::time::Duration,
        wall: std::time::Duration,
    ) -> std::time::Duration {
        let ran = steady.saturating_sub(self.steady);
        let missed = wall.saturating_sub(self.wall).saturating_sub(ran);
        if missed > Self::SUSPEND {
            self.slept += missed;
        }
        self.steady = self.steady.max(steady);
        self.wall = wall;
        self.steady + self.slept
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_real_clock_goes_on() {
        let clock = Clock::real();
        let before = clock.now();
        while clock.now() == before {}
        assert!(clock.now() > before);
    }

    #[test]
    fn a_suspend_that_only_the_wall_clock_saw_is_counted_once() {
        let secs = Duration::from_secs;
        let mut sum = Sum::default();
        assert_eq!(sum.at(secs(5), secs(5)), secs(5));
        assert_eq!(sum.at(secs(6), secs(106)), secs(106), "slept for 100 s");
        assert_eq!(sum.at(secs(7), secs(107)), secs(107));
        // The wall clock is set back, and then forward again: no step back, and no standstill.
        assert_eq!(sum.at(secs(8), secs(50)), secs(108));
        assert_eq!(sum.at(secs(9), secs(51)), secs(109));
        // Less than a second is correction, not sleep.
        assert_eq!(sum.at(secs(10), Duration::from_millis(52_900)), secs(110));
    }
}
