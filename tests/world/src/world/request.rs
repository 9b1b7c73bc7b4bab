//! What a client asked for, and what became of it.

use std::time::Duration;

use tenure_core::{Instant, Keys, Lease, LockId, Token};

/// How long a drawn token is.
const DRAWN: usize = 22;

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
    /// When somebody asked for a refresh, on the clock of its client, if that has not been told yet while so many others
    /// were.
    pub(crate) unanswered: Option<(Instant, u8)>,
    /// It had to take another token.
    pub(crate) renamed: bool,
    /// It was obtained.
    pub(crate) obtained: bool,
}

impl LockRequest {
    /// A refresh is told. `asked`: as one that somebody asked for. Whether none of those is passed over, since only one
    /// round may be under way when it is asked for, and whether it was asked of nodes after that.
    pub(crate) fn is_refreshed(&mut self, lease: Lease, asked: bool) -> bool {
        match &mut self.unanswered {
            Some((_, others)) if !asked => {
                *others += 1;
                *others < 2
            }
            Some((at, _)) => {
                let ttl = lease.ttl().as_duration();
                let from = *at + (ttl - ttl / 100).saturating_sub(Duration::from_micros(2001));
                self.unanswered = None;
                self.max_hold.is_some() || lease.expires_at() >= from
            }
            None => true,
        }
    }

    pub(crate) fn has_own_token(&self) -> bool {
        !is_drawn(&self.token)
    }
}

/// Whether the engine drew a token. Some tokens of users are as long as drawn ones.
pub(crate) fn is_drawn(token: &Token) -> bool {
    let token = token.as_bytes();
    token.len() == DRAWN && !token.starts_with(b"own-")
}
