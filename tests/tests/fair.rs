//! Engines that contend for one key for ten virtual seconds: how often each obtains it, and how long it waits.

use std::time::Duration;

use tenure_tests::trials::{Contest, Scores};

const MS: Duration = Duration::from_millis(1);

/// Plays a contest in every arrangement; no promise may be broken.
fn everywhere(contest: &Contest, check: impl Fn(&Scores, &str)) {
    for contest in contest.everywhere() {
        let scores = contest.play();
        let what = format!("{contest:?}: {scores:?}");
        assert_eq!(scores.violation, None, "{what}");
        check(&scores, &what);
    }
}

/// Two engines: the smaller share is a quarter at least, and nobody waits for longer than half a second.
fn shared_by_two(scores: &Scores, what: &str) {
    assert!(scores.least_share() >= 25, "{what}");
    assert!(scores.longest_wait() <= 500 * MS, "{what}");
}

#[test]
fn two_engines_with_one_worker_each_share_a_key() {
    for latency in [MS / 20, MS / 2] {
        let contest = Contest {
            latency,
            ..Contest::new(2, 1)
        };
        everywhere(&contest, shared_by_two);
    }
}

#[test]
fn two_engines_with_two_workers_each_share_a_key() {
    for latency in [MS / 20, MS / 2] {
        let contest = Contest {
            latency,
            ..Contest::new(2, 2)
        };
        everywhere(&contest, shared_by_two);
    }
}

#[test]
fn two_engines_that_are_five_milliseconds_away_share_a_key() {
    let contest = Contest {
        latency: 5 * MS,
        ..Contest::new(2, 1)
    };
    everywhere(&contest, |scores, what| {
        assert!(scores.least_share() >= 25, "{what}");
    });
}

#[test]
fn an_engine_that_is_up_to_eight_times_as_far_away_has_its_share() {
    for distance in [2, 4, 8] {
        let contest = Contest {
            engines: vec![(1, 1), (distance, 1)],
            ..Contest::new(0, 0)
        };
        // Each of its own holdings takes longer, so that it has fewer of them in the same time.
        everywhere(&contest, |scores, what| {
            let least = if distance == 8 { 10 } else { 20 };
            assert!(scores.least_share() >= least, "{what}");
            assert!(scores.longest_wait() <= 500 * MS, "{what}");
        });
    }
}

#[test]
fn one_worker_has_its_share_beside_ten_of_another_engine() {
    let contest = Contest {
        engines: vec![(1, 10), (1, 1)],
        ..Contest::new(0, 0)
    };
    everywhere(&contest, |scores, what| {
        assert!(scores.least_share() >= 25, "{what}");
        assert!(scores.longest[1] <= 500 * MS, "{what}");
    });
}

#[test]
fn the_farthest_of_three_engines_is_not_left_out() {
    let contest = Contest {
        engines: vec![(1, 1), (1, 1), (8, 1)],
        ..Contest::new(0, 0)
    };
    everywhere(&contest, |scores, what| {
        assert!(scores.least_worker() >= 20, "{what}");
        assert!(scores.longest_wait() <= 500 * MS, "{what}");
    });
}

#[test]
fn none_of_sixteen_engines_has_less_than_a_quarter_of_the_mean() {
    everywhere(&Contest::new(16, 1), |scores, what| {
        assert!(scores.least_worker() >= 25, "{what}");
    });
}
