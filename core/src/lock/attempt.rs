//! An attempt of a lock: its rounds, and what it may leave on nodes.

use super::{ActiveRound, Fencing, Lock, LockState, Op, Outcome, Round, RoundKind};
use crate::event::NodeError;
use crate::id::{NodeId, NodeSet, RequestId};
use crate::time::{Instant, Micros};

impl Lock {
    /// Begins a round; requests to its first nodes are queued now. Replies to earlier rounds no longer count.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn begin(&mut self, kind: RoundKind, round: Round, now: Instant, deadline: Instant) {
        self.round = self.round.wrapping_add(1);
        if kind.sets_ttl() {
            self.history.note_request(self.ttl);
        }
        if kind == RoundKind::Obtain {
            let counts = !self.ticket_mut().is_some_and(|ticket| ticket.restart(now));
            let attempts = self.progress.attempts.saturating_add(u32::from(counts));
            self.progress.attempts = attempts;
        }
        if (kind == RoundKind::Obtain || kind.is_change())
            && let Some(fencing) = &mut self.fencing
        {
            fencing.restart();
        }
        let until = self.round_end(kind, deadline);
        let again = self.may_hold_already();
        let active = ActiveRound::new(kind, round, (now, until), again, self.may_hold);
        self.active = Some(active);
    }

    /// Gives the nodes that got a request just now until `deadline`. Nodes in order have a request timeout
    /// of its own.
    pub(crate) fn extend_deadline(&mut self, deadline: Instant) {
        let Some(kind) = self.active.as_ref().map(|active| active.kind) else {
            return;
        };
        let until = self.round_end(kind, deadline);
        if let Some(active) = &mut self.active {
            active.deadline = until;
        }
    }

    /// The end of a round whose nodes have until `deadline` to reply.
    fn round_end(&mut self, kind: RoundKind, deadline: Instant) -> Instant {
        if kind.sets_ttl() {
            self.gone_at = self.gone_at.max(deadline + self.ttl.as_micros());
        }
        match self.give_up_at {
            // The end of the wait bounds the round; the release that follows takes care of requests without a reply.
            Some(end) if kind.obtains() => end.min(deadline),
            _ => deadline,
        }
    }

    /// If enough nodes have replied for a quorum and the round is still open, shortens the time for the silent ones: they must
    /// not delay the next attempt.
    pub(crate) fn shorten_deadline(&mut self, now: Instant, quorum: usize) {
        if let Some(active) = &mut self.active
            && active.kind.obtains()
            && active.waits_for_silent_only(quorum)
        {
            let round_end = now.micros_since(active.at).times(8).max(Micros(20_000));
            active.deadline = active.deadline.min(now + round_end);
            active.is_shortened = true;
        }
    }

    /// Whether it is not held yet, and a caller waits for that.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.state {
            LockState::Attempting | LockState::Waiting { .. } => true,
            LockState::Held(_) | LockState::Releasing(_) => false,
        }
    }

    /// Notes that a request was never answered: `node` may carry it out at any time from now on. Where nothing of this lock
    /// can be, the request was a look, or was never sent.
    pub(crate) const fn note_unanswered(&mut self, node: NodeId) {
        if self.may_hold.contains(node) {
            self.history.note_unanswered();
        }
    }

    /// There will be no reply to this request.
    #[cold]
    pub(crate) fn note_lost(&mut self, request: RequestId) {
        #[cfg(feature = "modes")]
        if self.round == request.round {
            self.note_unsettled();
        }
        self.note_unanswered(request.node);
    }

    /// A request was carried out, and does not count. Returns why.
    #[cold]
    #[cfg_attr(
        not(feature = "modes"),
        allow(
            unused_variables,
            clippy::unused_self,
            clippy::needless_pass_by_ref_mut,
            clippy::missing_const_for_fn,
            reason = "there is nothing to change to"
        )
    )]
    pub(crate) fn note_weak(&mut self, request: RequestId) -> NodeError {
        #[cfg(feature = "modes")]
        if self.round == request.round {
            self.note_unsettled();
        }
        NodeError::NoReplicas
    }

    /// Splits off a lock that only releases what a lost attempt may have left, while this one continues with a fresh token:
    /// an obtain or release of the old token that is carried out late cannot affect the next attempt. A token that the user
    /// chose cannot change: then this lock also keeps track of the leftovers, and they are released only once.
    pub(crate) fn split_leftovers(&mut self, rank: u64) -> Self {
        let mut rest = self.clone();
        rest.rank = rank;
        rest.give_up_at = None;
        rest.start_releasing(None, self.gone_at);
        match self.claim.successor() {
            Some(claim) => {
                self.claim = claim;
                self.may_hold = NodeSet::EMPTY;
                self.history.token_changed(self.ttl);
            }
            None => {
                if let LockState::Releasing(releasing) = &mut rest.state {
                    releasing.once = true;
                }
            }
        }
        rest
    }

    /// Whether a node may hold our value already, so that finding it there is a success.
    fn may_hold_already(&self) -> bool {
        !self.claim.token().is_random()
            || self.history.has_unanswered()
            || !self.may_hold.is_empty()
    }

    /// Notes which nodes reply with a final error, also after their round has ended: a round may end with the first of
    /// them.
    pub(crate) fn note_refusal(&mut self, node: NodeId, outcome: Outcome) {
        if self
            .active
            .as_ref()
            .is_some_and(|active| active.kind == RoundKind::Look)
        {
            // A look needs fewer permissions than an obtain.
            return;
        }
        match outcome {
            Outcome::Failed(error) if error.is_final() => self.refused.insert(node),
            Outcome::Granted { .. } | Outcome::Denied { .. } => {
                self.refused.remove(node);
            }
            Outcome::Weak | Outcome::Failed(_) | Outcome::Unknown => {}
        }
    }

    /// Whether the key has expired while the counters were being raised, so that nobody else took it.
    pub(crate) fn expired_in_seal(&self, active: &ActiveRound, now: Instant) -> bool {
        let until = self.fencing.as_ref().and_then(|fencing| fencing.until);
        active.kind == RoundKind::Seal && until.is_some_and(|until| until <= now)
    }

    /// The operation of `request`, unless its reply no longer counts.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn op(&self, request: RequestId) -> Option<Op<'_>> {
        match &self.active {
            Some(active) if self.round == request.round => {
                let wanted = active.round.pending().contains(request.node);
                wanted.then(|| self.op_of(active, request.node))
            }
            _ => self.late_op(request),
        }
    }

    /// The operation of a round on one node.
    #[inline]
    fn op_of(&self, active: &ActiveRound, node: NodeId) -> Op<'_> {
        let (claim, ttl, mode, again) = (&self.claim, self.ttl, self.mode, active.again);
        let fencing = self.fencing.as_deref();
        match active.kind {
            RoundKind::Obtain => Op::Obtain {
                claim,
                ttl,
                again,
                mode,
                fence: fencing.map(Fencing::keep),
                waits: self.give_up_at.is_some(),
                // The queue is on the first node: the client that has the key there is the next to have it on all.
                ticket: self.ticket().filter(|_| node.index() == 0),
                change: false,
            },
            #[cfg(feature = "modes")]
            RoundKind::Change => {
                let mode = self.change_to.unwrap_or(mode);
                Op::Obtain {
                    claim,
                    ttl,
                    again,
                    mode,
                    fence: fencing.filter(|_| !mode.is_shared()).map(Fencing::keep),
                    waits: false,
                    ticket: None,
                    change: true,
                }
            }
            // A shorter ttl is meant to count, unless another lock relies on a longer one: `Locks::beside_others`.
            RoundKind::Refresh => Op::Refresh {
                claim,
                ttl,
                keep: false,
                mode,
                fence: None,
            },
            RoundKind::Renew | RoundKind::Seal => {
                let seals = active.kind == RoundKind::Seal;
                Op::Refresh {
                    claim,
                    ttl,
                    // Other processes with the same chosen token may have requested a longer ttl.
                    keep: !claim.token().is_random(),
                    mode,
                    fence: fencing.filter(|_| seals).map(Fencing::seal),
                }
            }
            RoundKind::Check => Op::Check { claim, mode },
            RoundKind::Look => Op::Look { claim },
            RoundKind::Release => Op::Release { claim, ttl, mode },
        }
    }

    /// Whether its keys change while it is held without any harm.
    pub(crate) fn expects_changes(&self) -> bool {
        #[cfg(feature = "modes")]
        return self.mode.is_shared() && !self.is_upgrading();
        #[cfg(not(feature = "modes"))]
        false
    }

    /// The obtain for a node that had not answered when the lock was won.
    #[cold]
    fn late_op(&self, request: RequestId) -> Option<Op<'_>> {
        let (won, late) = self.late;
        let wanted = won == request.round && matches!(self.state, LockState::Held(_));
        (wanted && late.contains(request.node)).then_some(Op::Obtain {
            claim: &self.claim,
            ttl: self.ttl,
            again: true,
            mode: self.mode,
            fence: self.fencing.as_deref().map(Fencing::keep),
            waits: false,
            ticket: None,
            change: false,
        })
    }

    /// Notes whether a node may hold our value after its reply to a round of this kind, if that is known.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn note_left(&mut self, node: NodeId, kind: RoundKind, stands: Option<bool>) {
        match stands {
            Some(true) => self.may_hold.insert(node),
            // A late obtain of ours may still be carried out on that node.
            Some(false) if self.awaits_late_answer(node) => {}
            // Its place in the queue has to be given up, too.
            Some(false) if kind == RoundKind::Obtain && self.has_place(node) => {}
            Some(false) => {
                self.may_hold.remove(node);
            }
            None => {}
        }
    }

    /// Notes a reply that may belong to the round that won the lock.
    pub(crate) fn note_late_answer(&mut self, request: RequestId) {
        let (won, late) = &mut self.late;
        if *won == request.round {
            late.remove(request.node);
        }
    }

    /// Whether the node has yet to answer the round that won the lock. Once the lock is being released this no longer
    /// matters: unsent requests are dropped, and the release follows those that were sent.
    pub(crate) const fn awaits_late_answer(&self, node: NodeId) -> bool {
        matches!(self.state, LockState::Held(_)) && self.late.1.contains(node)
    }
}
