//! The protocol of Tenure, a distributed lock, without I/O.
//!
//! An [`Engine`] decides what to send to Redis or Valkey, what an answer means, when to ask again and when a lease is
//! over. It has no socket, no clock, no thread and no random source: bytes and time come in, bytes, events and one
//! deadline come out.
//!
//! # The contract
//! 1. Give it any number of inputs: commands (`obtain`, `refresh`, `release`, …) and `handle_*` (something happened).
//!    No input fails because of what a server did.
//! 2. Before you wait, call [`Engine::poll_output`] and do what it says **until it returns [`Output::Timeout`]**.
//! 3. Wait for bytes, a command, or that instant, whichever is first; at the instant call [`Engine::handle_timeout`].
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

extern crate alloc;

mod claim;
mod config;
mod engine;
mod event;
mod id;
mod lock;
mod locks;
#[cfg(feature = "memory")]
pub mod memory;
mod obtain;
pub mod redis;
mod retry;
mod rng;
mod time;
mod timers;

pub use claim::{
    Claim, ClaimError, Key, Keys, MAX_KEY, MAX_KEYS, MAX_METADATA, MAX_TOKEN, Metadata, Token,
};
pub use config::{Arrangement, Config, ConfigError, Limits, NodeConfig, Secret};
pub use engine::{Engine, Output};
pub use event::{Event, Loss, NodeError, NodeState, NotObtained, Released};
pub use id::{LockId, MAX_NODES, NodeId, NodeSet, RequestId};
pub use lock::{Fence, Holding, Inspection, Lease, Op, Outcome, UnknownLock};
pub use locks::{Locks, LocksOutput};
pub use obtain::{Mode, Obtain, Renewal, Ttl};
pub use retry::{Jitter, Retry};
pub use time::Instant;
