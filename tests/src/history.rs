//! Histories of a lock, checked against what a lock is when everything happens one after the other.
//!
//! A history says when each call began and ended and what came of it. It is linearizable if every call can be given one
//! moment between its beginning and its end so that a lock which does one thing at a time would have answered alike. A
//! lease is in it like this: from the end of the lease on the lock may come free by itself, at any time or never. A call
//! whose answer nobody knows may take effect at any time from its beginning, or never.
//!
//! `stateright` tries the orders. It does not remember those that it has tried, which is enough here because a lock
//! leaves few of them open.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

/// The outcome of one request for the lock. Times are in microseconds of one clock that all clients share.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// When it began to ask.
    pub asked_at: u64,
    /// When the answer came, and which; `None` if none came.
    pub answer: Option<(u64, Answer)>,
    /// Begin and end of each refresh that was requested and done.
    pub refreshed: Vec<(u64, u64)>,
    /// The end of its last lease.
    pub lease_end: u64,
    /// When it released the lock.
    pub released_at: Option<u64>,
    /// When the outcome of the release came, and whether it was still the holder.
    pub released: Option<(u64, bool)>,
}

/// The answer to a request.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The lock is held.
    Held,
    /// Somebody else holds it.
    Denied,
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
    let mut edges: Vec<(u64, bool, usize)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        // Of two edges at the same time the beginning comes first, which leaves more orders open, but for a call that
        // begins when the one before it in its thread ends.
        let before = index.checked_sub(1).map(|before| &calls[before]);
        let follows = before.is_some_and(|before| {
            before.thread == call.thread && before.end.is_some_and(|(end, _)| end == call.begin)
        });
        edges.push((call.begin * 4 + u64::from(follows) * 2, false, index));
        edges.extend(call.end.map(|(end, _)| (end * 4 + 1, true, index)));
    }
    edges.sort_unstable();
    let mut tester = LinearizabilityTester::new(Lock(None));
    for (_, is_end, index) in edges {
        let call = &calls[index];
        let noted = match call.end.filter(|_| is_end) {
            Some((_, done)) => tester.on_return(call.thread, done).map(|_| ()),
            None => tester.on_invoke(call.thread, call.op).map(|_| ()),
        };
        noted.expect("a client calls one thing at a time");
    }
    tester.is_consistent()
}

struct Call {
    /// A line of calls of which one ends before the next begins: the attempt, and which part of it.
    thread: (usize, usize),
    op: Op,
    begin: u64,
    /// When, and whether it was done.
    end: Option<(u64, bool)>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Op {
    Obtain(usize),
    Refresh(usize),
    Release(usize),
    /// It comes free by itself.
    Expire(usize),
}

/// Who holds it.
#[derive(Clone)]
struct Lock(Option<usize>);

impl SequentialSpec for Lock {
    type Op = Op;
    type Ret = bool;

    fn invoke(&mut self, op: &Op) -> bool {
        let (Op::Obtain(who) | Op::Refresh(who) | Op::Release(who) | Op::Expire(who)) = *op;
        let is_holder = self.0 == Some(who);
        match op {
            Op::Obtain(_) if self.0.is_none() => self.0 = Some(who),
            Op::Obtain(_) => return false,
            Op::Release(_) | Op::Expire(_) if is_holder => self.0 = None,
            Op::Refresh(_) | Op::Release(_) | Op::Expire(_) => {}
        }
        is_holder || matches!(op, Op::Obtain(_))
    }
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
            Answer::Denied => denials,
            Answer::Unknown => false,
        });
        let held = matches!(known, Some((_, Answer::Held)));
        let end = known.map(|(at, _)| (at, held));
        call(0, Op::Obtain(number), self.asked_at, end);
        for (begin, end) in self.refreshed.iter().filter(|_| held) {
            call(0, Op::Refresh(number), *begin, Some((*end, true)));
        }
        if let Some(at) = self.released_at.filter(|_| held) {
            call(0, Op::Release(number), at, self.released);
        }
        let free_at = if held { self.lease_end } else { self.asked_at };
        let over = self.released.is_some_and(|(at, _)| at < free_at);
        let denied = known.is_some() && !held;
        if !over && !denied {
            call(1, Op::Expire(number), free_at, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Held from `begin`, released at `end`, with a lease that lasts long; each call takes 2.
    fn held(begin: u64, end: u64) -> Attempt {
        Attempt {
            asked_at: begin,
            answer: Some((begin + 2, Answer::Held)),
            lease_end: 1_000,
            released_at: Some(end),
            released: Some((end + 2, true)),
            ..Attempt::default()
        }
    }

    fn denied(begin: u64, end: u64) -> Attempt {
        Attempt {
            asked_at: begin,
            answer: Some((end, Answer::Denied)),
            ..Attempt::default()
        }
    }

    #[test]
    fn one_holder_after_the_other_is_a_lock() {
        assert!(is_linearizable(&[held(0, 10), held(13, 20)], true));
        // The second makes its request before the first has released, and gets the answer after.
        let mut waits = held(5, 20);
        waits.answer = Some((15, Answer::Held));
        assert!(is_linearizable(&[held(0, 10), waits], true));
        assert!(is_linearizable(&[held(0, 10), denied(4, 6)], true));
    }

    #[test]
    fn two_holders_at_once_are_not() {
        assert!(!is_linearizable(&[held(0, 10), held(5, 20)], true));
        let third = [held(0, 10), held(13, 30), held(20, 40)];
        assert!(!is_linearizable(&third, true));
    }

    #[test]
    fn a_denial_needs_a_holder_except_with_a_quorum() {
        let history = [held(0, 10), denied(14, 16)];
        assert!(!is_linearizable(&history, true));
        assert!(is_linearizable(&history, false));
    }

    #[test]
    fn a_lock_comes_free_at_the_end_of_its_lease_and_not_before() {
        let mut crashed = held(0, 0);
        (crashed.released_at, crashed.released, crashed.lease_end) = (None, None, 50);
        assert!(is_linearizable(&[crashed.clone(), held(49, 70)], true));
        assert!(!is_linearizable(&[crashed.clone(), held(47, 70)], true));
        // Refreshed when somebody else has it.
        crashed.refreshed = vec![(60, 62)];
        assert!(!is_linearizable(&[crashed, held(52, 70)], true));
    }

    #[test]
    fn an_unknown_answer_may_mean_both() {
        let unknown = Attempt {
            answer: Some((4, Answer::Unknown)),
            ..Attempt::default()
        };
        assert!(is_linearizable(&[unknown.clone(), denied(6, 8)], true));
        assert!(is_linearizable(&[unknown, held(6, 8)], true));
        assert!(!is_linearizable(&[denied(6, 8)], true), "nobody was there");
    }

    #[test]
    fn a_release_that_finds_the_lock_gone_needs_an_end_of_the_lease() {
        let mut late = held(0, 60);
        late.released = Some((62, false));
        assert!(!is_linearizable(&[late.clone()], true));
        late.lease_end = 50;
        assert!(is_linearizable(&[late], true));
    }
}
