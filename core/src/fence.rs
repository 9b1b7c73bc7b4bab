//! Fences: numbers by which a resource distinguishes an old holder from a new one.
//!
//! A lease can end while its holder still writes, because a process may stop between a check of its lease and the write. A
//! resource that remembers the largest number it has seen, and refuses smaller ones, is safe from that. See
//! `core/docs/fences.md`.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU64;

use crate::redis::companion;
use crate::ttl::Ttl;

/// What a server keeps beside a key for its fences: the last number.
pub(crate) const COUNTER: &[u8] = b"fence";

/// A number that grows with each fenced grant of a key.
///
/// It is close to the server's time in microseconds, so it stays below 2⁵³ until the year 2255, and any language holds it
/// exactly.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fence(pub u64);

impl Fence {
    /// The name of the key in which a server keeps the last number of `key`, which is its name there, prefix included.
    #[must_use]
    pub fn counter(key: &[u8]) -> Vec<u8> {
        companion(key, COUNTER)
    }
}

/// A Lua script that sets a key unless a write with a larger [`Fence`] came first. It is for the data that a lock protects:
/// run it with your own client, where that data is.
///
/// ```text
/// EVAL script 2 key guard fence value [PX milliseconds]
/// ```
///
/// `EX`, `EXAT` and `PXAT` are possible in place of `PX`. Any other option is an error, and so is a fence that is not a whole
/// number; then nothing changed.
///
/// It returns 1 if `key` is set. It returns 0 if a larger fence came first, and then nothing changed: the writer has lost its
/// lock. `guard` is a key of your choice that keeps the largest fence, and on a cluster has to be in the slot of `key`. See
/// `core/docs/guards.md`.
pub const GUARDED_SET: &str = include_str!("redis/lua/guarded_set.lua");

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long the counter of a fence outlives the last number it gave. Default: one day.
///
/// Numbers grow as long as the server's clock is never set back by more than that while the counter is lost.
// In one word, because every request of a lock carries an option of it.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct Keep(NonZeroU64);

impl Keep {
    /// The counter never expires: one small key for each name that was ever locked stays on the server.
    pub const FOREVER: Self = Self(NonZeroU64::MAX);

    /// The counter expires this long after its last number.
    #[must_use]
    pub const fn lasting(time: Ttl) -> Self {
        match NonZeroU64::new(time.as_millis()) {
            Some(millis) => Self(millis),
            // No ttl is zero.
            None => Self::FOREVER,
        }
    }

    /// In milliseconds; `None`: forever.
    #[must_use]
    pub const fn as_millis(self) -> Option<u64> {
        match self.0 {
            NonZeroU64::MAX => None,
            millis => Some(millis.get()),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self::lasting(Ttl::DAY)
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_millis() {
            Some(millis) => write!(f, "{millis}ms"),
            None => f.write_str("forever"),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn a_counter_is_kept_for_a_day_or_as_long_as_the_longest_ttl_or_forever() {
        assert_eq!(Keep::default().as_millis(), Some(86_400_000));
        let year = Keep::lasting(Ttl::MAX);
        assert_eq!(year.as_millis(), Some(Ttl::MAX.as_millis()));
        let short = Ttl::new(Duration::from_millis(3)).unwrap();
        assert_eq!(Keep::lasting(short).as_millis(), Some(3));
        assert_eq!(Keep::FOREVER.as_millis(), None);
    }
}
