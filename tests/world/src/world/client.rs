//! One process that uses locks: the engine that ships, a clock of its own, and its events.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::time::Duration;

use tenure_core::{Config, Engine, Event, Instant, LockId, Mode, NodeState, Output};

use super::clock::Clock;
use super::held_lock::{Change, HeldLock};
use super::inspected::Snapshot;
use super::log::{Input, Log};
use super::net::Net;
use super::oracle::{Promise, Violation};
use super::request::{LockRequest, is_drawn};
use super::trace::Trace;
use super::wire;
use crate::laws::STEPS;

/// An engine and its events so far.
pub struct Client {
    /// The code that ships.
    pub engine: Engine,
    pub(crate) config: Config,
    pub(crate) seed: u64,
    /// When its engine was made, on its own clock.
    pub(crate) born: Instant,
    pub(crate) clock: Clock,
    /// Its clock kept the bounds so far.
    pub(crate) clock_in_bounds: bool,
    pub(crate) events: Vec<(Instant, Event)>,
    /// What nodes went through.
    pub nodes: Vec<(Instant, Event)>,
    /// On its own clock.
    pub(crate) due: Option<Instant>,
    pub(crate) suspended: bool,
    /// When something last went wrong with it, or was repaired, in true time.
    pub(crate) trouble: Instant,
    /// When bytes of an old connection last came late to a server.
    pub(crate) late_arrival: Option<Instant>,
    /// Something happened since its engine was last asked what to do.
    pub(crate) undrained: bool,
    /// The time of its last timeout, while the output that follows is not yet checked.
    pub(crate) timed_out: Option<Instant>,
    /// How many writes went out.
    pub writes: usize,
    pub(crate) held_locks: Vec<HeldLock>,
    /// Values that nothing may set: their lock was released or has ended.
    pub(crate) retired_values: wire::Values,
    /// Locks whose terminal event is out, and those among them whose event came since all was done.
    ended: Ended,
    just_ended: Vec<LockId>,
    /// From when (true time) and until when (own time) the last lock that ended was held.
    pub(crate) lost: Option<(Instant, Instant)>,
    /// Locks without a terminal event so far, each with the place of its request.
    pub(crate) open: Vec<(LockId, usize)>,
    /// How long to hold the lock that is being requested, and later ones.
    pub(crate) hold: Option<Duration>,
    pub(crate) holds: Vec<(LockId, Duration)>,
    /// Every request so far.
    pub(crate) requests: Vec<LockRequest>,
    pub(crate) inspections: Vec<Snapshot>,
    pub(crate) log: Log,
    /// Events that the oracle has not checked yet.
    pub(crate) unchecked_events: Vec<Event>,
    /// How often each of the promises that are checked here was kept.
    pub(crate) kept: Kept,
}

/// The bits of locks, to be looked up for every event.
type Ended = HashSet<u64, BuildHasherDefault<Trace>>;

/// How often a promise about one client was kept.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) struct Kept {
    pub(crate) one_end: u64,
    pub(crate) silence: u64,
    pub(crate) steps: u64,
    pub(crate) advances: u64,
    pub(crate) expiry_reported: u64,
    pub(crate) weaker: u64,
}

impl Client {
    pub(crate) fn new(config: Config, seed: u64, clock: Clock, now: Instant) -> Self {
        let born = clock.read(now);
        Self {
            engine: Engine::new(config.clone(), seed, born),
            config,
            seed,
            born,
            clock,
            clock_in_bounds: true,
            events: Vec::new(),
            nodes: Vec::new(),
            due: None,
            suspended: false,
            trouble: Instant::default(),
            late_arrival: None,
            undrained: false,
            timed_out: None,
            writes: 0,
            held_locks: Vec::new(),
            retired_values: wire::Values::default(),
            ended: Ended::default(),
            just_ended: Vec::new(),
            lost: None,
            open: Vec::new(),
            hold: None,
            holds: Vec::new(),
            requests: Vec::new(),
            inspections: Vec::new(),
            log: Log::default(),
            unchecked_events: Vec::new(),
            kept: Kept::default(),
        }
    }

    pub(crate) fn log(&mut self, own: Instant, input: impl FnOnce() -> Input) {
        if self.log.on {
            self.log.note(own, input());
        }
    }

    /// Does all that the engine wants, in a bounded number of steps.
    pub(crate) fn drain(
        &mut self,
        index: usize,
        now: Instant,
        net: &mut Net,
    ) -> Result<(), Violation> {
        self.undrained = false;
        for step in 0..STEPS {
            match self.engine.poll_output() {
                Output::Connect(node) => {
                    self.log.note_link(node.index(), true);
                    net.open(index, node.index(), now);
                }
                Output::Disconnect(node) => {
                    self.log.note_link(node.index(), false);
                    net.leave(index, node.index(), now);
                }
                Output::Transmit { node, bytes } => {
                    self.writes += 1;
                    if self.log.on {
                        self.log.outputs.note_bytes(node.index(), bytes);
                    }
                    net.note_line(now, || {
                        let bytes = wire::show(bytes);
                        format!("client {index} → node {}: {bytes}", node.index())
                    });
                    wire::watch(bytes, &self.retired_values)?;
                    self.kept.silence += u64::from(!self.retired_values.is_empty());
                    net.send(index, node.index(), bytes, now);
                }
                Output::Event(event) => {
                    net.note_line(now, || format!("client {index} hears {event:?}"));
                    net.trace.happens(2, now, index, event);
                    let clock = self.clock;
                    net.record(|record| record.receives(index, &event, clock, now));
                    self.note(now, event)?;
                }
                Output::Timeout(at) => {
                    self.due = at;
                    self.kept.steps += 1;
                    self.log.settle(step > 0);
                    self.check_progress()?;
                    // What was on its way to the wire when a lock ended goes out together with its release.
                    while let Some(lock) = self.just_ended.pop() {
                        self.retire_value(lock);
                    }
                    self.note_tokens();
                    self.check_expired_leases(now)?;
                    self.check_beliefs()?;
                    self.kept.expiry_reported += u64::from(!self.held_locks.is_empty());
                    return Ok(());
                }
            }
        }
        Err(Promise::Steps.broken("poll_output does not reach a timeout"))
    }

    fn note(&mut self, now: Instant, event: Event) -> Result<(), Violation> {
        if self.log.on {
            self.log.outputs.events.push(event);
        }
        if let Event::Inspected { .. } = event {
            self.unchecked_events.push(event);
            return Ok(());
        }
        let Some(lock) = lock_of(&event) else {
            self.nodes.push((now, event));
            return Ok(());
        };
        if self.ended.contains(&lock.to_bits()) {
            return Err(Promise::OneTerminalEvent
                .broken(format!("{event:?} after the terminal event of its lock")));
        }
        self.kept.one_end += 1;
        self.events.push((now, event));
        self.unchecked_events.push(event);
        if let Event::Refreshed { lease, .. } = event {
            for held_lock in self.held_locks.iter_mut().filter(|b| b.lock == lock) {
                held_lock.until = lease.expires_at();
            }
        }
        self.note_change(lock, event);
        if let Event::Obtained { lock, lease } = event {
            let (mut cap, mut mode) = (None, Mode::Exclusive);
            if let Some((_, at)) = self.open.iter().find(|(other, _)| *other == lock) {
                let request = &mut self.requests[*at];
                request.obtained = true;
                mode = request.mode;
                let own = self.clock.read(now);
                cap = request.max_hold.map(|most| own + most);
            }
            if let Some(claim) = self.engine.claim(lock) {
                self.held_locks.push(HeldLock {
                    lock,
                    keys: claim.keys().clone(),
                    value: claim.value().into(),
                    mode,
                    change: Change::Settled,
                    since: now,
                    until: lease.expires_at(),
                    owned: !is_drawn(claim.token()),
                    cap,
                    reshaped: false,
                });
            }
        } else if is_terminal(&event) {
            self.ended.insert(lock.to_bits());
            self.just_ended.push(lock);
            let held_lock = self.end_held_lock(lock);
            if let Some((_, at)) = self.open.iter().find(|(other, _)| *other == lock) {
                self.requests[*at].ended = Some(now);
            }
            self.open.retain(|(other, _)| *other != lock);
            self.lost = held_lock
                .filter(|held_lock| {
                    !(held_lock.reshaped || held_lock.owned && self.late_arrival.is_some())
                })
                .map(|held_lock| (held_lock.since, held_lock.until));
        }
        Ok(())
    }

    /// The client no longer relies on a lock.
    pub(crate) fn end_held_lock(&mut self, lock: LockId) -> Option<HeldLock> {
        let at = self
            .held_locks
            .iter()
            .position(|held_lock| held_lock.lock == lock)?;
        let held_lock = self.held_locks.swap_remove(at);
        let open = self.open.iter().find(|(other, _)| *other == lock);
        if let Some((_, at)) = open.filter(|_| !held_lock.reshaped) {
            self.requests[*at].lease = Some((held_lock.since, held_lock.until));
        }
        Some(held_lock)
    }

    /// A timeout that was handled is over.
    fn check_progress(&mut self) -> Result<(), Violation> {
        let Some(timeout) = self.timed_out.take() else {
            return Ok(());
        };
        if self.due.is_none_or(|due| due > timeout) {
            self.kept.advances += 1;
            return Ok(());
        }
        let reason = self.engine.next_reason();
        let due = self.due;
        let how = format!("after handle_timeout({timeout:?}) {reason:?} is due at {due:?}");
        Err(Promise::Advances.broken(how))
    }

    /// Notes which locks had to take another token.
    fn note_tokens(&mut self) {
        for (lock, at) in &self.open {
            let request = &mut self.requests[*at];
            // A lock that was obtained cannot be denied, so this event may be replaced.
            if !(request.renamed || request.obtained)
                && let Some(claim) = self.engine.claim(*lock)
            {
                request.renamed = *claim.token() != request.token;
            }
        }
    }

    /// When a lease is over its lock is lost, at once.
    fn check_expired_leases(&self, now: Instant) -> Result<(), Violation> {
        let own = self.clock.read(now);
        let over = self.held_locks.iter().find(|held_lock| {
            let lease = self.engine.lease(held_lock.lock);
            lease.is_some_and(|lease| !lease.is_valid(own))
        });
        over.map_or(Ok(()), |held_lock| {
            let how = format!(
                "the lease of {:?} is over and was not reported",
                held_lock.lock
            );
            Err(Promise::ExpiryReported.broken(how))
        })
    }

    /// From now on nothing may set the value of this lock.
    pub(crate) fn retire_value(&mut self, lock: LockId) {
        if let Some(claim) = self.engine.claim(lock)
            && is_drawn(claim.token())
            && !self.retired_values.contains(claim.value())
        {
            self.retired_values.insert(claim.value().into());
        }
    }

    /// Whether the connection to a node is ready, and if so, whether the server tracks.
    pub(crate) fn is_ready(&self, node: usize) -> Option<bool> {
        let state = self.nodes.iter().rev().find_map(|(_, event)| {
            let Event::Node { node: of, state } = event else {
                return None;
            };
            (of.index() == node).then_some(*state)
        });
        if let Some(NodeState::Ready { tracking }) = state {
            Some(tracking)
        } else {
            None
        }
    }

    /// Until when it may still wait for the end of a time that it read late, because it slept.
    pub(crate) fn may_be_late(&self, longest: Duration) -> Instant {
        if self.trouble == Instant::default() {
            self.trouble
        } else {
            self.trouble + longest
        }
    }

    /// Whether a lock that is not over has a token of the user's own.
    pub(crate) fn has_own_tokens(&self) -> bool {
        let mut open = self.open.iter().map(|(_, at)| &self.requests[*at]);
        open.any(LockRequest::has_own_token)
    }

    /// Whether a lock that was not over then had a token of the user's own.
    pub(crate) fn had_own_tokens(&self, then: Instant) -> bool {
        let open = |request: &&LockRequest| request.ended.is_none_or(|at| at >= then);
        self.requests
            .iter()
            .filter(open)
            .any(LockRequest::has_own_token)
    }

    /// The locks that this client would say are its own just now.
    pub(crate) fn valid_locks(&self, now: Instant) -> impl Iterator<Item = &HeldLock> {
        let own = self.clock.read(now);
        self.held_locks.iter().filter(move |held_lock| {
            let lease = self.engine.lease(held_lock.lock);
            lease.is_some_and(|lease| lease.is_valid(own))
        })
    }
}

pub(crate) fn is_terminal(event: &Event) -> bool {
    matches!(
        event,
        Event::NotObtained { .. } | Event::Lost { .. } | Event::Released { .. }
    )
}

#[allow(clippy::wildcard_enum_match_arm, reason = "what is not about a lock")]
pub(crate) fn lock_of(event: &Event) -> Option<LockId> {
    match event {
        Event::Obtained { lock, .. }
        | Event::NotObtained { lock, .. }
        | Event::Refreshed { lock, .. }
        | Event::Changed { lock, .. }
        | Event::NotChanged { lock, .. }
        | Event::Lost { lock, .. }
        | Event::Released { lock, .. } => Some(*lock),
        _ => None,
    }
}
