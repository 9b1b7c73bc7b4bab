//! What a client relies on, and [`Promise::Weaker`]: in which mode, while a lock changes.

use tenure_core::{Event, Instant, Keys, LockId, Mode, NotChanged};

use super::client::Client;
use super::exclusion::is_shared;
use super::oracle::{Promise, Violation};

/// A lock that this client says is its own.
pub(crate) struct HeldLock {
    pub(crate) lock: LockId,
    pub(crate) keys: Keys,
    pub(crate) value: Box<[u8]>,
    /// In which it may be relied on, as the engine says.
    pub(crate) mode: Mode,
    pub(crate) change: Change,
    /// True time.
    pub(crate) since: Instant,
    /// On its own clock, as last reported.
    pub(super) until: Instant,
    /// Its token is the user's own: a late release of an earlier attempt looks like one of this lock.
    pub(crate) owned: bool,
    /// No lease of it may end later.
    pub(crate) cap: Option<Instant>,
    /// A refresh for another time may have made it shorter than last reported.
    pub(crate) reshaped: bool,
}

/// What has become of the last change of a lock.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// There was none, or it has ended.
    Settled,
    UnderWay,
    /// It is not known what it did, or will do.
    Unsettled,
}

impl Client {
    /// A change has ended, or something else has happened.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other events change no mode"
    )]
    pub(super) fn note_change(&mut self, lock: LockId, event: Event) {
        let mut held_locks = self.held_locks.iter_mut();
        let Some(held_lock) = held_locks.find(|held_lock| held_lock.lock == lock) else {
            return;
        };
        match event {
            Event::Changed { .. } => {
                held_lock.change = Change::Settled;
                if let Some(lease) = self.engine.lease(lock) {
                    held_lock.until = lease.expires_at();
                }
            }
            // A change in the other direction was refused, or failed, for certain; the engine knows which.
            Event::NotChanged {
                reason: NotChanged::Taken { .. },
                ..
            } => held_lock.change = Change::Settled,
            Event::NotChanged { .. } => held_lock.change = Change::Unsettled,
            _ => {}
        }
    }

    /// While a lock changes, and after a change without a reply, its client relies on no more than sharing the key.
    pub(super) fn check_beliefs(&mut self) -> Result<(), Violation> {
        for held_lock in &mut self.held_locks {
            let Some(mode) = self.engine.mode(held_lock.lock) else {
                continue;
            };
            held_lock.mode = mode;
            if held_lock.change == Change::Settled {
                continue;
            }
            if !is_shared(mode) {
                let how = format!(
                    "{:?} is relied on as {mode:?}, and its change is {:?}",
                    held_lock.lock, held_lock.change
                );
                return Err(Promise::Weaker.broken(how));
            }
            self.kept.weaker += 1;
        }
        Ok(())
    }
}
