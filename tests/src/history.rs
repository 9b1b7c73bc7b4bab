//! Histories of a lock, checked against what a lock is when everything happens one after the other.
//!
//! A history says when each call began and ended and what came of it. It is linearizable if every call can be given one
//! moment between its beginning and its end so that a lock which does one thing at a time would have answered alike. A
//! lease is in it like this: from the end of the lease on the lock may come free by itself, at any time or never. A call
//! whose answer nobody knows may take effect at any time from its beginning, or never.
//!
//! A lock may be shared: by readers, and by as many permits as there are. A denial says who was in the way, and then somebody
//! like that must have been there. The order of those who wait is not part of it.
//!
//! The search is that of Wing and Gong, and remembers which calls it has put in order with which holders in the end: those who
//! share a lock leave many orders open that end alike.

mod lock;
mod order;
#[cfg(test)]
mod tests;

use lock::Op;
use order::Call;
use tenure_core::{Holder, Mode};

/// The outcome of one request for the lock. Times are in microseconds of one clock that all clients share.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// Who else may hold the lock.
    pub mode: Mode,
    /// When it began to ask.
    pub asked_at: u64,
    /// When the answer came, and which; `None` if none came.
    pub answer: Option<(u64, Answer)>,
    /// Begin and end of each refresh that was requested and done.
    pub refreshed: Vec<(u64, u64)>,
    /// The changes that were requested.
    pub changes: Vec<Change>,
    /// The end of its last lease.
    pub lease_end: u64,
    /// When it released the lock.
    pub released_at: Option<u64>,
    /// When the outcome of the release came, and whether it was still the holder.
    pub released: Option<(u64, bool)>,
}

/// A reader or a permit that wants to be the only holder, or a writer that wants to share the lock.
#[derive(Copy, Clone, Debug)]
pub struct Change {
    /// Whether it wants to be the only one.
    pub up: bool,
    /// When it was requested.
    pub asked_at: u64,
    /// When the answer came, and whether it was carried out; `None` if nobody knows.
    pub answer: Option<(u64, bool)>,
}

/// The answer to a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The lock is held.
    Held,
    /// This one is in the way.
    Denied(Holder),
    /// Nobody knows.
    Unknown,
}

/// Whether all attempts together are what a lock could do, one thing after the other.
///
/// With `denials`, somebody must really have held the lock whenever it was denied. Contenders for a quorum may share the
/// nodes out, so that all of them are denied; there it must be `false`.
#[must_use]
pub fn is_linearizable(attempts: &[Attempt], denials: bool) -> bool {
    let mut calls: Vec<Call> = Vec::new();
    for (number, attempt) in attempts.iter().enumerate() {
        attempt.calls(number, denials, &mut calls);
    }
    order::exists(&calls)
}

impl Attempt {
    /// The calls that it consists of. `number` names it.
    fn calls(&self, number: usize, denials: bool, calls: &mut Vec<Call>) {
        let mut call = |part: usize, op, begin, end| {
            let thread = (number, part);
            calls.push(Call {
                thread,
                op,
                begin,
                end,
            });
        };
        let known = self.answer.filter(|(_, answer)| match answer {
            Answer::Held => true,
            Answer::Denied(_) => denials,
            Answer::Unknown => false,
        });
        let held = matches!(known, Some((_, Answer::Held)));
        match known {
            // Somebody who waits is in the way, and the order of those who wait is not part of the lock.
            Some((_, Answer::Denied(Holder::Queue))) => return,
            Some((at, Answer::Denied(by))) => {
                let op = Op::Denied(self.mode, by);
                return call(0, op, self.asked_at, Some((at, true)));
            }
            Some((at, _)) => {
                let op = Op::Obtain(number, self.mode);
                call(0, op, self.asked_at, Some((at, true)));
            }
            None => call(0, Op::Obtain(number, self.mode), self.asked_at, None),
        }
        for (begin, end) in self.refreshed.iter().filter(|_| held) {
            call(0, Op::Refresh(number), *begin, Some((*end, true)));
        }
        if let Some(at) = self.released_at.filter(|_| held) {
            call(0, Op::Release(number), at, self.released);
        }
        let free_at = if held { self.lease_end } else { self.asked_at };
        for (part, change) in self.changes.iter().enumerate().filter(|_| held) {
            let op = Op::Change(number, change.up);
            call(2 + part, op, change.asked_at, change.answer);
        }
        let over = self.released.is_some_and(|(at, _)| at < free_at);
        if !over {
            call(1, Op::Expire(number), free_at, None);
        }
    }
}
