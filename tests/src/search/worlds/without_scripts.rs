//! Worlds whose node runs no scripts.

use tenure_core::{Arrangement, Renewal};

use super::{ONE, Plan, plan};
use crate::search::per_key::Commands;
use crate::search::setup::{Memory, Setup};
use crate::search::user::Wants;

/// One node that runs no scripts. A connection may break between two commands of an operation, and others come in between.
pub(super) fn without_scripts() -> Vec<Plan> {
    let world =
        |sample, states, name, users: &'static [&'static [Wants]], change: fn(&mut Setup)| {
            let mut plan = plan((1, Arrangement::Ordered), sample, states, name, change);
            (plan.setup.users, plan.setup.commands) = (users, Commands::PerKey);
            plan
        };
    let same: &[&[Wants]] = &[&[&["ab"]], &[&["ab"]]];
    vec![
        world(
            20,
            usize::MAX,
            "no scripts, keys ab and b: slow, cut",
            &[&[&["ab"]], &[&["b"]]],
            |s| {
                (s.budget.late, s.budget.cuts) = (1, 1);
            },
        ),
        world(
            20,
            usize::MAX,
            "no scripts, keys ab: cut, 2 refreshes",
            same,
            |s| {
                (s.prompt, s.budget.cuts, s.budget.refreshes) = (true, 1, 2);
            },
        ),
        world(
            10,
            ONE,
            "no scripts, keys ab and bc: slow, 2 cuts",
            &[&[&["ab"]], &[&["bc"]]],
            |s| {
                (s.budget.late, s.budget.cuts) = (1, 2);
            },
        ),
        world(
            10,
            ONE,
            "no scripts, keys ab: renewal, slow, cut, watching",
            same,
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                s.watch = true;
                (s.budget.late, s.budget.cuts) = (1, 1);
            },
        ),
        world(
            10,
            usize::MAX,
            "no scripts, keys ab: refresh, slow, cut",
            same,
            |s| {
                (s.budget.late, s.budget.cuts, s.budget.refreshes) = (1, 1, 1);
            },
        ),
        world(
            10,
            usize::MAX,
            "no scripts, keys ab: amnesia, slow, cut",
            same,
            |s| {
                (s.memory, s.exclusive) = (Memory::Lost, false);
                (s.budget.late, s.budget.cuts, s.budget.node_crashes) = (1, 1, 1);
            },
        ),
    ]
}
