//! Histories of the simulated world and of real servers, checked against a lock that does one thing after the other.

use std::cell::Cell;
use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tenure::{NotObtained, ObtainError, Released};
use tenure_core::{Arrangement, Event, LockId};
use tenure_tests::history::{Answer, Attempt, is_linearizable};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::world::{ClientId, World};

const CLIENTS: usize = 4;
const MS: Duration = Duration::from_millis(1);

/// What one client does next, and how long nobody does anything after that.
#[derive(Clone, Debug)]
struct Move {
    client: usize,
    kind: MoveKind,
    pause_ms: u64,
}

#[derive(Copy, Clone, Debug)]
enum MoveKind {
    Try,
    Wait,
    Refresh,
    Release,
    Cut,
    /// A node ends and starts again, with all that it had.
    Crash,
    /// A node ends and starts again, empty.
    Forget,
}

/// With `forgets`, nodes may do what makes a lock impossible.
fn moves(forgets: bool) -> impl Strategy<Value = Vec<Move>> {
    let kind = prop_oneof![
        3 => Just(MoveKind::Try),
        3 => Just(MoveKind::Wait),
        2 => Just(MoveKind::Refresh),
        4 => Just(MoveKind::Release),
        1 => Just(MoveKind::Cut),
        1 => Just(if forgets { MoveKind::Forget } else { MoveKind::Crash }),
    ];
    let one = (0..CLIENTS, kind, 0_u64..60).prop_map(|(client, kind, pause_ms)| Move {
        client,
        kind,
        pause_ms,
    });
    prop::collection::vec(one, 1..40)
}

/// A world that does moves and notes when.
struct Recorder {
    world: World,
    nodes: usize,
    clients: Vec<ClientId>,
    /// The latest lock of each client.
    locks: Vec<Option<LockId>>,
    attempts: HashMap<(usize, LockId), Attempt>,
    refreshing: HashMap<(usize, LockId), u64>,
    /// How many events of each client were read.
    read: Vec<usize>,
}

impl Recorder {
    fn new(nodes: usize, arrangement: Arrangement) -> Self {
        let mut world = World::new(nodes, arrangement);
        Self {
            clients: (0..CLIENTS).map(|_| world.client()).collect(),
            nodes,
            locks: vec![None; CLIENTS],
            attempts: HashMap::new(),
            refreshing: HashMap::new(),
            read: vec![0; CLIENTS],
            world,
        }
    }

    fn go(&mut self, step: &Move) {
        let (client, c) = (self.clients[step.client], step.client);
        let now = self.world.now();
        let current = self.locks[c];
        let lease = current.and_then(|lock| self.world.of(client).engine.lease(lock));
        match (step.kind, current) {
            (MoveKind::Try | MoveKind::Wait, None) => {
                let mut request = self.world.request("k", 150 * MS);
                request.wait = matches!(step.kind, MoveKind::Wait).then_some(400 * MS);
                let lock = self.world.obtain(client, request);
                self.locks[c] = Some(lock);
                let attempt = Attempt {
                    asked_at: now.as_micros(),
                    ..Attempt::default()
                };
                self.attempts.insert((c, lock), attempt);
            }
            (MoveKind::Refresh, Some(lock)) if lease.is_some() => {
                let refreshed = self
                    .world
                    .act(client, |engine, now| engine.refresh(lock, None, now));
                if refreshed.is_ok() {
                    let first = self.refreshing.entry((c, lock));
                    first.or_insert(now.as_micros());
                }
            }
            (MoveKind::Release, Some(lock)) => {
                if lease.is_some() {
                    let attempt = self.attempts.get_mut(&(c, lock)).expect("known");
                    attempt.released_at = Some(now.as_micros());
                    self.refreshing.remove(&(c, lock));
                }
                self.world.release(client, lock);
            }
            (MoveKind::Cut, _) => self.world.cut(client, c % self.nodes),
            (MoveKind::Crash, _) => self.world.crash(c % self.nodes),
            (MoveKind::Forget, _) => self.world.restart(c % self.nodes),
            (MoveKind::Try | MoveKind::Wait | MoveKind::Refresh | MoveKind::Release, _) => {}
        }
        self.world
            .run_for(MS * u32::try_from(step.pause_ms).expect("short"));
        self.listen();
    }

    /// Notes the events of clients.
    fn listen(&mut self) {
        for c in 0..CLIENTS {
            let events = self.world.events(self.clients[c]);
            let news: Vec<_> = events[self.read[c]..].to_vec();
            self.read[c] = events.len();
            for (at, event) in news {
                self.note(c, at.as_micros(), event);
            }
        }
    }

    fn note(&mut self, c: usize, at: u64, event: Event) {
        let (Event::Obtained { lock, .. }
        | Event::NotObtained { lock, .. }
        | Event::Refreshed { lock, .. }
        | Event::Lost { lock, .. }
        | Event::Released { lock, .. }) = event
        else {
            return;
        };
        let attempt = self.attempts.get_mut(&(c, lock)).expect("a requested lock");
        if let Event::Obtained { lease, .. } | Event::Refreshed { lease, .. } = event {
            attempt.lease_end = lease.expires_at().as_micros();
        }
        match event {
            Event::Obtained { .. } => attempt.answer = Some((at, Answer::Held)),
            Event::NotObtained { reason, .. } => {
                let denied = matches!(
                    reason,
                    NotObtained::Taken { .. } | NotObtained::TimedOut { .. }
                );
                let answer = if denied {
                    Answer::Denied
                } else {
                    Answer::Unknown
                };
                attempt.answer = Some((at, answer));
            }
            Event::Refreshed {
                requested: true, ..
            } => {
                if let Some(begin) = self.refreshing.remove(&(c, lock)) {
                    attempt.refreshed.push((begin, at));
                }
            }
            Event::Released { proof, .. } if proof != Released::Unconfirmed => {
                attempt.released = Some((at, proof == Released::Confirmed));
            }
            Event::Refreshed { .. }
            | Event::Lost { .. }
            | Event::Released { .. }
            | Event::Inspected { .. }
            | Event::Node { .. }
            | _ => {}
        }
        if !matches!(event, Event::Obtained { .. } | Event::Refreshed { .. }) {
            self.locks[c] = None;
        }
    }
}

/// Whether all of 200 histories are those of a lock, and how often it was held in them.
fn try_histories(
    nodes: usize,
    arrangement: Arrangement,
    forgets: bool,
) -> (Result<(), String>, usize) {
    let config = Config {
        cases: 200,
        failure_persistence: None,
        ..Config::default()
    };
    // The same every time.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let held = Cell::new(0);
    let result = TestRunner::new_with_rng(config, rng).run(&moves(forgets), |moves| {
        let mut recorder = Recorder::new(nodes, arrangement);
        for step in &moves {
            recorder.go(step);
        }
        let attempts: Vec<_> = recorder.attempts.into_values().collect();
        held.set(held.get() + attempts.iter().filter(|a| is_held(a)).count());
        if is_linearizable(&attempts, nodes == 1) {
            Ok(())
        } else {
            Err(TestCaseError::fail(format!("{attempts:#?}")))
        }
    });
    (result.map_err(|failure| failure.to_string()), held.get())
}

fn world_is_linearizable(nodes: usize, arrangement: Arrangement) {
    let (result, held) = try_histories(nodes, arrangement, false);
    if let Err(failure) = result {
        panic!("{failure}");
    }
    assert!(held > 200, "too little happened: {held}");
}

fn is_held(attempt: &Attempt) -> bool {
    matches!(attempt.answer, Some((_, Answer::Held)))
}

#[test]
fn the_history_of_one_node_is_that_of_a_lock() {
    world_is_linearizable(1, Arrangement::Ordered);
}

#[test]
fn the_history_of_three_nodes_in_order_is_that_of_a_lock() {
    world_is_linearizable(3, Arrangement::Ordered);
}

#[test]
fn the_history_of_a_quorum_is_that_of_a_lock() {
    world_is_linearizable(3, Arrangement::Quorum);
}

#[test]
fn the_history_of_a_node_that_forgets_is_not_that_of_a_lock() {
    let (result, _) = try_histories(1, Arrangement::Ordered, true);
    let failure = result.expect_err("a history that no lock has");
    assert!(failure.contains("Held"), "{failure}");
}

/// One client of a real server: takes turns with the others for a while. Times are of one clock.
async fn worker(url: String, rounds: usize, start: std::time::Instant) -> Vec<Attempt> {
    let locker = tenure::tokio::connect(url).await.expect("a locker");
    let now = || u64::try_from(start.elapsed().as_micros()).expect("a short run");
    let mut attempts = Vec::new();
    for round in 0..rounds {
        let mut attempt = Attempt {
            asked_at: now(),
            ..Attempt::default()
        };
        // Now and then a holder does nothing at all, until its lease is over.
        let idles = round % 5 == 4;
        let asked = if idles {
            locker.obtain("k").ttl(200 * MS).manual()
        } else {
            locker.obtain("k").ttl(10_000 * MS)
        };
        let asked = if round % 3 == 0 {
            asked
        } else {
            asked.wait(20_000 * MS)
        };
        match asked.await {
            Ok(lock) => {
                attempt.answer = Some((now(), Answer::Held));
                if idles {
                    attempt.lease_end =
                        now() + u64::try_from(lock.remaining().as_micros()).expect("short");
                    lock.lost().await;
                    attempts.push(attempt);
                    continue;
                }
                let begin = now();
                if round % 2 == 0 && lock.refresh().await.is_ok() {
                    attempt.refreshed.push((begin, now()));
                }
                attempt.lease_end =
                    now() + u64::try_from(lock.remaining().as_micros()).expect("short");
                attempt.released_at = Some(now());
                let proof = lock.release().await;
                if proof != Released::Unconfirmed {
                    attempt.released = Some((now(), proof == Released::Confirmed));
                }
            }
            Err(ObtainError::NotObtained(
                NotObtained::Taken { .. } | NotObtained::TimedOut { .. },
                _,
            )) => {
                attempt.answer = Some((now(), Answer::Denied));
            }
            Err(_) => attempt.answer = Some((now(), Answer::Unknown)),
        }
        attempts.push(attempt);
    }
    locker.close().await;
    attempts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_real_server_is_that_of_a_lock() {
    for kind in [Kind::Redis7, Kind::Valkey9] {
        let server = Server::start(kind);
        let start = std::time::Instant::now();
        let workers: Vec<_> = (0..CLIENTS)
            .map(|_| tokio::spawn(worker(server.url(), 15, start)))
            .collect();
        let mut attempts = Vec::new();
        for worker in workers {
            attempts.extend(worker.await.expect("a worker"));
        }
        let held = attempts.iter().filter(|a| is_held(a));
        assert!(
            held.count() >= CLIENTS * 10,
            "too little happened: {attempts:#?}"
        );
        assert!(is_linearizable(&attempts, true), "{attempts:#?}");
    }
}
