//! A small Redis server without I/O: the embedded default, the test double and the simulated node.
//!
//! [`Server`] replies to the commands that Tenure sends as Redis 7 does. Bytes and the time go in, bytes come out, and the
//! same inputs give the same outputs. `tests/tests/memory_vs_real` compares it with real servers, reply by reply: a
//! simulation on a server that differs would prove nothing about real ones. It is meant for locks. There is no
//! more of hashes and sorted sets than locks need, and lists exist only so that a key can be of another type.
//!
//! Call any number of `handle_*`, then [`Server::poll_output`] until it returns [`Output::Timeout`], then wait:
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
//! Differences from Redis 7, apart from missing commands:
//! - An expiry is announced to trackers in its exact millisecond ([`Options::announce_expiry`]).
//! - `SET … IFEQ` and `DELIFEQ` are those of Valkey 9 ([`Options::compare`]), `MSETEX` is that of Valkey 9.1
//!   ([`Options::set_several`]), without `EXAT` and `PXAT`.
//! - `EVAL` runs only the scripts of Tenure. Their errors do not name a line.
//! - Scores are whole numbers.
//! - `PEXPIRE` and `EXPIRE` take no conditions. There are no inline commands.

mod client;
mod commands;
mod connection;
mod options;
mod request;
mod server;
mod sorted_set;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod tracking;

pub use options::{Options, Trouble, User};
pub use server::{ConnId, Output, Server};
