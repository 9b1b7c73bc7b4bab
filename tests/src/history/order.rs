//! Whether calls can be put in an order in which a lock would have answered alike.

use std::collections::HashSet;

use super::lock::{Lock, Op};

pub(super) struct Call {
    /// A line of calls of which one ends before the next begins: the attempt, and which part of it.
    pub(super) thread: (usize, usize),
    pub(super) op: Op,
    pub(super) begin: u64,
    /// When, and whether it was done.
    pub(super) end: Option<(u64, bool)>,
}

/// Whether there is one.
pub(super) fn exists(calls: &[Call]) -> bool {
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
    let mut search = Search {
        begins: vec![0; calls.len()],
        ends: vec![usize::MAX; calls.len()],
        calls,
        tried: HashSet::new(),
    };
    for (place, (_, is_end, index)) in edges.into_iter().enumerate() {
        let places = if is_end {
            &mut search.ends
        } else {
            &mut search.begins
        };
        places[index] = place;
    }
    search.go_on(&mut vec![false; calls.len()], &Lock::default())
}

struct Search<'a> {
    calls: &'a [Call],
    /// The place of each call among all beginnings and ends; a call without an end has none.
    begins: Vec<usize>,
    ends: Vec<usize>,
    /// Which calls were done, and what the lock was then.
    tried: HashSet<(Vec<bool>, Lock)>,
}

impl Search<'_> {
    fn go_on(&mut self, done: &mut Vec<bool>, lock: &Lock) -> bool {
        if !self.tried.insert((done.clone(), lock.clone())) {
            return false;
        }
        let open = (0..self.calls.len()).filter(|call| !done[*call]);
        // Nothing comes before a call that had ended when it began.
        let first_end = open.map(|call| self.ends[call]).min();
        let Some(first_end) = first_end.filter(|end| *end != usize::MAX) else {
            return true;
        };
        for index in 0..self.calls.len() {
            if done[index] || self.begins[index] > first_end {
                continue;
            }
            let call = &self.calls[index];
            let mut next = lock.clone();
            let was_done = next.invoke(call.op);
            // One without an answer may do something, or nothing.
            let is_possible = call.end.map_or(was_done, |(_, answer)| answer == was_done);
            if is_possible {
                done[index] = true;
                if self.go_on(done, &next) {
                    return true;
                }
                done[index] = false;
            }
        }
        false
    }
}
