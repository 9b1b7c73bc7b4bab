//! Clients that you already have, in place of connections of our own.
//!
//! Whatever carries out commands in order can carry those of a locker. Implement [`CommandTransport`] for it, and make a
//! [`Server`] of it with [`lend`]:
//!
//! ```
//! use tenure::client::{Command, CommandTransport, Reply, TransportError, lend};
//!
//! struct Mine(/* your client */);
//!
//! impl CommandTransport for Mine {
//!     async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
//!         let mut replies = Vec::new();
//!         for command in &commands {
//!             // Send the arguments, and turn the answer into a reply.
//!             let arguments: Vec<&[u8]> = command.args().collect();
//!             replies.push(Reply::Error(format!("ERR {} is not carried out", arguments.len())));
//!         }
//!         Ok(replies)
//!     }
//! }
//!
//! # #[cfg(feature = "tokio")]
//! # async fn connect() -> Result<(), tenure::ConnectError> {
//! let locker = tenure::tokio::connect(lend(Mine())).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A lent client counts as one server: [`Servers::quorum`](crate::Servers::quorum) takes several of them, beside URLs, too.
//! It keeps its own address, user, database, TLS and reconnecting, so the options for these mean nothing for it.
//!
//! # Ready clients
//!
//! | client | feature | wakes waiters and reports losses by | polls |
//! |---|---|---|---|
//! | `redis`: `MultiplexedConnection`, `ConnectionManager` | `redis-rs` | push messages, if they are passed on | with RESP2 |
//! | `redis`: `SentinelClient`, and the master that its sentinels name | `redis-rs` | push messages | with RESP2 |
//! | `redis`: `ClusterConnection` | `redis-rs` | | yes |
//! | `fred`: `Client` for one server or behind Sentinel, one client of a `Pool` | `fred` | push messages | with RESP2 |
//! | `fred`: `Client` for a cluster | `fred` | | yes |
//! | your own | | [`CommandTransport::report`], if it is implemented | else |
//!
//! Who polls retries after pauses, and finds a loss at the next renewal. The modules `redis_rs` and `fred` say what each client
//! sends again by itself, and how to keep it from that.
//!
//! # Contract
//! - **One reply for each command**, in the order of the commands: what a server answers, an error of it as
//!   [`Reply::Error`].
//! - **Order.** Commands of one call are carried out in their order, and those of a call behind those of earlier calls. Calls
//!   overlap; their futures are polled first in the order of the calls. A client that does not keep that order lets one call
//!   wait for the other. Otherwise a release could overtake the request that it belongs to, and leave the key for a whole ttl.
//! - **No silent resend.** A command is sent once. A client that sends it again after a lost reply turns "granted" into
//!   "taken". A redirect of a cluster (`MOVED`, `ASK`) is no resend, because the first server has not carried it out.
//! - **An error means that nobody knows** what became of the commands: none, some or all may have been carried out, now or
//!   later. (For one command alone that is [`Reply::Unknown`].) The locker then calls [`open`](CommandTransport::open) and finds out. A number of replies that differs from the
//!   number of commands, or a reply that no server gives to that command, counts as the same.
//! - **A dropped future means that nobody waits** for the replies. What was not sent by then should not be sent later.
//! - **Time.** A call that takes longer than [`Servers::request_timeout`](crate::Servers::request_timeout) is dropped. A
//!   client with a shorter timeout of its own returns an error then.
//!
//! Nothing is sent once the runtime has stopped, not even the release of a lock that was dropped: await
//! [`Locker::close`](crate::Locker::close) before.
//!
//! The transport moves commands and understands none. Its futures are polled by the driver, so it must work on the runtime of
//! the locker.

mod command;
#[cfg(feature = "fred")]
pub mod fred;
pub(crate) mod lent;
#[cfg(feature = "redis-rs")]
pub mod redis_rs;
#[cfg(any(feature = "fred", feature = "redis-rs"))]
mod slots;
mod transport;

pub use command::{Command, Reply};
pub use transport::{CommandTransport, Report, TransportError};

use crate::server::Server;
use lent::Lent;

/// Makes a server of whatever carries out commands.
pub fn lend(transport: impl CommandTransport) -> Server {
    Lent::new(transport).into()
}
