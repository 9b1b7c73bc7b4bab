//! Every order of events in worlds that are small enough for that: the short form.

use tenure_core::Arrangement;
use tenure_tests::search::{Memory, Report, Setup, search, worlds};

#[test]
fn no_order_of_events_in_a_small_world_breaks_a_promise() {
    println!("{}", Report::header());
    for plan in worlds::short() {
        let clients = plan.setup.clients;
        let report = search(plan.setup, plan.depth, plan.sample);
        println!("{report}");
        if let Some(fault) = &report.fault {
            panic!("{fault}");
        }
        // A lone client has nobody to take turns with.
        let missing = report.missing.len();
        assert!(missing == 0 || clients == 1, "{:?}", report.missing);
    }
}

#[test]
fn a_node_that_forgets_is_found_to_break_the_promise_and_the_story_is_short() {
    let mut setup = Setup::new("amnesia", 1, Arrangement::Ordered);
    setup.memory = Memory::Lost;
    setup.budget.node_crashes = 1;
    let story = search(setup, 20, 1).fault.expect("a broken promise");
    assert!(story.contains("node 0 crashes"), "{story}");
    assert!(
        story.ends_with("two clients believe in the same lock"),
        "{story}"
    );
    // Two asks, each carried out and answered, and the crash between them.
    assert!(story.contains("after 7 steps"), "{story}");
}
