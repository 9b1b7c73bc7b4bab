//! A small Redis server without I/O: the embedded default, the test double and the simulated node.
//!
//! [`Server`] answers what Tenure sends as Redis 7 does: bytes and time in, bytes out, and the same inputs give the
//! same outputs. That it does is checked against real servers. It is meant for locks; of other data it knows
//! only as much as it takes to have a key of another type.
//!
//! Any number of `handle_*`, then [`Server::poll_output`] until [`Output::Timeout`], before waiting:
//! ```
//! use tenure_core::{Instant, memory};
//! let mut server = memory::Server::new(memory::Options::default());
//! let conn = server.connect();
//! server.handle_input(conn, b"*1\r\n$4\r\nPING\r\n", Instant::from_micros(0));
//! let memory::Output::Transmit { bytes, .. } = server.poll_output() else { unreachable!() };
//! assert_eq!(bytes, b"+PONG\r\n");
//! assert_eq!(server.poll_output(), memory::Output::Timeout(None));
//! ```
//!
//! What differs from Redis 7, besides the commands that are not there:
//! - An expiry is announced to trackers at its very millisecond ([`Options::announce_expiry`]).
//! - `SET … IFEQ` and `DELIFEQ` are those of Valkey 9 ([`Options::compare`]).
//! - `EVAL` runs the scripts of Tenure and no others. Their errors do not name a line.
//! - `PEXPIRE` and `EXPIRE` take no conditions. There are no inline commands.

mod client;
mod commands;
mod connection;
mod options;
mod request;
mod server;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod tracking;

pub use options::{Options, Trouble, User};
pub use server::{ConnId, Output, Server};
