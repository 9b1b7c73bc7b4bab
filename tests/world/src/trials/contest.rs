//! Engines that contend for one key all the time, without faults: how often each obtains it, and how long it waits.

use std::time::Duration;

use tenure_core::Arrangement;

use crate::world::{ClientId, Violation, Work, World};

/// Who contends, and how.
#[derive(Clone, Debug)]
pub struct Contest {
    /// For each engine how many times farther than [`Contest::latency`] it is from the nodes, and how many workers it has.
    pub engines: Vec<(u32, u32)>,
    /// How many nodes.
    pub nodes: usize,
    /// What the nodes are to each other.
    pub arrangement: Arrangement,
    /// One way, of the nearest.
    pub latency: Duration,
    /// Each lock is held for up to this long.
    pub hold: Duration,
    /// Workers make the next request at once, without waiting for the outcome of the release.
    pub drops: bool,
    /// Each lock has two keys: one that only its worker asks for, and behind it the contended one.
    pub two_keys: bool,
    /// Delays do not vary, so engines that are equally far away ask in the order in which a node notifies them: that of their
    /// connections, as with real servers.
    pub by_connection: bool,
    /// How long it goes on.
    pub time: Duration,
}

/// What came of a contest.
#[derive(Clone, Debug)]
pub struct Scores {
    /// How often each engine obtained the key.
    pub engines: Vec<u64>,
    /// How often each worker did.
    pub workers: Vec<u64>,
    /// The longest that a worker of each engine had to wait.
    pub longest: Vec<Duration>,
    /// The first promise that was broken.
    pub violation: Option<Violation>,
}

/// One node, three in order, and a quorum of three.
pub const ARRANGEMENTS: [(usize, Arrangement); 3] = [
    (1, Arrangement::Ordered),
    (3, Arrangement::Ordered),
    (3, Arrangement::Quorum),
];

impl Contest {
    /// Engines with as many workers each that are equally far, on one node half a millisecond away, holding for up to one
    /// millisecond, for ten seconds.
    #[must_use]
    pub fn new(engines: usize, workers: u32) -> Self {
        Self {
            engines: vec![(1, workers); engines],
            nodes: 1,
            arrangement: Arrangement::Ordered,
            latency: Duration::from_micros(500),
            hold: Duration::from_millis(1),
            drops: false,
            two_keys: false,
            by_connection: false,
            time: Duration::from_secs(10),
        }
    }

    /// The same contest in every one of the [`ARRANGEMENTS`], with users who wait for the outcome of a release and with such
    /// who do not.
    pub fn everywhere(&self) -> impl Iterator<Item = Self> {
        ARRANGEMENTS
            .into_iter()
            .flat_map(move |(nodes, arrangement)| {
                [false, true].map(|drops| Self {
                    nodes,
                    arrangement,
                    drops,
                    ..self.clone()
                })
            })
    }

    /// Plays it.
    #[must_use]
    pub fn play(&self) -> Scores {
        let mut world = World::new(self.nodes, self.arrangement);
        let mut clients: Vec<ClientId> = Vec::new();
        for (distance, _) in &self.engines {
            world.latency = self.latency * *distance;
            if !self.by_connection {
                world.jitter(world.latency / 4);
            }
            clients.push(world.client());
        }
        world.pass(self.latency * 200);
        for (index, (client, (_, workers))) in clients.iter().zip(&self.engines).enumerate() {
            for worker in 0..*workers {
                let work = Work {
                    keys: if self.two_keys {
                        format!("{index}-{worker}+k")
                    } else {
                        "k".to_owned()
                    },
                    ttl: Duration::from_secs(30),
                    hold: self.hold,
                    drops: self.drops,
                    rounds: u32::MAX,
                };
                world.work(*client, work);
            }
        }
        world.pass(self.time);
        let violation = world.violation().cloned();
        let mut scores = Scores {
            engines: vec![0; clients.len()],
            workers: Vec::new(),
            longest: vec![Duration::ZERO; clients.len()],
            violation,
        };
        for worker in world.workers() {
            let at = worker.client.index();
            scores.engines[at] += worker.grants;
            scores.workers.push(worker.grants);
            scores.longest[at] = scores.longest[at].max(worker.longest);
        }
        scores
    }
}

impl Scores {
    /// The share of the engine that obtained least, per cent of all.
    #[must_use]
    pub fn least_share(&self) -> u64 {
        let all: u64 = self.engines.iter().sum();
        let least = self.engines.iter().copied().min().unwrap_or(0);
        (least * 100).checked_div(all).unwrap_or(0)
    }

    /// What the worker that obtained least has, per cent of the mean.
    #[must_use]
    pub fn least_worker(&self) -> u64 {
        let all: u64 = self.workers.iter().sum();
        let least = self.workers.iter().copied().min().unwrap_or(0);
        (least * 100 * self.workers.len() as u64)
            .checked_div(all)
            .unwrap_or(0)
    }

    /// The longest that anybody had to wait.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.longest.iter().copied().max().unwrap_or_default()
    }
}
