//! Worlds in which each grant gets a number.

use tenure_core::Arrangement;

use super::{ONE, Plan, plan, quorum};

/// Counters that differ, as failures leave them: only then the numbers of one grant differ, too.
pub(super) fn fences() -> Vec<Plan> {
    let single = |name, change| plan((1, Arrangement::Ordered), 1, ONE, name, change);
    let ordered = |name, change| plan((3, Arrangement::Ordered), 10, ONE, name, change);
    vec![
        single("2 clients twice, 1 node: fences, slow, prompt", |s| {
            (s.requests, s.fence, s.prompt, s.budget.late) = (2, true, true, 1);
        }),
        ordered("2 clients, 3 ordered: fences, cut", |s| {
            (s.fence, s.counters, s.budget.cuts) = (true, [2, 0, 1], 1);
        }),
        quorum(10, ONE, "2 clients, quorum of 3: fences, cut", |s| {
            (s.prompt, s.budget.cuts) = (true, 1);
            (s.fence, s.counters) = (true, [0, 1, 2]);
        }),
        quorum(10, 2 * ONE, "2 clients, quorum of 3: fences, slow", |s| {
            (s.prompt, s.budget.late) = (true, 1);
            (s.fence, s.counters) = (true, [0, 1, 1]);
        }),
        quorum(100, ONE, "3 clients, quorum of 3: fences", |s| {
            (s.clients, s.prompt) = (3, true);
            (s.fence, s.counters) = (true, [0, 1, 1]);
        }),
    ]
}
