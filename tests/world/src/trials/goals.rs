//! What engines that contend must reach: the one list for tests, for deliberate mistakes and for looking.

use std::time::Duration;

use super::{Contest, Scores};

const MS: Duration = Duration::from_millis(1);

/// A contest, and what is a fair outcome of it.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Goals of one kind have the same name.
    pub name: &'static str,
    /// Who contends; to be played in every arrangement.
    pub contest: Contest,
    /// The least share of an engine, per cent of all.
    pub share: u64,
    /// The least that a worker has, per cent of the mean.
    pub worker: u64,
    /// The longest that a worker of the last engine may wait.
    pub wait: Duration,
}

impl Goal {
    fn new(name: &'static str, engines: &[(u32, u32)]) -> Self {
        Self {
            name,
            contest: Contest {
                engines: engines.to_vec(),
                ..Contest::new(0, 0)
            },
            share: 25,
            worker: 0,
            wait: 500 * MS,
        }
    }

    /// Contests of which a goal was not reached, with the reason.
    #[must_use]
    pub fn missed(&self, scores: &Scores) -> Option<String> {
        // Of an engine with many workers each waits for the others.
        let wait = scores.longest.last().copied().unwrap_or_default();
        let (share, worker) = (scores.least_share(), scores.least_worker());
        match &scores.violation {
            Some(violation) => Some(format!("{:?}", violation.promise)),
            None if share < self.share => Some(format!("a share of {share} %")),
            None if worker < self.worker => Some(format!("a worker with {worker} % of the mean")),
            None if wait > self.wait => Some(format!("a wait of {} ms", wait.as_millis())),
            None => None,
        }
    }
}

/// All of them. An engine that is farther away needs longer for each of its own holdings, so that it has fewer in the same
/// time.
#[must_use]
pub fn goals() -> Vec<Goal> {
    let mut goals = Vec::new();
    for latency in [MS / 20, MS / 2] {
        for (name, workers) in [("one worker each", 1), ("two workers each", 2)] {
            let mut goal = Goal::new(name, &[(1, workers); 2]);
            goal.contest.latency = latency;
            goals.push(goal);
        }
    }
    let mut five = Goal::new("five milliseconds away", &[(1, 1); 2]);
    five.contest.latency = 5 * MS;
    five.wait = Duration::MAX;
    goals.push(five);
    for (distance, share) in [(2, 20), (4, 20), (8, 10)] {
        let goal = Goal::new("farther away", &[(1, 1), (distance, 1)]);
        goals.push(Goal { share, ..goal });
    }
    let mut two = Goal::new("one of two keys", &[(1, 4); 2]);
    two.contest.two_keys = true;
    goals.push(two);
    goals.push(Goal::new("one beside ten", &[(1, 10), (1, 1)]));
    goals.push(Goal {
        share: 0,
        worker: 20,
        ..Goal::new("the farthest of three", &[(1, 1), (1, 1), (8, 1)])
    });
    let sixteen = |name| Goal {
        share: 0,
        worker: 25,
        wait: Duration::MAX,
        ..Goal::new(name, &[(1, 1); 16])
    };
    goals.push(sixteen("sixteen"));
    for (latency, hold) in [(MS / 50, MS / 5), (MS / 20, MS)] {
        let mut goal = sixteen("sixteen by connection");
        (goal.contest.latency, goal.contest.hold) = (latency, hold);
        goal.contest.by_connection = true;
        goals.push(goal);
    }
    goals
}
