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

use std::error::Error;
use std::future::Future;

mod command;
#[cfg(feature = "fred")]
pub mod fred;
mod lent;
#[cfg(feature = "redis-rs")]
pub mod redis_rs;
#[cfg(any(feature = "fred", feature = "redis-rs"))]
mod slots;

pub use command::{Command, Reply};
pub(crate) use lent::{Calling, Lent, Opening, Reporting};

use crate::server::Server;

/// Why nobody knows what became of commands, or why a client cannot be used. Its text appears in errors and logs.
pub type TransportError = Box<dyn Error + Send + Sync>;

/// Carries out commands: a client that you already have. The [module](self) has the contract.
pub trait CommandTransport: Send + Sync + 'static {
    /// Carries out commands in order, and returns one reply for each.
    ///
    /// # Errors
    /// Nobody knows what became of the commands.
    fn send(
        &self,
        commands: Vec<Command>,
    ) -> impl Future<Output = Result<Vec<Reply>, TransportError>> + Send;

    /// Called before the first command, and again after each error. Default: does nothing.
    ///
    /// # Errors
    /// The client cannot be used now. It is called again after a [pause](crate::Servers::reconnect).
    fn open(&self) -> impl Future<Output = Result<(), TransportError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Whether [`report`](Self::report) returns what the server reports. Then `CLIENT TRACKING ON NOLOOP` is the first command
    /// after [`open`](Self::open). If it is refused, changes are not reported after all. Default: no.
    fn reports(&self) -> bool {
        false
    }

    /// Waits for the next report. Dropping the future must lose none, and a report that comes late does no harm. Default: waits
    /// forever.
    fn report(&self) -> impl Future<Output = Report> + Send {
        std::future::pending()
    }

    /// What to call it in errors and logs. Default: `a client`.
    fn name(&self) -> String {
        "a client".into()
    }
}

/// What a client receives without a request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Report {
    /// This key has changed, as an `invalidate` push message says.
    Changed(Vec<u8>),
    /// Any key may have changed, as the same message with null says. Also if reports may have been missed.
    AllChanged,
    /// The connection is gone, and this is why. Reports and replies that were due over it will not come.
    Gone(String),
}

/// Makes a server of whatever carries out commands.
pub fn lend(transport: impl CommandTransport) -> Server {
    Lent::new(transport).into()
}
