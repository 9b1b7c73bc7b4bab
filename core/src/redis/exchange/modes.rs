//! Replies to locks that know of others that share their key.

use core::time::Duration;

use super::progress::{Decision, ReplyProgress};
use crate::fence::Fence;
use crate::lock::{Bell, KeySet, Obstacle, Outcome};
use crate::obtain::SHARED_VALUE;
use crate::redis::Script;
use crate::redis::capability::{Caching, Capability};
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply};
use crate::redis::wire::{Kind, Queued, Watch};

/// Which reply to a script of a mode it is.
pub(super) enum Part {
    /// To a command that only says that the script is not to register us for its keys.
    Ignored,
    Time,
    Decisive,
}

impl Watch {
    /// What the reply at this place is.
    pub(super) fn part(self, before: u8, place: u16) -> Part {
        let before = u16::from(before);
        let (first, decisive) = match self {
            Self::No | Self::Behind => (Part::Ignored, before),
            Self::Before => (Part::Time, before.saturating_add(1)),
        };
        if place == decisive {
            Part::Decisive
        } else if place > decisive {
            Part::Time
        } else if place == 0 {
            first
        } else {
            Part::Ignored
        }
    }
}

/// The reply to `CLIENT TRACKING` or `CLIENT CACHING`.
pub(super) fn note_caching(reply: Reply<'_>, capability: &mut Capability) {
    if matches!(reply.item(), Item::Error(_)) {
        capability.caching = Caching::Refused;
    }
}

/// The reply of a script that is no error.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "any other reply that a server may send"
)]
pub(super) fn decide(script: Script, reply: Reply<'_>) -> Decision {
    match reply.item() {
        Item::Integer(1) => Decision::Granted,
        Item::Integer(0) => Decision::Denied,
        Item::Integer(n @ 2..) if script == Script::Enter => {
            Decision::Fenced(Fence(n.unsigned_abs()))
        }
        Item::Array(3) => {
            let mut parts = reply.children();
            let by = parts.next().and_then(|part| part.as_integer());
            let left = parts.next().and_then(|part| part.as_integer());
            match (by, left) {
                (Some(0), Some(left)) => Decision::Behind(Obstacle::Holder, left),
                (Some(-1), Some(left)) => Decision::Behind(Obstacle::Sharing, left),
                (Some(-2), Some(left)) => {
                    let bell = parts.next().and_then(|part| part.as_bytes());
                    let bell = bell.filter(|bell| !bell.is_empty()).map(Bell::of);
                    Decision::Behind(Obstacle::Queue(bell), left)
                }
                _ => Decision::Unknown,
            }
        }
        // No server replies like that, so it is unknown what it did.
        _ => Decision::Unknown,
    }
}

impl ReplyProgress {
    /// An error in reply to a command before the script. The first one may register for a bell, all others concern the
    /// registration for the keys of the script.
    pub(super) fn note_ignored(&self, reply: Reply<'_>, kind: Kind, capability: &mut Capability) {
        let Kind::Mode { watch, queued, .. } = kind else {
            return;
        };
        let place = u16::from(watch == Watch::Before);
        if queued != Queued::WithBell || self.replies != place {
            note_caching(reply, capability);
        }
    }

    /// The value of the key, and the end of our own lease. A change without a reply may have given us the key alone.
    pub(super) fn note_shared(
        &mut self,
        reply: Reply<'_>,
        before: u8,
        is_ours: impl FnOnce(&[u8]) -> bool,
        capability: &mut Capability,
    ) {
        let value = u16::from(before);
        if self.replies == value {
            self.is_alone = reply.as_bytes().is_some_and(is_ours);
            let is_alone = self.is_alone;
            return self.note_value(reply, |value| is_alone || value == SHARED_VALUE);
        }
        if self.replies < value || before > 0 && self.replies == value.saturating_add(1) {
            return note_caching(reply, capability);
        }
        self.note_score(reply);
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other reply that a server may send"
    )]
    fn note_score(&mut self, reply: Reply<'_>) {
        match reply.item() {
            Item::Double(_) | Item::Bulk(_) => {}
            Item::Null => self.all_equal &= self.is_alone,
            Item::Error(line) if ServerError::of(line) == ServerError::WrongType => {
                self.all_equal = false;
            }
            Item::Error(line) => {
                self.decided = Some(Decision::Failed(ServerError::of(line).node()));
            }
            _ => self.decided = Some(Decision::Unknown),
        }
    }

    /// The outcome of a script that only says that it was not carried out.
    pub(super) const fn blocked() -> Outcome {
        Outcome::Denied {
            retry_after: None,
            first_free: None,
            watched: false,
            held: None,
            by: Obstacle::Holder,
        }
    }

    /// The outcome of a script that says who is in the way, and for how long.
    pub(super) fn behind(
        &self,
        (by, left): (Obstacle, i64),
        (watch, queued): (Watch, Queued),
        tracking: bool,
    ) -> Outcome {
        // One millisecond more, because a key with less than a millisecond left still exists.
        let left = u64::try_from(left).ok();
        let mut retry_after = left.map(|left| Duration::from_millis(left.saturating_add(1)));
        if watch == Watch::Behind && self.is_free() && !matches!(by, Obstacle::Queue(_)) {
            retry_after = Some(Duration::ZERO);
        }
        // One of several that share the key notifies only those in the queue when it leaves. The lock itself knows which bell it
        // has registered for.
        let is_told = match by {
            Obstacle::Holder => true,
            Obstacle::Sharing => queued != Queued::No || watch == Watch::Behind,
            Obstacle::Queue(_) => false,
        };
        let has_bell = match queued {
            Queued::No => false,
            Queued::Yes => tracking,
            Queued::WithBell => tracking && self.has_bell,
        };
        let by = match by {
            Obstacle::Queue(bell) => Obstacle::Queue(bell.filter(|_| has_bell)),
            Obstacle::Holder | Obstacle::Sharing => by,
        };
        let mut held = KeySet::NONE;
        held.insert(0);
        Outcome::Denied {
            first_free: None,
            retry_after,
            watched: tracking && self.has_time() && is_told,
            held: Some(held),
            by,
        }
    }
}

#[cfg(test)]
mod tests;
