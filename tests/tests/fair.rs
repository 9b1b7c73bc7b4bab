//! Engines that contend for one key for ten virtual seconds: how often each obtains it, and how long it waits. What each
//! must reach is defined in `tests/world/src/trials/goals.rs`.

use tenure_tests::trials::{Goal, goals};

/// Plays the contests of this name in every arrangement; no promise may be broken, and no goal missed.
#[track_caller]
fn reached(name: &str) {
    let goals: Vec<Goal> = goals().into_iter().filter(|g| g.name == name).collect();
    assert!(!goals.is_empty(), "no contest is called {name:?}");
    for goal in goals {
        for contest in goal.contest.everywhere() {
            let scores = contest.play();
            assert_eq!(goal.missed(&scores), None, "{contest:?}: {scores:?}");
        }
    }
}

#[test]
fn two_engines_with_one_worker_each_share_a_key() {
    reached("one worker each");
}

#[test]
fn two_engines_with_two_workers_each_share_a_key() {
    reached("two workers each");
}

#[test]
fn two_engines_that_are_five_milliseconds_away_share_a_key() {
    reached("five milliseconds away");
}

#[test]
fn an_engine_that_is_up_to_eight_times_as_far_away_has_its_share() {
    reached("farther away");
}

#[test]
fn two_engines_share_a_key_that_is_the_second_of_two() {
    reached("one of two keys");
}

#[test]
fn one_worker_has_its_share_beside_ten_of_another_engine() {
    reached("one beside ten");
}

#[test]
fn the_farthest_of_three_engines_is_not_left_out() {
    reached("the farthest of three");
}

#[test]
fn none_of_sixteen_engines_has_less_than_a_quarter_of_the_mean() {
    reached("sixteen");
}

#[test]
fn none_of_sixteen_engines_starves_because_of_the_order_of_connections() {
    reached("sixteen by connection");
}
