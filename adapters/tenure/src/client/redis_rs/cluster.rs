//! The cluster connection.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value};

use super::{line, packed, reply};
use crate::client::slots::Slots;
use crate::client::{Command, CommandTransport, Reply, TransportError};

/// How often a command follows its slot to another server.
const REDIRECTS: usize = 8;
/// How many servers a request goes to that any of them can answer.
const TRIES: usize = 3;

pub(super) struct Cluster {
    connection: ClusterConnection,
    slots: Slots,
    /// Whether it was found to send no command twice.
    checked: AtomicBool,
}

impl Cluster {
    pub(super) fn new(connection: ClusterConnection) -> Self {
        Self {
            connection,
            slots: Slots::default(),
            checked: AtomicBool::new(false),
        }
    }
}

impl CommandTransport for Cluster {
    async fn open(&self) -> Result<(), TransportError> {
        if !self.checked.load(Ordering::Relaxed) {
            if resends(self.connection.clone()).await {
                return Err(
                    "the client sends commands twice: build it with ClusterClientBuilder::retries(0)"
                        .into(),
                );
            }
            self.checked.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let one = |command, slot: Option<u16>| {
            let connection = self.connection.clone();
            async move {
                match slot {
                    Some(slot) => ask(connection, &command, slot).await,
                    None => ask_any(connection, &command).await,
                }
            }
        };
        Ok(self.slots.carry(&commands, one).await)
    }

    fn is_cluster(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        "redis::cluster_async::ClusterConnection".into()
    }
}

/// Asks the server of a slot, and follows the slot if it has moved or is being moved. A server that redirects has not carried
/// the command out.
async fn ask(mut connection: ClusterConnection, command: &Command, slot: u16) -> Reply {
    let owner = || SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
    let (mut to, mut asking) = (owner(), false);
    for _ in 0..REDIRECTS {
        let result = if asking {
            ask_for_once(&mut connection, command, to).await
        } else {
            let to = RoutingInfo::SingleNode(to);
            connection.route_command(packed(command), to).await
        };
        let error = match result.and_then(Value::extract_error) {
            Ok(value) => return reply(value),
            Err(error) => error,
        };
        (to, asking) = match (error.kind(), address(&error)) {
            (ErrorKind::Server(ServerErrorKind::Ask), Some(address)) => (address, true),
            // Not by the client's own list of slots: it may come from a server that has not learnt of the move.
            (ErrorKind::Server(ServerErrorKind::Moved), Some(address)) => (address, false),
            // The client has no connection to the server that it was sent to. By now it may have a new list.
            (ErrorKind::ClusterConnectionNotFound, _) if !asking => (owner(), false),
            _ => return failed(error),
        };
    }
    Reply::Error("TRYAGAIN the slot is being moved".into())
}

/// What a server answers that takes a slot over.
async fn ask_for_once(
    connection: &mut ClusterConnection,
    command: &Command,
    to: SingleNodeRoutingInfo,
) -> RedisResult<Value> {
    let mut pipeline = Pipeline::with_capacity(2);
    pipeline.cmd("ASKING").add_command(packed(command));
    let values = connection.route_pipeline(pipeline, 0, 2, to).await?;
    let value = values.into_iter().nth(1);
    value.ok_or_else(|| (ErrorKind::Client, "no reply behind ASKING").into())
}

fn address(error: &RedisError) -> Option<SingleNodeRoutingInfo> {
    let (address, _) = error.redirect_node()?;
    let (host, port) = address.rsplit_once(':')?;
    Some(SingleNodeRoutingInfo::ByAddress {
        host: host.into(),
        port: port.parse().ok()?,
    })
}

/// What needs no key and changes nothing: another server may answer if the first does not.
async fn ask_any(mut connection: ClusterConnection, command: &Command) -> Reply {
    let mut last = Reply::Unknown;
    for _ in 0..TRIES {
        let to = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
        let result = connection.route_command(packed(command), to).await;
        last = match result.and_then(Value::extract_error) {
            Ok(value) => return reply(value),
            Err(error) => failed(error),
        };
        if matches!(&last, Reply::Error(line) if !line.starts_with("CLUSTERDOWN")) {
            break;
        }
    }
    last
}

fn failed(error: RedisError) -> Reply {
    if error.kind() == ErrorKind::ClusterConnectionNotFound {
        // Nothing was sent.
        return Reply::Error("CLUSTERDOWN the client knows no server of this slot".into());
    }
    match redis::ServerError::try_from(error) {
        Ok(error) => Reply::Error(line(&error)),
        Err(_) => Reply::Unknown,
    }
}

/// Whether the connection follows redirections by itself: then it also sends a command again after a lost reply. A
/// request to one server for a key of another one shows it. False if that cannot be found out.
async fn resends(mut connection: ClusterConnection) -> bool {
    let mut slots = Cmd::new();
    slots.arg("CLUSTER").arg("SLOTS");
    let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
    let Ok(Value::Array(ranges)) = connection.route_command(slots, any).await else {
        return false;
    };
    let ranges: Vec<(u16, u16, (String, u16))> = ranges.into_iter().filter_map(range).collect();
    let masters: BTreeSet<_> = ranges.iter().map(|(.., master)| master).collect();
    let Some((first, last, owner)) = ranges.first() else {
        return false;
    };
    let Some((host, port)) = masters.into_iter().find(|master| *master != owner) else {
        return false;
    };
    let keys = (0_u32..).map(|number| format!("tenure:{number}"));
    let mut keys =
        keys.filter(|key| (first..=last).contains(&&tenure_core::redis::slot(key.as_bytes())));
    let Some(key) = keys.next() else {
        return false;
    };
    let mut cmd = Cmd::new();
    cmd.arg("PTTL").arg(key);
    let to = SingleNodeRoutingInfo::ByAddress {
        host: host.clone(),
        port: *port,
    };
    let result = connection.route_command(cmd, RoutingInfo::SingleNode(to));
    result.await.and_then(Value::extract_error).is_ok()
}

/// A range of slots, and the address of its master.
fn range(value: Value) -> Option<(u16, u16, (String, u16))> {
    let Value::Array(parts) = value else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(master),
        ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let [Value::BulkString(host), Value::Int(port), ..] = master.as_slice() else {
        return None;
    };
    let number = |number: &i64| u16::try_from(*number).ok();
    let host = String::from_utf8(host.clone()).ok()?;
    Some((number(first)?, number(last)?, (host, number(port)?)))
}
