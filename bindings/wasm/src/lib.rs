//! The engine of Tenure as a class for the npm package `tenure`. Its surface is private to that package.
//!
//! Every method is a step that ends at once; nothing here waits, and nothing here calls JavaScript. Requests come as
//! packed bytes (`pack.rs`), what is to be done goes out as a record of a few words (`record.rs`), and both lie in the
//! module's memory, where TypeScript writes and reads them without a copy in between. Time is a float of whole
//! microseconds, which is exact for 285 years.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod names;
mod pack;
mod record;
#[cfg(target_arch = "wasm32")]
mod small;

use alloc::string::String;
use alloc::vec::Vec;

use tenure_core::{
    Event, Inspection, Instant, LockId, NodeId, NodeState, NotObtained, Output, Ttl,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::pack::{Reader, Refusal};
use crate::record::{Record, millis};

/// What [`Engine::poll`] says is to be done; the record has the rest.
mod todo {
    pub(super) const TIMEOUT: u8 = 0;
    pub(super) const CONNECT: u8 = 1;
    pub(super) const DISCONNECT: u8 = 2;
    pub(super) const TRANSMIT: u8 = 3;
    pub(super) const OBTAINED: u8 = 4;
    pub(super) const NOT_OBTAINED: u8 = 5;
    pub(super) const REFRESHED: u8 = 6;
    pub(super) const LOST: u8 = 7;
    pub(super) const RELEASED: u8 = 8;
    pub(super) const INSPECTED: u8 = 9;
    pub(super) const NODE_READY: u8 = 10;
    pub(super) const NODE_DOWN: u8 = 11;
    pub(super) const NOTHING: u8 = 12;
}

/// One engine.
#[wasm_bindgen]
pub struct Engine {
    engine: tenure_core::Engine,
    quorum: u32,
    /// What TypeScript hands in.
    input: Vec<u8>,
    record: Record,
}

#[wasm_bindgen]
impl Engine {
    /// An engine from a packed configuration.
    ///
    /// # Errors
    /// The name of what is wrong with the configuration.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &[u8], seed: u64, now: f64) -> Result<Self, String> {
        let config = Reader(config)
            .config()
            .map_err(|_| String::from(MALFORMED))?
            .map_err(|error| String::from(names::config(error)))?;
        Ok(Self {
            quorum: u32::try_from(config.quorum()).unwrap_or_default(),
            engine: tenure_core::Engine::new(config, seed, instant(now)),
            input: Vec::new(),
            record: Record::new(),
        })
    }

    /// Where the record is, for as long as the engine lives.
    pub fn record(&self) -> u32 {
        self.record.address()
    }

    /// How many nodes must grant.
    pub fn quorum(&self) -> u32 {
        self.quorum
    }

    /// Where the next `len` bytes of input are to be written.
    pub fn reserve(&mut self, len: u32) -> u32 {
        if self.input.len() < len as usize {
            self.input.resize(len as usize, 0);
        }
        record::address(self.input.as_ptr())
    }

    /// Starts to obtain what the first `len` bytes of the input say. True: the record has the id. False: the reason.
    pub fn obtain(&mut self, len: u32, now: f64) -> bool {
        let started = self
            .request(len)
            .obtain()
            .map(|request| self.engine.obtain(request, instant(now)));
        self.started(started)
    }

    /// Starts to look at keys. True: the record has the id. False: the reason.
    pub fn inspect(&mut self, len: u32, now: f64) -> bool {
        let started = self
            .request(len)
            .keys()
            .map(|keys| self.engine.inspect(keys, instant(now)));
        self.started(started)
    }

    /// Asks for a refresh, with another ttl if `ttl_ms` is not negative. False if the ttl is out of its limits. A lock
    /// that is not held is told by its terminal event.
    pub fn refresh(&mut self, lock: u64, ttl_ms: f64, now: f64) -> bool {
        match pack::duration(ttl_ms).map(Ttl::new).transpose() {
            Ok(ttl) => {
                let _ = self
                    .engine
                    .refresh(LockId::from_bits(lock), ttl, instant(now));
                true
            }
            Err(error) => {
                self.record.point_to(names::claim(error).as_bytes());
                false
            }
        }
    }

    /// Lets go of a lock or an inspection.
    pub fn release(&mut self, lock: u64, now: f64) {
        self.engine.release(LockId::from_bits(lock), instant(now));
    }

    /// Lets go of everything and takes nothing new.
    pub fn close(&mut self, now: f64) {
        self.engine.close(instant(now));
    }

    /// The connection to a node is open.
    pub fn connected(&mut self, node: u32, now: f64) {
        if let Some(node) = NodeId::new(node as usize) {
            self.engine.handle_connected(node, instant(now));
        }
    }

    /// The first `len` bytes of the input came from a node.
    pub fn received(&mut self, node: u32, len: u32, now: f64) {
        if let (Some(node), Some(bytes)) =
            (NodeId::new(node as usize), self.input.get(..len as usize))
        {
            self.engine.handle_input(node, bytes, instant(now));
        }
    }

    /// The connection to a node is gone.
    pub fn disconnected(&mut self, node: u32, now: f64) {
        if let Some(node) = NodeId::new(node as usize) {
            self.engine.handle_disconnected(node, instant(now));
        }
    }

    /// Does what is due.
    pub fn timeout(&mut self, now: f64) {
        self.engine.handle_timeout(instant(now));
    }

    /// What to do next, to be called until it says [`todo::TIMEOUT`].
    pub fn poll(&mut self) -> u8 {
        let event = match self.engine.poll_output() {
            Output::Timeout(due) => {
                self.record.numbers(due.map_or(-1.0, micros), 0.0);
                return todo::TIMEOUT;
            }
            Output::Connect(node) => {
                self.record.node(node);
                return todo::CONNECT;
            }
            Output::Disconnect(node) => {
                self.record.node(node);
                return todo::DISCONNECT;
            }
            Output::Transmit { node, bytes } => {
                self.record.node(node);
                self.record.point_to(bytes);
                return todo::TRANSMIT;
            }
            Output::Event(event) => event,
        };
        self.event(event)
    }

    /// Whether, after `close`, nothing is left to do.
    pub fn drained(&self) -> bool {
        self.engine.is_drained()
    }
}

impl Engine {
    fn request(&self, len: u32) -> Reader<'_> {
        Reader(self.input.get(..len as usize).unwrap_or_default())
    }

    fn started(&mut self, started: Result<LockId, Refusal>) -> bool {
        match started {
            Ok(id) => {
                self.record.name(id.to_bits());
                return true;
            }
            Err(Refusal::Claim(error)) => self.record.point_to(names::claim(error).as_bytes()),
            Err(Refusal::Malformed) => self.record.point_to(MALFORMED.as_bytes()),
        }
        false
    }

    fn event(&mut self, event: Event) -> u8 {
        let record = &mut self.record;
        match event {
            Event::Obtained { lock, lease } => {
                record.name(lock.to_bits());
                record.numbers(micros(lease.expires_at()), 0.0);
                let claim = self.engine.claim(lock);
                record.point_to(claim.map_or(&[], |claim| claim.token().as_bytes()));
                todo::OBTAINED
            }
            Event::NotObtained { lock, reason } => {
                record.name(lock.to_bits());
                record.numbers(-1.0, 0.0);
                if let NotObtained::Taken { remaining } = reason {
                    record.numbers(millis(remaining), 0.0);
                }
                let (name, fault) = (names::not_obtained(reason), names::fault(reason));
                record.write([name.as_bytes(), b"\n", fault.as_bytes()].concat());
                todo::NOT_OBTAINED
            }
            Event::Refreshed { lock, lease, asked } => {
                record.name(lock.to_bits());
                record.numbers(micros(lease.expires_at()), f64::from(u8::from(asked)));
                todo::REFRESHED
            }
            Event::Lost { lock, reason } => {
                record.name(lock.to_bits());
                record.point_to(names::loss(reason).as_bytes());
                todo::LOST
            }
            Event::Released { lock, proof } => {
                record.name(lock.to_bits());
                record.point_to(names::released(proof).as_bytes());
                todo::RELEASED
            }
            Event::Inspected { inspection } => {
                record.name(inspection.to_bits());
                let result = self.engine.take_inspection(inspection);
                self.inspected(result);
                todo::INSPECTED
            }
            Event::Node { node, state } => {
                record.node(node);
                match state {
                    NodeState::Ready { tracking } => {
                        record.numbers(f64::from(u8::from(tracking)), 0.0);
                        todo::NODE_READY
                    }
                    NodeState::Down(error) => {
                        record.point_to(names::node(error).as_bytes());
                        todo::NODE_DOWN
                    }
                    _ => todo::NOTHING,
                }
            }
            _ => todo::NOTHING,
        }
    }

    /// Per key: the time it has left as a float (negative: without an end; not a number: free), the length of its value,
    /// the value.
    fn inspected(&mut self, result: Option<Inspection>) {
        let holdings = match result {
            Some(Ok(holdings)) => holdings,
            Some(Err(error)) => {
                self.record.numbers(0.0, 0.0);
                self.record.point_to(names::node(error).as_bytes());
                return;
            }
            None => Vec::new(),
        };
        let mut bytes = Vec::new();
        for holding in &holdings {
            let (remaining, value) = match holding {
                Some(holding) => (millis(holding.remaining), &*holding.value),
                None => (f64::NAN, &[][..]),
            };
            bytes.extend_from_slice(&remaining.to_le_bytes());
            let len = u32::try_from(value.len()).unwrap_or_default();
            bytes.extend_from_slice(&len.to_le_bytes());
            bytes.extend_from_slice(value);
        }
        self.record.numbers(1.0, 0.0);
        self.record.write(bytes);
    }
}

const MALFORMED: &str =
    "malformed\nthe request cannot be read: glue and module are of different versions";

/// Before the beginning is the beginning.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates"
)]
fn instant(micros: f64) -> Instant {
    Instant::from_micros(micros as u64)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "exact for 285 years; what lies beyond is never"
)]
fn micros(instant: Instant) -> f64 {
    instant.as_micros() as f64
}
