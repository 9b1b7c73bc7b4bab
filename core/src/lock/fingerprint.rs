//! The fingerprint of a lock: everything that decides its future, with times as distances. Two locks with the same fingerprint
//! behave alike.
//!
//! Data that no later step reads is left out, so that the same future is not searched twice. The parts that concern single
//! nodes are separate, so that a search may treat states as equal in which nodes are swapped.

use core::hash::{Hash, Hasher};
use core::mem::discriminant;
use core::time::Duration;

use crate::id::NodeId;
use crate::lock::{Lock, LockState};
use crate::time::Instant;

/// Longer waits and older replies make no difference: looks come every three seconds, and request timeouts are shorter.
const FAR: Duration = Duration::from_secs(10);

impl Lock {
    /// Everything except what concerns single nodes. `name` stands for the value on the nodes, so that renaming all values
    /// changes nothing.
    pub(crate) fn fingerprint<H: Hasher>(&self, now: Instant, name: u64, hasher: &mut H) {
        let ahead = |at: Instant| at.saturating_since(now);
        (name, self.claim.keys(), self.claim.token().is_random()).hash(hasher);
        (self.ttl, self.mode, self.is_waiter()).hash(hasher);
        #[cfg(feature = "modes")]
        if matches!(self.state, LockState::Held(_)) {
            (self.change_to, self.unsettled).hash(hasher);
        }
        self.state.fingerprint(now, hasher);
        if !matches!(self.state, LockState::Releasing(_)) {
            (self.history, self.renewal).hash(hasher);
            self.hold_until.map(ahead).hash(hasher);
            (!self.is_to_move_on())
                .then(|| ahead(self.gone_at))
                .hash(hasher);
        }
        if self.is_wanted() {
            let end = self.give_up_at.map(ahead);
            end.map(|end| end.min(FAR)).hash(hasher);
            self.retry.remembered(&self.progress).hash(hasher);
            let yielding = self
                .yielding
                .map(|(since, looks)| (now.saturating_since(since), looks));
            yielding.hash(hasher);
        }
        if self.is_wanted() {
            let known = self.failure.as_ref();
            let word = known
                .map(|(reason, at)| (discriminant(reason), now.saturating_since(*at).min(FAR)));
            word.hash(hasher);
            (self.blocked, self.round_trip).hash(hasher);
        }
        if let Some(fencing) = &self.fencing {
            fencing.number().hash(hasher);
            fencing.until.map(ahead).hash(hasher);
        }
        self.active.is_some().hash(hasher);
        if let Some(active) = &self.active {
            active.fingerprint(now, hasher);
        }
    }

    /// What concerns `node`. Without `late`: a search renders each request when it is handed out, so no state has any.
    pub(crate) fn node_fingerprint<H: Hasher>(&self, node: NodeId, hasher: &mut H) {
        let several = self.claim.keys().len() > 1;
        self.may_hold.contains(node).hash(hasher);
        self.refused.contains(node).hash(hasher);
        if self.is_wanted() {
            self.denied.contains(node).hash(hasher);
        }
        if let LockState::Releasing(releasing) = &self.state
            && releasing.announce.is_some()
        {
            releasing.unsure.contains(node).hash(hasher);
            releasing.freed.contains(node).hash(hasher);
            releasing.missing.contains(node).hash(hasher);
        }
        if let Some(fencing) = &self.fencing {
            fencing.has_number_of(node).hash(hasher);
        }
        if let Some(active) = &self.active {
            active.node_fingerprint(node, several, hasher);
        }
    }

    /// Nothing of it is on any node, and before something may be, `gone_at` is set anew to a later time.
    fn is_to_move_on(&self) -> bool {
        let last = self.give_up_at.map(|end| end + self.ttl.as_duration());
        let later = last.is_some_and(|last| self.gone_at <= last);
        matches!(self.state, LockState::Waiting { .. }) && self.may_hold.is_empty() && later
    }
}

impl LockState {
    fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        let ahead = |at: Instant| at.saturating_since(now);
        discriminant(self).hash(hasher);
        match self {
            Self::Attempting => {}
            Self::Waiting {
                until,
                look_at,
                parked,
            } => (until.map(ahead), look_at.map(ahead), parked).hash(hasher),
            Self::Held(held) => {
                (held.lease.remaining(now), held.lease.ttl()).hash(hasher);
                (held.renew_at.map(ahead), held.wanted).hash(hasher);
                (held.retrying, held.recheck, held.error).hash(hasher);
            }
            Self::Releasing(releasing) => {
                (releasing.announce.map(ahead), releasing.once).hash(hasher);
                ahead(releasing.until).hash(hasher);
                releasing.retry_at.map(ahead).hash(hasher);
            }
        }
    }
}
