//! The engine of Tenure as a module for the npm package `tenure`. Its surface is private to that package.
//!
//! An instance of the module is one engine. Every function is a step that ends at once; nothing here waits, and nothing
//! here calls JavaScript. Only numbers cross the border, so that there is nothing for glue to do. Requests come as
//! packed bytes (`pack.rs`), what is to be done goes out as a record of a few words (`record.rs`), and both lie in the
//! module's memory, where TypeScript writes and reads them without a copy in between. Time is a float of whole
//! microseconds, which is exact for 285 years.

#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod codes;
mod events;
#[cfg(feature = "modes")]
pub mod modes;
mod pack;
mod record;
#[cfg(target_arch = "wasm32")]
mod small;
mod state;

use tenure_core::{Config, Instant, LockId, NodeId, Output, Ttl};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::events::{todo, write};

/// Where the record is, for as long as the module lives.
#[wasm_bindgen]
#[must_use]
pub fn record() -> u32 {
    state::exchange(|exchange| exchange.record.address()).unwrap_or_default()
}

/// Where the next `len` bytes of input are to be written.
#[wasm_bindgen]
#[must_use]
pub fn reserve(len: u32) -> u32 {
    let address = state::exchange(|exchange| {
        if exchange.input.len() < len as usize {
            exchange.input.resize(len as usize, 0);
        }
        record::address(exchange.input.as_ptr())
    });
    address.unwrap_or_default()
}

/// Makes the engine, as the first `len` bytes of the input say. True: the record has how many nodes must grant.
/// False: the reason.
#[wasm_bindgen]
#[must_use]
pub fn start(len: u32, now: f64) -> bool {
    let started = state::start(|exchange| match exchange.request(len).setup() {
        Ok((seed, config)) => {
            exchange.record.numbers(f64::from(quorum(&config)), 0.0);
            Some(tenure_core::Engine::new(config, seed, instant(now)))
        }
        Err(code) => {
            exchange.record.code(code);
            None
        }
    });
    started.unwrap_or_default()
}

/// Starts to obtain what the first `len` bytes of the input say. True: the record has the id. False: the reason.
#[wasm_bindgen]
#[must_use]
pub fn obtain(len: u32, now: f64) -> bool {
    state::step(|engine, exchange| {
        let request = exchange.request(len).obtain();
        exchange.started(request.map(|request| engine.obtain(request, instant(now))))
    })
}

/// Starts an inspection. True: the record has its id. False: the record has the reason.
#[wasm_bindgen]
#[must_use]
pub fn inspect(len: u32, now: f64) -> bool {
    state::step(|engine, exchange| {
        let keys = exchange.request(len).keys();
        exchange.started(keys.map(|keys| engine.inspect(keys, instant(now))))
    })
}

/// Requests a refresh, with another ttl if `ttl_ms` is not negative. False if the ttl is out of its limits. If the lock is
/// not held, its terminal event says so.
#[wasm_bindgen]
#[must_use]
pub fn refresh(lock: u64, ttl_ms: f64, now: f64) -> bool {
    state::step(
        |engine, exchange| match pack::duration(ttl_ms).map(Ttl::new).transpose() {
            Ok(ttl) => {
                let _ = engine.refresh(LockId::from_bits(lock), ttl, instant(now));
                true
            }
            Err(error) => {
                exchange.record.code(codes::claim(error));
                false
            }
        },
    )
}

/// From now on only `refresh` makes a lock last.
#[wasm_bindgen]
pub fn stop_renewing(lock: u64, now: f64) {
    state::step(|engine, _| engine.stop_renewing(LockId::from_bits(lock), instant(now)));
}

/// Until when a lock is held; the beginning of time if it is not.
#[wasm_bindgen]
#[must_use]
pub fn expires(lock: u64) -> f64 {
    state::step(|engine, _| {
        let lease = engine.lease(LockId::from_bits(lock));
        lease.map_or(0.0, |lease| micros(lease.expires_at()))
    })
}

/// Releases a lock, or ends an inspection.
#[wasm_bindgen]
pub fn release(lock: u64, now: f64) {
    state::step(|engine, _| engine.release(LockId::from_bits(lock), instant(now)));
}

/// Releases everything and refuses new requests.
#[wasm_bindgen]
pub fn close(now: f64) {
    state::step(|engine, _| engine.close(instant(now)));
}

/// The connection to a node is open.
#[wasm_bindgen]
pub fn connected(node: u32, now: f64) {
    state::step(|engine, _| {
        if let Some(node) = NodeId::new(node as usize) {
            engine.handle_connected(node, instant(now));
        }
    });
}

/// The first `len` bytes of the input came from a node.
#[wasm_bindgen]
pub fn received(node: u32, len: u32, now: f64) {
    state::step(|engine, exchange| {
        if let (Some(node), Some(bytes)) = (
            NodeId::new(node as usize),
            exchange.input.get(..len as usize),
        ) {
            engine.handle_input(node, bytes, instant(now));
        }
    });
}

/// The connection to a node is gone.
#[wasm_bindgen]
pub fn disconnected(node: u32, now: f64) {
    state::step(|engine, _| {
        if let Some(node) = NodeId::new(node as usize) {
            engine.handle_disconnected(node, instant(now));
        }
    });
}

/// Does what is due.
#[wasm_bindgen]
pub fn timeout(now: f64) {
    state::step(|engine, _| engine.handle_timeout(instant(now)));
}

/// What to do next, to be called until it says [`todo::TIMEOUT`].
#[wasm_bindgen]
#[must_use]
pub fn poll() -> u8 {
    state::step(|engine, exchange| {
        let record = &mut exchange.record;
        match engine.poll_output() {
            Output::Timeout(due) => {
                record.numbers(due.map_or(-1.0, micros), 0.0);
                todo::TIMEOUT
            }
            Output::Connect(node) => {
                record.node(node);
                todo::CONNECT
            }
            Output::Disconnect(node) => {
                record.node(node);
                todo::DISCONNECT
            }
            Output::Transmit { node, bytes } => {
                record.node(node);
                record.point_to(bytes);
                todo::TRANSMIT
            }
            Output::Event(event) => write(engine, record, event),
        }
    })
}

/// Whether, after `close`, nothing is left to do.
#[wasm_bindgen]
#[must_use]
pub fn drained() -> bool {
    state::step(|engine, _| engine.is_drained())
}

fn quorum(config: &Config) -> u32 {
    u32::try_from(config.quorum()).unwrap_or_default()
}

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
