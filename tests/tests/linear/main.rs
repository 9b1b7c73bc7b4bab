//! Histories of the simulated world and of real servers, checked against a lock that does one thing after the other: one that
//! is exclusive, and one that readers, writers and permits share.

mod real;
mod recorder;

use std::cell::Cell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use recorder::{Kinds, Recorder, moves};
use tenure_core::{Arrangement, Mode};
use tenure_tests::history::{Answer, Attempt, is_linearizable};

/// How often something happened in histories.
#[derive(Default)]
struct Count {
    held: Cell<usize>,
    shared: Cell<usize>,
    changed: Cell<usize>,
    denied: Cell<usize>,
}

impl Count {
    fn note(&self, attempts: &[Attempt]) {
        let add = |count: &Cell<usize>, is: &dyn Fn(&Attempt) -> bool| {
            count.set(count.get() + attempts.iter().filter(|attempt| is(attempt)).count());
        };
        add(&self.held, &is_held);
        add(&self.shared, &is_shared);
        add(&self.changed, &is_changed);
        add(&self.denied, &|attempt| {
            matches!(attempt.answer, Some((_, Answer::Denied(_))))
        });
    }
}

fn is_held(attempt: &Attempt) -> bool {
    matches!(attempt.answer, Some((_, Answer::Held)))
}

fn is_shared(attempt: &Attempt) -> bool {
    is_held(attempt) && matches!(attempt.mode, Mode::Shared { .. })
}

fn is_changed(attempt: &Attempt) -> bool {
    let mut changes = attempt.changes.iter();
    changes.any(|change| change.answer.is_some_and(|(_, done)| done))
}

/// Whether all of 200 histories are those of a lock, and what happened in them.
fn try_histories(
    nodes: usize,
    arrangement: Arrangement,
    kinds: Kinds,
) -> (Result<(), String>, Count) {
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    // The same every time.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let count = Count::default();
    let result = TestRunner::new_with_rng(config, rng).run(&moves(kinds), |moves| {
        let mut recorder = Recorder::new(nodes, arrangement);
        for step in &moves {
            recorder.go(step);
        }
        let attempts = recorder.attempts();
        count.note(&attempts);
        if is_linearizable(&attempts, nodes == 1) {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("{attempts:#?}")))
        }
    });
    (result.map_err(|failure| failure.to_string()), count)
}

fn world_is_linearizable(nodes: usize, arrangement: Arrangement, kinds: Kinds) -> Count {
    let (result, count) = try_histories(nodes, arrangement, kinds);
    if let Err(failure) = result {
        panic!("{failure}");
    }
    assert!(
        count.held.get() > 200,
        "too little happened: {:?}",
        count.held
    );
    count
}

#[test]
fn the_history_of_one_node_is_that_of_a_lock() {
    world_is_linearizable(1, Arrangement::Ordered, Kinds::Exclusive);
}

#[test]
fn the_history_of_three_nodes_in_order_is_that_of_a_lock() {
    world_is_linearizable(3, Arrangement::Ordered, Kinds::Exclusive);
}

#[test]
fn the_history_of_a_quorum_is_that_of_a_lock() {
    world_is_linearizable(3, Arrangement::Quorum, Kinds::Exclusive);
}

#[test]
fn the_history_of_readers_writers_and_permits_is_that_of_a_lock() {
    for nodes in [1, 3] {
        let count = world_is_linearizable(nodes, Arrangement::Ordered, Kinds::Modes);
        for (what, seen, least) in [
            ("shared", count.shared.get(), 200),
            ("denied", count.denied.get(), 100),
            // Several nodes change nothing.
            (
                "changed",
                count.changed.get(),
                if nodes == 1 { 20 } else { 0 },
            ),
        ] {
            assert!(seen >= least, "{nodes} nodes: {what} {seen} times");
        }
    }
}

#[test]
fn the_history_of_a_node_that_forgets_is_not_that_of_a_lock() {
    for kinds in [Kinds::Forgetful, Kinds::ForgetfulModes] {
        let (result, _) = try_histories(1, Arrangement::Ordered, kinds);
        let failure = result.expect_err("a history that no lock has");
        assert!(failure.contains("Attempt {"), "{failure}");
    }
}

/// A reader that calls itself the only holder, and a writer that calls itself a reader: the checks of modes are in use.
#[test]
fn a_history_of_modes_whose_modes_are_wrong_is_not_that_of_a_lock() {
    for wrong in [Mode::InTurn, Mode::Shared { limit: None }] {
        let mut recorder = Recorder::new(1, Arrangement::Ordered);
        recorder.share_and_then_have_it_alone();
        let mut attempts = recorder.attempts();
        assert!(is_linearizable(&attempts, true), "{attempts:#?}");
        for attempt in &mut attempts {
            attempt.mode = wrong;
        }
        assert!(!is_linearizable(&attempts, true), "{attempts:#?}");
    }
}
