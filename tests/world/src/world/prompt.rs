//! [`Promise::Prompt`]: a lock that could be obtained now is obtained soon, by somebody.
//!
//! Every lock that waits is watched. While a quorum of nodes that its client can reach has all of its keys free, without
//! interruption and without any new fault, a time runs. It stops when an engine reports one of these keys as obtained, or
//! a lock that shares one of them ends, or a request occupies a key. If it reaches [`World::promptness`], the promise is
//! broken.
//!
//! Checks are rare, because a world takes thousands of steps: after an event that may have freed a key, when a time would
//! be over, and now and then. While a time runs, every request that reaches a node is checked, so that no interruption
//! is missed.

use std::time::Duration;

use tenure_core::{Arrangement, Event, Instant, Key, Keys, LockId};

use super::client::is_terminal;
use super::oracle::{Promise, quorum};
use super::quiet::Quiet;
use super::{Place, World};

/// All locks that were requested and not obtained, in the order of their requests.
#[derive(Debug)]
pub(crate) struct Waiters {
    pub(crate) watches: Vec<Watch>,
    /// When to look next: compared with the time of every step.
    pub(crate) due: Instant,
    /// How many watches have a time that runs.
    pub(crate) running: usize,
    /// When something last went wrong, or was repaired, anywhere.
    pub(crate) trouble: Instant,
    /// How often to check locks whose keys were taken.
    pub(crate) every: Duration,
    /// The keys that locks wait for in order.
    pub(super) queues: Vec<Key>,
    pub(super) quiet: Quiet,
}

impl Default for Waiters {
    fn default() -> Self {
        Self {
            watches: Vec::new(),
            due: NEVER,
            running: 0,
            trouble: Instant::default(),
            every: Duration::from_millis(500),
            queues: Vec::new(),
            quiet: Quiet::default(),
        }
    }
}

/// One requested lock.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) client: usize,
    pub(crate) lock: LockId,
    pub(crate) keys: Keys,
    /// When it was requested, in true time.
    pub(crate) requested_at: Instant,
    /// It waits; otherwise it tries once.
    pub(crate) waits: bool,
    /// From when on it could have been obtained.
    pub(crate) since: Option<Instant>,
    /// From when on its client could reach a quorum, and from when on not even as many nodes as can deny one.
    pub(crate) reached: Option<Instant>,
    pub(crate) cut_off: Option<Instant>,
    /// From when on only clients that are gone were in front of it.
    pub(super) held_up: Option<Instant>,
    /// It waits in order.
    pub(super) queues: bool,
    /// How many connection events its client had received when these times began.
    pub(super) events_seen: usize,
    next: Instant,
}

/// What a look finds.
pub(super) enum Found {
    /// It cannot be obtained now, or an older lock of the same engine goes first.
    Taken,
    /// It can, and must be within `bound`. `behind`: an older lock of the same engine shares a key and waits for another.
    Free { bound: Duration, behind: bool },
    /// It could, but for a client in front of it that is gone, or may be. Its place must end within `bound`.
    HeldUp { bound: Duration },
}

const NEVER: Instant = Instant::from_micros(u64::MAX);
const MS: Duration = Duration::from_millis(1);

impl World {
    /// Checks waiting locks every few milliseconds, so that no stall is too short to be seen.
    pub(crate) fn check_often(&mut self) {
        self.waiters.every = 5 * MS;
    }

    /// A lock was requested.
    pub(super) fn watch(&mut self, client: usize, lock: LockId, keys: Keys, waits: bool) {
        let next = self.now + 4 * MS;
        let queues = self.joins_queue(client, lock);
        self.waiters.due = self.waiters.due.min(next);
        self.waiters.watches.push(Watch {
            client,
            lock,
            keys,
            requested_at: self.now,
            waits,
            since: None,
            reached: None,
            cut_off: None,
            held_up: None,
            queues,
            events_seen: 0,
            next,
        });
    }

    /// An engine reports something about a lock.
    pub(super) fn update_watches(&mut self, client: usize, event: &Event, lock: LockId) {
        let obtained = matches!(event, Event::Obtained { .. });
        if !obtained && !is_terminal(event) {
            return;
        }
        let now = self.now;
        if is_terminal(event) && self.shared {
            self.share(client, lock);
        }
        let requests = self.clients[client].requests.iter().rev();
        let Some(request) = requests.into_iter().find(|request| request.lock == lock) else {
            return;
        };
        self.changed.push((now, request.keys.clone()));
        let next = if obtained {
            now + self.waiters.every
        } else {
            self.waiters.due = now;
            now
        };
        let mut stopped = 0;
        for watch in &mut self.waiters.watches {
            if share_a_key(&watch.keys, &request.keys) {
                watch.held_up = None;
                stopped += usize::from(watch.since.take().is_some());
                watch.next = next;
            }
        }
        self.waiters.running -= stopped;
        self.waiters
            .watches
            .retain(|watch| watch.lock != lock || watch.client != client);
    }

    /// Something went wrong there, or was repaired: times begin anew.
    pub(super) fn note_trouble(&mut self, place: Place) {
        let now = self.now;
        match place {
            Place::Node(node) => self.nodes[node].trouble = now,
            Place::Client(client) => self.clients[client].trouble = now,
            Place::Link(client, node) => self.net.links[client][node].trouble = now,
        }
        self.waiters.trouble = now;
        self.waiters.running = 0;
        for watch in &mut self.waiters.watches {
            if watch.since.take().is_some() {
                watch.next = now;
                self.waiters.due = now;
            }
            (watch.reached, watch.cut_off, watch.held_up) = (None, None, None);
        }
    }

    /// A process has ended, and its requests with it.
    pub(super) fn forget_watches(&mut self, client: usize) {
        self.waiters.watches.retain(|watch| watch.client != client);
    }

    /// A request has reached a node while a time runs: whether it has occupied a key.
    #[cold]
    pub(super) fn check_watches(&mut self, node: usize) {
        for at in 0..self.waiters.watches.len() {
            let watch = &self.waiters.watches[at];
            if watch.since.is_none() || self.is_free(node, &watch.keys) {
                continue;
            }
            let next = self.now + self.waiters.every;
            if matches!(self.find(at), Found::Taken) {
                let watch = &mut self.waiters.watches[at];
                (watch.since, watch.next) = (None, next);
                self.waiters.running -= 1;
                self.oracle.kept(Promise::Prompt);
                self.waiters.due = self.waiters.due.min(next);
            }
        }
    }

    /// Checks every lock whose check is due.
    #[cold]
    pub(super) fn check_waiters(&mut self) {
        let now = self.now;
        for at in 0..self.waiters.watches.len() {
            if self.waiters.watches[at].next <= now {
                self.check_waiter(at);
            }
        }
        let nexts = self.waiters.watches.iter().map(|watch| watch.next);
        self.waiters.due = nexts.min().unwrap_or(NEVER);
    }

    fn check_waiter(&mut self, at: usize) {
        let now = self.now;
        self.check_reach(at);
        let found = self.find(at);
        let every = self.waiters.every;
        let watch = &mut self.waiters.watches[at];
        let was_running = watch.since.is_some();
        match (found, watch.since) {
            (Found::Taken, _) => {
                (watch.since, watch.held_up, watch.next) = (None, None, now + every);
            }
            (Found::HeldUp { bound }, _) => {
                (watch.since, watch.next) = (None, now + every);
                let since = *watch.held_up.get_or_insert(now);
                if since + bound < now {
                    let how = format!(
                        "{} waits for {:?} behind a client that is gone since {since:?}",
                        watch.client, watch.lock
                    );
                    return self.broken(Promise::Patient, how);
                }
                self.oracle.kept(Promise::Patient);
            }
            (Found::Free { bound, behind }, Some(since)) if since + bound < now => {
                let (client, lock) = (watch.client, watch.lock);
                watch.next = NEVER;
                let behind = if behind {
                    ", behind an older one that waits for another key"
                } else {
                    ""
                };
                let how = format!(
                    "{client} waits for {lock:?}, which could have been obtained for {:?}{behind}",
                    now.saturating_since(since)
                );
                return self.broken(Promise::Prompt, how);
            }
            (Found::Free { bound, .. }, since) => {
                let since = since.unwrap_or(now);
                (watch.since, watch.held_up) = (Some(since), None);
                watch.next = since + bound + Duration::from_micros(1);
            }
        }
        let runs = watch.since.is_some();
        self.waiters.running += usize::from(runs && !was_running);
        self.waiters.running -= usize::from(was_running && !runs);
    }

    /// Whether a lock that waits can be obtained now.
    fn find(&self, at: usize) -> Found {
        let watch = &self.waiters.watches[at];
        let client = &self.clients[watch.client];
        let possible = watch.keys.len() == 1 || self.sets_several;
        if !watch.waits || !possible || client.suspended || !client.clock_in_bounds {
            return Found::Taken;
        }
        let since = watch.since.unwrap_or(self.now);
        let Some(steady) = self.can_obtain(watch.client, &watch.keys, since) else {
            return Found::Taken;
        };
        let mut behind = false;
        for older in &self.waiters.watches[..at] {
            let neighbour = older.client == watch.client && older.waits;
            if neighbour && share_a_key(&older.keys, &watch.keys) {
                if self.can_obtain(older.client, &older.keys, since).is_some() {
                    // Its own time runs.
                    return Found::Taken;
                }
                behind = true;
            }
        }
        let bound = self.promptness(watch.client, behind, steady);
        if watch.queues {
            return self.find_in_queue(at, bound, behind);
        }
        Found::Free { bound, behind }
    }

    /// If all of these keys are free on a quorum of nodes that a client can reach: whether nothing had gone wrong on such
    /// a quorum for a while before `since`.
    fn can_obtain(&self, client: usize, keys: &Keys, since: Instant) -> Option<bool> {
        let (mut free, mut steady) = (0, 0);
        for node in 0..self.nodes.len() {
            if self.is_free(node, keys) && self.reaches(client, node) {
                free += 1;
                let link = self.net.links[client][node].trouble;
                let last = link.max(self.nodes[node].trouble);
                let last = last.max(self.clients[client].may_be_late(self.oracle.longest));
                steady += usize::from(self.settled(client, last) <= since);
            }
        }
        (free >= self.quorum()).then_some(steady >= self.quorum())
    }

    /// From when on a fault that was last seen then no longer affects a client.
    pub(super) fn settled(&self, client: usize, trouble: Instant) -> Instant {
        if trouble == Instant::default() {
            // Nothing ever went wrong.
            return trouble;
        }
        trouble + self.recovery(client)
    }

    /// How long a fault may keep a client busy after it is over: an attempt and its undo that are never answered, and the
    /// pause before the next attempt.
    fn recovery(&self, client: usize) -> Duration {
        let timeout = self.clients[client].config.request_timeout;
        timeout * 2 + timeout.max(1000 * MS)
    }

    pub(super) fn is_free(&self, node: usize, keys: &Keys) -> bool {
        keys.iter().all(|key| self.holding(node, key).is_none())
    }

    pub(super) fn quorum(&self) -> usize {
        quorum(self.nodes.len(), self.arrangement == Arrangement::Ordered)
    }

    /// Whether a push was lost so recently that waiting clients may not have checked the key since.
    fn has_lost_pushes(&self, client: usize, node: usize) -> bool {
        let link = &self.net.links[client][node];
        let timeout = self.clients[client].config.request_timeout;
        link.lost_push
            .is_some_and(|at| at + (CHECK_INTERVAL + timeout) * 2 > self.now)
    }

    /// How long it takes at most until somebody's request occupies a key that can be obtained.
    ///
    /// With the round trip `r` of the farthest node that the client can reach, `n` nodes in order (otherwise `n` = 1):
    ///
    /// | what | how long |
    /// |---|---|
    /// | an attempt that is under way, and taking it back | `2 n r` |
    /// | a script that is missing, then the wake and the new attempt | `2 r` |
    /// | the engine whose turn is over lets others go first | 9 `r`, at least 1 ms; with a quorum 10 ms more |
    /// | with a quorum, contenders spread | 10 ms |
    /// | an older lock of the same engine makes its attempt first and is denied for another key | `2 n r` |
    /// | nobody reports that the key has expired: clocks that differ | 1 % of the longest ttl |
    /// | a fault on such a node, on the way to it or of the client, a short while before | two request timeouts and a pause |
    /// | a report was lost on its way a short while before | 3 s, after which waiting clients check the key, and a request timeout |
    /// | a token of the user's own: an attempt waits until the last one is taken back, also on silent nodes | the same |
    /// | a node does not report changes: the pause of the lock, and of an older one | 1 s each, or the request timeout if that is longer |
    ///
    /// That contenders for a quorum may share out the nodes is not in it: each of their attempts occupies a key, and the
    /// time begins anew.
    pub(super) fn promptness(&self, client: usize, behind: bool, steady: bool) -> Duration {
        let of = &self.clients[client];
        let nodes = 0..self.nodes.len();
        let reached = nodes.filter(|node| self.net.is_fine(client, *node));
        let trips = reached.map(|node| self.net.longest_trip_now(client, node, self.now));
        let round = trips.max().unwrap_or_default() * 2;
        let ordered = self.arrangement == Arrangement::Ordered;
        let count = u32::try_from(self.nodes.len()).unwrap_or(1);
        let rounds = if ordered { 2 * count } else { 2 };
        let mut bound = round * (rounds * (1 + u32::from(behind)) + 2) + (round * 9).max(MS);
        if !ordered {
            bound += 20 * MS;
        }
        if !self.announces {
            bound += self.oracle.longest / 100;
        }
        let blind = !self.wakes;
        if blind || (0..self.nodes.len()).any(|node| of.is_ready(node) == Some(false)) {
            // The older one asks after its own pause, and only then those behind it.
            bound += of.config.request_timeout.max(1000 * MS) * (1 + u32::from(behind));
        }
        let lost = (0..self.nodes.len()).any(|node| self.has_lost_pushes(client, node));
        if lost {
            bound += CHECK_INTERVAL + of.config.request_timeout;
        }
        if !steady || of.has_own_tokens() {
            bound += self.recovery(client);
        }
        // Clocks differ.
        bound + bound / 50 + MS / 10
    }
}

/// How often waiting clients check their keys.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_secs(3);

pub(super) fn share_a_key(a: &Keys, b: &Keys) -> bool {
    a.iter().any(|key| b.iter().any(|other| other == key))
}
