//! Every order of events in worlds that are small enough for that: the short form. And whether the search can be trusted.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};
use tenure_core::Arrangement;
use tenure_tests::search::worlds::Plan;
use tenure_tests::search::{
    Commands, Limits, Memory, Report, SearchState, Setup, Step, audit, search, worlds,
};

#[test]
fn no_order_of_events_in_a_small_world_breaks_a_promise() {
    println!("{}", Report::header());
    for plan in worlds::short() {
        let clients = plan.setup.clients;
        let report = search(plan.setup, plan.limits);
        println!("{report}");
        if let Some(fault) = &report.fault {
            panic!("{fault}");
        }
        // A lone client has nobody to take turns with.
        assert!(report.held && (report.turns || clients == 1), "{report}");
    }
}

#[test]
fn states_that_are_taken_for_the_same_have_the_same_future() {
    for plan in worlds::short().into_iter().chain(worlds::long()) {
        for alike in [false, true] {
            match audit(plan.setup.clone(), alike, 1_500) {
                Ok(compared) => assert!(compared > 50, "{}: {compared}", plan.setup.name),
                Err(ways) => panic!("{}: {ways}", plan.setup.name),
            }
        }
    }
}

#[test]
fn a_node_that_forgets_is_found_to_break_the_promise_in_few_steps() {
    let mut setup = Setup::new("amnesia", 1, Arrangement::Ordered);
    setup.memory = Memory::Lost;
    setup.budget.node_crashes = 1;
    let report = search(setup, Limits::default());
    let trail = report.fault.expect("a broken promise");
    assert!(trail.contains("node 0 crashes"), "{trail}");
    assert!(
        trail.ends_with("two clients rely on the same lock"),
        "{trail}"
    );
    // Two asks, each carried out and answered, and the crash between them.
    assert!(trail.contains("after 7 steps"), "{trail}");
}

/// A late request would delete the keys of a lock that is held: see `core/docs/scripts.md`.
#[test]
fn an_obtain_that_is_settled_by_deleting_first_is_found_to_break_the_promise() {
    let is_it = |plan: &Plan| plan.setup.name == "no scripts, keys ab and b: slow, cut";
    let mut plan = worlds::short().into_iter().find(is_it).expect("this world");
    plan.setup.commands = Commands::ReleaseFirst;
    // It shows at a depth that the short form does not reach.
    plan.limits.states = 200_000;
    let trail = search(plan.setup, plan.limits).fault;
    let trail = trail.expect("a broken promise");
    assert!(trail.contains("Obtain { again: true"), "{trail}");
    assert!(
        trail.ends_with("two clients rely on the same lock"),
        "{trail}"
    );
}

/// The assumption that fences of a quorum rest on.
#[test]
fn a_node_that_forgets_its_counter_is_found_to_repeat_a_fence() {
    let mut setup = Setup::new("amnesia", 3, Arrangement::Quorum);
    (setup.memory, setup.exclusive) = (Memory::Lost, false);
    (setup.fence, setup.prompt) = (true, true);
    setup.budget.node_crashes = 1;
    let report = search(setup, Limits::default());
    let trail = report.fault.expect("a broken promise");
    let fault = "a fence was not larger than the one before";
    assert!(trail.ends_with(fault), "{trail}");
}

/// All states, for a model checker that knows nothing of what is alike and keeps them whole.
struct Plain(Arc<Setup>);

#[derive(Clone, Debug)]
struct Whole(SearchState);

impl Hash for Whole {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.fingerprint(false).hash(hasher);
    }
}

impl PartialEq for Whole {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint(false) == other.0.fingerprint(false)
    }
}

impl Model for Plain {
    type State = Whole;
    type Action = Step;

    fn init_states(&self) -> Vec<Whole> {
        vec![Whole(SearchState::new(&self.0))]
    }

    fn actions(&self, state: &Whole, steps: &mut Vec<Step>) {
        steps.extend(state.0.steps());
    }

    fn next_state(&self, state: &Whole, step: Step) -> Option<Whole> {
        let mut next = state.0.clone();
        next.take(step);
        Some(Whole(next))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("safe", |_, state: &Whole| {
            state.0.fault().is_none()
        })]
    }
}

/// How many states, how deep, and the steps to a fault, if there is one.
fn by_model_checker(setup: &Setup) -> (usize, usize, Option<usize>) {
    let model = Plain(Arc::new(setup.clone()));
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    let fault = checker.discovery("safe");
    let steps = fault.map(|path| path.into_actions().len());
    (checker.unique_state_count(), checker.max_depth(), steps)
}

/// Small enough for a checker that keeps all states, with and without faults.
fn comparable() -> Vec<Setup> {
    let world = |name, nodes, arrangement, change: fn(&mut Setup)| {
        let mut setup = Setup::new(name, nodes, arrangement);
        change(&mut setup);
        setup
    };
    let (ordered, quorum) = (Arrangement::Ordered, Arrangement::Quorum);
    vec![
        world("1 node: slow", 1, ordered, |s| s.budget.late = 1),
        world("1 node: cut, watching", 1, ordered, |s| {
            (s.watch, s.budget.cuts) = (true, 1);
        }),
        world("1 node: amnesia", 1, ordered, |s| {
            (s.memory, s.budget.node_crashes) = (Memory::Lost, 1);
        }),
        world("3 ordered: client crash, prompt", 3, ordered, |s| {
            (s.prompt, s.budget.client_crashes) = (true, 1);
        }),
        world("quorum of 3: prompt", 3, quorum, |s| s.prompt = true),
        world("quorum of 3: fences, prompt", 3, quorum, |s| {
            (s.prompt, s.fence, s.counters) = (true, true, [0, 1, 1]);
        }),
        world("quorum of 3: amnesia, prompt", 3, quorum, |s| {
            (s.prompt, s.budget.node_crashes) = (true, 1);
            s.memory = Memory::Lost;
        }),
        world("quorum of 3: client crash, prompt", 3, quorum, |s| {
            (s.prompt, s.budget.client_crashes) = (true, 1);
        }),
    ]
}

#[test]
fn a_model_checker_finds_the_same_without_leaving_anything_out() {
    for mut setup in comparable() {
        let name = setup.name;
        setup.absorbs = false;
        let (states, depth, fault) = by_model_checker(&setup);
        let limits = Limits {
            sample: u64::MAX,
            alike: false,
            ..Limits::default()
        };
        let whole = search(setup.clone(), limits);
        println!("{whole}");
        match fault {
            Some(steps) => {
                let trail = whole.fault.unwrap_or_default();
                assert!(trail.contains(&format!("after {steps} steps")), "{trail}");
            }
            // It counts the first state as depth 1.
            None => assert_eq!((whole.states, whole.depth + 1), (states, depth), "{name}"),
        }
        setup.absorbs = true;
        let limits = Limits {
            alike: true,
            ..limits
        };
        let less = search(setup, limits);
        println!("{less}");
        assert_eq!(less.fault.is_some(), fault.is_some(), "{name}");
        assert!(less.states < whole.states, "{name}");
    }
}
