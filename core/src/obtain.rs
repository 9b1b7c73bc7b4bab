//! A request for a lock, and for how long.

use core::fmt;
use core::time::Duration;

use crate::claim::{ClaimError, Keys, Metadata};
use crate::retry::Retry;
use crate::time::Micros;
use crate::token::Token;

/// How long the server keeps a lock that nobody refreshes: whole milliseconds.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u64);

impl Ttl {
    /// The shortest ttl. A shorter one could not outlive the allowance for drift (1 % and 2 ms).
    pub const MIN: Self = Self(3);
    /// The longest ttl: 365 days. A lock without an end is a key, not a lock.
    pub const MAX: Self = Self(365 * 24 * 60 * 60 * 1000);

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

/// Who may hold a key at the same time.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// One holder.
    #[default]
    Exclusive,
}

/// Whether the lease is kept alive without the caller's help.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Renewal {
    /// Refreshed each time a third of its ttl has passed, until `max_hold` after the request (then the lock is given up:
    /// [`crate::Loss::MaxHold`]), or without end.
    Automatic {
        /// The longest time that renewal may keep the lock.
        max_hold: Option<Duration>,
    },
    /// Only [`crate::Engine::refresh`] makes it last.
    Manual,
}

impl Default for Renewal {
    fn default() -> Self {
        Self::Automatic { max_hold: None }
    }
}

/// A request for a lock.
#[derive(Clone, Debug)]
pub struct Obtain {
    /// What to lock: all of them or none.
    pub keys: Keys,
    /// Who owns it.
    pub token: Token,
    /// What others may read while the lock is held.
    pub metadata: Metadata,
    /// How long the server keeps it.
    pub ttl: Ttl,
    /// How long to wait for other holders to release. `None` tries once.
    pub wait: Option<Duration>,
    /// When to retry while waiting, where nodes do not report a release.
    pub retry: Retry,
    /// Who keeps it alive.
    pub renewal: Renewal,
    /// Who else may hold it.
    pub mode: Mode,
}

impl Obtain {
    /// A request with the defaults: no metadata, try once, automatic renewal, exclusive.
    #[must_use]
    pub fn new(keys: impl Into<Keys>, token: Token, ttl: Ttl) -> Self {
        Self {
            keys: keys.into(),
            token,
            metadata: Metadata::default(),
            ttl,
            wait: None,
            retry: Retry::default(),
            renewal: Renewal::default(),
            mode: Mode::default(),
        }
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
