//! What happens next, in the order of true time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tenure_core::Instant;

/// Something that happens at an instant. Each looks for itself whether there is still anything to do.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Happening {
    /// The deadline of a client.
    Client(usize),
    /// The deadline of a server.
    Server(usize),
    /// A connection is open, or refused.
    Opened(usize),
    /// Bytes reach the server.
    Up(usize),
    /// Bytes reach the client.
    Down(usize),
    /// A client does what has become of all that happened at this instant.
    Drain(usize),
    /// A user lets go of a lock.
    Release(usize, u64),
}

/// When, in which order among what happens at the same instant, and what.
type Noted = (Instant, u64, Happening);

/// Of equal instants the one that was noted first comes first.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Noted>>,
    /// Deadlines, of which everybody has one. They are few and change all the time: in the heap they would be in the
    /// way of everything else.
    deadlines: Vec<Noted>,
    /// Where the first of them is.
    first: usize,
    count: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, what: Happening) {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, what)));
    }

    /// Sets the one deadline of somebody.
    pub(crate) fn set(&mut self, at: Instant, whose: Happening) {
        self.count += 1;
        let noted = (at, self.count, whose);
        match self.deadlines.iter_mut().find(|(.., who)| *who == whose) {
            Some(deadline) => *deadline = noted,
            None => self.deadlines.push(noted),
        }
        self.find_first();
    }

    /// What happens next, if that is not after `end`.
    pub(crate) fn pop_until(&mut self, end: Instant) -> Option<(Instant, Happening)> {
        let waiting = self.heap.peek().map(|Reverse(noted)| noted);
        let deadline = self.deadlines.get(self.first);
        let noted = match (waiting, deadline) {
            (Some(waiting), Some(deadline)) => *waiting.min(deadline),
            (one, other) => *one.or(other)?,
        };
        let (at, _, what) = noted;
        if at > end {
            return None;
        }
        if deadline == Some(&noted) {
            self.deadlines.swap_remove(self.first);
            self.find_first();
        } else {
            self.heap.pop();
        }
        Some((at, what))
    }

    fn find_first(&mut self) {
        let all = self.deadlines.iter().enumerate();
        let first = all.min_by_key(|(_, noted)| **noted);
        self.first = first.map_or(0, |(index, _)| index);
    }
}
