//! The protocol of Tenure, a distributed lock, without I/O.
//!
//! An [`Engine`] decides what to send to Redis or Valkey, what a reply means, when to retry and when a lease is
//! over. It has no socket, no clock, no thread and no random source: bytes and time come in, bytes, events and one
//! deadline come out.
//!
//! # The contract
//! 1. Give it any number of inputs: commands (`obtain`, `refresh`, `release`, …) and `handle_*` (something happened).
//!    No input fails because of what a server did.
//! 2. Before you wait, call [`Engine::poll_output`] and do what it says **until it returns [`Output::Timeout`]**.
//! 3. Wait for bytes, a command, or that instant, whichever is first; at the instant call [`Engine::handle_timeout`].
//!
//! The whole of a driver, here over the embedded server instead of a socket and with a clock of its own:
//! ```
//! use std::time::Duration;
//! use tenure_core::{memory, *};
//!
//! let mut now = Instant::from_micros(0);
//! let mut engine = Engine::new(Config::single(NodeConfig::default()), 7, now);
//! let mut server = memory::Server::new(memory::Options::default());
//! let mut link = None;
//!
//! // A command. The token is 16 bytes from the operating system, drawn for this obtain.
//! let ttl = Ttl::new(Duration::from_secs(30))?;
//! let lock = engine.obtain(Obtain::new(Key::new("nightly")?, Token::random([7; 16]), ttl), now);
//!
//! let obtained = loop {
//!     // Do what the engine wants, until there is nothing left but to wait.
//!     match engine.poll_output() {
//!         Output::Connect(node) => {
//!             link = Some((node, server.connect()));
//!             engine.handle_connected(node, now);
//!         }
//!         Output::Disconnect(_) => link = None,
//!         Output::Transmit { bytes, .. } => {
//!             let (_, conn) = link.expect("a connection");
//!             server.handle_input(conn, bytes, now);
//!         }
//!         Output::Event(Event::Obtained { lease, .. }) => break lease,
//!         Output::Event(event) => println!("{event:?}"),
//!         Output::Timeout(deadline) => {
//!             // Wait: for bytes, or until the deadline.
//!             let memory::Output::Transmit { bytes, .. } = server.poll_output() else {
//!                 now = deadline.expect("something to wait for");
//!                 engine.handle_timeout(now);
//!                 continue;
//!             };
//!             engine.handle_input(link.expect("a connection").0, bytes, now);
//!         }
//!     }
//! };
//! assert_eq!(obtained.remaining(now), Duration::from_millis(29_698)); // The ttl less 1 % and 2 ms.
//! assert!(engine.lease(lock).is_some());
//! # Ok::<(), ClaimError>(())
//! ```
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

#[cfg(feature = "acks")]
mod acks;
#[cfg(feature = "modes")]
mod change;
mod claim;
mod config;
mod engine;
mod event;
mod fence;
mod fifo;
mod holder;
mod id;
mod keys;
mod lease;
mod limits;
mod lock;
mod locks;
#[cfg(feature = "memory")]
pub mod memory;
mod obtain;
pub mod redis;
mod retry;
mod rng;
mod rough;
mod time;
mod timers;
mod token;
mod ttl;

#[cfg(feature = "acks")]
pub use acks::Acks;
#[cfg(feature = "modes")]
pub use change::{ChangeError, NotChanged};
pub use claim::Claim;
pub use config::{Arrangement, Config, ConfigError, Limits, NodeConfig, Secret};
pub use engine::{Engine, Output};
pub use event::{Event, Holder, Loss, NodeError, NodeState, NotObtained, Released};
pub use fence::{Fence, GUARDED_SET, Keep};
pub use id::{LockId, MAX_NODES, NodeId, NodeSet, RequestId};
pub use keys::{Key, Keys, Metadata};
pub use lease::Lease;
pub use limits::{ClaimError, MAX_KEY, MAX_KEYS, MAX_METADATA, MAX_TOKEN};
#[cfg(feature = "modes")]
pub use lock::Status;
pub use lock::{Bell, Holding, Inspection, KeySet, Obstacle, Op, Outcome, Ticket, UnknownLock};
pub use locks::{Locks, LocksOutput};
pub use obtain::{Mode, Obtain, Renewal, Unsupported};
pub use retry::{Jitter, Retry};
pub use rng::Rng;
pub use time::Instant;
pub use token::Token;
pub use ttl::Ttl;
