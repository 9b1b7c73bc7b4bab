//! How long a lock is certainly ours: pure arithmetic.

use core::time::Duration;

use crate::time::{Instant, Micros};
use crate::ttl::Ttl;

/// The time for which a lock is certainly ours. It ends before the server deletes the key.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lease {
    expires_at: Instant,
    ttl: Ttl,
}

impl Lease {
    /// The lease of a grant whose request was made at `requested_at`. That is before the request was handed out for sending, so the
    /// server starts to count later than we do, however long the request was on its way.
    pub(crate) fn granted(requested_at: Instant, ttl: Ttl) -> Self {
        Self {
            expires_at: requested_at
                + Micros(ttl.as_micros().0.saturating_sub(drift(ttl.as_micros()).0)),
            ttl,
        }
    }

    /// The instant from which another client may hold the lock.
    #[must_use]
    pub const fn expires_at(&self) -> Instant {
        self.expires_at
    }

    /// The ttl that was sent to the server.
    #[must_use]
    pub const fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// Whether the lock is still ours at `now`.
    #[must_use]
    pub fn is_valid(&self, now: Instant) -> bool {
        now < self.expires_at
    }

    /// How long the lock is still ours; zero after its end.
    #[must_use]
    pub fn remaining(&self, now: Instant) -> Duration {
        self.expires_at.saturating_since(now)
    }

    /// The same lease with the later of two ends: a refresh that is granted late must not shorten it.
    pub(crate) fn extended(self, other: Self) -> Self {
        Self {
            expires_at: self.expires_at.max(other.expires_at),
            ..other
        }
    }

    /// The same lease, ending at `at` or before.
    pub(crate) fn capped(self, at: Instant) -> Self {
        Self {
            expires_at: self.expires_at.min(at),
            ..self
        }
    }
}

/// The allowance for clocks that run at different rates, ours and that of the server: 1 % and 2 ms, as in Redlock.
#[must_use]
pub(crate) const fn drift(time: Micros) -> Micros {
    Micros((time.0 / 100).saturating_add(2_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(1_000_000);

    fn ttl(ms: u64) -> Ttl {
        Ttl::new(Duration::from_millis(ms)).unwrap()
    }

    #[test]
    fn a_lease_is_the_ttl_less_one_percent_and_two_milliseconds_from_the_request() {
        for (ms, micros) in [
            (3, 970),
            (200, 196_000),
            (1_000, 988_000),
            (30_000, 29_698_000),
        ] {
            let lease = Lease::granted(START, ttl(ms));
            assert_eq!(
                lease.expires_at().saturating_since(START).as_micros(),
                micros,
                "{ms} ms"
            );
        }
    }

    #[test]
    fn a_lease_ends_at_its_end() {
        let lease = Lease::granted(START, ttl(200));
        let end = START + Duration::from_millis(196);
        assert!(lease.is_valid(end.saturating_before(Duration::from_micros(1))));
        assert!(!lease.is_valid(end));
        assert_eq!(lease.remaining(end), Duration::ZERO);
        assert_eq!(lease.remaining(START), Duration::from_millis(196));
    }

    #[test]
    fn a_renewal_keeps_the_later_end() {
        let (early, late) = (
            Lease::granted(START, ttl(100)),
            Lease::granted(START, ttl(200)),
        );
        assert_eq!(early.extended(late).expires_at(), late.expires_at());
        assert_eq!(late.extended(early).expires_at(), late.expires_at());
        assert_eq!(
            late.capped(early.expires_at()).expires_at(),
            early.expires_at()
        );
    }
}
