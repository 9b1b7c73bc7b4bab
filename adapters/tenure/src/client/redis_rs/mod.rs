//! Clients of the crate [`redis`](https://docs.rs/redis), version 1: the feature `redis-rs`.
//!
//! ```no_run
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use redis::aio::ConnectionManagerConfig;
//! use tenure::client::redis_rs::{Pushes, lend};
//!
//! let pushes = Pushes::new();
//! let client = redis::Client::open("redis://127.0.0.1/?protocol=resp3")?;
//! let config = ConnectionManagerConfig::new().set_push_sender(pushes.sender());
//! let connection = client.get_connection_manager_with_config(config).await?;
//!
//! let tenure = tenure::tokio::connect(lend(connection).pushes(pushes)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What each connection does
//!
//! | lent | reports changes | after a lost connection |
//! |---|---|---|
//! | [`MultiplexedConnection`] | with [`pushes`](Lend::pushes) | stays closed forever, and so does the server for the locker |
//! | [`ConnectionManager`] | with [`pushes`](Lend::pushes) | connects again, and sends no command twice |
//! | [`SentinelClient`] ([`lend_sentinel`]) | with RESP3 | a new connection to the master that the sentinels name then |
//! | [`ClusterConnection`] ([`lend_cluster`]) | no | connects again; sends commands twice unless it was built with `retries(0)`, which is checked |
//!
//! - **Without pushes, or with RESP2**, a waiter retries after pauses ([`retry`](crate::Obtaining::retry)), and a loss is found
//!   at the next renewal.
//! - **With pushes**, `CLIENT TRACKING ON NOLOOP` is sent over your connection. The server then also reports the keys that your
//!   own commands read, and does not report changes that are made over the same connection, by your commands or by another
//!   locker. Lend a connection that is used by one locker only, if that matters.
//! - **Timeouts.** These connections give up on a reply after 500 ms by default (`set_response_timeout`), which counts before
//!   [`Servers::request_timeout`](crate::Servers::request_timeout) does.
//! - **Order.** A connection with a limit on concurrent requests (`set_concurrency_limit`) does not keep the order of requests:
//!   add [`one_at_a_time`](Lend::one_at_a_time).
//! - **Runtime.** They need tokio, so drive the locker there: [`tenure::tokio`](crate::tokio).

use redis::aio::{AsyncPushSender, ConnectionManager, MultiplexedConnection, SendError};
use redis::cluster_async::ClusterConnection;
use redis::sentinel::SentinelClient;
use redis::{Cmd, Pipeline, PushInfo, PushKind, Value};
use tokio::sync::{Mutex, mpsc};

mod cluster;
mod sentinel;

use super::{Command, CommandTransport, Reply, Report, TransportError};
use crate::server::Server;

/// Lends a [`MultiplexedConnection`] or a [`ConnectionManager`]. The result is a [`Server`].
pub fn lend(connection: impl Into<Connection>) -> Lend {
    Lend {
        connection: connection.into(),
        pushes: None,
        one_at_a_time: false,
    }
}

/// Lends the connection to a cluster. Build its client with `ClusterClientBuilder::retries(0)`: otherwise it sends a command
/// again after a lost reply, and connecting fails with an error that says so. (A cluster with one master does not show it.)
/// Redirections (`MOVED`, `ASK`) are followed here.
///
/// All keys of one lock must be in one slot: give them the same `{tag}`. Others are refused with
/// [`ObtainError::DifferentSlots`](crate::ObtainError::DifferentSlots). Waiters retry after pauses.
///
/// If a master fails, its requests are unknown, and those of other masters go on. One that is silent delays replies of the
/// others by its response timeout, so keep that below [`Servers::request_timeout`](crate::Servers::request_timeout).
pub fn lend_cluster(connection: ClusterConnection) -> Server {
    super::lend(cluster::Cluster::new(connection))
}

/// Lends the server that sentinels name as the master. After a connection has ended, they are asked once more, and the
/// server that they name then is connected to. With RESP3 ([`set_client_to_redis_protocol`]) it reports changes.
///
/// A failover may lose a lock that the master has just granted. What it survives is in `core/docs/failover.md` of the
/// repository.
///
/// [`set_client_to_redis_protocol`]: redis::sentinel::SentinelClientBuilder::set_client_to_redis_protocol
pub fn lend_sentinel(client: SentinelClient) -> Server {
    super::lend(sentinel::Sentinel::new(client))
}

/// A connection that is lent.
#[derive(Clone)]
pub struct Connection(Kind);

#[derive(Clone)]
enum Kind {
    Multiplexed(MultiplexedConnection),
    Manager(ConnectionManager),
}

impl From<MultiplexedConnection> for Connection {
    fn from(connection: MultiplexedConnection) -> Self {
        Self(Kind::Multiplexed(connection))
    }
}

impl From<ConnectionManager> for Connection {
    fn from(connection: ConnectionManager) -> Self {
        Self(Kind::Manager(connection))
    }
}

/// How a connection is lent. Turns into a [`Server`] by itself.
#[must_use]
pub struct Lend {
    connection: Connection,
    pushes: Option<Pushes>,
    one_at_a_time: bool,
}

impl Lend {
    /// What the server reports over this connection: [`Pushes`] whose sender the connection was made with. Default: none.
    pub fn pushes(mut self, pushes: Pushes) -> Self {
        self.pushes = Some(pushes);
        self
    }

    /// Lets each call wait for the reply to the one before, for connections that do not keep the order of requests. Default:
    /// calls overlap.
    pub fn one_at_a_time(mut self) -> Self {
        self.one_at_a_time = true;
        self
    }
}

impl From<Lend> for Server {
    fn from(lend: Lend) -> Self {
        super::lend(Single {
            connection: lend.connection,
            reports: lend.pushes.map(|pushes| Mutex::new(pushes.receiver)),
            turn: lend.one_at_a_time.then(Mutex::default),
        })
    }
}

/// Passes push messages on from a connection that you make to the locker that it is lent to.
#[derive(Debug)]
pub struct Pushes {
    sender: mpsc::UnboundedSender<PushInfo>,
    receiver: mpsc::UnboundedReceiver<PushInfo>,
}

impl Pushes {
    /// Connected to nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }

    /// For `set_push_sender` of the connection's configuration. If you use push messages yourself, set a sender of your own,
    /// and pass a copy of each on to this one.
    #[must_use]
    pub fn sender(&self) -> PushSender {
        PushSender(self.sender.clone())
    }
}

/// Where a connection sends its push messages.
#[derive(Clone, Debug)]
pub struct PushSender(mpsc::UnboundedSender<PushInfo>);

impl AsyncPushSender for PushSender {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        self.0.send(info).map_err(|_| SendError)
    }
}

impl Default for Pushes {
    fn default() -> Self {
        Self::new()
    }
}

/// A connection to one server.
struct Single {
    connection: Connection,
    reports: Option<Mutex<mpsc::UnboundedReceiver<PushInfo>>>,
    /// Held during a call, if calls must not overlap.
    turn: Option<Mutex<()>>,
}

impl CommandTransport for Single {
    async fn open(&self) -> Result<(), TransportError> {
        if let Some(reports) = &self.reports {
            // Those of an earlier connection.
            let mut reports = reports.lock().await;
            while reports.try_recv().is_ok() {}
        }
        Ok(())
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let _turn = match &self.turn {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let (pipeline, count) = (pipeline(&commands), commands.len());
        let values = match self.connection.clone().0 {
            Kind::Multiplexed(mut one) => one.send_packed_commands(&pipeline, 0, count).await?,
            Kind::Manager(mut one) => one.send_packed_commands(&pipeline, 0, count).await?,
        };
        Ok(values.into_iter().map(reply).collect())
    }

    fn reports(&self) -> bool {
        self.reports.is_some()
    }

    async fn report(&self) -> Report {
        match &self.reports {
            Some(reports) => next_report(reports).await,
            None => std::future::pending().await,
        }
    }

    fn name(&self) -> String {
        match self.connection.0 {
            Kind::Multiplexed(_) => "redis::aio::MultiplexedConnection",
            Kind::Manager(_) => "redis::aio::ConnectionManager",
        }
        .into()
    }
}

async fn next_report(pushes: &Mutex<mpsc::UnboundedReceiver<PushInfo>>) -> Report {
    let mut pushes = pushes.lock().await;
    loop {
        match pushes.recv().await {
            Some(push) => {
                if let Some(report) = report(push) {
                    return report;
                }
            }
            // The connection is gone, and so is its sender. Calls find that out.
            None => return std::future::pending().await,
        }
    }
}

fn report(push: PushInfo) -> Option<Report> {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other message that a server may push"
    )]
    match (push.kind, push.data.into_iter().next()) {
        (PushKind::Disconnection, _) => Some(Report::Gone("the connection was closed".into())),
        (PushKind::Invalidate, Some(Value::Array(keys))) => match <[Value; 1]>::try_from(keys) {
            Ok([Value::BulkString(key)]) => Some(Report::Changed(key)),
            Ok(_) | Err(_) => Some(Report::AllChanged),
        },
        (PushKind::Invalidate, _) => Some(Report::AllChanged),
        _ => None,
    }
}

fn pipeline(commands: &[Command]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(packed(command));
    }
    pipeline
}

fn packed(command: &Command) -> Cmd {
    let mut cmd = Cmd::with_capacity(command.args().len(), command.encoded().len());
    for arg in command.args() {
        cmd.arg(arg);
    }
    cmd
}

fn reply(value: Value) -> Reply {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "none of the commands of a locker is answered with anything else"
    )]
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Integer(number),
        Value::Okay => Reply::Text(b"OK".to_vec()),
        Value::SimpleString(text) => Reply::Text(text.into()),
        Value::BulkString(bytes) => Reply::Text(bytes),
        Value::ServerError(error) => Reply::Error(line(&error)),
        Value::Array(items) | Value::Set(items) => {
            Reply::List(items.into_iter().map(reply).collect())
        }
        Value::Map(pairs) => Reply::List(vec![Reply::Nil; pairs.len()]),
        _ => Reply::List(Vec::new()),
    }
}

/// The whole line of an error, as the server sent it.
fn line(error: &redis::ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().into(),
    }
}
