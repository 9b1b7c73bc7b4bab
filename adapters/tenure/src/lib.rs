//! A distributed lock for Redis and Valkey that reports when it is lost.
//!
//! ```no_run
//! # use std::time::Duration;
//! # async fn work() -> Result<(), std::io::Error> { Ok(()) }
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let locker = tenure::tokio::connect("redis://127.0.0.1:6379").await?;
//! let lock = locker
//!     .obtain("nightly")
//!     .ttl(Duration::from_secs(30)) // how long the server keeps it if this process dies
//!     .wait(Duration::from_secs(10)) // for the current holder; without it, try once
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
//! # Overview
//! - [`tokio::connect`] and its like for other runtimes give a [`Locker`], [`Locker::obtain`] a request ([`Obtaining`]), and awaiting that a [`Lock`].
//! - **A lock is on one key or several**, all or none: `obtain(["from", "to"])`.
//! - **It is renewed** in the background at a third of its ttl, as long as the [`Lock`] exists. [`Obtaining::manual`] turns
//!   that off, and [`Obtaining::max_hold`] limits it.
//! - **Dropping is enough.** A dropped [`Lock`] is released, and a dropped future cancels its request; neither blocks. At
//!   the end of a program await [`Lock::release`] or [`Locker::close`]: once the runtime stops, replies are not read.
//! - **A loss is reported**, with its cause, by [`Lock::lost`]: within five round trips if the server reports changes, and
//!   at the end of the lease at the latest. [`Lock::is_held`] reads the clock, and [`Lock::verify`] asks the servers.
//! - **No answer is not a refusal.** [`NotObtained::Taken`] means that the lock is held, and says whether this locker
//!   holds it. [`NotObtained::Unreachable`] means that this is not known; whatever the request has left is released.
//! - **Waiting is not polling**, where servers report changes of keys.
//! - **Several servers**: [`Servers::quorum`] is Redlock, [`Servers::ordered`] needs all of them.
//!
//! A lock cannot stop a process that is paused for longer than its lease. When it continues, another client may hold the
//! lock. Let the protected resource reject stale writers: [`Obtaining::fence`] numbers the grants, and the resource refuses
//! every number below the largest it has seen. [`GUARDED_SET`] does that for Redis.
//!
//! The [`cookbook`] has recipes: retries, deadlines, cancellation, several keys, quorums, tests, shutdown.
//!
//! # Tests without a server
//! [`tokio::memory`] gives a locker with a server inside the process, and [`tokio::Memory`] several lockers that share one.
//! They use the same protocol without a network. With tokio's paused clock, waiting takes no real time.
//!
//! # Runtimes
//! Locker, options, locks and errors are the same on each. The modules differ in who runs the driver.
//!
//! | module | feature | runs the driver |
//! |---|---|---|
//! | [`tokio`] | `tokio` (default) | as a task of the current runtime; with its paused clock, tests take no real time |
//! | [`smol`] | `smol` | as a task of the global executor |
//! | [`async_std`] | `async-std` | as a task of the global executor; async-std is discontinued, and smol its successor |
//! | [`blocking`] | `blocking` | on a thread of its own; calls block |
//!
//! For any other executor, take `open` of [`smol`]: it returns the driver as a future that works under every executor,
//! because the sockets and timers have a thread of their own.
//!
//! # Clients that you already have
//! A client can carry the commands in place of connections of our own, with its address, login, TLS, Sentinel and cluster:
//! those of the crates `redis` (feature `redis-rs`) and `fred` (feature `fred`), and anything that carries out commands in
//! order. [`client`] has the contract, and a table of what each of them does.
//!
//! # Feature flags
//! - `tokio` (default), `smol`, `async-std`, `blocking`: the runtimes above. Any number may be on at once. Without any, this
//!   crate has no way to connect.
//! - `redis-rs`, `fred`: clients of these crates can be lent. They run on tokio.
//! - `tls` (default): `rediss://` by rustls. Certificates are verified against the roots that Mozilla trusts, or against
//!   those of [`Servers::root_certificate_pem`]. Without it, such a URL is an error.
//!
//! # Logs
//! Events go to [`tracing`](https://docs.rs/tracing) with the target `tenure`: servers that connect and disconnect at
//! `INFO` and `WARN`, losses at `WARN`, locks at `DEBUG`, refreshes at `TRACE`. They contain no keys, tokens, metadata or
//! passwords.
//!
//! # Versions
//! It needs Rust 1.88 or later. Raising this version is not a breaking change, but never happens in a patch release.

#![cfg_attr(
    not(any(
        feature = "tokio",
        feature = "smol",
        feature = "async-std",
        feature = "blocking"
    )),
    allow(dead_code, reason = "without a runtime nothing drives it")
)]

mod address;
#[cfg(feature = "async-std")]
pub mod async_std;
#[cfg(feature = "blocking")]
pub mod blocking;
mod cell;
pub mod client;
mod clock;
mod driver;
mod embedded;
mod error;
mod inspect;
mod keys;
mod link;
mod lock;
mod locker;
#[cfg(any(feature = "tokio", feature = "smol", feature = "async-std"))]
mod lockers;
mod memory;
mod mode_error;
mod obtaining;
mod runtime;
mod server;
mod servers;
mod shared;
#[cfg(feature = "smol")]
pub mod smol;
mod start;
mod trace;
mod wakers;

#[cfg(all(feature = "tokio", any(doc, doctest)))]
#[doc = include_str!("../docs/cookbook.md")]
pub mod cookbook {}
#[cfg(feature = "tokio")]
pub mod tokio;

#[cfg(all(feature = "tokio", doctest))]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::{
    Cause, ConnectError, InspectError, ObtainError, RefreshError, Unreachable, UrlPart,
    VerifyError, WithError,
};
pub use keys::{IntoKey, IntoKeys};
pub use lock::Lock;
pub use locker::Locker;
pub use mode_error::ModeError;
pub use obtaining::{ObtainFuture, Obtaining};
pub use server::Server;
pub use servers::Servers;
pub use tenure_core::{
    Acks, ChangeError, ClaimError, Fence, GUARDED_SET, Holder, Holding, Jitter, Keep, Key, Keys,
    Lease, Limits, Loss, MAX_KEY, MAX_KEYS, MAX_METADATA, MAX_NODES, MAX_TOKEN, Metadata,
    NodeError, NotChanged, NotObtained, Released, Retry, Status, Token, Ttl, Unsupported,
};
