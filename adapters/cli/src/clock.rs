//! The clock that leases are measured with in this program: it goes on while the machine sleeps, and every process of
//! the machine reads the same.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Since the machine was started.
pub(crate) fn now() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    // It fails only for a clock that the system does not have. The far future ends every lease.
    clock_gettime(CLOCK).map_or(Duration::MAX, Duration::from)
}

/// Timers of runtimes stand still while the machine sleeps, so no process may rest longer than this before it reads the
/// clock.
pub(crate) const LONGEST_REST: Duration = Duration::from_millis(500);
