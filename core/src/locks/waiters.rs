//! The queue of waiters within one engine: which lock waits behind which, and which attempts next.
//!
//! An engine with several waiters must end no worse than as many engines with one each. So a waiter is parked, and sends
//! nothing, only while
//! - a lock of this engine holds one of its keys, or
//! - an older waiter of this engine *contends for* one of its keys: it makes an attempt now, or was denied because of that key
//!   ([`Lock::contends_for`]).
//!
//! In both cases the key is held, or a request is about to show whether it is, and a waiter with an engine of its own would wait as well.
//! Older waiters that wait for another key do not block; when their key becomes free they come first.

use core::time::Duration;

use crate::event::{Holder, NotObtained};
use crate::id::{LockId, NodeId};
use crate::keys::{Key, Keys};
use crate::lock::{DISTANCE_FACTOR, Lock, LockState, Order, WAITER, Wake};
use crate::time::{Instant, Micros};

use super::Locks;

/// The longest random delay after a wake, so that contenders for a quorum do not all retry at once.
const WAKE_SPREAD: Duration = Duration::from_millis(10);
/// The same in round trips.
const SPREAD_TRIPS: u64 = 8;

/// What happened to keys that waiters may want.
#[derive(Copy, Clone, Debug)]
pub(super) enum Freed {
    /// The lock in front has left, or waits for another key. With its last failure.
    Left(Option<(NotObtained, Instant)>),
    /// Only leftovers of a lost attempt were released, which no other lock waits for.
    Leftovers,
    /// A release of them has been handed out to every node; requests that are queued now follow it.
    Requested,
    /// This node has confirmed that they are free.
    On(NodeId),
}

impl Locks {
    /// Whether a lock must not request its keys now.
    pub(super) fn is_blocked(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        let mut keys = lock.claim.keys().iter();
        keys.any(|key| self.blocker(lock, key).is_some())
    }

    /// Whether a lock of this engine with one of its keys is being released, and no other lock of this engine holds one.
    pub(super) fn is_being_released(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        let (mut released, mut held) = (false, false);
        for key in lock.claim.keys().iter() {
            let mut rank = 0;
            while let Some((at, other)) = self.next_of(key.as_bytes(), &mut rank) {
                let other = self.lock(other);
                let state = other.filter(|_| at != lock.rank).map(|other| &other.state);
                held |= matches!(state, Some(LockState::Held(_)));
                let in_round = other.is_some_and(|other| other.active.is_some());
                released |= in_round && matches!(state, Some(LockState::Releasing(_)));
            }
        }
        released && !held
    }

    /// Whether it waits behind an older waiter.
    pub(super) fn is_behind_waiter(&self, id: LockId) -> bool {
        let Some(lock) = self.lock(id) else {
            return false;
        };
        let mut keys = lock.claim.keys().iter();
        keys.any(|key| {
            self.blocker(lock, key).is_some_and(|other| {
                !matches!(other.state, LockState::Held(_) | LockState::Releasing(_))
            })
        })
    }

    /// The lock that this one has to wait for because of `key`.
    pub(super) fn blocker(&self, lock: &Lock, key: &Key) -> Option<&Lock> {
        let waits = lock.give_up_at.is_some();
        let mut rank = 0;
        while let Some((at, other)) = self.next_of(key.as_bytes(), &mut rank) {
            let is_waiter = at >= WAITER;
            if is_waiter && (!waits || at >= lock.rank) {
                return None;
            }
            let other = self.lock(other);
            let blocks = |other: &&Lock| {
                if is_waiter {
                    lock.mode.waits_behind(other.mode)
                        && (other.contends_for(key.as_bytes())
                            || self.keeps_place(lock, other, key))
                } else {
                    other.blocks((&lock.claim, lock.mode), waits)
                }
            };
            if at != lock.rank
                && let Some(other) = other.filter(blocks)
            {
                return Some(other);
            }
        }
        None
    }

    /// Whether `older` is parked because of `key`, and would never get it if later locks went on sharing it.
    fn keeps_place(&self, lock: &Lock, older: &Lock, key: &Key) -> bool {
        lock.mode.is_shared()
            && !older.mode.is_shared()
            && matches!(older.state, LockState::Waiting { parked: true, .. })
            && self.blocker(older, key).is_some()
    }

    /// Whether those behind this waiter may try to share the key with it.
    fn lets_others_share(&self, id: LockId) -> bool {
        self.lock(id).is_some_and(|lock| lock.mode.is_shared())
    }

    /// The next lock of `key` from this rank on, with its rank; `rank` is then set to the one after it.
    pub(super) fn next_of(&self, key: &[u8], rank: &mut u64) -> Option<(u64, LockId)> {
        let (at, slot) = self.index.first_from(key, *rank)?;
        *rank = at.saturating_add(1);
        // Every lock in the index is in the slab.
        Some((at, self.slab.id_of(slot)?))
    }

    /// Adds the lock to the waiters of its keys, or removes it from them.
    pub(super) fn queue(&mut self, id: LockId, waits: bool) {
        let Some(lock) = self.lock_mut(id).filter(|lock| lock.is_waiter() != waits) else {
            return;
        };
        let (keys, old) = (lock.keys(), lock.rank);
        lock.rank ^= WAITER;
        let new = lock.rank;
        self.index.remove(&keys, old);
        self.index.insert(&keys, new, id.slot);
    }

    /// Starts an attempt of the oldest waiter of each key that is not blocked.
    pub(super) fn pass_on(&mut self, keys: &Keys, freed: Freed) {
        if self.index.has_waiters() {
            for key in keys.iter() {
                self.pass_key_on(key, freed);
            }
        }
    }

    pub(super) fn pass_key_on(&mut self, key: &Key, freed: Freed) {
        let mut rank = WAITER;
        while let Some((_, id)) = self.next_of(key.as_bytes(), &mut rank) {
            let Some(lock) = self.lock(id) else { continue };
            match lock.state {
                LockState::Attempting => {
                    self.note_freed(id, freed);
                    if !self.lets_others_share(id) {
                        return;
                    }
                }
                LockState::Waiting { parked: false, .. } if lock.waits_for(key.as_bytes()) => {
                    self.attempt_if_freed(id, freed);
                    if self.contends_for(id, key.as_bytes()) && !self.lets_others_share(id) {
                        return;
                    }
                }
                LockState::Waiting { parked: true, .. } if !self.is_blocked(id) => {
                    self.inherit_failure(id, freed);
                    self.attempt_now(id);
                    if !self.lets_others_share(id) {
                        return;
                    }
                }
                // The lock in front has ended, but what it left on nodes still blocks this one. It learns why.
                LockState::Waiting { parked: true, .. }
                    if matches!(freed, Freed::Left(Some(_))) =>
                {
                    self.inherit_failure(id, freed);
                }
                LockState::Waiting { .. } | LockState::Held(_) | LockState::Releasing(_) => {}
            }
        }
    }

    /// Takes over what the lock in front knew about the keys, until a reply of its own arrives.
    fn inherit_failure(&mut self, id: LockId, freed: Freed) {
        let ours = Some(self.taken_by_ourselves());
        let is_old = matches!(freed, Freed::Left(Some((_, at))) if !self.is_recent(at));
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        lock.failure = match freed {
            // Until now the lock in front was in the way, whatever nodes have reported long ago.
            Freed::Left(Some(_)) if is_old => ours,
            // For other locks this means that a lock of this engine held the key.
            Freed::Left(Some((NotObtained::TooLate, _))) | Freed::Requested => ours,
            // Those who share the key are in nobody's way who wants to share it, too: but the lock in front was.
            Freed::Left(Some((NotObtained::Taken { remaining, by }, at)))
                if by == Holder::Sharing && lock.mode.is_unlimited() =>
            {
                let by = Holder::Queue;
                Some((NotObtained::Taken { remaining, by }, at))
            }
            Freed::Left(Some(known)) => Some(known),
            // It may be a leftover of an attempt of this same lock.
            Freed::Left(None) | Freed::Leftovers | Freed::On(_) => lock.failure.or(ours),
        };
    }

    /// The reason of a lock that another lock of this engine has blocked until now.
    pub(super) fn taken_by_ourselves(&self) -> (NotObtained, Instant) {
        let (remaining, by) = (None, Holder::Ourselves);
        (NotObtained::Taken { remaining, by }, self.now)
    }

    fn contends_for(&self, id: LockId, key: &[u8]) -> bool {
        self.lock(id).is_some_and(|lock| lock.contends_for(key))
    }

    /// The lock has requested the keys already. If it was denied by a node where they are free now, it retries.
    fn note_freed(&mut self, id: LockId, freed: Freed) {
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        match freed {
            Freed::On(node) => {
                let active = lock.active.as_mut();
                if let Some(active) = active.filter(|active| active.round.denied().contains(node)) {
                    active.wake = active.wake.max(Wake::Freed);
                }
            }
            // Its wait may end before it has a reply.
            Freed::Left(Some((_, at))) if lock.failure.is_none_or(|(_, own)| own < at) => {
                self.inherit_failure(id, freed);
            }
            Freed::Left(_) | Freed::Leftovers | Freed::Requested => {}
        }
    }

    /// The lock waits for keys that others held: retries if they are free on enough nodes.
    fn attempt_if_freed(&mut self, id: LockId, freed: Freed) {
        let (nodes, quorum) = (self.setup.nodes, self.setup.quorum);
        let Some(lock) = self.lock_mut(id).filter(|lock| !lock.awaits_bell()) else {
            return;
        };
        let attempts = match freed {
            Freed::Left(_) | Freed::Leftovers => false,
            Freed::Requested => true,
            Freed::On(node) => lock.denied.remove(node) && nodes.without(lock.denied).holds(quorum),
        };
        if attempts {
            self.attempt_or_park(id);
        }
    }

    /// A key has changed on a node, `amid` the replies to a request of that lock.
    pub(super) fn wake_key(&mut self, node: NodeId, key: &[u8], amid: Option<LockId>) {
        let mut rank = 0;
        while let Some((at, id)) = self.next_of(key, &mut rank) {
            let Some(lock) = self.lock(id) else { continue };
            let waits = lock.waits_for(key);
            let is_concerned = match lock.state {
                LockState::Waiting { parked: true, .. } if !self.is_blocked(id) => {
                    self.attempt_now(id);
                    if self.lets_others_share(id) {
                        continue;
                    }
                    return;
                }
                LockState::Waiting { .. } => waits && !lock.awaits_bell(),
                // A key that is shared changes whenever others come and go. Its loss shows with the next refresh.
                LockState::Held(_) if lock.expects_changes() => false,
                LockState::Attempting | LockState::Held(_) => true,
                LockState::Releasing(_) => false,
            };
            if is_concerned {
                self.wake(id, node, amid);
            }
            // If it has to wait for another key now, this key goes to the next waiter.
            if at >= WAITER && self.contends_for(id, key) && !self.lets_others_share(id) {
                return;
            }
        }
    }

    /// Something may have changed for this lock.
    pub(super) fn wake(&mut self, id: LockId, node: NodeId, amid: Option<LockId>) {
        let (now, at) = (self.now, self.after_wake(id));
        let blocked = self.is_blocked(id);
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        // Replies and wakes of a node arrive in order: a reply that is still to come is newer than the wake, unless parts of it
        // have arrived.
        let active = lock.active.as_ref();
        let pending = active.is_some_and(|active| active.round.pending().contains(node));
        let knows = pending && amid != Some(id);
        let busy = lock.active.is_some();
        match &mut lock.state {
            _ if knows => {}
            LockState::Attempting => {
                if let Some(active) = &mut lock.active {
                    active.wake = Wake::Changed;
                }
            }
            // A lock of this engine blocks it now.
            LockState::Waiting { until, .. } if blocked => {
                let until = *until;
                self.park(id, until);
            }
            LockState::Waiting { .. } if at <= now => self.attempt_now(id),
            LockState::Waiting { until, parked, .. } => {
                *until = Some(until.map_or(at, |until| until.min(at)));
                *parked = false;
            }
            // With a check, not a refresh: a refresh changes the key, which would wake its waiters and then this holder again.
            LockState::Held(held) => {
                held.recheck = true;
                self.check_if_woken(id);
            }
            LockState::Releasing(_) if busy => {}
            LockState::Releasing(_) => self.release_again(id),
        }
        self.rearm(id);
    }

    /// When to retry after a wake, or after keys have expired. With a quorum, contenders that retry at the same moment split the
    /// nodes and none wins, so a random delay is added.
    pub(super) fn after_wake(&mut self, id: LockId) -> Instant {
        if !self.contenders_share() {
            return self.now;
        }
        let known = self.lock(id).map(|lock| lock.round_trip);
        let spread = match known {
            Some(trip) if trip.0 > 0 => WAKE_SPREAD.min(trip.times(SPREAD_TRIPS).into()),
            _ => WAKE_SPREAD,
        };
        self.now + self.rng.duration_up_to(spread)
    }

    /// How long other processes may take to retry after a wake, if they are as far away as turns allow for.
    pub(super) fn longest_spread(&self, round_trip: Micros) -> Micros {
        if self.contenders_share() {
            let farther = round_trip.times(SPREAD_TRIPS).times(DISTANCE_FACTOR);
            farther.min(WAKE_SPREAD.into())
        } else {
            Micros::default()
        }
    }

    fn contenders_share(&self) -> bool {
        self.setup.nodes.len() > 1 && self.setup.order == Order::Parallel
    }
}
