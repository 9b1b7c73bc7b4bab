//! While a lock is held: renewals, refreshes, checks, and its loss.

use crate::event::{Event, Loss, NodeError};
use crate::id::LockId;
use crate::lease::Lease;
use crate::lock::{ActiveRound, KeySet, LockState, RoundKind, Verdict, pause_after_silence};
use crate::obtain::Renewal;
use crate::ttl::Ttl;

use super::waiters::Freed;
use super::{Entry, Locks};

impl Locks {
    pub(super) fn want_refresh(&mut self, id: LockId, ttl: Option<Ttl>) -> Option<()> {
        let now = self.now;
        let lock = self.lock_mut(id)?;
        let LockState::Held(held) = &mut lock.state else {
            return None;
        };
        let ttl = ttl.or(held.wanted).unwrap_or(lock.ttl);
        if !held.lease.is_valid(now) {
            return None;
        }
        held.wanted = Some(ttl);
        if lock.active.is_none() {
            self.renew(id);
        }
        Some(())
    }

    /// From now on only the caller's refreshes extend the lease. A refresh that was already requested is still sent.
    pub(super) fn stop_renewal(&mut self, id: LockId) {
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        lock.renewal = Renewal::Manual;
        if let LockState::Held(held) = &mut lock.state
            && held.wanted.is_none()
        {
            (held.renew_at, held.retrying) = (None, false);
        }
        self.rearm(id);
    }

    /// Starts to refresh: because the caller requests it, or because it is time.
    pub(super) fn renew(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let LockState::Held(held) = &mut lock.state else {
            return;
        };
        let wanted = held.wanted.take();
        lock.ttl = wanted.unwrap_or(lock.ttl);
        // From now on a node may set the shorter ttl: the lease must not last longer than that.
        let shortest = Lease::granted(now, lock.ttl);
        held.lease = held.lease.capped(shortest.expires_at());
        held.recheck = false;
        let requested = wanted.is_some();
        self.begin(
            id,
            if requested {
                RoundKind::Refresh
            } else {
                RoundKind::Renew
            },
        );
    }

    /// A refresh or a check has ended.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(super) fn hold_decided(&mut self, id: LockId, verdict: Verdict) {
        let now = self.now;
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let Some(active) = &lock.active else { return };
        let (kind, requested_at) = (active.kind, active.at);
        let denied = verdict == Verdict::Lost && active.round.is_denied();
        let won = (verdict == Verdict::Won).then(|| lock.lease(requested_at));
        let (error, ends) = (active.error(), active.ends());
        let refusal = active
            .refusal(lock.refused)
            .filter(|_| verdict == Verdict::Lost);
        lock.active = None;
        let single = self.setup.quorum == self.setup.nodes.len();
        let (renewal, ttl) = (lock.renewal, lock.ttl);
        let LockState::Held(held) = &mut lock.state else {
            return;
        };
        if denied {
            return self.lost(id, Loss::Taken);
        }
        // The lease ended before the reply: the result must not depend on whether reply or timeout is processed first.
        if !held.lease.is_valid(now) {
            return self.lease_over(id);
        }
        if let Some(error) = refusal.filter(|_| kind != RoundKind::Check) {
            return self.lost(id, Loss::Refused(error));
        }
        if kind == RoundKind::Check {
            if let Some(ends) = ends.filter(|_| won.is_some()) {
                held.note_end(ends, renewal, single, now);
            }
        } else {
            let requested = kind == RoundKind::Refresh;
            if let Some(lease) = won {
                held.refreshed(lease, renewal.after(requested_at, lease));
                // A refresh that was requested since is answered by the next round, together with all others.
                let requested = requested && held.wanted.is_none();
                let lease = held.lease;
                self.events.push_back(Event::Refreshed {
                    lock: id,
                    lease,
                    requested,
                });
            } else {
                if requested {
                    held.wanted = held.wanted.or(Some(ttl));
                }
                held.retrying = true;
                held.error = Some(error);
                held.renew_at = Some(now + pause_after_silence(ttl));
            }
        }
        self.go_on_holding(id);
    }

    /// Starts what had to wait for the end of a round.
    #[inline]
    pub(super) fn go_on_holding(&mut self, id: LockId) {
        #[cfg(feature = "modes")]
        if self.begin_change(id) {
            return;
        }
        let Some(Entry::Lock(lock)) = self.slab.get_mut(id) else {
            return;
        };
        let LockState::Held(held) = &mut lock.state else {
            return;
        };
        let (renew, check) = (held.wanted.is_some() && !held.retrying, held.recheck);
        if renew {
            self.renew(id);
        } else if check {
            self.check_if_woken(id);
        } else {
            self.timers.set(id.slot, lock.deadline());
        }
    }

    /// Checks on the nodes whether the lock is still ours, if something hinted at a change.
    pub(super) fn check_if_woken(&mut self, id: LockId) {
        let Some(lock) = self.lock_mut(id) else {
            return;
        };
        let LockState::Held(held) = &mut lock.state else {
            return;
        };
        if held.recheck && lock.active.is_none() {
            held.recheck = false;
            self.begin(id, RoundKind::Check);
        }
    }

    /// Whether a refresh will be repeated because too few nodes replied.
    pub(super) fn is_retrying(&self, id: LockId) -> bool {
        self.lock(id).is_some_and(|lock| match lock.state {
            LockState::Held(held) => held.retrying && lock.active.is_none(),
            LockState::Attempting | LockState::Waiting { .. } | LockState::Releasing(_) => false,
        })
    }

    /// The lease has ended.
    pub(super) fn lease_over(&mut self, id: LockId) {
        let now = self.now;
        let Some(lock) = self.lock(id) else { return };
        let reason = if lock.hold_until.is_some_and(|at| at <= now) {
            Loss::MaxHold
        } else {
            let refreshes =
                |active: &ActiveRound| matches!(active.kind, RoundKind::Refresh | RoundKind::Renew);
            let unanswered = lock.active.as_ref().filter(|active| refreshes(active));
            let error = match lock.state {
                LockState::Held(held) => held.error,
                LockState::Attempting | LockState::Waiting { .. } | LockState::Releasing(_) => None,
            };
            Loss::Expired {
                error: error.or_else(|| unanswered.map(|_| NodeError::TimedOut)),
            }
        };
        self.lost(id, reason);
    }

    pub(super) fn lost(&mut self, id: LockId, reason: Loss) {
        let Some(keys) = self.lock(id).map(|lock| lock.claim.keys().clone()) else {
            return;
        };
        self.events.push_back(Event::Lost { lock: id, reason });
        let (now, taken) = (self.now, reason == Loss::Taken);
        self.for_keys(id, KeySet::ALL, |locks, key| {
            if taken {
                locks.turns.lost(key, now);
            } else {
                locks.turns.ended(key, now);
            }
        });
        let ends = matches!(reason, Loss::Expired { .. });
        if ends
            && self
                .lock(id)
                .is_some_and(|lock| !lock.claim.token().is_random() && !lock.history.inherited)
        {
            // The key expires, unless another program with the same token keeps it.
            self.forget(id);
        } else {
            self.clean_up(id);
        }
        self.pass_on(&keys, Freed::Left(Some(self.taken_by_ourselves())));
    }
}
