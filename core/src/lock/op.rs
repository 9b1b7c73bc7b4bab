//! The cut between the algorithm and the wire: an operation for one node, and what came of it.

use core::fmt;
use core::time::Duration;

use crate::claim::Claim;
use crate::event::NodeError;
use crate::keys::Keys;
use crate::limits::MAX_KEYS;
use crate::obtain::Mode;
use crate::ttl::Ttl;

/// What one node is asked to do. All but `Check`, `Look` and `Inspect` change the node; all may be repeated.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum Op<'a> {
    /// Set all keys to the value if none has another one. A longer remaining time of what is ours already stays.
    Obtain {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long.
        ttl: Ttl,
        /// Whether the very same value may stand there already, so that this must count as granted.
        again: bool,
        /// Who else may hold the keys.
        mode: Mode,
    },
    /// Set the time of all keys if all have our value.
    Refresh {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long from now.
        ttl: Ttl,
        /// Whether a longer remaining time is left as it is, because another lock with the same token counts on it.
        keep: bool,
        /// Who else may hold the keys.
        mode: Mode,
    },
    /// Say whether all keys have our value, and how long the one that ends first still lasts; register interest in each
    /// again.
    Check {
        /// Keys and value.
        claim: &'a Claim,
    },
    /// Say whether all keys are free, without touching them, and register interest in each.
    Look {
        /// Keys and value.
        claim: &'a Claim,
    },
    /// Delete each key that has our value.
    Release {
        /// Keys and value.
        claim: &'a Claim,
        /// Who else may hold the keys.
        mode: Mode,
    },
    /// Tell value and remaining time of each key.
    Inspect {
        /// Which keys.
        keys: &'a Keys,
    },
}

impl<'a> Op<'a> {
    /// Keys and value, of all but an inspection.
    pub(crate) const fn claim(self) -> Option<&'a Claim> {
        match self {
            Self::Obtain { claim, .. }
            | Self::Refresh { claim, .. }
            | Self::Check { claim }
            | Self::Look { claim }
            | Self::Release { claim, .. } => Some(claim),
            Self::Inspect { .. } => None,
        }
    }

    /// Who else may hold the keys, of all that change a node.
    pub(crate) const fn mode(self) -> Option<Mode> {
        match self {
            Self::Obtain { mode, .. } | Self::Refresh { mode, .. } | Self::Release { mode, .. } => {
                Some(mode)
            }
            Self::Check { .. } | Self::Look { .. } | Self::Inspect { .. } => None,
        }
    }

    /// Whether a node that does it has our value from then on.
    pub(crate) const fn is_obtain(self) -> bool {
        matches!(self, Self::Obtain { .. })
    }
}

/// What came of an operation on one node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was done. For [`Op::Look`]: all keys are free.
    Granted {
        /// The growing number of the grant, where it was asked for.
        fence: Option<Fence>,
        /// For [`Op::Check`]: how long the node still keeps the key that ends first, where it is known. `None` for ever.
        remaining: Option<Duration>,
    },
    /// It was not done: some key has another value (or, for all but an obtain, none).
    Denied {
        /// How long the key that lasts longest still lasts, where it is known and not for ever.
        retry_after: Option<Duration>,
        /// Whether the node will send a wake when a key changes.
        watched: bool,
        /// Which of the lock's keys somebody holds; `None` where the node does not say.
        held: Option<KeySet>,
    },
    /// It was surely not done, for a reason that has nothing to do with other holders.
    Failed(NodeError),
    /// Nobody knows. It may still be done later.
    Unknown,
}

impl Outcome {
    /// Done, and nothing more to say.
    pub const GRANTED: Self = Self::Granted {
        fence: None,
        remaining: None,
    };
}

/// Some of the keys of one lock, by their place among them.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeySet(u64);

// One bit for each key.
const _: () = assert!(MAX_KEYS <= 64);

impl KeySet {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(u64::MAX);
    pub(crate) const ALL_BUT_FIRST: Self = Self(u64::MAX - 1);

    /// Adds the key at this place; places from [`MAX_KEYS`] on are ignored.
    pub fn insert(&mut self, place: usize) {
        self.0 |= Self::bit(place);
    }

    /// Whether the key at this place is one of them.
    #[must_use]
    pub fn contains(self, place: usize) -> bool {
        self.0 & Self::bit(place) != 0
    }

    /// The keys of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn bit(place: usize) -> u64 {
        u32::try_from(place)
            .ok()
            .and_then(|place| 1_u64.checked_shl(place))
            .unwrap_or(0)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = (0..MAX_KEYS).filter(|place| self.contains(*place));
        f.debug_set().entries(places).finish()
    }
}

/// A number that grows with every grant of a key.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fence(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_room_for_every_key_of_a_lock() {
        let mut set = KeySet::NONE;
        set.insert(0);
        set.insert(MAX_KEYS - 1);
        set.insert(MAX_KEYS);
        let places: alloc::vec::Vec<_> = (0..=MAX_KEYS).filter(|at| set.contains(*at)).collect();
        assert_eq!(places, [0, MAX_KEYS - 1]);
        assert!((0..MAX_KEYS).all(|at| KeySet::ALL.contains(at)));
    }
}
