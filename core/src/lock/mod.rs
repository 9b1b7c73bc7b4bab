//! The lock algorithm.
mod lease;
pub use lease::Lease;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The id names no lock that is held.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct UnknownLock;

impl fmt::Display for UnknownLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this lock is not held")
    }
}

impl core::error::Error for UnknownLock {}

/// What one key holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    /// Token and metadata, as the nodes store them. A secret.
    pub value: Box<[u8]>,
    /// How long it lasts without a refresh; `None` if for ever.
    pub remaining: Option<Duration>,
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding")
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

/// The result of an inspection: per key what enough nodes agree on, or why too few answered.
pub type Inspection = Result<Vec<Option<Holding>>, crate::NodeError>;
