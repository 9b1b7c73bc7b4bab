//! Worlds in which clients share a key. Nobody waits in order.

use std::num::NonZeroU32;

use tenure_core::{Arrangement, Mode, Renewal};

use super::{Plan, plan};
use crate::search::setup::Setup;

const READER: Mode = Mode::Shared { limit: None };
const WRITER: Mode = Mode::InTurn;
/// As every other library has it.
const PLAIN: Mode = Mode::Exclusive;
const OF_ONE: Mode = Mode::Shared {
    limit: NonZeroU32::new(1),
};
const OF_TWO: Mode = Mode::Shared {
    limit: NonZeroU32::new(2),
};

fn world(name: &'static str, modes: &'static [Mode], change: fn(&mut Setup)) -> Plan {
    let mut plan = plan((1, Arrangement::Ordered), 20, usize::MAX, name, change);
    (plan.setup.modes, plan.setup.clients) = (modes, modes.len());
    plan
}

/// The same, in which clients change from one mode to the other while they hold a lock.
pub(super) fn changes() -> Vec<Plan> {
    vec![
        world(
            "2 readers that change twice: slow, cut",
            &[READER, READER],
            |s| {
                (s.budget.late, s.budget.cuts, s.budget.changes) = (1, 1, 2);
            },
        ),
        world(
            "reader | writer, 2 changes: slow, cut, prompt",
            &[READER, WRITER],
            |s| {
                (s.prompt, s.budget.changes) = (true, 2);
                (s.budget.late, s.budget.cuts) = (1, 1);
            },
        ),
    ]
}

/// One node. Clients try again until their wait ends.
pub(super) fn modes() -> Vec<Plan> {
    let all: fn(&mut Setup) = |s| {
        (s.budget.late, s.budget.cuts, s.budget.client_crashes) = (1, 1, 1);
    };
    vec![
        world("reader | writer: slow, cut, crash", &[READER, WRITER], all),
        world("reader | plain: slow, cut, crash", &[READER, PLAIN], all),
        world("writer | plain: slow, cut, crash", &[WRITER, PLAIN], all),
        world(
            "reader | plain: renewal, slow, watching",
            &[READER, PLAIN],
            |s| {
                s.renewal = Renewal::Automatic { max_hold: None };
                (s.watch, s.budget.late) = (true, 1);
            },
        ),
        world(
            "reader | reader | writer: slow, prompt",
            &[READER, READER, WRITER],
            |s| {
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
        world(
            "reader | writer | plain: slow, prompt",
            &[READER, WRITER, PLAIN],
            |s| {
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
        world("3 permits of 2: slow, prompt", &[OF_TWO; 3], |s| {
            (s.prompt, s.budget.late) = (true, 1);
        }),
        world(
            "2 permits of 1 | writer: slow, prompt",
            &[OF_ONE, OF_ONE, WRITER],
            |s| {
                (s.prompt, s.budget.late) = (true, 1);
            },
        ),
        world("2 permits of 1, twice: slow, prompt", &[OF_ONE; 2], |s| {
            (s.prompt, s.requests, s.budget.late) = (true, 2, 1);
        }),
    ]
}
