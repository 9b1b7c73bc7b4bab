//! Clients of the crate [`fred`](https://docs.rs/fred), version 10: the feature `fred`.
//!
//! ```no_run
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use fred::prelude::*;
//! use fred::types::RespVersion;
//!
//! let mut config = Config::from_url("redis://127.0.0.1:6379")?;
//! config.version = RespVersion::RESP3;
//! let client = Builder::from_config(config).build()?;
//! client.init().await?;
//!
//! let tenure = tenure::tokio::connect(tenure::client::fred::lend(&client)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What each client does
//!
//! | lent | reports changes | after a lost connection |
//! |---|---|---|
//! | [`Client`], also with Sentinel | with RESP3 | connects again by its policy |
//! | [`Client`] for a cluster | no | connects again by its policy |
//! | [`Pool`] | as the client that is taken | one of its clients is lent, because a pool keeps no order |
//!
//! - **No command is sent twice**: each is sent with `fail_fast`, whatever the client does with other commands. So nothing is
//!   kept for later either, while the client has no connection. A client without a policy for reconnecting
//!   (`ReconnectPolicy`) stays closed.
//! - **With RESP3**, `CLIENT TRACKING ON NOLOOP` is sent over your connection. The server then also reports the keys that your
//!   own commands read, and does not report changes that are made over the same connection, by your commands or by another
//!   locker. Lend a client that is used by one locker only, if that matters.
//!   [`Servers::tracking`](crate::Servers::tracking) turns that off. The client does not pass on that a whole database was
//!   flushed: then a loss is found at the next renewal.
//! - **Without reports** a waiter retries after pauses ([`retry`](crate::Obtaining::retry)), and a loss is found at the next
//!   renewal.
//! - **Clusters.** All keys of one lock must be in one slot: give them the same `{tag}`. Others are refused with
//!   [`ObtainError::DifferentSlots`](crate::ObtainError::DifferentSlots). Set `max_redirections` to 0 in the
//!   `ConnectionConfig` of the client, because its way of following `ASK` takes a reply to some other command for that to
//!   `ASKING`; without that, connecting fails with an error that says so. Redirections are then followed here (for `ASK` the user
//!   needs `+cluster|nodes`; without it, such a slot is waited for). If a master fails, the client takes no commands for other
//!   masters either until it has connected again. A master that is silent delays replies of the others by the
//!   `default_command_timeout` of the client, so set that below [`Servers::request_timeout`](crate::Servers::request_timeout).
//! - **Runtime.** It needs tokio, so drive the locker there: [`tenure::tokio`](crate::tokio).
//!
//! [`Client`]: ::fred::clients::Client
//! [`Pool`]: ::fred::clients::Pool

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ::fred::clients::{Client, Pool};
use ::fred::error::{Error, ErrorKind};
use ::fred::interfaces::{ClientLike, EventInterface as _, TrackingInterface as _};
use ::fred::types::client::Invalidation;
use ::fred::types::config::{Options, Server as Address};
use ::fred::types::{ClusterHash, CustomCommand, Resp3Frame, RespVersion, Value};
use tokio::sync::Mutex;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::slots::{Slots, join};
use super::{Command, CommandTransport, Reply, Report, TransportError};
use crate::server::Server;

/// How often a command follows its slot to another server.
const REDIRECTS: usize = 8;

/// Lends a client that was initialised (`init`).
pub fn lend(client: impl Into<Connection>) -> Server {
    let Connection(client) = client.into();
    super::lend(Fred {
        is_cluster: client.is_clustered(),
        client,
        slots: Slots::default(),
        events: Mutex::new(None),
    })
}

/// A client that can be lent: a [`Client`], or one of a [`Pool`].
pub struct Connection(Client);

impl From<&Client> for Connection {
    fn from(client: &Client) -> Self {
        Self(client.clone())
    }
}

impl From<Client> for Connection {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl From<&Pool> for Connection {
    fn from(pool: &Pool) -> Self {
        Self(pool.next_connected().clone())
    }
}

struct Fred {
    client: Client,
    is_cluster: bool,
    slots: Slots,
    /// Since it was opened last.
    events: Mutex<Option<Events>>,
}

/// What the client reports besides replies.
struct Events {
    changes: Receiver<Invalidation>,
    reconnects: Receiver<Address>,
}

impl CommandTransport for Fred {
    async fn open(&self) -> Result<(), TransportError> {
        if self.is_cluster && self.client.connection_config().max_redirections != 0 {
            return Err("set max_redirections: 0 in the ConnectionConfig of the client".into());
        }
        *self.events.lock().await = Some(Events {
            changes: self.client.invalidation_rx(),
            reconnects: self.client.reconnect_rx(),
        });
        if self.client.is_connected() {
            return Ok(());
        }
        Err("the client is not connected".into())
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        if self.is_cluster {
            let one = |command, slot| self.ask(command, slot);
            return Ok(self.slots.carry(&commands, one).await);
        }
        let calls = commands.iter().map(|command| self.carry(command));
        let replies = join(calls).await.into_iter();
        replies.map(|reply| Ok(reply?)).collect()
    }

    fn reports(&self) -> bool {
        !self.is_cluster && self.client.protocol_version() == RespVersion::RESP3
    }

    async fn report(&self) -> Report {
        let mut events = self.events.lock().await;
        let Some(events) = events.as_mut() else {
            return std::future::pending().await;
        };
        let mut change = pin!(events.changes.recv());
        let mut reconnect = pin!(events.reconnects.recv());
        poll_fn(|cx| {
            // Keys are watched over one connection only.
            if reconnect.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Report::Gone("the client has connected again".into()));
            }
            match change.as_mut().poll(cx) {
                Poll::Ready(Ok(change)) => Poll::Ready(report(change)),
                Poll::Ready(Err(RecvError::Lagged(_))) => Poll::Ready(Report::AllChanged),
                // The client has ended, which calls find out.
                Poll::Ready(Err(RecvError::Closed)) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    fn name(&self) -> String {
        "fred::clients::Client".into()
    }
}

impl Fred {
    async fn carry(&self, command: &Command) -> Result<Reply, Error> {
        if command.name() == b"COMMAND" {
            return Ok(self.known(command).await);
        }
        let frame = self.call(command.args(), ClusterHash::FirstKey, None);
        Ok(reply(frame.await?))
    }

    /// `COMMAND INFO`, which the client cannot read in RESP3. `COMMAND GETKEYS` shows whether a server knows a command.
    async fn known(&self, command: &Command) -> Reply {
        let mut entries = Vec::new();
        for name in command.args().skip(2) {
            // `MSETEX` counts its keys first.
            let count = (name == b"MSETEX").then_some(b"1".as_slice());
            let words = [b"COMMAND".as_slice(), b"GETKEYS", name].into_iter();
            let words = words.chain(count).chain([b"k".as_slice(), b"v"]);
            let keys = self.call(words, ClusterHash::Random, None);
            entries.push(keys.await.map_or(Reply::Nil, reply));
        }
        Reply::List(entries)
    }

    /// Sends a command to the server of a key or slot, or to this one.
    async fn call(
        &self,
        words: impl Iterator<Item = &[u8]>,
        hash: ClusterHash,
        to: Option<&Address>,
    ) -> Result<Resp3Frame, Error> {
        let mut words = words.map(<[u8]>::to_vec);
        let name = words.next().unwrap_or_default();
        let name = String::from_utf8_lossy(&name).into_owned();
        let custom = CustomCommand::new(name, hash, false);
        let args: Vec<Value> = words.map(|arg| Value::Bytes(arg.into())).collect();
        let options = Options {
            fail_fast: true,
            cluster_node: to.cloned(),
            ..Options::default()
        };
        let client = self.client.with_options(&options);
        client.custom_raw(custom, args).await
    }

    /// Asks the server of a slot, and follows the slot if it has moved or is being moved. A server that redirects has not
    /// carried the command out.
    async fn ask(&self, command: Command, slot: Option<u16>) -> Reply {
        if command.name() == b"COMMAND" {
            return self.known(&command).await;
        }
        let hash = slot.map_or(ClusterHash::Random, ClusterHash::Custom);
        let mut asking = None;
        for redirects in 0..REDIRECTS {
            let result = match &asking {
                None => self.call(command.args(), hash.clone(), None).await,
                Some(to) => self.ask_for_once(&command, &hash, to).await,
            };
            match result {
                Ok(frame) => return reply(frame),
                Err(error) if !is_redirect(&error) => return Reply::Unknown,
                Err(_) => {}
            }
            // Where it has moved the client has learnt by now. Where it is being moved its server knows.
            asking = match slot {
                Some(slot) if redirects % 2 == 0 => self.importing(slot).await,
                Some(_) | None => None,
            };
        }
        Reply::Error("TRYAGAIN the slot is being moved".into())
    }

    /// What a server answers that takes a slot over. Both commands are sent in one poll, so that they stand together.
    async fn ask_for_once(
        &self,
        command: &Command,
        hash: &ClusterHash,
        to: &Address,
    ) -> Result<Resp3Frame, Error> {
        let asking = std::iter::once(b"ASKING".as_slice());
        let mut first = pin!(self.call(asking, hash.clone(), Some(to)));
        let mut second = pin!(self.call(command.args(), hash.clone(), Some(to)));
        let _ = poll_fn(|cx| Poll::Ready(first.as_mut().poll(cx))).await;
        second.as_mut().await
    }

    /// The server that takes over a slot which is being moved, as the server says that still has it.
    async fn importing(&self, slot: u16) -> Option<Address> {
        let words = [b"CLUSTER".as_slice(), b"NODES"];
        let nodes = self.call(words.into_iter(), ClusterHash::Custom(slot), None);
        let Reply::Text(nodes) = reply(nodes.await.ok()?) else {
            return None;
        };
        let (host, port) = importing(&String::from_utf8_lossy(&nodes), slot)?;
        Some(Address::new(host, port))
    }
}

/// The address behind `[slot->-id]` in the line of the server that answers.
fn importing(nodes: &str, slot: u16) -> Option<(String, u16)> {
    let mut lines = nodes.lines();
    let myself = lines.find(|line| line.contains("myself"))?;
    let moving = format!("[{slot}->-");
    let mut words = myself.split(' ');
    let id = words.find_map(|word| word.strip_prefix(&moving)?.strip_suffix(']'))?;
    let target = nodes.lines().find(|line| line.starts_with(id))?;
    let address = target.split(' ').nth(1)?.split('@').next()?;
    let (host, port) = address.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// Whether a server has sent the command elsewhere, where the client must not follow.
fn is_redirect(error: &Error) -> bool {
    *error.kind() == ErrorKind::Routing && error.details() == "Too many redirections."
}

fn report(change: Invalidation) -> Report {
    let mut keys = change.keys.into_iter();
    match (keys.next(), keys.next()) {
        (Some(key), None) => Report::Changed(key.as_bytes().to_vec()),
        _ => Report::AllChanged,
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "none of the commands of a locker is answered with anything else"
)]
fn reply(frame: Resp3Frame) -> Reply {
    match frame {
        Resp3Frame::Null => Reply::Nil,
        Resp3Frame::Number { data, .. } => Reply::Integer(data),
        Resp3Frame::SimpleString { data, .. } | Resp3Frame::BlobString { data, .. } => {
            Reply::Text(data.to_vec())
        }
        Resp3Frame::SimpleError { data, .. } => Reply::Error(data.to_string()),
        Resp3Frame::BlobError { data, .. } => {
            Reply::Error(String::from_utf8_lossy(&data).into_owned())
        }
        Resp3Frame::Array { data, .. } => Reply::List(data.into_iter().map(reply).collect()),
        Resp3Frame::Set { data, .. } => Reply::List(data.into_iter().map(reply).collect()),
        Resp3Frame::Map { data, .. } => Reply::List(vec![Reply::Nil; data.len()]),
        _ => Reply::List(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_that_takes_a_slot_over_is_found() {
        let nodes = "07c3 10.0.0.4:30004@31004,host master - 0 1 4 connected 5461-10922\n\
            67ed [::1]:30002@31002 master - 0 1 2 connected 10923-16383\n\
            e7d1 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460 [12->-07c3] [13->-67ed] [14-<-67ed]\n";
        let found = |slot| importing(nodes, slot);
        assert_eq!(found(12), Some(("10.0.0.4".into(), 30004)));
        assert_eq!(found(13), Some(("[::1]".into(), 30002)));
        assert_eq!(found(14), None, "it comes here");
        assert_eq!(found(1), None);
    }
}
