//! A request for a lock.

use core::time::Duration;

use crate::fence::Keep;
use crate::keys::{Keys, Metadata};
use crate::retry::Retry;
use crate::token::Token;
use crate::ttl::Ttl;

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
}
