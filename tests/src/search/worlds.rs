//! The worlds that are searched.

mod fences;
mod modes;
mod without_scripts;

use std::time::Duration;

use tenure_core::{Arrangement, Renewal};

use super::per_key::Commands;
use super::setup::{Memory, Setup};
use super::user::Wants;
use super::walk::Limits;
use fences::fences;
use modes::{changes, modes};
use without_scripts::without_scripts;

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
    let single = |name, change| plan((1, Arrangement::Ordered), 20, usize::MAX, name, change);
    let ordered = |name, change| plan((3, Arrangement::Ordered), 20, 20_000, name, change);
    let quorum = |name, change| plan((3, Arrangement::Quorum), 20, 20_000, name, change);
    let mut plans = vec![
        single("1 client that tries once: slow, cut, refresh", |s| {
            (s.clients, s.wait) = (1, None);
            s.renewal = Renewal::Automatic { max_hold: None };
            (s.budget.late, s.budget.cuts, s.budget.refreshes) = (1, 1, 1);
        }),
        single("2 clients, 1 node: slow", |s| s.budget.late = 1),
        single("2 clients, 1 node: slow, cut, watching", |s| {
            (s.watch, s.budget.late, s.budget.cuts) = (true, 1, 1);
        }),
        single("2 clients, 1 node: cut, 2 refreshes, prompt", |s| {
            (s.prompt, s.budget.cuts, s.budget.refreshes) = (true, 1, 2);
        }),
        ordered("2 clients, 3 ordered: cut", |s| s.budget.cuts = 1),
        ordered("2 clients, 3 ordered: node crash, prompt", |s| {
            (s.prompt, s.budget.node_crashes) = (true, 1);
        }),
        quorum("2 clients, quorum of 3: slow, prompt", |s| {
            (s.prompt, s.budget.late) = (true, 1);
        }),
        quorum("2 clients, quorum of 3: cut, prompt", |s| {
            (s.prompt, s.budget.cuts) = (true, 1);
        }),
        quorum("2 clients, quorum of 3: fences, prompt", |s| {
            (s.prompt, s.fence, s.counters) = (true, true, [0, 1, 1]);
        }),
    ];
    plans.extend(without_scripts().into_iter().take(2));
    plans.extend(users().into_iter().filter(|plan| plan.setup.nodes == 1));
    plans.extend(modes());
    plans.extend(changes());
    let large = |plan: &&mut Plan| {
        let setup = &plan.setup;
        setup.patient || setup.commands == Commands::PerKey || !setup.modes.is_empty()
    };
    for plan in plans.iter_mut().filter(large) {
        plan.limits.states = 20_000;
    }
    plans
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

/// What takes a quarter of an hour.
#[must_use]
pub fn long() -> Vec<Plan> {
    let mut plans = singles();
    plans.extend(without_scripts());
    plans.extend(users());
    plans.extend(ordered());
    plans.extend(quorums());
    plans.extend(troubled_quorums());
    plans.extend(fences());
    plans.extend(modes());
    plans.extend(changes());
    plans
}

const ONE: usize = 1_000_000;
const HOUR: Duration = Duration::from_secs(3600);

fn plan(
    (nodes, arrangement): (usize, Arrangement),
    sample: u64,
    states: usize,
    name: &'static str,
    change: fn(&mut Setup),
) -> Plan {
    let mut setup = Setup::new(name, nodes, arrangement);
    change(&mut setup);
    let limits = Limits {
        states,
        sample,
        ..Limits::default()
    };
    Plan { setup, limits }
}

/// One node. All of these searches end, and from every state it is tried whether it goes on well.
fn singles() -> Vec<Plan> {
    let world = |name, change| plan((1, Arrangement::Ordered), 1, usize::MAX, name, change);
    vec![
        world("2 clients, 1 node: 2 slow, 1 cut", |s| {
            (s.budget.late, s.budget.cuts) = (2, 1);
        }),
        world("2 clients, 1 node: 2 slow, 1 cut, watching", |s| {
            s.watch = true;
            (s.budget.late, s.budget.cuts) = (2, 1);
        }),
        world("2 clients, 1 node: slow, cut, both crash", |s| {
            (s.budget.late, s.budget.cuts) = (1, 1);
            (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
        }),
        world("2 clients, 1 node: slow, cut, both crash, watching", |s| {
            (s.watch, s.silent) = (true, true);
            (s.budget.late, s.budget.cuts) = (1, 1);
            (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
        }),
        world("2 clients, 1 node: slow, cut, refresh, cancel", |s| {
            (s.budget.late, s.budget.cuts) = (1, 1);
            (s.budget.refreshes, s.budget.cancels) = (1, 1);
        }),
        world("2 clients, 1 node: renewal, slow, cut, watching", |s| {
            s.renewal = Renewal::Automatic { max_hold: None };
            s.watch = true;
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
        world("2 clients, 1 node: amnesia, slow, cut", |s| {
            (s.memory, s.exclusive) = (Memory::Lost, false);
            (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
        }),
        world("2 clients twice, 1 node: slow, prompt", |s| {
            (s.requests, s.prompt, s.budget.late) = (2, true, 1);
        }),
        world("3 clients, 1 node: slow, prompt", |s| {
            (s.clients, s.prompt, s.budget.late) = (3, true, 1);
        }),
        world("2 clients, 1 node, keys ab and bc: slow, cut", |s| {
            s.users = &[&[&["ab"]], &[&["bc"]]];
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
    ]
}

/// Users who are all served if each has a client of its own, and must be if they share one: then no lock waits for a
/// neighbour where it would not wait for another client.
fn users() -> Vec<Plan> {
    let on = |nodes, sample, name, users: &'static [&'static [Wants]], change| {
        let mut plan = plan(nodes, sample, 3 * ONE, name, change);
        (plan.setup.users, plan.setup.clients) = (users, users.len());
        (plan.setup.patient, plan.setup.wait) = (true, Some(HOUR));
        plan.setup.renewal = Renewal::Automatic { max_hold: None };
        plan
    };
    let (ordered, quorum) = ((3, Arrangement::Ordered), (3, Arrangement::Quorum));
    let world = |name, users, change| on((1, Arrangement::Ordered), 1, name, users, change);
    let polling: fn(&mut Setup) = |s| s.prompt = true;
    let watching: fn(&mut Setup) = |s| (s.prompt, s.watch) = (true, true);
    vec![
        world("b then a | ab", &[&[&["b", "a"]], &[&["ab"]]], polling),
        world("b then a + ab", &[&[&["b", "a"], &["ab"]]], polling),
        world(
            "b then a + ab, watching",
            &[&[&["b", "a"], &["ab"]]],
            watching,
        ),
        world(
            "b then a + ab | a, watching",
            &[&[&["b", "a"], &["ab"]], &[&["a"]]],
            watching,
        ),
        world(
            "ab + b | a, watching",
            &[&[&["ab"], &["b"]], &[&["a"]]],
            watching,
        ),
        world(
            "c then a | ab | bc",
            &[&[&["c", "a"]], &[&["ab"]], &[&["bc"]]],
            polling,
        ),
        world(
            "c then a + ab + bc",
            &[&[&["c", "a"], &["ab"], &["bc"]]],
            polling,
        ),
        world(
            "c then a + ab + bc, watching",
            &[&[&["c", "a"], &["ab"], &["bc"]]],
            watching,
        ),
        on(
            ordered,
            10,
            "b then a + ab | a, 3 ordered",
            &[&[&["b", "a"], &["ab"]], &[&["a"]]],
            polling,
        ),
        on(
            quorum,
            10,
            "b then a + ab | a, quorum of 3",
            &[&[&["b", "a"], &["ab"]], &[&["a"]]],
            polling,
        ),
        on(
            quorum,
            1,
            "c then a + ab + bc, quorum of 3",
            &[&[&["c", "a"], &["ab"], &["bc"]]],
            polling,
        ),
    ]
}

/// Three nodes, asked one after the other.
fn ordered() -> Vec<Plan> {
    let world = |sample, states, name, change| {
        plan((3, Arrangement::Ordered), sample, states, name, change)
    };
    vec![
        world(10, usize::MAX, "2 clients, 3 ordered: slow, cut", |s| {
            (s.budget.late, s.budget.cuts) = (1, 1);
        }),
        world(
            10,
            usize::MAX,
            "2 clients, 3 ordered: slow, node crash",
            |s| {
                (s.budget.late, s.budget.node_crashes) = (1, 1);
            },
        ),
        world(
            100,
            6 * ONE,
            "2 clients, 3 ordered: slow, cut, both crash",
            |s| {
                (s.budget.late, s.budget.cuts) = (1, 1);
                (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
            },
        ),
        world(
            100,
            usize::MAX,
            "2 clients, 3 ordered: slow, cut, both crash, prompt",
            |s| {
                (s.prompt, s.budget.late, s.budget.cuts) = (true, 1, 1);
                (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
            },
        ),
        world(
            10,
            usize::MAX,
            "2 clients, 3 ordered: amnesia, slow, prompt but 1",
            |s| {
                (s.memory, s.prompt, s.budget.withheld) = (Memory::Lost, true, 1);
                (s.budget.late, s.budget.node_crashes) = (1, 1);
            },
        ),
        world(
            10,
            usize::MAX,
            "2 clients twice, 3 ordered: cut, prompt",
            |s| {
                (s.requests, s.prompt, s.budget.cuts) = (2, true, 1);
            },
        ),
        world(
            10,
            usize::MAX,
            "2 clients, 3 ordered: renewal, slow, prompt",
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
    ]
}

fn quorum(sample: u64, states: usize, name: &'static str, change: fn(&mut Setup)) -> Plan {
    plan((3, Arrangement::Quorum), sample, states, name, change)
}

/// A quorum of three nodes, asked all at once, with one kind of trouble or two.
fn quorums() -> Vec<Plan> {
    let all = usize::MAX;
    vec![
        quorum(10, all, "2 clients, quorum of 3: slow", |s| {
            s.budget.late = 1
        }),
        quorum(10, all, "2 clients, quorum of 3: cut", |s| {
            s.budget.cuts = 1
        }),
        quorum(100, all, "2 clients, quorum of 3: slow, cut, prompt", |s| {
            (s.prompt, s.budget.late, s.budget.cuts) = (true, 1, 1);
        }),
        quorum(
            100,
            all,
            "2 clients, quorum of 3: slow, node crash, prompt",
            |s| (s.prompt, s.budget.late, s.budget.node_crashes) = (true, 1, 1),
        ),
        quorum(
            100,
            2 * ONE,
            "2 clients, quorum of 3: amnesia, slow, prompt",
            |s| {
                (s.memory, s.prompt) = (Memory::LostAndLate, true);
                (s.budget.late, s.budget.node_crashes) = (1, 1);
            },
        ),
        quorum(
            10,
            all,
            "2 clients, quorum of 3: client crash, slow, prompt",
            |s| (s.prompt, s.budget.late, s.budget.client_crashes) = (true, 1, 1),
        ),
        quorum(
            10,
            all,
            "2 clients, quorum of 3: renewal, slow, prompt",
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
        quorum(
            10,
            all,
            "2 clients, quorum of 3: cancel, slow, prompt",
            |s| (s.prompt, s.budget.late, s.budget.cancels) = (true, 1, 1),
        ),
    ]
}

/// The same with all troubles at once, as far as it goes.
fn troubled_quorums() -> Vec<Plan> {
    let states = 6 * ONE;
    vec![
        quorum(
            100,
            states,
            "2 clients, quorum of 3: slow, cut, both crash",
            |s| {
                (s.budget.late, s.budget.cuts) = (1, 1);
                (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
            },
        ),
        quorum(
            100,
            states,
            "2 clients, quorum of 3: slow, cut, both crash, prompt",
            |s| {
                (s.prompt, s.budget.late, s.budget.cuts) = (true, 1, 1);
                (s.budget.node_crashes, s.budget.client_crashes) = (1, 1);
            },
        ),
    ]
}
