//! `Locks` and one session per node: what drivers talk to.

use crate::claim::{Claim, Keys};
use crate::config::Config;
use crate::event::Event;
use crate::id::{LockId, NodeId};
use crate::lock::{Inspection, Lease, UnknownLock};
use crate::obtain::{Obtain, Ttl};
use crate::time::Instant;

/// The whole protocol: see the crate's documentation for the contract.
#[derive(Debug)]
pub struct Engine {}

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

#[allow(missing_docs, unused_variables, clippy::todo, clippy::pedantic)]
impl Engine {
    /// An engine that wants to connect to all its nodes.
    pub fn new(config: Config, seed: u64, now: Instant) -> Self {
        todo!()
    }
    pub fn obtain(&mut self, request: Obtain, now: Instant) -> LockId {
        todo!()
    }
    /// `None` keeps the ttl. Err if not held.
    pub fn refresh(
        &mut self,
        lock: LockId,
        ttl: Option<Ttl>,
        now: Instant,
    ) -> Result<(), UnknownLock> {
        todo!()
    }
    /// In whatever state; idempotent; unknown ids are ignored.
    pub fn release(&mut self, lock: LockId, now: Instant) {
        todo!()
    }
    /// Ask without side effects; ends with Event::Inspected, then take_inspection.
    pub fn inspect(&mut self, keys: Keys, now: Instant) -> LockId {
        todo!()
    }
    pub fn take_inspection(&mut self, inspection: LockId) -> Option<Inspection> {
        todo!()
    }
    /// Release everything, take nothing new.
    pub fn close(&mut self, now: Instant) {
        todo!()
    }
    pub fn handle_connected(&mut self, node: NodeId, now: Instant) {
        todo!()
    }
    pub fn handle_input(&mut self, node: NodeId, bytes: &[u8], now: Instant) {
        todo!()
    }
    pub fn handle_disconnected(&mut self, node: NodeId, now: Instant) {
        todo!()
    }
    pub fn handle_timeout(&mut self, now: Instant) {
        todo!()
    }
    pub fn poll_output(&mut self) -> Output<'_> {
        todo!()
    }
    /// The lease of a held lock.
    pub fn lease(&self, lock: LockId) -> Option<Lease> {
        todo!()
    }
    /// Keys, token, metadata of a lock (from obtain until its terminal event). The token may change until Obtained.
    pub fn claim(&self, lock: LockId) -> Option<&Claim> {
        todo!()
    }
    pub fn next_reason(&self) -> &'static str {
        todo!()
    }
    /// After close: everything is over, nothing is left to do or to send.
    pub fn is_drained(&self) -> bool {
        todo!()
    }
}
