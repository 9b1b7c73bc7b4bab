//! What the scenarios are played on.

use std::time::Duration;

use fred::prelude::*;
use fred::types::RespVersion;
use redis::aio::ConnectionManagerConfig;
use tenure::client::redis_rs::Pushes;
use tenure::{Locker, Servers};
use tenure_tests::servers::Server;
use tracing::instrument::WithSubscriber as _;

use crate::trace::Trace;

/// A runtime, or a client that is lent on tokio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Tokio,
    Smol,
    AsyncStd,
    RedisRs,
    Fred,
}

impl Target {
    /// In the table of traces.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::AsyncStd => "async_std",
            Self::RedisRs => "redis-rs, RESP3",
            Self::Fred => "fred, RESP3",
        }
    }

    /// A locker on this server, and its events.
    pub(crate) async fn client(self, server: &Server) -> (Locker, Trace) {
        let server = self.reach(server).await;
        self.client_of(Servers::single(server)).await
    }

    /// A locker on three servers, all of them there: it begins as soon as two are.
    pub(crate) async fn client_of_three(self, servers: &[Server; 3]) -> (Locker, Trace) {
        let mut reached = Vec::new();
        for server in servers {
            reached.push(self.reach(server).await);
        }
        let (locker, trace) = self.client_of(Servers::quorum(reached)).await;
        let ready = |line: &&String| line.starts_with("node_ready");
        while trace.lines().iter().filter(ready).count() < 3 {
            tokio::task::yield_now().await;
        }
        (locker, trace)
    }

    pub(crate) async fn client_of(self, servers: Servers) -> (Locker, Trace) {
        let trace = Trace::default();
        let servers = servers.request_timeout(Duration::from_secs(2));
        // A driver runs under any executor, if its runtime has a reactor of its own.
        let locker = match self {
            Self::Smol => {
                let (locker, driver) = tenure::smol::open(servers).expect("a server");
                tokio::spawn(driver.with_subscriber(trace.clone()));
                locker
            }
            Self::AsyncStd => {
                let (locker, driver) = tenure::async_std::open(servers).expect("a server");
                tokio::spawn(driver.with_subscriber(trace.clone()));
                locker
            }
            Self::Tokio | Self::RedisRs | Self::Fred => {
                let (locker, driver) = tenure::tokio::open(servers).expect("a server");
                tokio::spawn(driver.with_subscriber(trace.clone()));
                locker
            }
        };
        locker.ready().await.expect("the server");
        (locker, trace)
    }

    pub(crate) async fn reach(self, server: &Server) -> tenure::Server {
        let url = server.url();
        match self {
            Self::Tokio | Self::Smol | Self::AsyncStd => url.into(),
            Self::RedisRs => {
                let pushes = Pushes::new();
                let config = ConnectionManagerConfig::new().set_push_sender(pushes.sender());
                let client = redis::Client::open(format!("{url}/?protocol=resp3"));
                let client = client.expect("a URL");
                let connection = client.get_connection_manager_with_config(config).await;
                let connection = connection.expect("a connection");
                tenure::client::redis_rs::lend(connection)
                    .pushes(pushes)
                    .into()
            }
            Self::Fred => {
                let mut config = Config::from_url(&url).expect("a URL");
                config.version = RespVersion::RESP3;
                let mut builder = Builder::from_config(config);
                builder.set_policy(ReconnectPolicy::new_constant(0, 20));
                let client = builder.build().expect("a client");
                client.init().await.expect("a connection");
                tenure::client::fred::lend(client)
            }
        }
    }
}
