//! What a client asked for, and what became of it.

use std::time::Duration;

use tenure_core::{Instant, Keys, LockId, Token};

use super::client::DRAWN;

/// What a client asked for.
pub(crate) struct LockRequest {
    pub(crate) lock: LockId,
    pub(crate) keys: Keys,
    pub(crate) token: Token,
    pub(crate) ttl: Duration,
    /// When it was asked for, on the clock of its client, and how long it waits.
    pub(crate) asked: Instant,
    pub(crate) wait: Option<Duration>,
    pub(crate) max_hold: Option<Duration>,
    /// When it ended, in true time.
    pub(crate) ended: Option<Instant>,
    /// From when on (true time) and until when (own time) it was believed in, once it is not any more.
    pub(crate) lease: Option<(Instant, Instant)>,
    /// It renews itself for as long as it is held.
    pub(crate) renewed: bool,
    /// Somebody asked for another time since.
    pub(crate) refreshed: bool,
    /// It had to take another token.
    pub(crate) renamed: bool,
    /// It was obtained.
    pub(crate) obtained: bool,
}

impl LockRequest {
    /// Some of them are as long as drawn ones.
    pub(crate) fn has_own_token(&self) -> bool {
        let token = self.token.as_bytes();
        token.len() != DRAWN || token.starts_with(b"own-")
    }
}
