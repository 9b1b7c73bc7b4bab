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
    /// A user lets go of a lock.
    Release(usize, u64),
}

/// Of equal instants the one that was noted first comes first.
#[derive(Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Instant, u64, Happening)>>,
    count: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, what: Happening) {
        self.count += 1;
        self.heap.push(Reverse((at, self.count, what)));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, Happening)> {
        self.heap.pop().map(|Reverse((at, _, what))| (at, what))
    }
}
