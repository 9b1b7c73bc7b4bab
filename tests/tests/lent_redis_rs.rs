//! Clients of the crate `redis` carry out the commands of lockers, on real servers.

mod lent;

use std::time::Duration;

use lent::{LONG, comes_back, reports_arrive};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client};
use tenure::client::redis_rs::{Pushes, lend};
use tenure::{Locker, NotObtained, ObtainError, Released, Server as Lent};
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::everything;

#[path = "../../adapters/tenure/examples/lent_redis_rs.rs"]
#[allow(dead_code, unreachable_pub, reason = "a program of its own, too")]
mod example;

/// The crate gives up after 500 ms by default, which a busy machine may need.
const PATIENT: Duration = Duration::from_secs(30);

fn client(url: &str) -> Client {
    Client::open(format!("{url}/?protocol=resp3")).expect("a URL")
}

async fn multiplexed(url: &str, pushes: &Pushes) -> MultiplexedConnection {
    let config = AsyncConnectionConfig::new()
        .set_response_timeout(Some(PATIENT))
        .set_push_sender(pushes.sender());
    let client = client(url);
    let connection = client.get_multiplexed_async_connection_with_config(&config);
    connection.await.expect("a connection")
}

async fn manager(url: &str, pushes: &Pushes) -> ConnectionManager {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(PATIENT))
        .set_push_sender(pushes.sender());
    let client = client(url);
    let connection = client.get_connection_manager_with_config(config);
    connection.await.expect("a connection")
}

async fn own(server: &Server) -> Locker {
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
async fn every_connection_gives_the_same_locks_beside_connections_of_our_own() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let url = server.url();
        let pushes = Pushes::new();
        let connection = multiplexed(&url, &pushes).await;
        let lent = locker(lend(connection).pushes(pushes)).await;
        everything("redis-rs, RESP3", lent, own(&server).await).await;
        let pushes = Pushes::new();
        let connection = manager(&url, &pushes).await;
        let lent = locker(lend(connection).pushes(pushes)).await;
        let target = "redis-rs, connection manager";
        everything(target, own(&server).await, lent).await;
        // Without reports, and in RESP2.
        let plain = Client::open(url).expect("a URL");
        let connection = plain.get_multiplexed_async_connection().await;
        let connection = connection.expect("a connection");
        let alice = locker(lend(connection.clone())).await;
        let bob = locker(lend(connection).one_at_a_time()).await;
        everything("redis-rs, RESP2", alice, bob).await;
    }
}

#[tokio::test]
async fn pushes_wake_a_waiter_and_reveal_a_deleted_key() {
    let server = Server::start(Kind::Redis7);
    let url = server.url();
    let (first, second) = (Pushes::new(), Pushes::new());
    let connections: [Lent; 2] = [
        lend(multiplexed(&url, &first).await).pushes(first).into(),
        lend(manager(&url, &second).await).pushes(second).into(),
    ];
    for lent in connections {
        reports_arrive(&server, &own(&server).await, &locker(lent).await).await;
    }
}

#[tokio::test]
async fn a_connection_manager_comes_back_and_reports_changes_again() {
    let mut server = Server::start(Kind::Redis7);
    let pushes = Pushes::new();
    let connection = manager(&server.url(), &pushes).await;
    let locker = locker(lend(connection).pushes(pushes)).await;
    comes_back(&mut server, &locker).await;
}

#[tokio::test]
async fn a_multiplexed_connection_that_is_closed_stays_so() {
    let mut server = Server::start(Kind::Redis7);
    let pushes = Pushes::new();
    let connection = multiplexed(&server.url(), &pushes).await;
    let locker = locker(lend(connection).pushes(pushes)).await;
    server.kill();
    server.restart();
    let reason = locker.obtain("k").await.expect_err("it is closed");
    assert!(
        matches!(
            reason,
            ObtainError::NotObtained(NotObtained::Unreachable(_), _)
        ),
        "{reason}"
    );
}

/// The proxy loses the answer to each write in turn. Nothing is sent twice behind the locker's back: a `SET NX` that had been
/// granted would be refused by its own value then.
#[tokio::test]
async fn an_answer_that_is_lost_is_found_out() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let pushes = Pushes::new();
    let connection = manager(&proxy.url(), &pushes).await;
    let locker = locker(lend(connection).pushes(pushes)).await;
    for round in 0..10 {
        proxy.fail(On::Named("SET"), Fault::Reply { kept: 0 }, Then::Cut);
        let lock = locker.obtain("k").wait(LONG).await;
        let lock = lock.expect("the server has granted it");
        assert_eq!(lock.release().await, Released::Confirmed, "{round}");
        let reply = server.raw().command(&["EXISTS", "k"]);
        assert_eq!(reply.int(), 0, "nothing is left");
    }
    proxy.heal();
    let sets = proxy.commands();
    let sets = sets.iter().filter(|command| command.starts_with("SET "));
    assert_eq!(sets.count(), 10, "each was sent once");
}

#[tokio::test]
async fn the_example_works() {
    let server = Server::start(Kind::Redis7);
    example::work(&server.url()).await.expect("it works");
    let count = server.raw().command(&["GET", "nights"]);
    assert_eq!(count.text(), "1");
}
