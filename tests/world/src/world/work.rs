//! Workers: users who obtain a key, hold it for a moment, release it and at once make the next request.

use std::time::Duration;

use tenure_core::{Event, Instant, LockId, Rng};

use super::agenda::Happening;
use super::client::is_terminal;
use super::{ClientId, World};

/// What a worker does.
#[derive(Clone, Debug)]
pub struct Work {
    /// The keys, with `+` between them.
    pub keys: String,
    /// The ttl of each lock.
    pub ttl: Duration,
    /// It holds each lock for up to this long.
    pub hold: Duration,
    /// The next request follows the release at once; otherwise it waits until the release is confirmed.
    pub drops: bool,
    /// How often it asks.
    pub rounds: u32,
}

/// A worker, and what became of its work.
#[derive(Debug)]
pub struct Worker {
    /// Whose worker it is.
    pub client: ClientId,
    /// How often it obtained.
    pub grants: u64,
    /// The longest time for which it had to wait.
    pub longest: Duration,
    work: Work,
    lock: Option<LockId>,
    requested_at: Instant,
    left: u32,
    rng: Rng,
}

/// For how long a worker waits: longer than anything in a world lasts.
const WAIT: Duration = Duration::from_secs(3600);

impl World {
    /// Lets a worker of a client begin.
    pub fn work(&mut self, client: ClientId, work: Work) {
        let number = self.workers.len();
        self.workers.push(Worker {
            client,
            grants: 0,
            longest: Duration::ZERO,
            left: work.rounds,
            work,
            lock: None,
            requested_at: self.now,
            rng: Rng::new(number as u64 ^ 0x0b5),
        });
        self.start_worker_request(number);
    }

    /// All workers. One that is waiting has waited for as long as it has by now.
    pub fn workers(&mut self) -> &[Worker] {
        let now = self.now;
        for worker in &mut self.workers {
            let held = worker.lock.is_some_and(|lock| {
                let engine = &self.clients[worker.client.0].engine;
                engine.lease(lock).is_some()
            });
            if !held && worker.lock.is_some() {
                worker.longest = worker
                    .longest
                    .max(now.saturating_since(worker.requested_at));
            }
        }
        &self.workers
    }

    /// The links of clients that come from now on take up to this much longer each time.
    pub(crate) fn jitter(&mut self, most: Duration) {
        self.habits.jitter_us = super::micros(most);
    }

    /// From now on no worker makes another request.
    pub(crate) fn end_of_work(&mut self) {
        for worker in &mut self.workers {
            worker.left = 0;
        }
    }

    /// The process of a client has ended.
    pub(super) fn workers_end(&mut self, client: usize) {
        for worker in &mut self.workers {
            if worker.client.0 == client {
                (worker.left, worker.lock) = (0, None);
            }
        }
    }

    pub(super) fn start_worker_request(&mut self, number: usize) {
        let worker = &mut self.workers[number];
        worker.lock = None;
        if worker.left == 0 {
            return;
        }
        worker.left -= 1;
        worker.requested_at = self.now;
        let client = worker.client;
        let (keys, ttl) = (worker.work.keys.clone(), worker.work.ttl);
        let mut request = self.request(&keys, ttl);
        request.wait = Some(WAIT);
        let lock = self.obtain(client, request);
        self.workers[number].lock = Some(lock);
    }

    /// An engine reports something about a lock that may be that of a worker.
    pub(super) fn update_workers(&mut self, client: usize, event: &Event, lock: LockId) {
        let now = self.now;
        let Some(number) = self.worker_of(client, lock) else {
            return;
        };
        let worker = &mut self.workers[number];
        if matches!(event, Event::Obtained { .. }) {
            worker.grants += 1;
            worker.longest = worker
                .longest
                .max(now.saturating_since(worker.requested_at));
            let most = u64::try_from(worker.work.hold.as_micros()).unwrap_or(0);
            let hold = Duration::from_micros(worker.rng.up_to(most));
            let what = Happening::Release(client, lock.to_bits());
            self.net.agenda.push(now + hold, what);
        } else if is_terminal(event) {
            worker.lock = None;
            self.net.agenda.push(now, Happening::Work(number));
        }
    }

    /// A lock was released: a worker that does not wait for the outcome makes its next request.
    pub(super) fn worker_released(&mut self, client: usize, lock: LockId) {
        if let Some(number) = self.worker_of(client, lock)
            && self.workers[number].work.drops
        {
            self.start_worker_request(number);
        }
    }

    fn worker_of(&self, client: usize, lock: LockId) -> Option<usize> {
        let mine = |worker: &Worker| worker.client.0 == client && worker.lock == Some(lock);
        self.workers.iter().position(mine)
    }
}
