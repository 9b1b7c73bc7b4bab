//! The cut between the algorithm and the wire: an operation for one node, and what came of it.

use core::time::Duration;

use crate::claim::{Claim, Keys};
use crate::event::NodeError;
use crate::obtain::Ttl;

/// What one node is asked to do. Every operation but `Check` and `Inspect` changes the node; all may be repeated.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum Op<'a> {
    /// Set all keys to the value if none has another one.
    Obtain {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long.
        ttl: Ttl,
        /// Whether the very same value may stand there already, so that this must count as granted.
        again: bool,
    },
    /// Set the time of all keys if all have our value.
    Refresh {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long from now.
        ttl: Ttl,
    },
    /// Say whether all keys have our value.
    Check {
        /// Keys and value.
        claim: &'a Claim,
    },
    /// Delete each key that has our value.
    Release {
        /// Keys and value.
        claim: &'a Claim,
    },
    /// Tell value and remaining time of each key.
    Inspect {
        /// Which keys.
        keys: &'a Keys,
    },
}

/// What came of an operation on one node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done.
    Granted {
        /// The growing number of the grant, where it was asked for.
        fence: Option<Fence>,
    },
    /// It was not done: some key has another value (or, for all but an obtain, none).
    Denied {
        /// How long the key that lasts longest still lasts, where it is known and not for ever.
        retry_after: Option<Duration>,
        /// Whether the node will send a wake when a key changes.
        watched: bool,
    },
    /// It was surely not done, for a reason that has nothing to do with other holders.
    Failed(NodeError),
    /// Nobody knows. It may still be done later.
    Unknown,
}

/// A number that grows with every grant of a key.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fence(pub u64);
