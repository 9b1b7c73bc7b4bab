//! The adapter on an executor that stands still, as behind a long computation or in a stopped process: answers that came
//! meanwhile are not late. With the sockets of tokio, with those of async-io (smol, async-std, threads), and over a client.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use redis::aio::ConnectionManagerConfig;
use tenure::client::redis_rs::lend;
use tenure::{Locker, Released, Servers};
use tenure_tests::servers::{Kind, Server};

/// Longer than the request timeout, which is a second.
const STALL: Duration = Duration::from_millis(1500);
const SECOND: Duration = Duration::from_secs(1);

/// A server, and a locker on it, in each way: with TLS and without.
async fn lockers() -> Vec<(Server, Locker)> {
    let mut lockers = Vec::new();
    for sockets in [Sockets::Tokio, Sockets::AsyncIo] {
        let plain = Server::start(Kind::Redis7);
        let locker = sockets.locker(plain.url().into()).await;
        lockers.push((plain, locker));
        let tls = Server::builder(Kind::Redis7).tls().start();
        let servers = Servers::single(tls.url()).root_certificate_pem(tls.ca_pem());
        let locker = sockets.locker(servers).await;
        lockers.push((tls, locker));
    }
    let server = Server::start(Kind::Redis7);
    let client = redis::Client::open(server.url()).expect("a URL");
    // By its default it would give up during a stall.
    let config = ConnectionManagerConfig::new().set_response_timeout(Some(60 * SECOND));
    let connection = client.get_connection_manager_with_config(config).await;
    let lent = lend(connection.expect("a connection"));
    let locker = Sockets::Tokio.locker(lent.into()).await;
    lockers.push((server, locker));
    lockers
}

#[derive(Clone, Copy)]
enum Sockets {
    Tokio,
    AsyncIo,
}

impl Sockets {
    async fn locker(self, servers: Servers) -> Locker {
        // A script that the server does not know would need another round trip.
        let servers = servers.prepare(true);
        match self {
            Self::Tokio => tenure::tokio::connect(servers).await.expect("a server"),
            Self::AsyncIo => {
                let (locker, driver) = tenure::smol::open(servers).expect("a server");
                tokio::spawn(driver);
                locker.ready().await.expect("a server");
                locker
            }
        }
    }
}

/// Begins something, lets its commands leave, and blocks the one thread of the runtime until the server has carried them
/// out and every timeout has passed.
async fn stalled<F: Future>(what: &str, begun: F, mut is_done: impl FnMut() -> bool) -> F::Output {
    let mut begun = pin!(begun);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(begun.as_mut().poll(&mut cx).is_pending());
    // The driver writes; it may let others go first once. What the server says to that is not there yet.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
    let begin = Instant::now();
    while !is_done() || begin.elapsed() < STALL {
        assert!(begin.elapsed() < 20 * SECOND, "{what}: it has not left");
        std::thread::sleep(Duration::from_millis(20));
    }
    begun.await
}

/// How often the server has carried out a command.
fn calls(server: &Server, command: &str) -> u64 {
    let statistics = server.raw().command(&["INFO", "commandstats"]);
    let name = format!("cmdstat_{command}:calls=");
    let text = statistics.text();
    let count = text
        .split(&name)
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    count.map_or(0, |count| count.parse().expect("a number"))
}

async fn use_it(server: &Server, locker: &Locker) {
    let exists = || server.raw().command(&["EXISTS", "k"]).int() == 1;
    let lock = stalled("obtain", locker.obtain("k").into_future(), exists).await;
    let lock = lock.expect("it was granted in time");

    let gets = calls(server, "get");
    let looked = || calls(server, "get") > gets;
    let holding = stalled("inspect", locker.inspect("k"), looked).await;
    assert!(holding.expect("an answer").is_some());

    let longer = Duration::from_secs(3600);
    let is_longer = || server.raw().command(&["PTTL", "k"]).int() > 3_000_000;
    let lease = stalled("refresh", lock.refresh_for(longer), is_longer).await;
    assert_eq!(lease.expect("it was refreshed").ttl().as_duration(), longer);

    let released = stalled("release", lock.release(), || !exists()).await;
    assert_eq!(released, Released::Confirmed);
}

#[tokio::test]
async fn answers_that_came_during_a_stall_win_over_deadlines() {
    for (server, locker) in lockers().await {
        use_it(&server, &locker).await;
        // Over the first connection: nothing was taken for dead.
        let clients = server.raw().command(&["INFO", "stats"]);
        let text = clients.text().to_owned();
        assert!(text.contains("rejected_connections:0"), "{text}");
        locker.close().await;
    }
}

/// More than one read takes, and less than a socket keeps.
#[tokio::test]
async fn many_answers_that_came_during_a_stall_win_over_deadlines() {
    const LOOKS: u64 = 500;
    for (server, locker) in lockers().await {
        let value = "x".repeat(60);
        let reply = server.raw().command(&["SET", "k", &value]);
        assert_eq!(reply.text(), "OK");
        let looks = async {
            let mut looks: Vec<_> = (0..LOOKS).map(|_| Box::pin(locker.inspect("k"))).collect();
            // All of them ask before any is waited for.
            for look in &mut looks {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(look.as_mut().poll(&mut cx).is_pending());
            }
            for look in looks {
                let holding = look.await.expect("an answer").expect("a holder");
                assert_eq!(*holding.value, *value.as_bytes());
            }
        };
        stalled("inspect", looks, || calls(&server, "get") == LOOKS).await;
        locker.close().await;
    }
}
