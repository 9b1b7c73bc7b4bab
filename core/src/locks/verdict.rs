//! Reasons: why a lock was not obtained, from a reply, from the current state of the nodes, or from the clock.

use core::time::Duration;

use crate::event::{Holder, NodeError, NotObtained};
use crate::id::{LockId, MAX_NODES, NodeId, NodeSet};
use crate::lock::{ActiveRound, Lock, LockState, Releasing, RoundKind};
use crate::time::Instant;

use super::Locks;
use super::turn::LOOK;

/// Locks that wait retry within that time after an error, by the default pauses ([`crate::Retry`]). A node that failed
/// before that and was not asked since may be well.
const RETRIED: Duration = Duration::from_secs(1);

/// What is wrong with each node, or nothing.
#[derive(Clone, Debug, Hash)]
pub(super) struct PerNode<T>([Option<T>; MAX_NODES]);

impl<T: Copy> PerNode<T> {
    pub(super) const NONE: Self = Self([None; MAX_NODES]);

    pub(super) fn note(&mut self, node: NodeId, error: Option<T>) {
        if let Some(known) = self.0.get_mut(node.index()) {
            *known = error;
        }
    }

    fn of(&self, node: NodeId) -> Option<T> {
        self.0.get(node.index()).copied().flatten()
    }
}

impl Locks {
    /// A node can be used from now on, or cannot, for this reason. A wait ends if too many nodes have a final error.
    pub fn handle_node(&mut self, node: NodeId, error: Option<NodeError>, now: Instant) {
        self.clamp(now);
        self.down.note(node, error);
        if error.is_none() {
            self.failing.note(node, None);
        }
        if error.is_some_and(NodeError::is_final)
            && let Some(refusal) = self.too_few().filter(|error| error.is_final())
        {
            self.end_waits(refusal);
        }
    }

    fn end_waits(&mut self, error: NodeError) {
        let mut slot = 0;
        while let Some(id) = self.slab.first_from(slot) {
            slot = id.slot.saturating_add(1);
            let state = self.lock(id).map(|lock| &lock.state);
            if matches!(state, Some(LockState::Waiting { .. })) {
                self.end_unobtained(id, NotObtained::Refused(error));
            }
        }
    }

    /// Why no quorum can be reached now; `None` if one can. Final errors count first.
    fn too_few(&self) -> Option<NodeError> {
        self.too_few_without(|node| self.down.of(node))
    }

    /// The same, and nodes count as well whose latest reply to any lock of this engine was an error that may pass, or did not
    /// come, if that is recent.
    fn too_few_lately(&self) -> Option<NodeError> {
        let passing = |node| {
            let (error, at) = self.failing.of(node)?;
            let is_new = self.now <= at + RETRIED + self.setup.request_timeout;
            (!error.is_final() && is_new).then_some(error)
        };
        self.too_few_without(|node| self.down.of(node).or_else(|| passing(node)))
    }

    /// The same, and all nodes count if none has replied lately.
    fn too_few_reply(&self) -> Option<NodeError> {
        let silent = !self.is_recent(self.replied_at);
        let few = self.too_few_lately();
        few.or_else(|| silent.then_some(NodeError::TimedOut))
    }

    fn too_few_without(&self, error: impl Fn(NodeId) -> Option<NodeError>) -> Option<NodeError> {
        let errors = || self.setup.nodes.iter().filter_map(&error);
        let lacks = |count: usize| self.setup.nodes.len() < self.setup.quorum.saturating_add(count);
        let is_final = |error: &NodeError| error.is_final();
        if lacks(errors().filter(is_final).count()) {
            return errors().find(is_final);
        }
        if lacks(errors().count()) {
            return errors().find(|error| !error.is_final());
        }
        None
    }

    /// Who holds the keys that this lock was denied: this engine, if the nodes that denied would not have prevented a quorum
    /// without the values that locks of this engine have, or may have left, on them. The lock's own value never denies an
    /// obtain, unless one lock with it shares the key and the other is to have it alone; but a look does not compare values.
    pub(super) fn holder(&self, id: LockId) -> Holder {
        let Some(lock) = self.lock(id) else {
            return Holder::Other;
        };
        let Some(active) = &lock.active else {
            return Holder::Other;
        };
        let looked = active.kind == RoundKind::Look;
        // This lock is among those of its keys.
        let mut ours = NodeSet::EMPTY;
        for key in lock.claim.keys().iter() {
            let mut rank = 0;
            while let Some((_, other)) = self.next_of(key.as_bytes(), &mut rank) {
                let other = self.lock(other);
                let differs = |other: &&Lock| {
                    other.claim.value() != lock.claim.value()
                        || other.mode.is_shared() != lock.mode.is_shared()
                };
                if let Some(other) = other.filter(|other| looked || differs(other)) {
                    ours = ours.union(other.may_be_held_on());
                }
            }
        }
        let others = active.round.denied().without(ours);
        if self.setup.nodes.without(others).holds(self.setup.quorum) {
            Holder::Ourselves
        } else {
            Holder::Other
        }
    }

    /// The reason that is reported at the end of a wait.
    pub(super) fn reason_after_wait(&self, lock: &Lock) -> NotObtained {
        match self.too_few() {
            Some(error) if error.is_final() => return NotObtained::Refused(error),
            Some(error) => return NotObtained::Unreachable(error),
            None => {}
        }
        if let LockState::Waiting { parked: true, .. } = lock.state {
            let mut keys = lock.claim.keys().iter();
            let before = keys.find_map(|key| Some((key, self.blocker(lock, key)?)));
            // What an attempt of this lock has left is not held by another lock.
            let left = |other: &Lock| {
                let unreported = |releasing: &Releasing| releasing.announce.is_none();
                other.claim.value() == lock.claim.value()
                    && other.releasing().is_some_and(unreported)
            };
            if let Some((key, before)) = before.filter(|(_, before)| !left(before)) {
                // The lock in front, or one that it waits for in turn, has the key, or was granted it too late.
                let has = has_keys(before) || self.blocker(before, key).is_some_and(has_keys);
                let queued =
                    before.is_waiter() && !before.mode.is_shared() && lock.mode.is_shared();
                let by = if queued {
                    Holder::Queue
                } else if before.mode.is_shared() && !lock.mode.is_exclusive() {
                    Holder::Sharing
                } else {
                    Holder::Ourselves
                };
                if has || before.was_too_late() {
                    return NotObtained::TimedOut { by };
                }
                if let Some(error) = self.too_few_lately() {
                    return NotObtained::Unreachable(error);
                }
                // The first of a queue is in the way even if others deny it.
                let known = before.last_failure_about(key).filter(|_| !queued);
                let denial = known.and_then(|(reason, at)| self.recent_denial(reason, at));
                // As long as a lock of this engine had the key, there was nothing to ask: that is known without a reply.
                return denial.unwrap_or_else(|| match self.too_few_reply() {
                    Some(error) => NotObtained::Unreachable(error),
                    None => NotObtained::TimedOut { by },
                });
            }
        }
        self.recent_failure(lock)
    }

    /// The last reason that nodes reported for the keys of this lock. If that is too old to be true, what they have reported
    /// to other locks of this engine since: one that is parked, or that made an attempt when its wait ended, has no recent reply.
    fn recent_failure(&self, lock: &Lock) -> NotObtained {
        let own = lock
            .failure
            .and_then(|(reason, at)| Some((self.still_true(reason, at)?, at)));
        if let Some((reason @ NotObtained::TimedOut { .. }, _)) = own {
            return reason;
        }
        let mut latest = own;
        for key in lock.claim.keys().iter() {
            let mut rank = 0;
            while let Some((at, other)) = self.next_of(key.as_bytes(), &mut rank) {
                let other = self.lock(other).filter(|_| at != lock.rank);
                // A grant that came too late is no denial.
                let denied = other.filter(|other| other.is_wanted() && !other.was_too_late());
                if let Some((reason, at)) = denied.and_then(|other| other.last_failure_about(key))
                    && latest.is_none_or(|(_, known)| known < at)
                    && let Some(reason) = self.still_true(reason, at)
                {
                    latest = Some((reason, at));
                }
            }
        }
        if let Some((reason, _)) = latest {
            return reason;
        }
        // Nothing recent is known about the keys, but perhaps about the nodes.
        match (self.too_few_reply(), lock.failure) {
            (None, Some((NotObtained::Taken { by, .. }, _))) => NotObtained::TimedOut { by },
            // It has waited for another lock of this engine until now, whose keys one with the same token goes on with.
            (None, None) if matches!(lock.state, LockState::Waiting { parked: true, .. }) => {
                let by = Holder::Ourselves;
                NotObtained::TimedOut { by }
            }
            (error, _) => NotObtained::Unreachable(error.unwrap_or(NodeError::TimedOut)),
        }
    }

    /// What nodes reported at that time, if it is recent enough to be true.
    fn still_true(&self, reason: NotObtained, at: Instant) -> Option<NotObtained> {
        if matches!(reason, NotObtained::Taken { .. }) {
            return self.recent_denial(reason, at);
        }
        Some(reason)
    }

    /// A denial, at the end of a wait, if it is recent enough to be true.
    fn recent_denial(&self, reason: NotObtained, at: Instant) -> Option<NotObtained> {
        let NotObtained::Taken { by, .. } = reason else {
            return None;
        };
        self.is_recent(at).then_some(NotObtained::TimedOut { by })
    }

    /// Whether what was known then can still be true.
    pub(super) fn is_recent(&self, at: Instant) -> bool {
        self.now <= at + LOOK + self.setup.request_timeout
    }
}

/// Whether the lock holds its keys, or has been granted them and raises the counters, or releases them.
fn has_keys(lock: &Lock) -> bool {
    let seals = |active: &ActiveRound| active.kind == RoundKind::Seal;
    matches!(lock.state, LockState::Held(_) | LockState::Releasing(_))
        || lock.active.as_ref().is_some_and(seals)
}
