//! A request for a lock.

use core::fmt;
#[cfg(feature = "modes")]
use core::num::NonZeroU32;
use core::time::Duration;

use crate::fence::Keep;
use crate::keys::{Keys, Metadata};
use crate::retry::Retry;
use crate::token::Token;
use crate::ttl::Ttl;

/// Who may hold a key at the same time. See `core/docs/modes.md`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Mode {
    /// One holder. It takes the key whenever it is free, as every other lock library does.
    #[default]
    Exclusive,
    /// One holder, which knows of the others that share the key: a write lock. Those that wait come in the order of their
    /// requests, also those of other processes.
    #[cfg(feature = "modes")]
    InTurn,
    /// Several holders: a read lock, or with a limit a permit.
    #[cfg(feature = "modes")]
    Shared {
        /// How many holders there may be at the time of the grant, this one included. `None`: any number.
        limit: Option<NonZeroU32>,
    },
}

impl Mode {
    /// The mode in which a lock waits in order: the same, unless it is `Exclusive`.
    #[cfg(feature = "modes")]
    #[must_use]
    pub const fn in_turn(self) -> Self {
        match self {
            Self::Exclusive => Self::InTurn,
            Self::InTurn | Self::Shared { .. } => self,
        }
    }

    /// Whether it is the mode that needs no more than a string key.
    #[inline]
    pub(crate) const fn is_exclusive(self) -> bool {
        match self {
            Self::Exclusive => true,
            #[cfg(feature = "modes")]
            Self::InTurn | Self::Shared { .. } => false,
        }
    }

    /// Whether others may hold the key at the same time.
    #[inline]
    pub(crate) const fn is_shared(self) -> bool {
        match self {
            Self::Exclusive => false,
            #[cfg(feature = "modes")]
            Self::InTurn => false,
            #[cfg(feature = "modes")]
            Self::Shared { .. } => true,
        }
    }

    /// Whether any number of others may hold the key at the same time.
    pub(crate) const fn is_unlimited(self) -> bool {
        match self {
            Self::Exclusive => false,
            #[cfg(feature = "modes")]
            Self::InTurn | Self::Shared { limit: Some(_) } => false,
            #[cfg(feature = "modes")]
            Self::Shared { limit: None } => true,
        }
    }

    /// Whether a key that is refused to an `older` request of this mode is refused to one of mode `self` as well, or must not
    /// be given to it first. A request then waits until the older one has ended.
    pub(crate) const fn waits_behind(self, older: Self) -> bool {
        match (self, older) {
            (Self::Exclusive, _) => true,
            #[cfg(feature = "modes")]
            (Self::InTurn, _) | (Self::Shared { .. }, Self::Exclusive | Self::InTurn) => true,
            #[cfg(feature = "modes")]
            (Self::Shared { limit: None }, Self::Shared { .. }) => false,
            #[cfg(feature = "modes")]
            (Self::Shared { limit: Some(_) }, Self::Shared { limit: None }) => true,
            #[cfg(feature = "modes")]
            (Self::Shared { limit: Some(own) }, Self::Shared { limit: Some(older) }) => {
                own.get() <= older.get()
            }
        }
    }
}

/// The value of a key while others share it. No lock may have it as its own.
pub(crate) const SHARED_VALUE: &[u8] = b"~shared";

/// Why a request cannot be served, whatever the servers hold.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unsupported {
    /// Token and metadata together are `~shared`, which is the value of keys that are shared.
    ReservedValue,
    /// [`Mode`] other than `Exclusive` under a quorum. Each node counts only its own holders: with three nodes, a quorum of
    /// two and a limit of two there can be three holders. Readers without a limit would be safe, but without an order that
    /// all nodes share, a writer would starve.
    ModeUnderQuorum,
    /// [`Mode`] other than `Exclusive` for several keys: one that waits would have to be the first for each of them.
    ModeWithSeveralKeys,
    /// Permits of which there is none.
    NoPermits,
    /// A fence for a lock that is shared: a resource that refuses the older of two numbers would refuse a holder in good
    /// standing.
    SharedFence,
    /// A token that the user chose, with [`Acks`](crate::Config). A key that other locks with that token keep for longer is not
    /// written again, and servers wait for what this connection has written only.
    OwnTokenWithAcks,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedValue => {
                "token and metadata must not be \"~shared\", the value of keys that are shared"
            }
            Self::ModeUnderQuorum => {
                "read locks, write locks and permits need one server, or all of several in order: with a quorum, \
                 each server counts only its own holders"
            }
            Self::ModeWithSeveralKeys => {
                "read locks, write locks and permits have one key: to wait in order, a lock with several keys would \
                 have to be the first for each of them"
            }
            Self::NoPermits => "a limit of permits must be at least 1",
            Self::SharedFence => {
                "a lock that others share has no fence: a resource would refuse the older of two valid holders"
            }
            Self::OwnTokenWithAcks => {
                "a lock with a token of your own cannot wait for replicas: its key may have been written by others"
            }
        })
    }
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
    /// Whether each grant gets a number that grows, and how long its counter is kept.
    pub fence: Option<Keep>,
}

impl Obtain {
    /// A request with the defaults: no metadata, try once, automatic renewal, exclusive, no fence.
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
            fence: None,
        }
    }

    /// Why it cannot be served by nodes of which a quorum counts, if `by_quorum`, or else all. `acks`: replicas must have it.
    #[inline]
    pub(crate) fn unsupported(&self, by_quorum: bool, acks: bool) -> Option<Unsupported> {
        let (token, metadata) = (self.token.as_bytes(), self.metadata.as_bytes());
        if token.len().wrapping_add(metadata.len()) == SHARED_VALUE.len()
            && token.iter().chain(metadata).eq(SHARED_VALUE)
        {
            return Some(Unsupported::ReservedValue);
        }
        if acks && !self.token.is_random() {
            return Some(Unsupported::OwnTokenWithAcks);
        }
        if self.mode.is_exclusive() {
            return None;
        }
        if by_quorum {
            Some(Unsupported::ModeUnderQuorum)
        } else if self.keys.len() > 1 {
            Some(Unsupported::ModeWithSeveralKeys)
        } else if self.mode.is_shared() && self.fence.is_some() {
            Some(Unsupported::SharedFence)
        } else {
            None
        }
    }
}

#[cfg(test)]
#[cfg(feature = "modes")]
mod tests {
    use super::*;
    use crate::keys::Key;
    use crate::limits::MAX_KEYS;

    fn request(mode: Mode, keys: usize) -> Obtain {
        let keys = (0..keys).map(|n| Key::new([n as u8]).unwrap());
        let keys = Keys::new(keys).unwrap();
        let mut request = Obtain::new(keys, Token::random([0; 16]), Ttl::DAY);
        request.mode = mode;
        request
    }

    #[test]
    fn each_mode_is_refused_where_it_would_not_be_sound() {
        let permit = Mode::Shared {
            limit: NonZeroU32::new(1),
        };
        for mode in [Mode::InTurn, permit, Mode::Shared { limit: None }] {
            let mut one = request(mode, 1);
            assert_eq!(one.unsupported(false, false), None);
            assert_eq!(
                one.unsupported(true, false),
                Some(Unsupported::ModeUnderQuorum)
            );
            let two = request(mode, 2).unsupported(false, false);
            assert_eq!(two, Some(Unsupported::ModeWithSeveralKeys));
            one.fence = Some(Keep::default());
            let fenced = mode.is_shared().then_some(Unsupported::SharedFence);
            assert_eq!(one.unsupported(false, false), fenced, "{mode:?}");
        }
        let mut many = request(Mode::Exclusive, MAX_KEYS);
        many.fence = Some(Keep::default());
        assert_eq!(many.unsupported(true, false), None);
    }

    #[test]
    fn the_value_of_shared_keys_is_nobodys_own() {
        let refused = |token: &str, metadata: &str| {
            let mut request = request(Mode::Exclusive, 1);
            request.token = Token::new(token).unwrap();
            request.metadata = Metadata::new(metadata).unwrap();
            request.unsupported(false, false) == Some(Unsupported::ReservedValue)
        };
        assert!(refused("~shared", "") && refused("~sha", "red") && refused("~", "shared"));
        assert!(!refused("~shared", "x") && !refused("~share", "") && !refused("x~share", ""));
    }

    #[test]
    fn a_token_of_the_user_cannot_wait_for_replicas() {
        let mut request = request(Mode::Exclusive, 1);
        assert_eq!(request.unsupported(false, true), None);
        request.token = Token::new("host-7").unwrap();
        assert_eq!(request.unsupported(false, false), None);
        let refused = Some(Unsupported::OwnTokenWithAcks);
        assert_eq!(request.unsupported(false, true), refused);
    }

    #[test]
    fn a_request_waits_behind_an_older_one_that_is_denied_whenever_it_is() {
        let shared = |limit| Mode::Shared {
            limit: NonZeroU32::new(limit),
        };
        let (read, one, two) = (shared(0), shared(1), shared(2));
        for older in [Mode::Exclusive, Mode::InTurn] {
            for mode in [Mode::Exclusive, Mode::InTurn, read, one, two] {
                assert!(mode.waits_behind(older));
            }
        }
        assert!(!read.waits_behind(read) && !read.waits_behind(one) && one.waits_behind(read));
        assert!(one.waits_behind(two) && one.waits_behind(one) && !two.waits_behind(one));
    }
}
