//! `Locks` and one session per node: what drivers talk to.

mod access;
mod send;

use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::event::{Event, NodeError, NodeState};
use crate::fifo::Queue;
use crate::id::{LockId, NodeId, RequestId};
use crate::keys::Keys;
use crate::lock::{Inspection, Outcome, UnknownLock};
use crate::locks::Locks;
use crate::obtain::Obtain;
use crate::redis::{Report, Session};
use crate::time::{Instant, Micros};
use crate::ttl::Ttl;

/// The whole protocol: see the crate's documentation for the contract.
#[derive(Debug)]
pub struct Engine {
    locks: Locks,
    sessions: Vec<Session>,
    /// Events of nodes that are still to be returned.
    events: Queue<Event>,
    /// Requests that could not be sent, to be passed to the locks.
    unsent: Vec<(RequestId, NodeError)>,
    closing: bool,
    /// How long a connection may be silent while there are locks, and when to check that next.
    silence: Micros,
    probe_at: Instant,
    /// A session has received bytes since the last poll.
    has_input: bool,
    /// There may be output: something happened, or time went on, since the last [`Output::Timeout`].
    dirty: bool,
    /// Whether grants wait for replicas.
    #[cfg(feature = "acks")]
    acks: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Output<'a> {
    /// Open a connection to this node, then call [`Engine::handle_connected`], or [`Engine::handle_disconnected`] if
    /// it cannot be opened.
    Connect(NodeId),
    /// Drop the connection to this node, whether open or still being opened; nothing is to be reported back.
    Disconnect(NodeId),
    /// Send these bytes to this node, after all earlier ones.
    Transmit {
        /// Which node.
        node: NodeId,
        /// What to send. The engine does not offer them again.
        bytes: &'a [u8],
    },
    /// Something happened.
    Event(Event),
    /// Nothing else is left: call [`Engine::handle_timeout`] at this instant, if there is one.
    Timeout(Option<Instant>),
}

impl Engine {
    /// An engine that will connect to all its nodes. `seed` serves only for the jitter of retries and of reconnects.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an engine takes over its configuration"
    )]
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let silence = config.idle_probe.map_or(Micros(u64::MAX), |silence| {
            silence.max(Duration::from_millis(100)).into()
        });
        let nodes = (0..config.nodes().len()).filter_map(NodeId::new);
        let mut locks = Locks::new(&config, seed, now);
        for node in nodes.clone() {
            locks.handle_node(node, Some(NodeError::Disconnected), now);
        }
        Self {
            locks,
            sessions: nodes
                .map(|node| Session::new(&config, node, seed, now))
                .collect(),
            events: Queue::default(),
            unsent: Vec::new(),
            closing: false,
            silence,
            probe_at: now + silence,
            has_input: false,
            dirty: false,
            #[cfg(feature = "acks")]
            acks: config.has_acks(),
        }
    }

    /// Starts to obtain a lock. Ends with [`Event::Obtained`] or [`Event::NotObtained`].
    pub fn obtain(&mut self, request: Obtain, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.restart_silence(now);
        self.locks.obtain(request, now)
    }

    /// Refreshes a held lock: for its ttl, or from now on for another one. Ends with [`Event::Refreshed`] (with `sent`) or
    /// with the terminal event of the lock; until then it is retried.
    ///
    /// # Errors
    /// [`UnknownLock`] if the lock is not held.
    pub fn refresh(
        &mut self,
        lock: LockId,
        ttl: Option<Ttl>,
        now: Instant,
    ) -> Result<(), UnknownLock> {
        let now = self.clamp(now);
        self.locks.refresh(lock, ttl, now)
    }

    /// Turns [`crate::Renewal`] off: only [`Engine::refresh`] makes the lease last. A `max_hold` still counts.
    pub fn stop_renewing(&mut self, lock: LockId, now: Instant) {
        let now = self.clamp(now);
        self.locks.stop_renewing(lock, now);
    }

    /// Releases a lock in any state, once; later calls and old ids do nothing. A held lock ends with
    /// [`Event::Released`], any other with [`crate::NotObtained::Cancelled`].
    pub fn release(&mut self, lock: LockId, now: Instant) {
        let now = self.clamp(now);
        self.locks.release(lock, now);
    }

    /// Starts an inspection: who holds `keys`, without side effects. Ends with [`Event::Inspected`], then
    /// [`Engine::take_inspection`] has the result. [`Engine::release`] ends it early.
    pub fn inspect(&mut self, keys: Keys, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.restart_silence(now);
        self.locks.inspect(keys, now)
    }

    /// The result of an inspection, once, after its [`Event::Inspected`].
    pub fn take_inspection(&mut self, inspection: LockId) -> Option<Inspection> {
        self.locks.take_inspection(inspection)
    }

    /// Releases all locks and accepts no new ones. [`Engine::is_drained`] says when that is done.
    pub fn close(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.closing = true;
        self.locks.close(now);
    }

    /// The connection that [`Output::Connect`] requested is open.
    pub fn handle_connected(&mut self, node: NodeId, now: Instant) {
        let now = self.clamp(now);
        if let Some(session) = self.sessions.get_mut(node.index()) {
            session.handle_connected(now);
        }
    }

    /// Bytes came from this node, split anywhere.
    pub fn handle_input(&mut self, node: NodeId, bytes: &[u8], now: Instant) {
        let now = self.clamp(now);
        let Some(session) = self.sessions.get_mut(node.index()) else {
            return;
        };
        session.note_received(now);
        let mut rest = bytes;
        while let Some(request) = session.next_grant(&mut rest) {
            self.locks.answered(request, &Outcome::GRANTED);
        }
        if !rest.is_empty() {
            session.handle_input(rest);
            self.process_session(node);
        }
    }

    /// The connection to this node is gone, or could not be opened.
    pub fn handle_disconnected(&mut self, node: NodeId, now: Instant) {
        let now = self.clamp(now);
        if let Some(session) = self.sessions.get_mut(node.index()) {
            session.handle_disconnected(now);
            self.process_session(node);
        }
    }

    /// Does what is due. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        for index in 0..self.sessions.len() {
            let (Some(session), Some(node)) = (self.sessions.get_mut(index), NodeId::new(index))
            else {
                continue;
            };
            if session.deadline().is_some_and(|at| at <= now) {
                session.handle_timeout(now);
                self.process_session(node);
            }
        }
        if self.probe_at <= now && self.locks.has_locks() {
            self.probe(now);
        }
        self.locks.handle_timeout(now);
    }

    /// What to do next. Call it until it returns [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<'_> {
        if self.dirty {
            if self.has_input || self.locks.may_transmit() {
                self.send_requests();
            }
            let event = self.locks.next_event();
            if let Some(event) = event.or_else(|| self.events.pop_front()) {
                self.dirty = self.has_more();
                return Output::Event(event);
            }
            self.dirty = false;
            #[cfg(feature = "acks")]
            if self.acks {
                self.request_acks();
            }
        }
        self.poll_sessions()
    }

    /// Why the next timeout is due: for logs and tests.
    #[must_use]
    pub fn next_reason(&self) -> &'static str {
        let sessions = self.sessions.iter();
        let first = sessions
            .filter_map(|session| session.deadline().map(|at| (at, session.reason())))
            .min_by_key(|(at, _)| *at);
        let probe = (self.probe_at, "end of a silence");
        let first = first
            .into_iter()
            .chain(self.locks.has_locks().then_some(probe));
        match (first.min_by_key(|(at, _)| *at), self.locks.deadline()) {
            (Some((at, reason)), lock) if lock.is_none_or(|lock| at < lock) => reason,
            _ => self.locks.next_reason(),
        }
    }

    /// The text of the latest [`NodeError::Other`] of any node: up to 128 bytes, in which all but printable ASCII is escaped.
    /// `None` if there was none, or if the text may repeat what was sent.
    #[must_use]
    pub fn unknown_error(&self) -> Option<&str> {
        let all = self.sessions.iter().filter_map(Session::unknown_error);
        all.max_by_key(|(at, _)| *at).map(|(_, words)| words)
    }

    /// The same of one node: see [`Engine::unknown_error`].
    #[must_use]
    pub fn unknown_error_of(&self, node: NodeId) -> Option<&str> {
        let session = self.sessions.get(node.index())?;
        session.unknown_error().map(|(_, words)| words)
    }

    /// Whether nothing is left to do or to send after [`Engine::close`].
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let sent = self.sessions.iter().all(|session| !session.has_bytes());
        self.closing && sent && self.events.is_empty() && self.locks.is_drained()
    }

    fn clamp(&mut self, now: Instant) -> Instant {
        self.dirty = true;
        // The locks must not miss what is due when the time was passed to a session only.
        self.locks.clamp(now)
    }

    /// Before the first lock after a period without locks: a connection counts as silent from now on only.
    #[inline]
    fn restart_silence(&mut self, now: Instant) {
        if self.probe_at <= now && !self.locks.has_locks() {
            self.probe_at = now + self.silence;
        }
    }

    /// Probes connections that have been silent.
    #[cold]
    fn probe(&mut self, now: Instant) {
        let silence = self.silence;
        let sessions = self.sessions.iter_mut();
        let next = sessions.map(|session| session.probe(silence, now)).min();
        self.probe_at = next.unwrap_or(now + silence);
    }

    /// Whether there may be more output.
    fn has_more(&self) -> bool {
        let more = !self.unsent.is_empty() || !self.events.is_empty() || self.locks.has_more();
        #[cfg(feature = "acks")]
        let more = more | self.acks;
        more
    }

    /// The output of the sessions, or [`Output::Timeout`]. This, [`Engine::send_requests`] and [`Engine::process_session`] are
    /// separate functions that are not inlined, so that a poll without work needs little stack.
    #[inline(never)]
    fn poll_sessions(&mut self) -> Output<'_> {
        let Some(index) = self.sessions.iter().position(Session::has_output) else {
            return Output::Timeout(self.deadline());
        };
        let (Some(session), Some(node)) = (self.sessions.get_mut(index), NodeId::new(index)) else {
            return Output::Timeout(self.locks.deadline());
        };
        // The old connection ends before the new one is opened.
        if session.take_disconnect() {
            Output::Disconnect(node)
        } else if session.take_connect() {
            Output::Connect(node)
        } else {
            let bytes = session.transmit().unwrap_or_default();
            Output::Transmit { node, bytes }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.iter().filter_map(Session::deadline);
        let own = self.locks.deadline().map(|at| at.min(self.probe_at));
        sessions.fold(own, |first, at| {
            Some(first.map_or(at, |first| first.min(at)))
        })
    }

    /// Passes all reports of a session to the locks.
    #[inline(never)]
    fn process_session(&mut self, node: NodeId) {
        let now = self.locks.now();
        self.has_input = true;
        let Some(session) = self.sessions.get_mut(node.index()) else {
            return;
        };
        while let Some(report) = session.next_report(&self.locks, now) {
            match report {
                Report::Outcome(id, outcome) => self.locks.handle_outcome(id, outcome, now),
                Report::Lost(id, outcome, why) => self.locks.handle_lost(id, outcome, why, now),
                Report::Found(request, found) => self.locks.handle_found(request, found, now),
                #[cfg(feature = "modes")]
                Report::Status(request, found) => self.locks.handle_status(request, found, now),
                Report::Wake(key, amid) => self.locks.handle_wake_amid((node, key), amid, now),
                #[cfg(feature = "modes")]
                Report::Bell(name, amid) => {
                    let amid = amid.map(|request| request.lock);
                    self.locks.handle_bell_name((node, name), amid, now);
                }
                Report::WakeAll => self.locks.handle_wake_all(node, now),
                Report::State(state) => {
                    self.events.push_back(Event::Node { node, state });
                    match state {
                        NodeState::Ready { .. } => {
                            self.locks.handle_node(node, None, now);
                            // Keys are no longer watched over the new connection, and may have changed meanwhile.
                            self.locks.handle_wake_all(node, now);
                        }
                        NodeState::Down(error) => self.locks.handle_node(node, Some(error), now),
                    }
                }
            }
        }
    }
}
