//! What is asked of the nodes just now, and what their answers add up to.

use alloc::vec::Vec;
#[cfg(feature = "search")]
use core::hash::{Hash, Hasher};
use core::time::Duration;

use crate::claim::Claim;
use crate::event::{Holder, NodeError, NotObtained};
use crate::id::{NodeId, NodeSet};
use crate::lock::{KeySet, Op, Outcome, Round, Vote, drift};
use crate::obtain::{Mode, Ttl};
use crate::time::{Instant, Micros};

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum RoundKind {
    Obtain,
    /// Whether the keys are free: before others have had their turn nobody asks for them.
    Look,
    /// The caller waits for it.
    Refresh,
    /// It is time.
    Renew,
    Check,
    Release,
}

#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) kind: RoundKind,
    pub(crate) round: Round,
    /// From before the first request was handed out: a lease counts from here.
    pub(crate) at: Instant,
    pub(crate) deadline: Instant,
    /// Whether our value may stand on a node already, so that finding it there is a success.
    pub(crate) again: bool,
    /// Nodes that may have held our value before.
    held_before: NodeSet,
    /// A refresh must not shorten the time of the keys: another lock of this engine holds them, too.
    pub(crate) shared: bool,
    /// Silent nodes are given less time than others.
    pub(crate) is_shortened: bool,
    /// When the first of the nodes that denied may be free.
    free_at: Option<Instant>,
    /// Whether every node that denied will send a wake.
    watched: bool,
    /// Of a lock with several keys: those that stood in the way on each node that said so.
    held: Vec<KeySet>,
    error: Option<NodeError>,
    /// Between which instants the first node forgets what it was asked to check.
    ends: Option<(Instant, Instant)>,
}

impl Ask {
    pub(crate) const fn new(
        kind: RoundKind,
        round: Round,
        (at, deadline): (Instant, Instant),
        again: bool,
        held_before: NodeSet,
        shared: bool,
    ) -> Self {
        Self {
            kind,
            round,
            at,
            deadline,
            again,
            held_before,
            shared,
            is_shortened: false,
            free_at: None,
            watched: true,
            held: Vec::new(),
            error: None,
            ends: None,
        }
    }

    /// These nodes may hold our value by now, because another lock has left it to this one while it was asking.
    pub(crate) const fn inherits(&mut self, nodes: NodeSet) {
        self.held_before = self.held_before.union(nodes);
    }

    /// What each node is asked to do.
    pub(crate) fn op<'a>(&self, claim: &'a Claim, ttl: Ttl, mode: Mode) -> Op<'a> {
        let again = self.again;
        match self.kind {
            RoundKind::Obtain => Op::Obtain {
                claim,
                ttl,
                again,
                mode,
            },
            RoundKind::Refresh => {
                let keep = self.shared;
                Op::Refresh {
                    claim,
                    ttl,
                    keep,
                    mode,
                }
            }
            RoundKind::Renew => {
                // Other handles of a token that somebody chose, in other processes, may have a longer ttl.
                let keep = !claim.token().is_random();
                Op::Refresh {
                    claim,
                    ttl,
                    keep,
                    mode,
                }
            }
            RoundKind::Check => Op::Check { claim },
            RoundKind::Look => Op::Look { claim },
            RoundKind::Release => Op::Release { claim, mode },
        }
    }

    /// Notes what `node` said; `None` if it was not asked. Otherwise whether our value may stand there now, where
    /// that has become known: a denial says so only of locks with one key, since of `several` some may still be ours.
    pub(crate) fn answer(
        &mut self,
        node: NodeId,
        outcome: Outcome,
        several: bool,
        now: Instant,
    ) -> Option<Option<bool>> {
        let answer = match outcome {
            Outcome::Granted { .. } => Vote::Granted,
            Outcome::Denied { .. } => Vote::Denied,
            Outcome::Failed(_) | Outcome::Unknown => Vote::Unknown,
        };
        if !self.round.answer(node, answer) {
            return None;
        }
        if self.kind == RoundKind::Look {
            self.note_denial(outcome, several, now);
            self.note_error(outcome);
            return Some(None);
        }
        let releases = self.kind == RoundKind::Release;
        Some(match outcome {
            // No request asks for a fence yet.
            Outcome::Granted {
                remaining,
                fence: _,
            } => {
                self.note_end(remaining, now);
                Some(!releases)
            }
            Outcome::Denied { .. } => {
                self.note_denial(outcome, several, now);
                let kept = several && !releases && self.held_before.contains(node);
                (!kept).then_some(false)
            }
            Outcome::Failed(_) => {
                self.note_error(outcome);
                (self.kind == RoundKind::Obtain).then(|| self.held_before.contains(node))
            }
            Outcome::Unknown => None,
        })
    }

    fn note_denial(&mut self, outcome: Outcome, several: bool, now: Instant) {
        if let Outcome::Denied {
            retry_after,
            watched,
            held,
        } = outcome
        {
            let free_at = retry_after.map(|after| now + after);
            self.free_at = [self.free_at, free_at].into_iter().flatten().min();
            self.watched &= watched;
            self.held.extend(held.filter(|_| several));
        }
    }

    fn note_error(&mut self, outcome: Outcome) {
        if let Outcome::Failed(error) = outcome {
            // An error that asking again does not mend says most.
            if self.error.is_none_or(|known| !known.is_final()) {
                self.error = Some(error);
            }
        }
    }

    /// A connection broke before its node had answered.
    pub(crate) fn note_lost(&mut self, error: NodeError) {
        self.error.get_or_insert(error);
    }

    fn note_end(&mut self, remaining: Option<Duration>, now: Instant) {
        if let Some(remaining) = remaining {
            // By the clock of the node, which may be faster than ours.
            let kept = Micros::from(remaining);
            let kept = Micros(kept.0.saturating_sub(drift(kept).0));
            let ends = (self.at + kept, now + kept);
            self.ends = Some(self.ends.map_or(ends, |known| known.min(ends)));
        }
    }

    /// Between which instants the first of the nodes forgets the lock, if they said so.
    pub(crate) const fn ends(&self) -> Option<(Instant, Instant)> {
        self.ends
    }

    /// Which of this many keys stood in the way: on more nodes than a quorum of those that answered can do without. All, if
    /// too few answered or none denied it. `None` if some key did, and it is not known which.
    pub(crate) fn held(&self, keys: usize, (nodes, quorum): (usize, usize)) -> Option<KeySet> {
        let sound = nodes.saturating_sub(self.round.failed().len());
        let Some(spare) = sound
            .checked_sub(quorum)
            .filter(|_| keys > 1 && !self.round.denied().is_empty())
        else {
            return Some(KeySet::ALL);
        };
        let mut held = KeySet::NONE;
        for place in 0..keys {
            let nodes = self.held.iter().filter(|held| held.contains(place));
            if nodes.count() > spare {
                held.insert(place);
            }
        }
        (held != KeySet::NONE).then_some(held)
    }

    /// Why a round that did not win did not, other than by time or by holders.
    pub(crate) fn error(&self) -> NodeError {
        self.error.unwrap_or(NodeError::TimedOut)
    }

    /// Whether enough nodes have answered to win, and only silent ones are missing.
    pub(crate) fn waits_for_silent_only(&self, quorum: usize) -> bool {
        self.round.unasked().is_empty() && self.round.answered().holds(quorum)
    }

    /// The error for which so many nodes have `refused` that asking again is of no use.
    pub(crate) fn refusal(&self, refused: NodeSet) -> Option<NodeError> {
        let is_final = |error: &NodeError| error.is_final();
        self.error
            .filter(is_final)
            .filter(|_| self.round.fails_without(refused))
    }

    /// Why an obtain that did not win did not.
    pub(crate) fn failure(&self, now: Instant, by: Holder, refused: NodeSet) -> NotObtained {
        // What the silent ones would say is not waited for: where it was denied, it is held.
        let denied = self.is_shortened && !self.round.denied().is_empty();
        if denied || self.round.is_denied() {
            let remaining = self.free_at.map(|at| at.saturating_since(now));
            return NotObtained::Taken { remaining, by };
        }
        match self.refusal(refused) {
            Some(error) => NotObtained::Refused(error),
            None => NotObtained::Unreachable(self.error()),
        }
    }

    /// Whether every node that denied will send a wake.
    pub(crate) const fn is_watched(&self) -> bool {
        self.watched
    }

    /// When to ask again after a denial, if a wake and the holders' end suffice for that.
    pub(crate) fn watch_until(&self) -> Option<Instant> {
        self.free_at
            .filter(|_| self.watched && self.round.is_denied())
    }

    /// What of it decides the future, with times as distances from `now`; all but what is said of single nodes.
    #[cfg(feature = "search")]
    pub(crate) fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        (self.kind, self.round.manner()).hash(hasher);
        self.deadline.saturating_since(now).hash(hasher);
        now.saturating_since(self.at).hash(hasher);
        let ahead = |at: Instant| at.saturating_since(now);
        self.ends
            .map(|(least, most)| (ahead(least), ahead(most)))
            .hash(hasher);
        if matches!(self.kind, RoundKind::Obtain | RoundKind::Look) {
            (self.again, self.watched, &self.held, self.error).hash(hasher);
            self.free_at.map(|at| at.saturating_since(now)).hash(hasher);
        }
    }

    /// What of it is said of `node`. `several`: the lock has more than one key.
    #[cfg(feature = "search")]
    pub(crate) fn node_fingerprint<H: Hasher>(&self, node: NodeId, several: bool, hasher: &mut H) {
        self.round.node_fingerprint(node, hasher);
        if self.kind == RoundKind::Obtain || several && self.kind != RoundKind::Release {
            self.held_before.contains(node).hash(hasher);
        }
    }

    /// A pause from `now`, cut off where a holder's time is over.
    pub(crate) fn pause_until(&self, now: Instant, pause: Option<Duration>) -> Option<Instant> {
        let paused = pause.map(|pause| now + pause);
        [paused, self.free_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::{Goal, Order};

    /// A node whose clock is as fast as is allowed for forgets a key before its remaining time has passed here.
    #[test]
    fn what_a_check_says_of_the_remaining_time_counts_less_the_drift() {
        let (at, now) = (
            Instant::from_micros(1_000_000),
            Instant::from_micros(1_500_000),
        );
        let mut round = Round::new(NodeSet::first(1), Goal::Quorum(1), Order::Parallel);
        let node = round.ask().lowest().unwrap();
        let before = NodeSet::EMPTY;
        let mut ask = Ask::new(RoundKind::Check, round, (at, now), false, before, false);
        let granted = Outcome::Granted {
            fence: None,
            remaining: Some(Duration::from_secs(100)),
        };
        ask.answer(node, granted, false, now);
        let kept = Duration::from_millis(98_998);
        assert_eq!(ask.ends(), Some((at + kept, now + kept)));
    }
}
