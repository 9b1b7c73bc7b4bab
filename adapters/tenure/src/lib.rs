//! A distributed lock over Redis and Valkey.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn work() -> Result<(), std::io::Error> { Ok(()) }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tenure = tenure::tokio::connect("redis://127.0.0.1:6379").await?;
//! let lock = tenure
//!     .obtain("nightly")
//!     .ttl(Duration::from_secs(30)) // how long the server keeps it if we vanish
//!     .wait(Duration::from_secs(10)) // for others to let go; without it, try once
//!     .metadata("host-7") // for others to read
//!     .await?;
//! tokio::select! {
//!     done = work() => done?,
//!     loss = lock.lost() => return Err(loss.into()),
//! }
//! lock.release().await;
//! # Ok(())
//! # }
//! ```
//!
//! - **One lock is one key or several**, all or none: `obtain(["from", "to"])`.
//! - **It is kept alive** in the background while the [`Lock`] exists, at a third of its ttl; [`Obtaining::manual`] turns
//!   that off, [`Obtaining::max_hold`] limits it. [`Lock::refresh`] does it by hand.
//! - **Dropping is enough.** A dropped [`Lock`] is released, a dropped future withdraws; neither blocks. If you want to
//!   know what came of it: [`Lock::release`]. At the end of a program await that, or [`Locker::close`]: when the runtime
//!   ends, what was let go of is still sent, but only once and without an answer.
//! - **A loss is told**, with its cause: [`Lock::lost`] as soon as a server tells that the key is gone, at the latest
//!   when the lease ends by a clock that goes on while the machine is suspended. [`Lock::is_held`] and
//!   [`Lock::remaining`] ask that clock at the moment of the question.
//! - **No answer is not a refusal.** [`NotObtained::Taken`] means that somebody holds it and says whether that is a lock
//!   of this very locker, [`NotObtained::Unreachable`] that nobody knows; what may have been set meanwhile is taken back.
//! - **Waiting is not polling**: servers tell of a release by themselves, where they can.
//! - **Several servers**: [`Servers::quorum`] is Redlock, [`Servers::ordered`] wants all of them.
//!
//! What a lock cannot do: if a process stands still for longer than its lease, somebody else gets the lock, and the
//! process may not have noticed yet when it goes on. Let what is protected check who writes.
//!
//! # Tests without a server
//! [`tokio::memory`] gives a locker over a server within the process, and [`tokio::Memory`] several over the same one:
//! the same protocol, no network. With tokio's paused clock no time passes either.
//!
//! # Features
//! - `tokio` (default): lockers that run on tokio.
//! - `tls` (default): `rediss://` by rustls. Certificates are verified against the roots that Mozilla trusts, or against
//!   those of [`Servers::root_certificate_pem`].
//!
//! # Logs
//! Events go to [`tracing`](https://docs.rs/tracing) under the target `tenure`: nodes that come and go at `INFO` and
//! `WARN`, losses at `WARN`, locks at `DEBUG`, refreshes at `TRACE`. Keys, tokens, metadata and passwords are not in them.

#![cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "without a runtime nothing drives it")
)]

mod address;
mod cell;
mod clock;
mod driver;
mod error;
mod keys;
mod link;
mod lock;
mod locker;
mod memory;
mod runtime;
mod servers;
mod shared;
mod trace;
mod wakers;

#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::{
    Cause, ConnectError, InspectError, ObtainError, RefreshError, Unreachable, UrlPart,
};
pub use keys::{IntoKey, IntoKeys};
pub use lock::Lock;
pub use locker::{Locker, ObtainFuture, Obtaining};
pub use servers::Servers;
pub use tenure_core::{
    ClaimError, Holder, Holding, Instant, Jitter, Key, Keys, Lease, Limits, Loss, MAX_KEY,
    MAX_KEYS, MAX_METADATA, MAX_NODES, MAX_TOKEN, Metadata, NodeError, NotObtained, Released,
    Renewal, Retry, Token, Ttl,
};
