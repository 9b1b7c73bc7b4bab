//! The worlds that are searched.

use tenure_core::{Arrangement, Renewal};

use super::setup::{Budget, Memory, Setup};

const NONE: Budget = Budget {
    late: 0,
    cuts: 0,
    node_crashes: 0,
    client_crashes: 0,
    withdrawals: 0,
    refreshes: 0,
};

/// A world, how deep it is searched, and of how many states one is tried for liveness.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which world.
    pub setup: Setup,
    /// In steps.
    pub depth: usize,
    /// 1: from every state.
    pub sample: u64,
}

/// Small enough for every test run.
#[must_use]
pub fn short() -> Vec<Plan> {
    let single = |name| Setup::new(name, 1, Arrangement::Ordered);
    let plan = |setup| Plan {
        setup,
        depth: 100,
        sample: 10,
    };
    vec![
        plan(Setup {
            clients: 1,
            budget: Budget {
                late: 1,
                cuts: 1,
                ..NONE
            },
            ..single("one client, cut, slow")
        }),
        plan(Setup {
            budget: Budget { late: 1, ..NONE },
            ..single("2 clients, 1 node, slow")
        }),
        plan(Setup {
            budget: Budget { cuts: 1, ..NONE },
            watch: true,
            ..single("2 clients, 1 node, cut, watching")
        }),
    ]
}

/// What takes minutes.
#[must_use]
pub fn long() -> Vec<Plan> {
    let mut plans = singles();
    plans.extend(several(Arrangement::Ordered));
    plans.extend(several(Arrangement::Quorum));
    plans
}

fn singles() -> Vec<Plan> {
    let plan = |name, change: fn(&mut Setup)| {
        let mut setup = Setup::new(name, 1, Arrangement::Ordered);
        change(&mut setup);
        Plan {
            setup,
            depth: 200,
            sample: 10,
        }
    };
    vec![
        plan("2 clients, 1 node: 2 slow, 1 cut", |s| {
            (s.budget.late, s.budget.cuts) = (2, 1);
        }),
        plan("2 clients, 1 node: 2 slow, 1 cut, watching", |s| {
            s.watch = true;
            (s.budget.late, s.budget.cuts) = (2, 1);
        }),
        plan("2 clients, 1 node: slow, cut, node crash", |s| {
            s.watch = true;
            (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
        }),
        plan("2 clients, 1 node: slow, client crash, withdrawal", |s| {
            (s.budget.late, s.budget.client_crashes, s.budget.withdrawals) = (1, 1, 1);
        }),
        plan("2 clients, 1 node: slow, cut, refresh, withdrawal", |s| {
            (s.budget.late, s.budget.cuts) = (1, 1);
            (s.budget.refreshes, s.budget.withdrawals) = (1, 1);
        }),
        plan("2 clients, 1 node: renewal, slow, cut", |s| {
            s.renewal = Renewal::Automatic { max_hold: None };
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
        plan("2 clients, 1 node: amnesia, slow, cut", |s| {
            s.memory = Memory::Lost;
            (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
        }),
        plan("2 clients twice, 1 node: slow, cut", |s| {
            s.asks = 2;
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
        plan("3 clients, 1 node: slow, cut", |s| {
            s.clients = 3;
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
        plan("2 clients, 1 node, keys ab and bc: slow, cut", |s| {
            s.overlapping = true;
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
    ]
}

fn several(arrangement: Arrangement) -> Vec<Plan> {
    let ordered = arrangement == Arrangement::Ordered;
    let plan = |names: [&'static str; 2], depth, change: fn(&mut Setup)| {
        let name = if ordered { names[0] } else { names[1] };
        let mut setup = Setup::new(name, 3, arrangement);
        change(&mut setup);
        Plan {
            setup,
            depth: if ordered { 200 } else { depth },
            sample: 100,
        }
    };
    vec![
        plan(
            ["2 clients, 3 ordered: slow", "2 clients, quorum of 3: slow"],
            24,
            |s| s.budget.late = 1,
        ),
        plan(
            [
                "2 clients, 3 ordered: cut, slow",
                "2 clients, quorum of 3: cut, slow",
            ],
            20,
            |s| (s.budget.late, s.budget.cuts) = (1, 1),
        ),
        plan(
            [
                "2 clients, 3 ordered: amnesia, cut, slow",
                "2 clients, quorum of 3: amnesia, cut, slow",
            ],
            18,
            |s| {
                s.memory = if s.arrangement == Arrangement::Ordered {
                    Memory::Lost
                } else {
                    Memory::LostAndLate
                };
                (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
            },
        ),
        plan(
            [
                "2 clients, 3 ordered: client crash, slow",
                "2 clients, quorum of 3: client crash, slow",
            ],
            20,
            |s| (s.budget.late, s.budget.client_crashes) = (1, 1),
        ),
        plan(
            [
                "2 clients, 3 ordered: renewal, slow",
                "2 clients, quorum of 3: renewal, slow",
            ],
            24,
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                s.budget.late = 1;
            },
        ),
    ]
}
