//! Clients that follow a failover, as their users make them.

use std::time::Duration;

use fred::prelude::*;
use fred::types::RespVersion;
use fred::types::config::ClusterDiscoveryPolicy;
use redis::cluster::ClusterClientBuilder;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{ConnectionAddr, ProtocolVersion};
use tenure::client::redis_rs::{lend_cluster, lend_sentinel};
use tenure::{Locker, Server as Lent};
use tenure_tests::servers::{Cluster, Sentinels};

/// The crates give up sooner by default, which a busy machine may need. A request ends before that.
const PATIENT: Duration = Duration::from_secs(30);

/// A crate whose clients are lent.
#[derive(Clone, Copy)]
pub(crate) enum Client {
    RedisRs,
    Fred,
}

impl Client {
    pub(crate) const ALL: [Self; 2] = [Self::RedisRs, Self::Fred];

    async fn lend_cluster(self, cluster: &Cluster) -> Lent {
        match self {
            Self::RedisRs => redis_rs_cluster(cluster, 0).await,
            Self::Fred => fred_cluster(cluster, 0).await,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::RedisRs => "redis-rs",
            Self::Fred => "fred",
        }
    }

    pub(crate) async fn locker(self, cluster: &Cluster) -> Locker {
        let lent = self.lend_cluster(cluster).await;
        tenure::tokio::connect(lent).await.expect("a locker")
    }

    /// To the master that sentinels name.
    pub(crate) async fn behind(self, sentinels: &Sentinels, is_resp3: bool) -> Locker {
        let lent = match self {
            Self::RedisRs => redis_rs_sentinel(sentinels, is_resp3),
            Self::Fred => fred_sentinel(sentinels, is_resp3).await,
        };
        tenure::tokio::connect(lent).await.expect("a locker")
    }
}

pub(crate) async fn redis_rs_cluster(cluster: &Cluster, retries: u32) -> Lent {
    let client = ClusterClientBuilder::new(cluster.urls())
        .retries(retries)
        .response_timeout(PATIENT)
        .build()
        .expect("a client");
    let connection = client.get_async_connection().await;
    lend_cluster(connection.expect("a connection"))
}

pub(crate) async fn fred_cluster(cluster: &Cluster, redirects: u32) -> Lent {
    let ports = cluster
        .servers
        .iter()
        .map(tenure_tests::servers::Server::port);
    let hosts = ports.map(|port| Server::new("127.0.0.1", port));
    let config = Config {
        server: ServerConfig::Clustered {
            hosts: hosts.collect(),
            policy: ClusterDiscoveryPolicy::default(),
        },
        ..Config::default()
    };
    let client = Builder::from_config(config)
        .set_policy(ReconnectPolicy::new_constant(0, 20))
        .with_connection_config(|config| config.max_redirections = redirects)
        .build()
        .expect("a client");
    client.init().await.expect("a connection");
    tenure::client::fred::lend(&client)
}

fn redis_rs_sentinel(sentinels: &Sentinels, is_resp3: bool) -> Lent {
    let ports = sentinels.ports().into_iter();
    let addresses = ports.map(|port| ConnectionAddr::Tcp("127.0.0.1".into(), port));
    let kind = SentinelServerType::Master;
    let builder = SentinelClientBuilder::new(addresses, Sentinels::NAME, kind);
    let builder = builder.expect("addresses");
    let protocol = if is_resp3 {
        ProtocolVersion::RESP3
    } else {
        ProtocolVersion::RESP2
    };
    let client = builder.set_client_to_redis_protocol(protocol).build();
    lend_sentinel(client.expect("a client"))
}

async fn fred_sentinel(sentinels: &Sentinels, is_resp3: bool) -> Lent {
    let ports = sentinels.ports().into_iter();
    let hosts = ports.map(|port| ("127.0.0.1", port));
    let config = Config {
        server: ServerConfig::new_sentinel(hosts.collect::<Vec<_>>(), Sentinels::NAME),
        version: if is_resp3 {
            RespVersion::RESP3
        } else {
            RespVersion::RESP2
        },
        ..Config::default()
    };
    let client = Builder::from_config(config)
        .set_policy(ReconnectPolicy::new_constant(0, 20))
        .build()
        .expect("a client");
    client.init().await.expect("a connection");
    tenure::client::fred::lend(&client)
}
