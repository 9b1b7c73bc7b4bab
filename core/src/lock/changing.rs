//! A change of mode: which is possible, and what is certain about it.

use super::{Lock, LockState};
use crate::change::ChangeError;
use crate::obtain::Mode;
use crate::time::Instant;

impl Lock {
    /// Whether it can change to this mode.
    pub(crate) fn can_change(&self, to: Mode, now: Instant) -> Result<(), ChangeError> {
        match self.state {
            LockState::Held(held) if held.lease.is_valid(now) => {}
            LockState::Held(_)
            | LockState::Attempting
            | LockState::Waiting { .. }
            | LockState::Releasing(_) => return Err(ChangeError::NotHeld),
        }
        if self.mode.is_exclusive() || to.is_exclusive() {
            Err(ChangeError::Exclusive)
        } else if !self.claim.token().is_random() {
            Err(ChangeError::OwnToken)
        } else if self.unsettled {
            Err(ChangeError::Unsettled)
        } else if self.change_to.is_some() {
            Err(ChangeError::UnderWay)
        } else if self.mode.is_shared() == to.is_shared() {
            Err(ChangeError::SameMode)
        } else {
            Ok(())
        }
    }

    /// Whether a request that could make it the only holder is on its way.
    pub(crate) fn is_upgrading(&self) -> bool {
        let changes = self
            .active
            .as_ref()
            .is_some_and(|active| active.kind.is_change());
        changes && self.change_to.is_some_and(|to| !to.is_shared())
    }

    /// There will be no reply to the request of the current round. If it is to change the lock, it may do so at any time.
    pub(crate) fn note_unsettled(&mut self) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.kind.is_change())
        {
            self.unsettled = true;
        }
    }
}
