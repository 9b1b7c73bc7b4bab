//! What schedules need of a world, beyond what scenarios do.

use std::hash::Hasher as _;
use std::time::Duration;

use tenure_core::{
    Event, Instant, Key, LockId, Loss, NodeConfig, NodeError, NotObtained, Obtain, Rng,
};

use super::agenda::Happening;
use super::client::{Client, Kept};
use super::net::Habits;
use super::oracle::Promise;
use super::{ClientId, Clock, Lasting, Place, Record, Violation, World, micros};
use crate::schedule::Report;

impl World {
    /// Sets up what only schedules choose, before there is anybody.
    pub(crate) fn for_schedule(
        &mut self,
        node: NodeConfig,
        prefixed: bool,
        seed: u64,
        lazy: bool,
        watched: bool,
    ) {
        self.node = node;
        self.prefix = if prefixed { b"app:" } else { b"" };
        self.net.rng = Rng::new(seed ^ 0x11_4e55);
        self.net.lines = watched.then(Vec::new);
        self.net.record = watched.then(Box::default);
        self.lazy = lazy;
        self.recording = true;
    }

    pub(crate) fn client_on(
        &mut self,
        clock: Clock,
        (latency, jitter, splits): (Duration, Duration, bool),
        seed: u64,
    ) -> ClientId {
        self.seed = seed;
        self.habits = Habits {
            latency_us: micros(latency),
            jitter_us: micros(jitter),
            splits,
        };
        self.client_with(clock)
    }

    /// Obtains a lock, and releases it this long after it was obtained.
    pub(crate) fn obtain_and_hold(
        &mut self,
        client: ClientId,
        request: Obtain,
        hold: Option<Duration>,
    ) -> LockId {
        // The lock may be obtained before its id is known here, if at all, only in the same call.
        self.clients[client.0].hold = hold;
        let lock = self.obtain(client, request);
        self.clients[client.0].hold = None;
        if let Some(hold) = hold {
            self.clients[client.0].holds.push((lock, hold));
        }
        lock
    }

    /// From now on each lock is released a moment after it was obtained.
    pub(crate) fn release_all(&mut self) {
        self.release_soon = true;
        self.end_of_work();
        self.releasing_count = self.clients.len();
        for client in 0..self.clients.len() {
            let held: Vec<LockId> = self.clients[client]
                .held_locks
                .iter()
                .map(|b| b.lock)
                .collect();
            for lock in held {
                self.release(ClientId(client), lock);
            }
        }
    }

    /// A lock was obtained: its user releases it later.
    pub(super) fn plan_release(&mut self, client: usize, lock: LockId) {
        let of = &mut self.clients[client];
        let at = of.holds.iter().position(|(id, _)| *id == lock);
        let mut hold = at.map(|at| of.holds.swap_remove(at).1).or(of.hold);
        if self.release_soon && client < self.releasing_clients() {
            hold = Some(Duration::from_millis(20));
        }
        if let Some(hold) = hold {
            let what = Happening::Release(client, lock.to_bits());
            self.net.agenda.push(self.now + hold, what);
        }
    }

    /// How many clients release at once: all that were there when that began.
    fn releasing_clients(&self) -> usize {
        self.net.links.len().min(self.releasing_count)
    }

    pub(crate) fn all_ended(&self) -> bool {
        self.clients.iter().all(|client| client.open.is_empty())
    }

    /// How many locks have not come to their end.
    pub(crate) fn open(&self) -> u32 {
        let all: usize = self.clients.iter().map(|client| client.open.len()).sum();
        u32::try_from(all).unwrap_or(u32::MAX)
    }

    pub(crate) fn first_open(&self) -> String {
        let open = self.clients.iter().enumerate();
        let mut open = open.filter_map(|(index, client)| Some((index, client.open.first()?.0)));
        open.next().map_or_else(String::new, |(index, lock)| {
            let client = &self.clients[index];
            let reason = client.engine.next_reason();
            let last = client.events.iter().rev();
            let mut last = last.filter(|(_, event)| super::client::lock_of(event) == Some(lock));
            format!("{lock:?} of {index}, {:?}, next is {reason:?}", last.next())
        })
    }

    /// Something that a client holds, if it holds anything.
    pub(crate) fn any_held(&self, client: ClientId) -> Option<LockId> {
        self.clients[client.0].held_locks.last().map(|b| b.lock)
    }

    pub(crate) fn mode(&self, client: ClientId, lock: LockId) -> Option<tenure_core::Mode> {
        self.clients[client.0].engine.mode(lock)
    }

    pub(crate) fn is_held(&self, client: ClientId, lock: LockId) -> bool {
        self.clients[client.0].engine.lease(lock).is_some()
    }

    /// A node on which keys are left, and how many. `queues`: also of queues in which nobody counts, which a node
    /// keeps for a minute.
    pub(crate) fn leftovers(&self, queues: bool) -> Option<(usize, usize)> {
        let ignored: &[&[u8]] = if queues || self.is_queued() {
            &[b"~fence"]
        } else {
            &[b"~fence", b"~exclusive", b"~shared", b"~alive"]
        };
        let counts = self.nodes.iter().enumerate().map(|(index, node)| {
            let own = node.clock.read(self.now);
            // Counters of fences may outlive every lock.
            let locks = node
                .server
                .keys(own)
                .filter(|name| !ignored.iter().any(|end| name.ends_with(end)));
            (index, locks.count())
        });
        counts.into_iter().find(|(_, count)| *count > 0)
    }

    /// Whether every client is alive and on good terms with a node, and none has left a key with a token of its own to end
    /// by itself.
    pub(crate) fn is_usable(&self, node: usize) -> bool {
        let then = self.now.saturating_before(self.oracle.longest);
        let leaves = |client: &Client| {
            let expired = |event: &Event| {
                matches!(
                    event,
                    Event::Lost {
                        reason: Loss::Expired { .. },
                        ..
                    }
                )
            };
            let mut late = client.events.iter().rev().take_while(|(at, _)| *at >= then);
            client.had_own_tokens(then) && late.any(|(_, event)| expired(event))
        };
        let fine = |client: &Client| client.is_ready(node).is_some() && !leaves(client);
        !self.killed && self.clients.iter().all(fine)
    }

    /// Whether an engine that was closed has nothing left to do by now.
    pub(crate) fn check_drained(&mut self, client: ClientId) {
        let of = &self.clients[client.0];
        if of.suspended || !of.clock_in_bounds {
            return;
        }
        if of.engine.is_drained() {
            self.kept(Promise::Drains);
        } else {
            let why = of.engine.next_reason();
            let how = format!("{} was closed long ago, next is {why:?}", client.0);
            self.broken(Promise::Drains, how);
        }
    }

    pub(crate) fn all_drained(&self) -> bool {
        self.clients.iter().all(|client| client.engine.is_drained())
    }

    /// Lets one link take longer from now on.
    pub(crate) fn stretch(&mut self, client: ClientId, node: usize, latency: Duration) {
        self.happens(Place::Link(client.0, node), format!("takes {latency:?}"));
        self.net.links[client.0][node].habits.latency_us = micros(latency);
    }

    /// Servers give final errors, always.
    pub(crate) fn gives_final_errors(&mut self) {
        self.refused = Some(Instant::from_micros(u64::MAX));
    }

    /// A node says that keys are not what they were.
    pub(crate) fn sends_wrongtype(&mut self, node: usize) {
        self.nodes[node].wrongtype_at = Some(self.now);
        self.oracle.damage(node, self.now);
    }

    /// Whether it has done so for a key that may still exist.
    pub(crate) fn has_sent_wrongtype(&self, node: usize) -> bool {
        let at = self.nodes[node].wrongtype_at;
        at.is_some_and(|at| at + self.oracle.longest > self.now)
    }

    /// Whether a key on a node has no ttl.
    pub(crate) fn is_endless(&self, node: usize, key: &Key) -> bool {
        matches!(self.holding(node, key), Some((_, None)))
    }

    /// Nobody is woken here, or not in time.
    pub(crate) fn has_no_wakes(&mut self) {
        self.wakes = false;
    }

    /// Users of several engines use the same token: a release by one releases for all.
    pub fn shares_tokens(&mut self) {
        self.shared = true;
    }

    /// Servers cannot do what a lock needs, and this was reported.
    pub(crate) fn is_refused_for_good(&self, client: ClientId, lock: LockId) -> bool {
        let reported = matches!(
            self.last(client, lock),
            Some(Event::NotObtained {
                reason: NotObtained::Refused(NodeError::NoScripts),
                ..
            })
        );
        reported && self.refused == Some(Instant::from_micros(u64::MAX))
    }

    pub(crate) fn anybody_waits(&self) -> bool {
        self.waiters.watches.iter().any(|watch| watch.waits)
    }

    /// Nothing will go wrong here; a round takes at most so long.
    pub(crate) fn expect_calm(&mut self, round: Duration) {
        self.oracle.calm = Some(round);
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.oracle.violation.as_ref()
    }

    pub(crate) fn broken(
        &mut self,
        promise: Promise,
        how: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        self.oracle.report(promise.broken(how), self.now);
    }

    pub(crate) fn kept(&mut self, promise: Promise) {
        self.oracle.kept(promise);
    }

    /// Writes down what happens, if anybody wants to know.
    pub(crate) fn note_line(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        self.net.note_line(now, line);
    }

    /// Notes that something goes wrong, if anybody wants to know.
    pub(crate) fn happens(&mut self, place: Place, what: impl Into<String>) {
        self.note_trouble(place);
        let (now, what) = (self.now, what.into());
        self.note_line(|| format!("{place}: {what}"));
        self.net.record(|record| record.happens(place, what, now));
    }

    /// Notes that something is wrong from now on, or no longer.
    pub(crate) fn set_fault(&mut self, place: Place, kind: Lasting, what: Option<&str>) {
        self.note_trouble(place);
        let record = self.net.record.as_mut();
        if !record.is_some_and(|record| record.set_fault(place, kind, what, self.now)) {
            return;
        }
        self.note_line(|| match what {
            Some(what) => format!("{place}: {what}"),
            None => format!("{place}: no longer {kind}"),
        });
    }

    /// Keeps what a picture needs, from now on: before there is anybody.
    pub fn start_record(&mut self) {
        self.net.record = Some(Box::default());
    }

    /// What was recorded until now.
    pub fn take_record(&mut self) -> Option<Record> {
        let mut record = self.net.record.take()?;
        record.nodes = self.nodes.len();
        record.is_over(&self.clients, self.now);
        Some(*record)
    }

    pub(crate) fn take_clients(&mut self) -> Vec<Client> {
        std::mem::take(&mut self.clients)
    }

    pub(crate) fn add_kept(&mut self, kept: Kept) {
        for (promise, count) in [
            (Promise::OneTerminalEvent, kept.one_end),
            (Promise::NoLateWrites, kept.silence),
            (Promise::Steps, kept.steps),
            (Promise::Advances, kept.advances),
            (Promise::ExpiryReported, kept.expiry_reported),
            (Promise::Weaker, kept.weaker),
        ] {
            *self.oracle.checks.entry(promise).or_default() += count;
        }
    }

    pub(crate) fn report(&mut self) -> Report {
        let start = Instant::from_micros(1_000_000);
        let violation = self.oracle.violation.as_ref();
        let verdict = violation.map(|violation| (violation.promise, &violation.how, violation.at));
        let (checks, excused) = (&self.oracle.checks, &self.oracle.excused);
        let end = (verdict, checks, excused);
        self.net.trace.happens(4, self.now, 0, end);
        Report {
            violation: self.oracle.violation.take(),
            time: self.now.saturating_since(start),
            checks: std::mem::take(&mut self.oracle.checks),
            excused: std::mem::take(&mut self.oracle.excused),
            used: std::collections::BTreeMap::new(),
            trace: self.net.trace.finish(),
            lines: self.net.lines.take().unwrap_or_default(),
        }
    }
}
