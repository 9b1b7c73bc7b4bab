//! How long a server keeps a lock.

use core::fmt;
use core::time::Duration;

use crate::limits::{ClaimError, MAX_TTL_MS, MIN_TTL_MS};
use crate::time::Micros;

/// How long the server keeps a lock that nobody refreshes: whole milliseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u64);

impl Ttl {
    /// The shortest ttl. A shorter one could not outlive the allowance for drift (1 % and 2 ms).
    pub const MIN: Self = Self(MIN_TTL_MS);
    /// The longest ttl: 365 days. A lock without an end is a key, not a lock.
    pub const MAX: Self = Self(MAX_TTL_MS);

    /// One day.
    pub(crate) const DAY: Self = Self(24 * 60 * 60 * 1_000);

    /// Rounds up to whole milliseconds.
    ///
    /// # Errors
    /// [`ClaimError::TtlTooShort`] (zero too), [`ClaimError::TtlTooLong`].
    pub fn new(duration: Duration) -> Result<Self, ClaimError> {
        let part = u64::from(duration.subsec_nanos().div_ceil(1_000_000));
        let ttl = Self(
            duration
                .as_secs()
                .saturating_mul(1_000)
                .saturating_add(part),
        );
        if ttl < Self::MIN {
            Err(ClaimError::TtlTooShort)
        } else if ttl > Self::MAX {
            Err(ClaimError::TtlTooLong)
        } else {
            Ok(ttl)
        }
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub(crate) const fn as_micros(self) -> Micros {
        Micros(self.0.saturating_mul(1_000))
    }

    /// As a duration.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Debug for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_rounded_up_to_whole_milliseconds() {
        assert_eq!(
            Ttl::new(Duration::from_nanos(3_000_001))
                .unwrap()
                .as_millis(),
            4
        );
        assert_eq!(Ttl::new(Ttl::MIN.as_duration()), Ok(Ttl::MIN));
        assert_eq!(
            Ttl::new(Duration::from_millis(2)),
            Err(ClaimError::TtlTooShort)
        );
        assert_eq!(Ttl::new(Duration::ZERO), Err(ClaimError::TtlTooShort));
        assert_eq!(Ttl::new(Ttl::MAX.as_duration()), Ok(Ttl::MAX));
        let past = Ttl::MAX.as_duration() + Duration::from_nanos(1);
        assert_eq!(Ttl::new(past), Err(ClaimError::TtlTooLong));
        assert_eq!(Ttl::new(Duration::MAX), Err(ClaimError::TtlTooLong));
    }
}
