//! What of a lock decides its future, with times as distances: two locks with the same fingerprint behave alike.

use core::hash::{Hash, Hasher};
use core::mem::discriminant;

use crate::lock::{Lock, State};
use crate::time::Instant;

impl Lock {
    /// `name` stands for the value on the nodes, so that renaming all values changes nothing.
    pub(crate) fn fingerprint<H: Hasher>(&self, now: Instant, name: u64, hasher: &mut H) {
        let ahead = |at: Instant| at.saturating_since(now);
        (name, self.claim.keys(), self.claim.token().is_random()).hash(hasher);
        (self.ttl, self.shortest, self.renewal, self.is_waiter()).hash(hasher);
        self.give_up_at.map(ahead).hash(hasher);
        self.hold_until.map(ahead).hash(hasher);
        ahead(self.gone_at).hash(hasher);
        self.retry.remembered(&self.progress).hash(hasher);
        (self.may_hold, self.disturbed, self.undoing).hash(hasher);
        (self.woken, self.doubted, self.handoffs).hash(hasher);
        // Only whether: numbers of rounds are names.
        (self.late.0 == self.round, self.late.1).hash(hasher);
        self.failure.as_ref().map(discriminant).hash(hasher);
        self.state.fingerprint(now, hasher);
        self.ask.is_some().hash(hasher);
        if let Some(ask) = &self.ask {
            ask.fingerprint(now, hasher);
        }
    }
}

impl State {
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        let ahead = |at: Instant| at.saturating_since(now);
        discriminant(self).hash(hasher);
        match self {
            Self::Asking => {}
            Self::Undoing { until } => until.map(ahead).hash(hasher),
            Self::Waiting { until, parked } => (until.map(ahead), parked).hash(hasher),
            Self::Held(held) => {
                (held.lease.remaining(now), held.lease.ttl()).hash(hasher);
                (held.renew_at.map(ahead), held.wanted).hash(hasher);
                (held.retrying, held.recheck).hash(hasher);
            }
            Self::Releasing(releasing) => {
                (releasing.announce, ahead(releasing.until)).hash(hasher);
                releasing.retry_at.map(ahead).hash(hasher);
                (releasing.freed, releasing.missing).hash(hasher);
            }
        }
    }
}
