//! The simulation as a WebAssembly module: see `compare.mjs` beside it.

use tenure_world::schedule::Schedule;

/// Plays a seed; gives the hash of all that was said.
// It needs no memory of the caller, so that no glue between the two languages is needed either.
#[allow(
    unsafe_code,
    reason = "unsafe is only that two functions might get one name, and the module has no other"
)]
#[unsafe(no_mangle)]
pub extern "C" fn trace(seed: u64) -> u64 {
    Schedule::from_seed(seed).play().trace
}
