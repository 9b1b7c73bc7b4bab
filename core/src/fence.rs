//! Fences: numbers by which a resource tells an old holder from a new one.
//!
//! A lease can end while its holder still writes, because a process may stop between the look at its lease and the write. A
//! resource that remembers the largest number it has seen, and refuses smaller ones, is safe from that. See
//! `core/docs/fences.md`.

use core::fmt;

use crate::ttl::Ttl;

/// A number that grows with each fenced grant of a key.
///
/// It is close to the server's time in microseconds, so it stays below 2⁵³ until the year 2255, and any language holds it
/// exactly.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fence(pub u64);

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long the counter of a fence outlives the last number it gave.
///
/// Numbers grow as long as the server's clock is never set back by more than that while the counter is lost.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Keep {
    /// The counter expires this long after its last number.
    For(Ttl),
    /// The counter never expires: one small key for each name that was ever locked stays on the server.
    Forever,
}

impl Default for Keep {
    /// One day.
    fn default() -> Self {
        Self::For(Ttl::DAY)
    }
}
