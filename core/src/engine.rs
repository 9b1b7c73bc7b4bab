//! `Locks` and one session per node: what drivers talk to.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::claim::{Claim, Keys};
use crate::config::Config;
use crate::event::{Event, NodeError, NodeState};
use crate::id::{LockId, NodeId, RequestId};
use crate::lock::{Inspection, Lease, Outcome, UnknownLock};
use crate::locks::{Locks, LocksOutput};
use crate::obtain::{Obtain, Ttl};
use crate::redis::{Answer, Session};
use crate::time::Instant;

/// The whole protocol: see the crate's documentation for the contract.
#[derive(Debug)]
pub struct Engine {
    locks: Locks,
    sessions: Vec<Session>,
    now: Instant,
    /// What nodes went through, to be told.
    events: VecDeque<Event>,
    /// Requests that could not be sent, to be told to the locks.
    unsent: Vec<(RequestId, NodeError)>,
    closing: bool,
    /// A session was heard since outputs were last asked for.
    heard: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Output<'a> {
    /// Open a connection to this node, then call [`Engine::handle_connected`], or [`Engine::handle_disconnected`] if
    /// it cannot be opened.
    Connect(NodeId),
    /// Drop the connection to this node, whether open or still being opened; nothing is to be reported back.
    Disconnect(NodeId),
    /// Send these bytes to this node, behind all earlier ones.
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
    /// An engine that wants to connect to all its nodes. `seed` drives the jitter of retries and nothing else.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "an engine takes over its configuration"
    )]
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        let nodes = (0..config.nodes().len()).filter_map(NodeId::new);
        Self {
            locks: Locks::new(&config, seed, now),
            sessions: nodes.map(|node| Session::new(&config, node, now)).collect(),
            now,
            events: VecDeque::new(),
            unsent: Vec::new(),
            closing: false,
            heard: false,
        }
    }

    /// Starts to obtain a lock. Ends with [`Event::Obtained`] or [`Event::NotObtained`].
    pub fn obtain(&mut self, request: Obtain, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.locks.obtain(request, now)
    }

    /// Refreshes a held lock: once more for its ttl, or from now on for another. Ends with [`Event::Refreshed`] (with
    /// `asked`) or with the lock's terminal event; until one of them it is tried again.
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

    /// Lets go of a lock in whatever state it is, once; later calls and old ids do nothing. A held lock ends with
    /// [`Event::Released`], any other with [`crate::NotObtained::Withdrawn`].
    pub fn release(&mut self, lock: LockId, now: Instant) {
        let now = self.clamp(now);
        self.locks.release(lock, now);
    }

    /// Starts to look who holds `keys`, without side effects. Ends with [`Event::Inspected`], then
    /// [`Engine::take_inspection`] has the result. [`Engine::release`] ends it early.
    pub fn inspect(&mut self, keys: Keys, now: Instant) -> LockId {
        let now = self.clamp(now);
        self.locks.inspect(keys, now)
    }

    /// The result of an inspection, once, after its [`Event::Inspected`].
    pub fn take_inspection(&mut self, inspection: LockId) -> Option<Inspection> {
        self.locks.take_inspection(inspection)
    }

    /// Lets go of all locks and takes no new ones. [`Engine::is_drained`] tells when that is done.
    pub fn close(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.closing = true;
        self.locks.close(now);
    }

    /// The connection that [`Output::Connect`] asked for is open.
    pub fn handle_connected(&mut self, node: NodeId, now: Instant) {
        let now = self.clamp(now);
        if let Some(session) = self.sessions.get_mut(node.index()) {
            session.handle_connected(now);
        }
    }

    /// Bytes came from this node, split anywhere.
    pub fn handle_input(&mut self, node: NodeId, bytes: &[u8], now: Instant) {
        self.clamp(now);
        if let Some(session) = self.sessions.get_mut(node.index()) {
            session.handle_input(bytes);
            self.hear(node);
        }
    }

    /// The connection to this node is gone, or could not be opened.
    pub fn handle_disconnected(&mut self, node: NodeId, now: Instant) {
        let now = self.clamp(now);
        if let Some(session) = self.sessions.get_mut(node.index()) {
            session.handle_disconnected(now);
            self.hear(node);
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
                self.hear(node);
            }
        }
        self.locks.handle_timeout(now);
    }

    /// What to do next. To be called until it says [`Output::Timeout`].
    pub fn poll_output(&mut self) -> Output<'_> {
        self.send_waiting();
        // A request that could not be sent may wait behind an event that had to be told first.
        if (self.locks.has_output() || !self.unsent.is_empty())
            && let Some(event) = self.settle_locks()
        {
            return Output::Event(event);
        }
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        let mut speaks = None;
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if session.is_quiet() {
                continue;
            }
            let Some(node) = NodeId::new(index) else {
                continue;
            };
            // First the end of the old connection, then the new one.
            if session.take_disconnect() {
                return Output::Disconnect(node);
            }
            if session.take_connect() {
                return Output::Connect(node);
            }
            speaks = Some(node);
            break;
        }
        let Some(node) = speaks else {
            return Output::Timeout(self.deadline());
        };
        let session = self.sessions.get_mut(node.index());
        let bytes = session.and_then(Session::transmit).unwrap_or_default();
        Output::Transmit { node, bytes }
    }

    /// The lease of a held lock.
    #[must_use]
    pub fn lease(&self, lock: LockId) -> Option<Lease> {
        self.locks.lease(lock)
    }

    /// Keys and value of a lock, until its terminal event. A drawn token is final from [`Event::Obtained`] on.
    #[must_use]
    pub fn claim(&self, lock: LockId) -> Option<&Claim> {
        self.locks.claim(lock)
    }

    /// Why the next timeout is due: for logs and tests.
    #[must_use]
    pub fn next_reason(&self) -> &'static str {
        let sessions = self.sessions.iter();
        let first = sessions
            .filter_map(|session| session.deadline().map(|at| (at, session.reason())))
            .min_by_key(|(at, _)| *at);
        match (first, self.locks.deadline()) {
            (Some((at, reason)), lock) if lock.is_none_or(|lock| at < lock) => reason,
            _ => self.locks.next_reason(),
        }
    }

    /// Whether, after [`Engine::close`], nothing is left to do or to send.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let silent = self.sessions.iter().all(|session| !session.has_bytes());
        self.closing && silent && self.events.is_empty() && self.locks.is_drained()
    }

    fn clamp(&mut self, now: Instant) -> Instant {
        // Nothing that is due may stay behind because only a session was told what time it is.
        self.now = self.locks.clamp(now);
        self.now
    }

    fn deadline(&self) -> Option<Instant> {
        let sessions = self.sessions.iter().filter_map(Session::deadline);
        sessions.fold(self.locks.deadline(), |first, at| {
            Some(first.map_or(at, |first| first.min(at)))
        })
    }

    /// Lets the locks say all they have to say: requests go to their sessions. Gives the next event, which is to be
    /// told first.
    fn settle_locks(&mut self) -> Option<Event> {
        loop {
            match self.locks.poll_output() {
                LocksOutput::Request { id, op } => {
                    let asked = match self.sessions.get_mut(id.node().index()) {
                        Some(session) => session.ask(id, op, self.now),
                        None => Err(NodeError::Disconnected),
                    };
                    if let Err(error) = asked {
                        self.unsent.push((id, error));
                    }
                }
                LocksOutput::Event(event) => return Some(event),
                LocksOutput::Timeout(_) if self.unsent.is_empty() => return None,
                LocksOutput::Timeout(_) => {
                    while let Some((id, error)) = self.unsent.pop() {
                        self.locks
                            .handle_outcome(id, Outcome::Failed(error), self.now);
                    }
                }
            }
        }
    }

    /// Takes in all that a session has to tell.
    fn hear(&mut self, node: NodeId) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(node.index()) else {
            return;
        };
        while let Some(answer) = session.next_answer(&self.locks, now) {
            match answer {
                Answer::Outcome(request, outcome) => {
                    self.locks.handle_outcome(request, outcome, now);
                }
                Answer::Found(request, found) => self.locks.handle_found(request, found, now),
                Answer::Wake(key) => self.locks.handle_wake(node, key, now),
                Answer::WakeAll => self.locks.handle_wake_all(node, now),
                Answer::State(state) => {
                    self.events.push_back(Event::Node { node, state });
                    if matches!(state, NodeState::Ready { .. }) {
                        // Whatever was registered before is forgotten, and much may have happened since.
                        self.locks.handle_wake_all(node, now);
                    }
                }
            }
        }
        self.heard = true;
    }

    /// Sends what had to wait, ahead of what the locks ask for next. Not while hearing: what comes of an answer must
    /// not depend on how many came with it.
    fn send_waiting(&mut self) {
        if core::mem::take(&mut self.heard) {
            for session in &mut self.sessions {
                session.send_waiting(&self.locks, self.now);
            }
        }
    }
}
