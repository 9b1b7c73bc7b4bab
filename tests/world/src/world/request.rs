//! The requests of a client, and their outcomes.

use std::time::Duration;

use tenure_core::{Instant, Keys, Lease, LockId, Mode, Obtain, Renewal, Token};

use super::exclusion::is_shared;

/// How many locks were requested for a key.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) struct RequestCount {
    pub(crate) all: u32,
    /// Those that wait in order.
    pub(crate) in_order: u32,
}

/// How long a drawn token is.
const DRAWN: usize = 22;

/// One request of a client.
pub(crate) struct LockRequest {
    pub(crate) lock: LockId,
    pub(crate) keys: Keys,
    pub(crate) token: Token,
    /// As it was requested.
    pub(crate) mode: Mode,
    /// Another mode was requested since.
    pub(crate) changed: bool,
    pub(crate) ttl: Duration,
    /// When it was requested, on the clock of its client, and how long it waits.
    pub(crate) requested_at: Instant,
    pub(crate) wait: Option<Duration>,
    pub(crate) max_hold: Option<Duration>,
    /// When it ended, in true time.
    pub(crate) ended: Option<Instant>,
    /// From when on (true time) and until when (own time) it was held, once it has ended.
    pub(crate) lease: Option<(Instant, Instant)>,
    /// It renews itself for as long as it is held.
    pub(crate) renewed: bool,
    /// A refresh for another time was requested since.
    pub(crate) refreshed: bool,
    /// The last requested refresh that is not yet reported: its time on the clock of its client, and how many others were
    /// reported since.
    pub(crate) unanswered: Option<(Instant, u8)>,
    /// It had to take another token.
    pub(crate) renamed: bool,
    /// It was obtained.
    pub(crate) obtained: bool,
}

impl LockRequest {
    /// What is known of it when it is made, but for its id.
    pub(super) fn new(request: &Obtain, own: Instant) -> Self {
        Self {
            lock: LockId::from_bits(0),
            keys: request.keys.clone(),
            token: request.token.clone(),
            mode: request.mode,
            changed: false,
            ttl: request.ttl.as_duration(),
            requested_at: own,
            wait: request.wait.filter(|wait| !wait.is_zero()),
            max_hold: match request.renewal {
                Renewal::Automatic { max_hold } => max_hold,
                Renewal::Manual | _ => None,
            },
            ended: None,
            lease: None,
            renewed: matches!(request.renewal, Renewal::Automatic { .. }),
            refreshed: false,
            unanswered: None,
            renamed: false,
            obtained: false,
        }
    }

    /// Whether it may have shared its keys at some time.
    pub(super) fn may_share(&self) -> bool {
        self.changed || is_shared(self.mode)
    }

    /// A refresh is reported. `requested_at`: as one that was requested. Returns whether no requested one is passed over, since
    /// only one round may be under way when it is requested, and whether nodes were asked after that.
    pub(crate) fn is_refreshed(&mut self, lease: Lease, requested: bool) -> bool {
        match &mut self.unanswered {
            Some((_, others)) if !requested => {
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
