//! The worlds that are searched.

use tenure_core::{Arrangement, Renewal};

use super::setup::{Memory, Setup};
use super::walk::Limits;

/// A world, and how far it is searched.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which world.
    pub setup: Setup,
    /// How far.
    pub limits: Limits,
}

/// Small enough for every test run.
#[must_use]
pub fn short() -> Vec<Plan> {
    let plan = |name, nodes, arrangement, depth, change: fn(&mut Setup)| {
        let mut setup = Setup::new(name, nodes, arrangement);
        change(&mut setup);
        Plan {
            setup,
            limits: Limits {
                depth,
                sample: 20,
                ..Limits::default()
            },
        }
    };
    let single = Arrangement::Ordered;
    vec![
        plan(
            "1 client that tries once: slow, cut, refresh",
            1,
            single,
            200,
            |s| {
                (s.clients, s.wait) = (1, None);
                s.renewal = Renewal::Automatic { max_hold: None };
                (s.budget.late, s.budget.cuts, s.budget.refreshes) = (1, 1, 1);
            },
        ),
        plan("2 clients, 1 node: slow", 1, single, 200, |s| {
            s.budget.late = 1
        }),
        plan("2 clients, 1 node: cut, watching", 1, single, 200, |s| {
            s.watch = true;
            s.budget.cuts = 1;
        }),
        plan(
            "2 clients, 1 node: cut, 2 refreshes, prompt",
            1,
            single,
            200,
            |s| {
                (s.prompt, s.budget.cuts, s.budget.refreshes) = (true, 1, 2);
            },
        ),
        plan(
            "2 clients, 3 ordered: cut",
            3,
            Arrangement::Ordered,
            26,
            |s| s.budget.cuts = 1,
        ),
        plan(
            "2 clients, quorum of 3: slow, prompt",
            3,
            Arrangement::Quorum,
            10,
            |s| {
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
    ]
}

/// What a mistake in the core is looked for in: small worlds of every kind, and of larger ones the beginning.
#[must_use]
pub fn hunt() -> Vec<Plan> {
    let mut plans = short();
    plans.extend(long());
    for plan in &mut plans {
        plan.limits.states = plan.limits.states.min(150_000);
    }
    plans
}

/// What takes minutes.
#[must_use]
pub fn long() -> Vec<Plan> {
    let mut plans = singles();
    for arrangement in [Arrangement::Ordered, Arrangement::Quorum] {
        plans.extend(slow(arrangement));
        plans.extend(crashing(arrangement));
    }
    plans
}

fn singles() -> Vec<Plan> {
    let plan = |name, change: fn(&mut Setup)| {
        let mut setup = Setup::new(name, 1, Arrangement::Ordered);
        change(&mut setup);
        Plan {
            setup,
            limits: Limits {
                depth: 400,
                sample: 10,
                ..Limits::default()
            },
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
            (s.memory, s.exclusive) = (Memory::Lost, false);
            (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
        }),
        plan("2 clients twice, 1 node: slow, prompt", |s| {
            (s.asks, s.prompt) = (2, true);
            s.budget.late = 1;
        }),
        plan("3 clients, 1 node: slow, prompt", |s| {
            (s.clients, s.prompt) = (3, true);
            s.budget.late = 1;
        }),
        plan("2 clients, 1 node, keys ab and bc: slow, cut", |s| {
            s.overlapping = true;
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
    ]
}

/// Three nodes: the first name and depth are for nodes in order, the second for a quorum.
fn three(
    arrangement: Arrangement,
    names: [&'static str; 2],
    depths: [usize; 2],
    change: fn(&mut Setup),
) -> Plan {
    let which = usize::from(arrangement == Arrangement::Quorum);
    let mut setup = Setup::new(names[which], 3, arrangement);
    change(&mut setup);
    Plan {
        setup,
        limits: Limits {
            depth: depths[which],
            sample: 100,
            ..Limits::default()
        },
    }
}

/// Three nodes that answer late, and connections that break.
fn slow(arrangement: Arrangement) -> Vec<Plan> {
    let plan = |names, depths, change| three(arrangement, names, depths, change);
    vec![
        plan(
            ["2 clients, 3 ordered: slow", "2 clients, quorum of 3: slow"],
            [400, 14],
            |s| s.budget.late = 1,
        ),
        plan(
            [
                "2 clients, 3 ordered: cut, slow",
                "2 clients, quorum of 3: slow, prompt",
            ],
            [400, 400],
            |s| match s.arrangement {
                Arrangement::Ordered => (s.budget.late, s.budget.cuts) = (1, 1),
                Arrangement::Quorum => (s.prompt, s.budget.late) = (true, 1),
            },
        ),
        plan(
            [
                "2 clients, 3 ordered: cut, slow, prompt but 1",
                "2 clients, quorum of 3: cut, slow, prompt but 1",
            ],
            [400, 10],
            |s| {
                (s.prompt, s.budget.withheld) = (true, 1);
                (s.budget.late, s.budget.cuts) = (1, 1);
            },
        ),
        plan(
            [
                "2 clients twice, 3 ordered: cut, prompt",
                "2 clients twice, quorum of 3: cut, prompt",
            ],
            [400, 17],
            |s| (s.asks, s.prompt, s.budget.cuts) = (2, true, 1),
        ),
    ]
}

/// Three nodes, of which one crashes, or a client does, or everybody goes on for long.
fn crashing(arrangement: Arrangement) -> Vec<Plan> {
    let plan = |names, depths, change| three(arrangement, names, depths, change);
    vec![
        plan(
            [
                "2 clients, 3 ordered: amnesia, slow, prompt but 1",
                "2 clients, quorum of 3: amnesia, slow, prompt but 1",
            ],
            [400, 10],
            |s| {
                s.memory = match s.arrangement {
                    Arrangement::Ordered => Memory::Lost,
                    Arrangement::Quorum => Memory::LostAndLate,
                };
                (s.prompt, s.budget.withheld) = (true, 1);
                (s.budget.late, s.budget.node_crashes) = (1, 1);
            },
        ),
        plan(
            [
                "2 clients, 3 ordered: client crash, slow, prompt",
                "2 clients, quorum of 3: client crash, slow, prompt",
            ],
            [400, 16],
            |s| {
                s.prompt = true;
                (s.budget.late, s.budget.client_crashes) = (1, 1);
            },
        ),
        plan(
            [
                "2 clients, 3 ordered: renewal, slow, prompt",
                "2 clients, quorum of 3: renewal, slow, prompt",
            ],
            [400, 16],
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
    ]
}
