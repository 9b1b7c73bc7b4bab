//! What a lock asks for, of whom, and what of it may be left on nodes.

use super::{Ask, Lock, LockState, Op, Outcome, Round, RoundKind};
use crate::id::{NodeId, NodeSet, RequestId};
use crate::time::{Instant, Micros};

impl Lock {
    /// Begins a round whose first nodes are asked just now. What was asked before counts for nothing any more.
    pub(crate) fn begin(&mut self, kind: RoundKind, round: Round, now: Instant, deadline: Instant) {
        self.round = self.round.wrapping_add(1);
        if matches!(
            kind,
            RoundKind::Obtain | RoundKind::Refresh | RoundKind::Renew
        ) {
            self.shortest = self.shortest.min(self.ttl);
        }
        if matches!(kind, RoundKind::Obtain | RoundKind::Look) {
            self.woken = false;
            self.look_at = None;
        }
        if kind == RoundKind::Obtain {
            self.check_after_win = false;
            self.progress.asks = self.progress.asks.saturating_add(1);
        }
        let until = self.round_end(kind, deadline);
        let again = self.asks_again();
        let (held_before, shared) = (self.may_hold, self.shared);
        self.ask = Some(Ask::new(
            kind,
            round,
            (now, until),
            again,
            held_before,
            shared,
        ));
    }

    /// Somebody was asked just now, and has until `deadline` to answer. Where nodes are asked in order, each has its
    /// own time.
    pub(crate) fn extend_deadline(&mut self, deadline: Instant) {
        let Some(kind) = self.ask.as_ref().map(|ask| ask.kind) else {
            return;
        };
        let until = self.round_end(kind, deadline);
        if let Some(ask) = &mut self.ask {
            ask.deadline = until;
        }
    }

    /// When the round of somebody who was asked just now, and has until `deadline`, is over.
    fn round_end(&mut self, kind: RoundKind, deadline: Instant) -> Instant {
        if matches!(
            kind,
            RoundKind::Obtain | RoundKind::Refresh | RoundKind::Renew
        ) {
            self.gone_at = self.gone_at.max(deadline + self.ttl.as_micros());
        }
        match self.give_up_at {
            // A wait is a bound: what is not answered by then is the matter of the release behind it.
            Some(end) if matches!(kind, RoundKind::Obtain | RoundKind::Look) => end.min(deadline),
            _ => deadline,
        }
    }

    /// A waiter whose round is still open although as many nodes have answered as it needs gives the silent ones only a
    /// little more time: they must not hold up an attempt that goes to the others.
    pub(crate) fn shorten_deadline(&mut self, now: Instant, quorum: usize) {
        if let Some(ask) = &mut self.ask
            && matches!(ask.kind, RoundKind::Obtain | RoundKind::Look)
            && ask.waits_for_silent_only(quorum)
        {
            let round_end = now.micros_since(ask.at).times(8).max(Micros(20_000));
            ask.deadline = ask.deadline.min(now + round_end);
            ask.is_shortened = true;
        }
    }

    /// It is not held yet, and somebody waits for that.
    pub(crate) fn is_wanted(&self) -> bool {
        match self.state {
            LockState::Asking | LockState::Waiting { .. } => true,
            LockState::Held(_) | LockState::Releasing(_) => false,
        }
    }

    /// A request of this lock, of this round or an earlier one, may be carried out on `node` at any time from now on. Where
    /// nothing of it can be, that was a look, or one that was never sent.
    pub(crate) const fn note_unanswered(&mut self, node: NodeId) {
        self.has_unanswered |= self.may_hold.contains(node);
    }

    /// A lock that takes back what a lost attempt may have left, while this one goes on with a fresh token: whatever comes
    /// late of the old one, obtain or release, does not hurt the next attempt. A token of the user's own cannot change:
    /// then what may be left stays this lock's matter, too, and is taken back only once.
    pub(crate) fn split_leftovers(&mut self, rank: u64) -> Self {
        let mut rest = self.clone();
        rest.rank = rank;
        rest.give_up_at = None;
        rest.start_releasing(None, self.gone_at);
        match self.claim.successor() {
            Some(claim) => {
                self.claim = claim;
                self.may_hold = NodeSet::EMPTY;
                self.has_unanswered = false;
                self.shortest = self.ttl;
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
    fn asks_again(&self) -> bool {
        !self.claim.token().is_random() || self.has_unanswered || !self.may_hold.is_empty()
    }

    /// Notes which nodes refuse for good. Answers count that come when their round is over, too: each round may end with
    /// the first of them.
    pub(crate) fn note_refusal(&mut self, node: NodeId, outcome: Outcome) {
        if self
            .ask
            .as_ref()
            .is_some_and(|ask| ask.kind == RoundKind::Look)
        {
            // What a look needs is less than an obtain needs.
            return;
        }
        match outcome {
            Outcome::Failed(error) if error.is_final() => self.refused.insert(node),
            Outcome::Granted { .. } | Outcome::Denied { .. } => {
                self.refused.remove(node);
            }
            Outcome::Failed(_) | Outcome::Unknown => {}
        }
    }

    /// What `request` asks for, if anybody still wants it.
    pub(crate) fn op(&self, request: RequestId) -> Option<Op<'_>> {
        match &self.ask {
            Some(ask) if self.round == request.round => {
                let wanted = ask.round.pending().contains(request.node);
                wanted.then(|| ask.op(&self.claim, self.ttl, self.mode))
            }
            _ => self.late_op(request),
        }
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
        })
    }

    /// Notes that a node has answered, perhaps to the round that won the lock.
    pub(crate) fn note_late_answer(&mut self, request: RequestId) {
        let (won, late) = &mut self.late;
        if *won == request.round {
            late.remove(request.node);
        }
    }

    /// Whether the node has not answered the round that won the lock. When the lock is let go of that is no matter any
    /// more: what it has not been sent it never will be, and a release comes behind what it has.
    pub(crate) const fn awaits_late_answer(&self, node: NodeId) -> bool {
        matches!(self.state, LockState::Held(_)) && self.late.1.contains(node)
    }
}
