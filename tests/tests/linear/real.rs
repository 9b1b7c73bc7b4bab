//! Histories of real servers.

use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Lock, Locker, ModeError, NotChanged, NotObtained, ObtainError, Obtaining, Released};
use tenure_core::Mode;
use tenure_tests::history::{Answer, Attempt, Change, is_linearizable};
use tenure_tests::servers::{Kind, Server};

use super::{is_changed, is_held, is_shared};

const CLIENTS: usize = 4;
const ROUNDS: usize = 15;
const MS: Duration = Duration::from_millis(1);

/// Which locks are in the history.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Kinds {
    Exclusive,
    All,
}

/// One client of a real server: takes turns with the others for a while. Times are of one clock.
struct Worker {
    number: usize,
    kinds: Kinds,
    locker: Locker,
    start: Instant,
}

impl Worker {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).expect("a short run")
    }

    async fn run(self) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for round in 0..ROUNDS {
            attempts.push(self.round(round).await);
        }
        self.locker.close().await;
        attempts
    }

    /// The mode of one round; as other clients do, and in another order.
    fn ask(&self, round: usize) -> (Mode, Obtaining) {
        let limit = std::num::NonZeroU32::new(2);
        if self.kinds == Kinds::Exclusive {
            return (Mode::Exclusive, self.locker.obtain("k"));
        }
        match (round + self.number) % 5 {
            0 => (Mode::Exclusive, self.locker.obtain("k")),
            1 | 3 => (Mode::Shared { limit: None }, self.locker.read("k")),
            2 => (Mode::InTurn, self.locker.write("k")),
            _ => (Mode::Shared { limit }, self.locker.permit("k", 2)),
        }
    }

    async fn round(&self, round: usize) -> Attempt {
        let (mode, asked) = self.ask(round);
        let mut attempt = Attempt {
            mode,
            asked_at: self.now(),
            ..Attempt::default()
        };
        // Now and then a holder does nothing at all, until its lease is over.
        let idles = round % 5 == 4;
        let asked = if idles {
            asked.ttl(200 * MS).manual()
        } else {
            asked.ttl(10_000 * MS)
        };
        let asked = if round.is_multiple_of(3) {
            asked
        } else {
            asked.wait(20_000 * MS)
        };
        match asked.await {
            Ok(lock) => {
                attempt.answer = Some((self.now(), Answer::Held));
                if idles {
                    attempt.lease_end = self.end_of(&lock);
                    lock.lost().await;
                } else {
                    self.hold(lock, round, &mut attempt).await;
                }
            }
            Err(ObtainError::NotObtained(
                NotObtained::Taken { by, .. } | NotObtained::TimedOut { by },
                _,
            )) => {
                attempt.answer = Some((self.now(), Answer::Denied(by)));
            }
            Err(_) => attempt.answer = Some((self.now(), Answer::Unknown)),
        }
        attempt
    }

    fn end_of(&self, lock: &Lock) -> u64 {
        self.now() + u64::try_from(lock.remaining().as_micros()).expect("short")
    }

    async fn hold(&self, lock: Lock, round: usize, attempt: &mut Attempt) {
        let begin = self.now();
        if round.is_multiple_of(2) && lock.refresh().await.is_ok() {
            attempt.refreshed.push((begin, self.now()));
        }
        if attempt.mode != Mode::Exclusive {
            // There and back, if it may.
            self.change(&lock, attempt).await;
            self.change(&lock, attempt).await;
        }
        attempt.lease_end = self.end_of(&lock);
        attempt.released_at = Some(self.now());
        let proof = lock.release().await;
        if proof != Released::Unconfirmed {
            attempt.released = Some((self.now(), proof == Released::Confirmed));
        }
    }

    async fn change(&self, lock: &Lock, attempt: &mut Attempt) {
        let (up, asked_at) = (lock.is_shared(), self.now());
        let changed = if up {
            lock.try_upgrade().await
        } else {
            lock.downgrade().await
        };
        let done = match changed {
            Ok(()) => Some(true),
            Err(ModeError::NotChanged(NotChanged::Taken { .. })) => Some(false),
            Err(_) => None,
        };
        attempt.changes.push(Change {
            up,
            asked_at,
            answer: done.map(|done| (self.now(), done)),
        });
    }
}

/// What four clients observe.
async fn history(kind: Kind, kinds: Kinds) -> Vec<Attempt> {
    let server = Server::start(kind);
    let start = Instant::now();
    let mut workers = Vec::new();
    for number in 0..CLIENTS {
        let locker = connect(server.url()).await.expect("a locker");
        let worker = Worker {
            number,
            kinds,
            locker,
            start,
        };
        workers.push(tokio::spawn(worker.run()));
    }
    let mut attempts = Vec::new();
    for worker in workers {
        attempts.extend(worker.await.expect("a worker"));
    }
    attempts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_a_real_server_is_that_of_a_lock() {
    for kind in Kind::ALL {
        let attempts = history(kind, Kinds::Exclusive).await;
        let held = attempts.iter().filter(|attempt| is_held(attempt)).count();
        assert!(held >= CLIENTS * 10, "too little happened: {attempts:#?}");
        assert!(is_linearizable(&attempts, true), "{kind:?}: {attempts:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_readers_writers_and_permits_of_a_real_server_is_that_of_a_lock() {
    for kind in Kind::ALL {
        let attempts = history(kind, Kinds::All).await;
        let count = |is: fn(&Attempt) -> bool| attempts.iter().filter(|one| is(one)).count();
        let (shared, changed) = (count(is_shared), count(is_changed));
        assert!(shared >= CLIENTS * 5, "too little happened: {attempts:#?}");
        assert!(changed > 0, "nothing changed: {attempts:#?}");
        assert!(is_linearizable(&attempts, true), "{kind:?}: {attempts:#?}");
    }
}
