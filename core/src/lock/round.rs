//! One question to all nodes. A single node, nodes in order and Redlock differ only in the goal and the order.

#[cfg(feature = "search")]
use core::hash::{Hash, Hasher};

use crate::id::{NodeId, NodeSet};

/// In which order requests are sent to nodes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Order {
    /// All at the same time.
    Parallel,
    /// One after the other, lowest number first.
    Forward,
    /// One after the other, highest number first.
    Reverse,
}

/// When a round is over.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Goal {
    /// As soon as this many have granted, or no longer can.
    Quorum(usize),
    /// When every node has got its request and has replied or timed out.
    Everyone,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Open,
    Won,
    Lost,
}

/// The reply of a node, as it counts in the round.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Vote {
    Granted,
    Denied,
    /// No reply, or an error.
    Unknown,
}

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Round {
    goal: Goal,
    order: Order,
    unsent: NodeSet,
    pending: NodeSet,
    granted: NodeSet,
    denied: NodeSet,
    unknown: NodeSet,
}

impl Round {
    pub(crate) const fn new(nodes: NodeSet, goal: Goal, order: Order) -> Self {
        let none = NodeSet::EMPTY;
        let (pending, granted, denied, unknown) = (none, none, none, none);
        Self {
            goal,
            order,
            unsent: nodes,
            pending,
            granted,
            denied,
            unknown,
        }
    }

    /// The nodes to send requests to now, which from here on count as pending. Only while the round is open, and it stays so.
    pub(crate) fn next_nodes(&mut self) -> NodeSet {
        let next = match self.order {
            Order::Parallel => self.unsent,
            Order::Forward | Order::Reverse if !self.pending.is_empty() => NodeSet::EMPTY,
            Order::Forward => self.unsent.lowest().into_iter().collect(),
            Order::Reverse => self.unsent.highest().into_iter().collect(),
        };
        self.unsent = self.unsent.without(next);
        self.pending = self.pending.union(next);
        next
    }

    /// Notes an answer; `false` if that node got no request or has answered before.
    pub(crate) fn answer(&mut self, node: NodeId, answer: Vote) -> bool {
        if !self.pending.remove(node) {
            return false;
        }
        match answer {
            Vote::Granted => self.granted.insert(node),
            Vote::Denied => self.denied.insert(node),
            Vote::Unknown => self.unknown.insert(node),
        }
        true
    }

    /// Counts every pending node as unknown. All others get their requests now, at once: one dead node must
    /// not delay the release on the others.
    pub(crate) fn time_out(&mut self) {
        self.unknown = self.unknown.union(self.pending);
        self.pending = NodeSet::EMPTY;
        self.order = Order::Parallel;
    }

    /// Counts every node that has not answered as unknown.
    pub(crate) fn give_up(&mut self) {
        self.unknown = self.unknown.union(self.pending).union(self.unsent);
        self.pending = NodeSet::EMPTY;
        self.unsent = NodeSet::EMPTY;
    }

    /// The result so far. Once the round is decided, no later reply changes it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) const fn verdict(&self) -> Verdict {
        let open = self.unsent.union(self.pending);
        let silent = self.denied.union(self.unknown);
        // A fast path for the usual cases: all have granted, or none has replied.
        if open.union(silent).is_empty() {
            return Verdict::Won;
        }
        if self.granted.union(silent).is_empty() {
            return Verdict::Open;
        }
        match self.goal {
            Goal::Everyone if !open.is_empty() => Verdict::Open,
            Goal::Everyone if self.unknown.is_empty() => Verdict::Won,
            Goal::Everyone => Verdict::Lost,
            Goal::Quorum(quorum) if self.granted.holds(quorum) => Verdict::Won,
            Goal::Quorum(quorum) if self.granted.union(open).holds(quorum) => Verdict::Open,
            // It cannot be won, but a pending reply may still show that others hold the keys, which is another reason than
            // too few replies.
            Goal::Quorum(_) if !self.is_denied() && self.may_be_denied() => Verdict::Open,
            Goal::Quorum(_) => Verdict::Lost,
        }
    }

    /// Whether denials alone make the quorum impossible, whatever the other nodes reply.
    pub(crate) const fn is_denied(&self) -> bool {
        let all = self
            .unsent
            .union(self.pending)
            .union(self.granted)
            .union(self.unknown);
        match self.goal {
            Goal::Quorum(quorum) => !all.holds(quorum),
            Goal::Everyone => false,
        }
    }

    /// Whether the goal cannot be reached without `nodes`.
    pub(crate) const fn fails_without(&self, nodes: NodeSet) -> bool {
        let all = self
            .unsent
            .union(self.pending)
            .union(self.granted)
            .union(self.denied)
            .union(self.unknown);
        match self.goal {
            Goal::Quorum(quorum) => !all.without(nodes).holds(quorum),
            Goal::Everyone => false,
        }
    }

    /// Whether [`Round::is_denied`] would hold if every pending node denied.
    const fn may_be_denied(&self) -> bool {
        let others = self.unsent.union(self.granted).union(self.unknown);
        match self.goal {
            Goal::Quorum(quorum) => !self.pending.is_empty() && !others.holds(quorum),
            Goal::Everyone => false,
        }
    }

    /// Together with [`Round::node_fingerprint`] of each node, everything that decides what the round does next.
    #[cfg(feature = "search")]
    pub(crate) fn manner(&self) -> (Goal, Option<Order>) {
        // The order no longer matters when all requests are sent.
        (self.goal, (!self.unsent.is_empty()).then_some(self.order))
    }

    /// The status of `node`. If the goal is that everyone replies, the content of a reply makes no difference.
    #[cfg(feature = "search")]
    pub(crate) fn node_fingerprint<H: Hasher>(&self, node: NodeId, hasher: &mut H) {
        let sets = [self.unsent, self.pending, self.granted, self.denied];
        let place = sets.iter().position(|set| set.contains(node));
        let unknown = self.unknown.contains(node).then_some(sets.len());
        let counts = |place: &usize| *place < 2 || self.goal != Goal::Everyone;
        place.or(unknown).filter(counts).hash(hasher);
    }

    /// Nodes that have granted or denied.
    pub(crate) const fn answered(&self) -> NodeSet {
        self.granted.union(self.denied)
    }

    /// Nodes that did not reply, or replied with an error.
    pub(crate) const fn failed(&self) -> NodeSet {
        self.unknown
    }

    pub(crate) const fn denied(&self) -> NodeSet {
        self.denied
    }

    pub(crate) const fn pending(&self) -> NodeSet {
        self.pending
    }

    pub(crate) const fn unsent(&self) -> NodeSet {
        self.unsent
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// Takes nodes as the machine does: only while the round is open.
    fn take_next(round: &mut Round) -> Vec<usize> {
        if round.verdict() != Verdict::Open {
            return Vec::new();
        }
        let nodes = round.next_nodes();
        assert_eq!(round.verdict(), Verdict::Open, "asking decides nothing");
        nodes.iter().map(NodeId::index).collect()
    }

    fn node(index: usize) -> NodeId {
        NodeId::new(index).unwrap()
    }

    /// Walks every interleaving of requests, answers and giving up; counts the complete runs.
    fn explore(round: Round, runs: &mut u64) {
        let verdict = round.verdict();
        let mut next = round;
        if !take_next(&mut next).is_empty() {
            explore(next, runs);
        }
        for node in round.pending.iter() {
            for answer in [Vote::Granted, Vote::Denied, Vote::Unknown] {
                let mut next = round;
                assert!(next.answer(node, answer));
                assert!(!next.answer(node, answer), "an answer counts once");
                if verdict != Verdict::Open {
                    assert_eq!(next.verdict(), verdict, "a verdict stands");
                }
                check(next);
                explore(next, runs);
            }
        }
        if round.pending.is_empty() && verdict != Verdict::Open {
            *runs += 1;
        }
        let mut given_up = round;
        given_up.give_up();
        assert_ne!(
            given_up.verdict(),
            Verdict::Open,
            "giving up always decides"
        );
    }

    fn check(round: Round) {
        if let Goal::Quorum(quorum) = round.goal {
            assert_eq!(
                round.verdict() == Verdict::Won,
                round.granted.len() >= quorum
            );
            if round.is_denied() {
                assert_eq!(round.verdict(), Verdict::Lost);
            }
        }
        assert!(round.order == Order::Parallel || round.pending.len() <= 1);
    }

    #[test]
    fn every_interleaving_up_to_five_nodes_reaches_one_verdict() {
        let mut runs = 0;
        for nodes in 1..=5 {
            let all = NodeSet::first(nodes);
            for quorum in 1..=nodes {
                explore(
                    Round::new(all, Goal::Quorum(quorum), Order::Forward),
                    &mut runs,
                );
                explore(
                    Round::new(all, Goal::Quorum(quorum), Order::Parallel),
                    &mut runs,
                );
            }
            explore(Round::new(all, Goal::Everyone, Order::Reverse), &mut runs);
        }
        assert!(runs > 100_000, "only {runs} runs");
    }

    #[test]
    fn a_loss_stays_open_for_the_replies_that_explain_it() {
        let mut round = Round::new(NodeSet::first(3), Goal::Quorum(2), Order::Parallel);
        assert_eq!(take_next(&mut round), [0, 1, 2]);
        round.answer(node(0), Vote::Unknown);
        round.answer(node(1), Vote::Denied);
        assert_eq!(round.verdict(), Verdict::Open, "the last one may deny, too");
        let mut denied = round;
        denied.answer(node(2), Vote::Denied);
        assert_eq!(
            (denied.verdict(), denied.is_denied()),
            (Verdict::Lost, true)
        );
        round.answer(node(2), Vote::Granted);
        assert_eq!((round.verdict(), round.is_denied()), (Verdict::Lost, false));
    }

    #[test]
    fn an_even_split_is_decided() {
        let mut round = Round::new(NodeSet::first(4), Goal::Quorum(3), Order::Parallel);
        assert_eq!(take_next(&mut round), [0, 1, 2, 3]);
        round.answer(node(0), Vote::Granted);
        round.answer(node(1), Vote::Denied);
        assert_eq!(round.verdict(), Verdict::Open);
        round.answer(node(2), Vote::Denied);
        assert_eq!(round.verdict(), Verdict::Lost);
        assert!(round.is_denied());
    }

    #[test]
    fn nodes_in_order_get_requests_one_by_one_and_releases_in_reverse() {
        let mut round = Round::new(NodeSet::first(3), Goal::Quorum(3), Order::Forward);
        assert_eq!(
            (take_next(&mut round), take_next(&mut round)),
            (vec![0], vec![])
        );
        round.answer(node(0), Vote::Granted);
        assert_eq!(take_next(&mut round), [1]);
        round.answer(node(1), Vote::Denied);
        assert_eq!(
            (take_next(&mut round), round.verdict()),
            (vec![], Verdict::Lost)
        );

        let mut undo = Round::new(NodeSet::first(2), Goal::Everyone, Order::Reverse);
        assert_eq!(take_next(&mut undo), [1]);
        undo.answer(node(1), Vote::Unknown);
        assert_eq!(
            take_next(&mut undo),
            [0],
            "an unknown does not stop a release"
        );
    }

    #[test]
    fn a_node_that_does_not_answer_keeps_a_release_from_no_other() {
        let mut release = Round::new(NodeSet::first(3), Goal::Everyone, Order::Reverse);
        assert_eq!(
            (take_next(&mut release), take_next(&mut release)),
            (vec![2], vec![])
        );
        release.time_out();
        assert_eq!(take_next(&mut release), [0, 1]);
        release.time_out();
        assert_eq!(release.verdict(), Verdict::Lost);

        let mut obtain = Round::new(NodeSet::first(3), Goal::Quorum(3), Order::Forward);
        take_next(&mut obtain);
        obtain.time_out();
        assert_eq!(
            (take_next(&mut obtain), obtain.verdict()),
            (vec![], Verdict::Lost)
        );
    }
}
