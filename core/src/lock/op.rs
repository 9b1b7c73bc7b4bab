//! The boundary between the lock algorithm and the wire: an operation for one node, and its outcome.
//!
//! An [`Op`] says what is to be done, never how: the session below chooses commands or scripts by what its server can do.
//! An [`Outcome`] says what that means for the lock. Several keys are obtained and refreshed all or none; a release deletes
//! each that is ours.
//!
//! Any operation may be repeated or carried out late, because a reply can be lost. That is safe because each one that
//! changes a node compares the value first, and a lost attempt continues under another token.

use core::fmt;
use core::time::Duration;

use crate::claim::Claim;
use crate::event::NodeError;
use crate::fence::{Fence, Keep};
use crate::keys::Keys;
use crate::limits::MAX_KEYS;
use crate::lock::Ticket;
use crate::obtain::Mode;
use crate::ttl::Ttl;

/// A request to one node. `Check`, `Look`, `Inspect` and `Status` only read.
#[derive(Copy, Clone, Debug)]
#[non_exhaustive]
pub enum Op<'a> {
    /// Set all keys to the value, if no key has another value. A key that is ours already keeps a longer remaining time.
    Obtain {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long.
        ttl: Ttl,
        /// Whether the node may have this value already, so that finding it counts as granted: after an attempt without a
        /// reply, or with a token that the user chose. Otherwise the cheaper `SET NX` is enough.
        again: bool,
        /// Who else may hold the keys.
        mode: Mode,
        /// Step the counters of all keys, to one number that is larger than each was.
        fence: Option<Keep>,
        /// Whether the lock waits, so that a lock that shares its key has to be watched as well. Any other always is.
        waits: bool,
        /// The place in the queue of this node, if the lock waits in order here.
        ticket: Option<&'a Ticket>,
        /// Whether a lock that is held changes to this mode. It does so at once, or stays as it is. No other request turns
        /// one mode into another, because one that arrives late would undo a change.
        change: bool,
    },
    /// Set the remaining time of all keys, if all have our value.
    Refresh {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long from now.
        ttl: Ttl,
        /// Whether a longer remaining time stays, because another lock with the same token relies on it.
        keep: bool,
        /// Who else may hold the keys.
        mode: Mode,
        /// Raise the counters of all keys to this number, where they are below.
        fence: Option<&'a (Fence, Keep)>,
    },
    /// Read whether all keys have our value, and the shortest remaining time; watch each key again.
    Check {
        /// Keys and value.
        claim: &'a Claim,
        /// Who else may hold the keys.
        mode: Mode,
    },
    /// Read whether all keys are free, and watch each.
    Look {
        /// Keys and value.
        claim: &'a Claim,
    },
    /// Delete each key that has our value.
    Release {
        /// Keys and value.
        claim: &'a Claim,
        /// For how long the lock has the keys, if it has them.
        ttl: Ttl,
        /// Who else may hold the keys.
        mode: Mode,
    },
    /// Read the value and the remaining time of each key.
    Inspect {
        /// Which keys.
        keys: &'a Keys,
    },
    /// Read who has the key, who waits for it, and its last fence.
    #[cfg(feature = "modes")]
    Status {
        /// One key.
        keys: &'a Keys,
    },
}

impl<'a> Op<'a> {
    /// The keys and the value, except of an inspection.
    pub(crate) const fn claim(self) -> Option<&'a Claim> {
        match self {
            Self::Obtain { claim, .. }
            | Self::Refresh { claim, .. }
            | Self::Check { claim, .. }
            | Self::Look { claim }
            | Self::Release { claim, .. } => Some(claim),
            Self::Inspect { .. } => None,
            #[cfg(feature = "modes")]
            Self::Status { .. } => None,
        }
    }

    /// Who else may hold the keys; `Exclusive` where that makes no difference.
    pub(crate) const fn mode(self) -> Mode {
        match self {
            Self::Obtain { mode, .. }
            | Self::Refresh { mode, .. }
            | Self::Check { mode, .. }
            | Self::Release { mode, .. } => mode,
            Self::Look { .. } | Self::Inspect { .. } => Mode::Exclusive,
            #[cfg(feature = "modes")]
            Self::Status { .. } => Mode::Exclusive,
        }
    }

    /// Whether the node may have our value from the moment that this is sent.
    pub(crate) const fn is_obtain(self) -> bool {
        matches!(self, Self::Obtain { .. })
    }
}

/// The outcome of an operation on one node.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It was carried out. For [`Op::Look`]: all keys are free.
    Granted {
        /// The fence of the grant, if one was requested.
        fence: Option<Fence>,
        /// For [`Op::Check`]: the shortest remaining time of a key. `None` if it is not known or there is no end.
        remaining: Option<Duration>,
    },
    /// It was not carried out: a key has another value (or none, except for an obtain and a look).
    Denied {
        /// The longest remaining time of a key: before its end there is nothing to win. `None` if it is not known or there is
        /// no end.
        retry_after: Option<Duration>,
        /// The shortest remaining time of a key, if another key lasts longer: at its end, others may obtain that key.
        first_free: Option<Duration>,
        /// Whether the node will send a wake when a key changes.
        watched: bool,
        /// Which of the keys have another value; `None` if the node does not report it.
        held: Option<KeySet>,
        /// Who is in the way, as far as the node says.
        by: Obstacle,
    },
    /// It was carried out, but too few replicas have it: see [`Config::acks`](crate::Config). The keys are ours on the node,
    /// which must not be relied on.
    Weak,
    /// It was certainly not carried out, for a reason that has nothing to do with other holders.
    Failed(NodeError),
    /// There was no reply: it may have been carried out, or may be later. Not a denial, since nobody else may hold the keys,
    /// and not a failure, since our value may be there.
    Unknown,
}

impl Outcome {
    /// Carried out, without further information.
    pub const GRANTED: Self = Self::Granted {
        fence: None,
        remaining: None,
    };
}

/// Who is in the way of an operation.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
pub enum Obstacle {
    /// Who has the key alone; also if that is not known.
    #[default]
    Holder,
    /// Those who share the key.
    Sharing,
    /// A client that has waited for longer. With its bell, if clients can register for it.
    Queue(Option<Bell>),
}

/// What a client rings on a node when it leaves the queue there: a companion of the key, named by the first bytes of the
/// client's value, with `-` for each `~`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bell {
    bytes: [u8; Self::LONGEST],
    len: u8,
}

impl Bell {
    /// How many bytes of a value name its bell.
    pub const LONGEST: usize = 8;

    /// The bell of the client that has this value.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        let mut bell = Self {
            bytes: [0; Self::LONGEST],
            len: 0,
        };
        for (byte, own) in bell.bytes.iter_mut().zip(value) {
            // The last `~` in the name of a companion is in front of its kind.
            *byte = if *own == b'~' { b'-' } else { *own };
            bell.len = bell.len.saturating_add(1);
        }
        bell
    }

    /// The first bytes of the value, with `-` for each `~`.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// A subset of the keys of one lock, by their place in the list.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct KeySet(u64);

// There is one bit per key.
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
