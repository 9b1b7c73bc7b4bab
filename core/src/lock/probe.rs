//! An inspection: who holds keys, and for how long, without a change on any node.
//!
//! It sends a request to every node, unlike an obtain, which may stop at a quorum: keys may be held on any majority. A key counts as
//! held if a quorum shows the same value. Values of a minority are leftovers of attempts that did not win, so such a key
//! counts as free; an error only means that too few nodes replied to know.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::event::NodeError;
use crate::id::{NodeId, NodeSet};
use crate::keys::Keys;
#[cfg(feature = "modes")]
use crate::lock::Status;
use crate::lock::{Goal, Order, Round, Verdict, Vote};
use crate::time::Instant;

/// What one key holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Holding {
    /// Token and metadata, as the nodes store them. A secret.
    pub value: Box<[u8]>,
    /// How long it lasts without a refresh; `None` if it has no end.
    pub remaining: Option<Duration>,
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding")
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

/// The result of an inspection: per key what a quorum agrees on (`None`: free), or why too few nodes replied.
pub type Inspection = Result<Vec<Option<Holding>>, NodeError>;

#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) keys: Keys,
    pub(crate) round: Round,
    pub(crate) deadline: Instant,
    pub(super) quorum: usize,
    answers: Vec<Vec<Option<Holding>>>,
    pub(super) error: NodeError,
    /// What nodes have found, if everything that is known of the key was requested.
    #[cfg(feature = "modes")]
    pub(super) statuses: Option<Vec<Status>>,
}

impl Probe {
    pub(crate) fn new(keys: Keys, nodes: NodeSet, quorum: usize, deadline: Instant) -> Self {
        let round = Round::new(nodes, Goal::Everyone, Order::Parallel);
        Self {
            keys,
            round,
            deadline,
            quorum,
            answers: Vec::new(),
            error: NodeError::TimedOut,
            #[cfg(feature = "modes")]
            statuses: None,
        }
    }

    /// Notes the reply of a node. Returns whether the inspection has ended.
    pub(crate) fn answer(
        &mut self,
        node: NodeId,
        found: Result<Vec<Option<Holding>>, NodeError>,
    ) -> bool {
        self.answer_with(node, found, |probe, found| probe.answers.push(found))
    }

    /// The same, if everything that is known was requested.
    #[cfg(feature = "modes")]
    pub(crate) fn answer_status(
        &mut self,
        node: NodeId,
        found: Result<Box<Status>, NodeError>,
    ) -> bool {
        self.answer_with(node, found, |probe, found| probe.note_status(*found))
    }

    fn answer_with<T>(
        &mut self,
        node: NodeId,
        found: Result<T, NodeError>,
        note: impl FnOnce(&mut Self, T),
    ) -> bool {
        let answer = if found.is_ok() {
            Vote::Granted
        } else {
            Vote::Unknown
        };
        if !self.round.answer(node, answer) {
            return false;
        }
        match found {
            Ok(found) => note(self, found),
            Err(error) => self.error = error,
        }
        self.is_over()
    }

    /// Whether it asks for everything that is known of one key.
    pub(crate) const fn is_for_status(&self) -> bool {
        #[cfg(feature = "modes")]
        return self.statuses.is_some();
        #[cfg(not(feature = "modes"))]
        return false;
    }

    pub(crate) fn give_up(&mut self, error: NodeError) {
        self.round.give_up();
        self.error = error;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.round.verdict() != Verdict::Open
    }

    pub(crate) fn result(&self) -> Inspection {
        if self.answers.len() < self.quorum {
            return Err(self.error);
        }
        Ok((0..self.keys.len()).map(|key| self.agreed(key)).collect())
    }

    /// The value that a quorum shows for this key.
    fn agreed(&self, key: usize) -> Option<Holding> {
        let shown = || {
            self.answers
                .iter()
                .filter_map(|answer| answer.get(key)?.as_ref())
        };
        shown().find_map(|candidate| agreed(candidate, shown, self.quorum))
    }
}

/// The candidate, if a quorum shows its value, with the time for which a quorum keeps it: of the remaining times, the longest
/// that at least a quorum reaches.
pub(super) fn agreed<'a, I: Iterator<Item = &'a Holding>>(
    candidate: &Holding,
    shown: impl Fn() -> I,
    quorum: usize,
) -> Option<Holding> {
    // `None`, without an end, is the longest.
    let times = || {
        shown()
            .filter(|holding| holding.value == candidate.value)
            .map(|holding| holding.remaining.unwrap_or(Duration::MAX))
    };
    let is_kept = |time: &Duration| times().filter(|t| t >= time).count() >= quorum;
    let kept = times().filter(is_kept).max()?;
    let remaining = (kept != Duration::MAX).then_some(kept);
    Some(Holding {
        value: candidate.value.clone(),
        remaining,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    fn holding(value: &[u8], ms: u64) -> Option<Holding> {
        Some(Holding {
            value: value.into(),
            remaining: Some(Duration::from_millis(ms)),
        })
    }

    #[test]
    fn a_quorum_agrees_on_a_value_and_on_the_time_that_a_quorum_keeps_it() {
        let keys = Keys::from(Key::new("k").unwrap());
        let mut probe = Probe::new(keys, NodeSet::first(5), 3, Instant::default());
        let answers = [
            Ok([holding(b"a", 50)].into()),
            Ok([holding(b"b", 90)].into()),
            Ok([holding(b"a", 70)].into()),
            Err(NodeError::Disconnected),
            Ok([holding(b"a", 60)].into()),
        ];
        let mut over = false;
        let nodes = probe.round.next_nodes();
        for (node, answer) in nodes.iter().zip(answers) {
            over = probe.answer(node, answer);
        }
        assert!(over);
        assert_eq!(probe.result(), Ok([holding(b"a", 50)].into()));
    }

    #[test]
    fn too_few_answers_are_an_error_and_a_split_is_free() {
        let keys = Keys::from(Key::new("k").unwrap());
        let mut probe = Probe::new(keys, NodeSet::first(3), 2, Instant::default());
        let mut nodes = probe.round.next_nodes().iter();
        let node = nodes.next().unwrap();
        assert!(!probe.answer(node, Ok([holding(b"a", 50)].into())));
        assert_eq!(probe.result(), Err(NodeError::TimedOut));
        let node = nodes.next().unwrap();
        assert!(!probe.answer(node, Ok([holding(b"b", 50)].into())));
        assert_eq!(probe.result(), Ok([None].into()));
    }
}
