//! The round that a lock is in: its kind, its deadline, and the replies so far. [`Round`] counts them; what they say beyond
//! yes and no is kept here, until the round ends.

use alloc::vec::Vec;
#[cfg(feature = "search")]
use core::hash::{Hash, Hasher};
use core::time::Duration;

use crate::event::{Holder, NodeError, NotObtained};
use crate::id::{NodeId, NodeSet};
use crate::lease::drift;
use crate::lock::{KeySet, Obstacle, Outcome, Round, RoundKind, Vote, Wake};
use crate::time::{Instant, Micros};

#[derive(Clone, Debug)]
pub(crate) struct ActiveRound {
    pub(crate) kind: RoundKind,
    pub(crate) round: Round,
    /// Before the first request was handed out: the lease counts from here.
    pub(crate) at: Instant,
    pub(crate) deadline: Instant,
    /// Whether a node may already hold our value, so that finding it there counts as granted.
    pub(crate) again: bool,
    /// Nodes that may have held our value before.
    held_before: NodeSet,
    /// What came during the round, apart from replies.
    pub(crate) wake: Wake,
    /// The deadline for silent nodes was shortened.
    pub(crate) is_shortened: bool,
    /// When the keys may become free on the first of the nodes that denied.
    free_at: Option<Instant>,
    /// When the first of several keys may become free, if others hold them for different times.
    first_at: Option<Instant>,
    /// Whether every node that denied will send a wake.
    watched: bool,
    /// Who was in the way at the last denial.
    by: Obstacle,
    /// For a lock with several keys: the keys that others held, per node that reported them.
    held: Vec<KeySet>,
    error: Option<NodeError>,
    /// The two instants between which the keys expire on the first node, as a check reported.
    ends: Option<(Instant, Instant)>,
}

impl ActiveRound {
    pub(crate) const fn new(
        kind: RoundKind,
        round: Round,
        (at, deadline): (Instant, Instant),
        again: bool,
        held_before: NodeSet,
    ) -> Self {
        Self {
            kind,
            round,
            at,
            deadline,
            again,
            held_before,
            wake: Wake::None,
            is_shortened: false,
            free_at: None,
            first_at: None,
            watched: true,
            by: Obstacle::Holder,
            held: Vec::new(),
            error: None,
            ends: None,
        }
    }

    /// These nodes may hold our value by now, because another lock has left it to this one during its attempt.
    pub(crate) const fn inherits(&mut self, nodes: NodeSet) {
        self.held_before = self.held_before.union(nodes);
    }

    /// Notes the outcome of `node`; `None` if it got no request. Otherwise whether the node may hold our value now, if that is
    /// known: after a denial only for a lock with one key, since of `several` keys some may still be ours.
    pub(crate) fn answer(
        &mut self,
        node: NodeId,
        outcome: &Outcome,
        several: bool,
        now: Instant,
    ) -> Option<Option<bool>> {
        let answer = match outcome {
            Outcome::Granted { .. } => Vote::Granted,
            Outcome::Denied { .. } => Vote::Denied,
            Outcome::Weak | Outcome::Failed(_) | Outcome::Unknown => Vote::Unknown,
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
            // The lock notes the fence.
            Outcome::Granted {
                remaining,
                fence: _,
            } => {
                self.note_end(*remaining, now);
                Some(!releases)
            }
            Outcome::Denied { .. } => {
                self.note_denial(outcome, several, now);
                let kept = several && !releases && self.held_before.contains(node);
                (!kept && !self.kind.is_change()).then_some(false)
            }
            Outcome::Weak => {
                self.note_error(&Outcome::Failed(NodeError::NoReplicas));
                Some(true)
            }
            Outcome::Failed(_) => {
                self.note_error(outcome);
                self.kind
                    .is_attempt()
                    .then(|| self.held_before.contains(node))
            }
            Outcome::Unknown => None,
        })
    }

    fn note_denial(&mut self, outcome: &Outcome, several: bool, now: Instant) {
        if let Outcome::Denied {
            retry_after,
            first_free,
            watched,
            held,
            by,
        } = *outcome
        {
            self.by = by;
            let earliest = |known: Option<Instant>, after: Option<Duration>| {
                let at = after.map(|after| now + after);
                known.into_iter().chain(at).min()
            };
            self.free_at = earliest(self.free_at, retry_after);
            self.first_at = earliest(self.first_at, first_free.filter(|_| several));
            self.watched &= watched;
            self.held.extend(held.filter(|_| several));
        }
    }

    fn note_error(&mut self, outcome: &Outcome) {
        if let Outcome::Failed(error) = *outcome {
            // A final error is the most informative one.
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
            // The clock of the node may be faster than ours.
            let kept = Micros::from(remaining);
            let kept = Micros(kept.0.saturating_sub(drift(kept).0));
            let ends = (self.at + kept, now + kept);
            self.ends = Some(self.ends.map_or(ends, |known| known.min(ends)));
        }
    }

    /// The two instants between which the keys expire on the first node, if a check reported that.
    pub(crate) const fn ends(&self) -> Option<(Instant, Instant)> {
        self.ends
    }

    /// The keys, of this many, that caused the denial: others hold them on more nodes than the quorum can spare. All keys, if
    /// too few nodes replied or none denied. `None` if the nodes did not report which keys are held.
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

    /// Who was in the way at the last denial.
    #[cfg(feature = "modes")]
    pub(crate) const fn obstacle(&self) -> Obstacle {
        self.by
    }

    /// The error that kept the round from winning, if neither holders nor time did.
    pub(crate) fn error(&self) -> NodeError {
        self.error.unwrap_or(NodeError::TimedOut)
    }

    /// Whether every node got its request and enough for a quorum have replied.
    pub(crate) fn waits_for_silent_only(&self, quorum: usize) -> bool {
        self.round.unsent().is_empty() && self.round.answered().holds(quorum)
    }

    /// The final error of the round, if no quorum is possible without the nodes that `refused`.
    pub(crate) fn refusal(&self, refused: NodeSet) -> Option<NodeError> {
        let is_final = |error: &NodeError| error.is_final();
        self.error
            .filter(is_final)
            .filter(|_| self.round.fails_without(refused))
    }

    /// Why an obtain did not win.
    pub(crate) fn failure(&self, now: Instant, by: Holder, refused: NodeSet) -> NotObtained {
        // The silent nodes are not waited for: one denial is enough to say that others hold the keys.
        let denied = self.is_shortened && !self.round.denied().is_empty();
        if denied || self.round.is_denied() {
            let remaining = self.free_at.map(|at| at.saturating_since(now));
            let by = match self.by {
                Obstacle::Holder => by,
                Obstacle::Sharing => Holder::Sharing,
                Obstacle::Queue(_) => Holder::Queue,
            };
            return NotObtained::Taken { remaining, by };
        }
        match self.refusal(refused) {
            Some(error) => NotObtained::Refused(error),
            None => NotObtained::Unreachable(self.error()),
        }
    }

    /// Whether every node that denied will send a wake when a key changes.
    pub(crate) const fn is_watched(&self) -> bool {
        self.watched
    }

    /// When the first of several keys may become free, before the others.
    pub(crate) const fn first_at(&self) -> Option<Instant> {
        self.first_at
    }

    /// When to retry after a denial if wakes are certain: when the keys may expire.
    pub(crate) fn watch_until(&self) -> Option<Instant> {
        self.free_at
            .filter(|_| self.watched && self.round.is_denied())
    }

    /// Everything that decides what happens next, with times as distances from `now`, except what concerns single nodes.
    #[cfg(feature = "search")]
    pub(crate) fn fingerprint<H: Hasher>(&self, now: Instant, hasher: &mut H) {
        (self.kind, self.round.manner(), self.wake).hash(hasher);
        self.deadline.saturating_since(now).hash(hasher);
        now.saturating_since(self.at).hash(hasher);
        let ahead = |at: Instant| at.saturating_since(now);
        self.ends
            .map(|(least, most)| (ahead(least), ahead(most)))
            .hash(hasher);
        if self.kind.obtains() {
            (self.again, self.watched, &self.held, self.error).hash(hasher);
            self.by.hash(hasher);
            let left = |at: Option<Instant>| at.map(|at| at.saturating_since(now));
            (left(self.free_at), left(self.first_at)).hash(hasher);
        }
    }

    /// The part that concerns `node`. `several`: the lock has more than one key.
    #[cfg(feature = "search")]
    pub(crate) fn node_fingerprint<H: Hasher>(&self, node: NodeId, several: bool, hasher: &mut H) {
        self.round.node_fingerprint(node, hasher);
        if self.kind.is_attempt() || several && self.kind != RoundKind::Release {
            self.held_before.contains(node).hash(hasher);
        }
    }

    /// The end of a pause from `now`, or the instant at which the keys may expire, whichever comes first.
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
    fn the_remaining_time_of_a_check_counts_less_the_drift() {
        let (at, now) = (
            Instant::from_micros(1_000_000),
            Instant::from_micros(1_500_000),
        );
        let mut round = Round::new(NodeSet::first(1), Goal::Quorum(1), Order::Parallel);
        let node = round.next_nodes().lowest().unwrap();
        let before = NodeSet::EMPTY;
        let mut active = ActiveRound::new(RoundKind::Check, round, (at, now), false, before);
        let granted = Outcome::Granted {
            fence: None,
            remaining: Some(Duration::from_secs(100)),
        };
        active.answer(node, &granted, false, now);
        let kept = Duration::from_millis(98_998);
        assert_eq!(active.ends(), Some((at + kept, now + kept)));
    }
}
