//! Every order of events in worlds that are small enough for that: the short form.

use tenure_tests::search::{search, worlds};

#[test]
fn no_order_of_events_in_a_small_world_breaks_a_promise() {
    for plan in worlds::short() {
        let report = search(plan.setup, plan.depth, plan.sample);
        println!("{report}");
        if let Some(fault) = &report.fault {
            panic!("{fault}");
        }
    }
}
