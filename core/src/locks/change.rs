//! From reader to writer and back: `core/docs/modes.md` has the table.
//!
//! The weaker of both modes counts from the request on, until a reply says otherwise. So a lock that is to share its key does
//! so at once, and one that is to have it alone shares it until it is granted.

use crate::change::{ChangeError, NotChanged};
use crate::event::{Event, Holder, Loss};
use crate::id::{LockId, NodeId};
use crate::lock::{LockState, Obstacle, RoundKind, Verdict};
use crate::obtain::Mode;
use crate::time::Instant;

use super::waiters::Freed;
use super::{Entry, Locks};

impl Locks {
    /// Changes the mode of a held lock, from [`Mode::Shared`] to [`Mode::InTurn`] or back. It never waits: a lock that shares
    /// its key gets it alone if no other one does so at that moment. Ends with [`Event::Changed`], [`Event::NotChanged`], or
    /// the lock's terminal event. A change renews the lease, too.
    ///
    /// # Errors
    /// [`ChangeError`], and then nothing was sent.
    pub fn change(&mut self, lock: LockId, mode: Mode, now: Instant) -> Result<(), ChangeError> {
        let now = self.clamp(now);
        let single = self.setup.nodes.len() == 1;
        let of = self.lock_mut(lock).ok_or(ChangeError::NotHeld)?;
        of.can_change(mode, now)?;
        if !single {
            return Err(ChangeError::SeveralNodes);
        }
        of.change_to = Some(mode);
        if mode.is_shared() {
            of.mode = mode;
            let key = of.key_hash;
            self.turns.ended(key, now);
        } else if let Mode::Shared { limit } = of.mode {
            of.shared_limit = limit;
        }
        self.begin_change(lock);
        if mode.is_shared() {
            // Their requests follow the change. Whether it comes first, the server decides.
            self.let_in(lock);
        }
        Ok(())
    }

    /// Begins a change that was requested, if no other round goes on.
    pub(super) fn begin_change(&mut self, id: LockId) -> bool {
        let begins = |lock: &crate::lock::Lock| lock.active.is_none() && lock.change_to.is_some();
        let begins = self.lock(id).is_some_and(begins);
        if begins {
            self.begin(id, RoundKind::Change);
        }
        begins
    }

    /// A change has ended.
    pub(super) fn change_decided(&mut self, id: LockId, verdict: Verdict) {
        let now = self.now;
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let (Some(active), Some(to)) = (lock.active.take(), lock.change_to.take()) else {
            return;
        };
        let lease = lock.lease(active.at);
        let (renewal, key) = (lock.renewal, lock.key_hash);
        let LockState::Held(held) = &mut lock.state else {
            return;
        };
        let denied = active.round.is_denied();
        let alone = active.obstacle() == Obstacle::Holder;
        if denied && (to.is_shared() || alone) {
            // It would be granted to any lock that still has the key alone, or any that still shares it with others.
            return self.lost(id, Loss::Taken);
        }
        if !held.lease.is_valid(now) {
            return self.lease_over(id);
        }
        if verdict == Verdict::Won {
            held.refreshed(lease, renewal.after(active.at, lease));
            lock.mode = to;
            self.events.push_back(Event::Changed { lock: id, mode: to });
            if to.is_shared() {
                self.let_in(id);
            } else {
                self.turns.granted(key, now);
            }
        } else {
            let error = active.error();
            let reason = if denied {
                let by = Holder::Sharing;
                NotChanged::Taken { by }
            } else if lock.unsettled {
                NotChanged::Unanswered(error)
            } else {
                lock.unsettled = to.is_shared();
                NotChanged::Failed(error)
            };
            self.events
                .push_back(Event::NotChanged { lock: id, reason });
        }
        self.go_on_holding(id);
    }

    /// Others may share the key with this lock from now on. Nodes do not notify the locks of this engine of what it did.
    fn let_in(&mut self, id: LockId) {
        let keys = self.lock(id).map(crate::lock::Lock::keys);
        if let (Some(keys), Some(first)) = (keys, NodeId::new(0)) {
            self.pass_on(&keys, Freed::On(first));
        }
    }
}
