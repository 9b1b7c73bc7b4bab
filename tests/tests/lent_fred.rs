//! Clients of the crate `fred` carry out the commands of lockers, on real servers. Clusters: `lent_cluster`.

mod lent;

use fred::prelude::*;
use fred::types::RespVersion;
use lent::{LONG, comes_back, reports_arrive};
use tenure::client::fred::lend;
use tenure::{Locker, Released, Server as Lent};
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::servers::{self, Kind};
use tenure_tests::suite::{everything, everything_without_scripts};

fn builder(url: &str, version: RespVersion) -> Builder {
    let mut config = Config::from_url(url).expect("a URL");
    config.version = version;
    let mut builder = Builder::from_config(config);
    builder.set_policy(ReconnectPolicy::new_constant(0, 20));
    builder
}

async fn client(url: &str) -> Client {
    let client = builder(url, RespVersion::RESP3).build().expect("a client");
    client.init().await.expect("a connection");
    client
}

async fn own(server: &servers::Server) -> Locker {
    tenure::tokio::connect(server.url())
        .await
        .expect("a locker")
}

async fn locker(server: impl Into<Lent>) -> Locker {
    tenure::tokio::connect(server.into())
        .await
        .expect("a locker")
}

#[tokio::test]
async fn every_client_gives_the_same_locks_beside_connections_of_our_own() {
    for kind in Kind::ALL {
        let server = servers::Server::start(kind);
        let url = server.url();
        let lent = locker(lend(client(&url).await)).await;
        everything("fred, RESP3", lent, own(&server).await).await;
        // Clients of a pool, in RESP2: without reports.
        let pool = builder(&url, RespVersion::RESP2)
            .build_pool(3)
            .expect("a pool");
        pool.init().await.expect("connections");
        let mut raw = server.raw();
        raw.command(&["CONFIG", "RESETSTAT"]);
        let (alice, bob) = (locker(lend(&pool)).await, locker(lend(&pool)).await);
        everything("fred, RESP2", alice, bob).await;
        let stats = raw.command(&["INFO", "commandstats"]).text();
        assert_eq!(stats.contains("cmdstat_delifeq"), kind.has_compare());
        pool.quit().await.expect("an end");
    }
}

/// In RESP3 the client cannot read what the server says it can do, and finds it out in another way.
#[tokio::test]
async fn several_keys_are_obtained_without_scripts() {
    let server = servers::Server::start(Kind::Valkey9);
    let mut raw = server.raw();
    raw.command(&["ACL", "SETUSER", "default", "-@scripting"]);
    raw.command(&["CONFIG", "RESETSTAT"]);
    let url = server.url();
    let alice = locker(lend(client(&url).await)).await;
    let bob = locker(lend(client(&url).await)).await;
    everything_without_scripts("fred, RESP3, no scripts", alice, bob).await;
    let stats = raw.command(&["INFO", "commandstats"]).text();
    assert!(stats.contains("cmdstat_msetex:"), "{stats}");
}

#[tokio::test]
async fn reports_wake_a_waiter_and_reveal_a_deleted_key() {
    let server = servers::Server::start(Kind::Redis7);
    let bob = locker(lend(client(&server.url()).await)).await;
    reports_arrive(&server, &own(&server).await, &bob).await;
}

#[tokio::test]
async fn a_client_comes_back_and_reports_changes_again() {
    let mut server = servers::Server::start(Kind::Redis7);
    let locker = locker(lend(client(&server.url()).await)).await;
    comes_back(&mut server, &locker).await;
}

/// The proxy loses the answer to each write in turn. Although the client sends commands up to three times by default, those of
/// a locker are sent once: a `SET NX` that had been granted would be refused by its own value otherwise.
#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    let server = servers::Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    // In RESP3 the client begins with an inline command, which the proxy does not read.
    let client = builder(&proxy.url(), RespVersion::RESP2)
        .build()
        .expect("a client");
    client.init().await.expect("a connection");
    let locker = locker(lend(client)).await;
    for round in 0..10 {
        proxy.fail(On::Named("SET"), Fault::Reply { kept: 0 }, Then::Cut);
        let lock = locker.obtain("k").wait(LONG).await;
        let lock = lock.expect("the server has granted it");
        assert_eq!(lock.release().await, Released::Confirmed, "{round}");
        let reply = server.raw().command(&["EXISTS", "k"]);
        assert_eq!(reply.int(), 0, "nothing is left");
    }
    let sets = proxy.commands();
    let sets = sets.iter().filter(|command| command.starts_with("SET "));
    assert_eq!(sets.count(), 10, "each was sent once");
}
