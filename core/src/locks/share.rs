//! Several locks of one engine with the same token: together they are one holder.
//!
//! Every request with the same chosen token is granted the same lock. When one of these locks ends, others may still hold
//! its keys: so only the last one that holds a key deletes it.

use alloc::vec::Vec;

use crate::claim::Claim;
use crate::id::LockId;
use crate::keys::{Key, Keys};
use crate::lock::{Lock, LockState, Op};

use super::Locks;

impl Locks {
    /// A lock ends: keeps those keys that other locks with the same token hold. True if these are all its keys.
    #[inline]
    pub(super) fn is_kept_by_others(&mut self, id: LockId) -> bool {
        // Drawn tokens are never equal.
        let may_be = |lock: &Lock| !lock.claim.token().is_random();
        self.lock(id).is_some_and(may_be) && self.keep_for_others(id)
    }

    #[cold]
    fn keep_for_others(&mut self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        let co_holders = lock
            .claim
            .keys()
            .iter()
            .map(|key| self.co_holder(id, lock, key));
        let co_holders: Vec<Option<LockId>> = co_holders.collect();
        if co_holders.iter().all(Option::is_none) {
            return false;
        }
        let keys = lock.claim.keys().clone();
        let (may_hold, gone_at) = (lock.may_hold, lock.gone_at);
        for co_holder in co_holders.iter().flatten() {
            if let Some(co_holder) = self.lock_mut(*co_holder) {
                co_holder.may_hold = co_holder.may_hold.union(may_hold);
                co_holder.gone_at = co_holder.gone_at.max(gone_at);
                co_holder.history.inherited = true;
                if let Some(active) = &mut co_holder.active {
                    active.inherits(may_hold);
                }
            }
        }
        let left = keys
            .iter()
            .zip(&co_holders)
            .filter(|(_, co_holder)| co_holder.is_none());
        match Keys::new(left.map(|(key, _)| key.clone())) {
            Ok(left) => {
                self.keep_only(id, left);
                false
            }
            // None is left.
            Err(_) => true,
        }
    }

    /// Whether waiters may have the same token.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn is_for_several(&self, id: LockId) -> bool {
        let lock = self.lock(id);
        self.index.has_waiters() && lock.is_some_and(|lock| !lock.claim.token().is_random())
    }

    /// A refresh keeps a longer time of the keys if another lock with the same token relies on it. That is decided when it is
    /// sent, not when it begins: a server without the script gets it again, behind what has been requested since.
    #[cold]
    pub(super) fn beside_others<'a>(&self, id: LockId, mut op: Op<'a>) -> Op<'a> {
        if let Op::Refresh {
            keep: keep @ false, ..
        } = &mut op
        {
            *keep = self.is_shared(id);
        }
        op
    }

    /// Whether another lock with the same chosen token holds one of the keys of this one, or attempts to obtain it.
    pub(super) fn is_shared(&self, id: LockId) -> bool {
        let lock = self.lock(id).filter(|lock| !lock.claim.token().is_random());
        lock.is_some_and(|lock| {
            let mut keys = lock.claim.keys().iter();
            keys.any(|key| self.co_holder(id, lock, key).is_some())
        })
    }

    /// Another lock with the same value that holds this key or attempts to obtain it.
    fn co_holder(&self, id: LockId, lock: &Lock, key: &Key) -> Option<LockId> {
        let mut rank = 0;
        while let Some((_, other)) = self.next_of(key.as_bytes(), &mut rank) {
            if other == id {
                continue;
            }
            let holds = self.lock(other).is_some_and(|other| match other.state {
                _ if other.claim.value() != lock.claim.value() => false,
                // In any mode: what ends one that shares the key also deletes it if its value is the whole one.
                LockState::Held(_) => true,
                LockState::Attempting => other
                    .active
                    .as_ref()
                    .is_some_and(|active| active.kind.is_attempt()),
                LockState::Waiting { .. } | LockState::Releasing(_) => false,
            });
            if holds {
                return Some(other);
            }
        }
        None
    }

    fn keep_only(&mut self, id: LockId, left: Keys) {
        let prefix = self.setup.prefix.clone();
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let (old, rank) = (lock.claim.keys().clone(), lock.rank);
        let (token, metadata) = (lock.claim.token().clone(), lock.claim.metadata().to_vec());
        lock.claim = Claim::new(&prefix, left.clone(), token, &metadata);
        self.index.remove(&old, rank);
        self.index.insert(&left, rank, id.slot);
    }
}
