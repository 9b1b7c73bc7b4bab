//! The server that sentinels name.

use std::sync::{Arc, PoisonError, RwLock};

use redis::aio::MultiplexedConnection;
use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, ProtocolVersion, PushInfo};
use tokio::sync::{Mutex, mpsc};

use super::{PushSender, Pushes, next_report, pipeline, reply};
use crate::client::{Command, CommandTransport, Reply, Report, TransportError};

pub(super) struct Sentinel {
    client: Mutex<SentinelClient>,
    /// To the server that was named last.
    current: RwLock<Option<Current>>,
}

#[derive(Clone)]
struct Current {
    connection: MultiplexedConnection,
    /// Nothing in RESP2, which has no push messages.
    pushes: Option<Arc<Mutex<mpsc::UnboundedReceiver<PushInfo>>>>,
}

impl Sentinel {
    pub(super) fn new(client: SentinelClient) -> Self {
        Self {
            client: Mutex::new(client),
            current: RwLock::new(None),
        }
    }

    fn current(&self) -> Option<Current> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, current: Option<Current>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
    }
}

impl CommandTransport for Sentinel {
    /// Asks the sentinels each time, because the connection may have ended with its server.
    async fn open(&self) -> Result<(), TransportError> {
        self.set(None);
        let client = self.client.lock().await.async_get_client().await?;
        let protocol = client.get_connection_info().redis_settings().protocol();
        // The locker has timeouts of its own.
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut pushes = None;
        if protocol != ProtocolVersion::RESP2 {
            let Pushes { sender, receiver } = Pushes::new();
            config = config.set_push_sender(PushSender(sender));
            pushes = Some(Arc::new(Mutex::new(receiver)));
        }
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        let connection = connection.await?;
        self.set(Some(Current { connection, pushes }));
        Ok(())
    }

    async fn send(&self, commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        let mut current = self.current().ok_or("it is not connected")?;
        // In RESP2 a server would agree to `CLIENT TRACKING`, and report nothing.
        let refused = match commands.first() {
            Some(first) if first.name() == b"CLIENT" => current.pushes.is_none(),
            Some(_) | None => false,
        };
        let sent = &commands[usize::from(refused)..];
        let connection = &mut current.connection;
        let values = connection
            .send_packed_commands(&pipeline(sent), 0, sent.len())
            .await?;
        let mut replies: Vec<Reply> = values.into_iter().map(reply).collect();
        if refused {
            replies.insert(0, Reply::Error("ERR RESP2 has no push messages".into()));
        }
        Ok(replies)
    }

    fn reports(&self) -> bool {
        true
    }

    async fn report(&self) -> Report {
        let pushes = self.current().and_then(|current| current.pushes);
        match pushes {
            Some(pushes) => next_report(&pushes).await,
            None => std::future::pending().await,
        }
    }

    fn name(&self) -> String {
        "redis::sentinel::SentinelClient".into()
    }
}
