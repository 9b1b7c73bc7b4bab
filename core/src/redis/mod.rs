//! Redis and Valkey.

mod backoff;
mod capability;
mod error;
mod error_text;
mod exchange;
mod frame;
mod handshake;
mod outbox;
mod push;
pub mod resp;
mod script;
mod session;
mod slot;
mod wire;

pub(crate) use frame::Frame;
#[cfg(feature = "memory")]
pub(crate) use script::PROOF;
pub use script::Script;
pub(crate) use script::prove;
pub(crate) use session::{Report, Session};
pub(crate) use slot::companion;
pub use slot::slot;
#[cfg(feature = "modes")]
pub(crate) use slot::{CompanionKey, bell_name};
