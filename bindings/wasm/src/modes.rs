//! What only the entry `tenure/modes` calls.

use tenure_core::{LockId, Mode};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{codes, instant, state};

/// Starts to ask for everything that is known of a key. True: the record has the id of the inspection. False: the reason.
#[wasm_bindgen]
#[must_use]
pub fn status(len: u32, now: f64) -> bool {
    state::step(|engine, exchange| {
        let keys = exchange.request(len).keys();
        exchange.started(keys.map(|keys| engine.status(keys.first().clone(), instant(now))))
    })
}

/// Requests a change from reader to writer (`up`) or back. False: the record has the reason.
#[wasm_bindgen]
#[must_use]
pub fn change(lock: u64, up: bool, now: f64) -> bool {
    state::step(|engine, exchange| {
        let lock = LockId::from_bits(lock);
        let mode = if up {
            Mode::InTurn
        } else {
            engine.shared_mode(lock)
        };
        let changed = engine.change(lock, mode, instant(now));
        if let Err(error) = changed {
            exchange.record.code(codes::change(error));
        }
        changed.is_ok()
    })
}

/// The mode of a held lock that may be relied on, by its number in `pack.rs`, to which a permit adds its limit. Negative if the
/// lock is not held.
#[wasm_bindgen]
#[must_use]
pub fn mode(lock: u64) -> f64 {
    state::step(|engine, _| match engine.mode(LockId::from_bits(lock)) {
        None => -1.0,
        Some(Mode::InTurn) => 1.0,
        Some(Mode::Shared { limit: None }) => 2.0,
        Some(Mode::Shared { limit: Some(limit) }) => 3.0 + f64::from(limit.get()),
        Some(Mode::Exclusive | _) => 0.0,
    })
}
