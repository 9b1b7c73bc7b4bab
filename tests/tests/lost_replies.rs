//! The reply of every n-th write is lost, on the way from a real server: the server has acted, and no client knows.

use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Locker, NotObtained, ObtainError, Released, Servers};
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// Far longer than anything here takes: passing it means a hang.
const HANG: Duration = Duration::from_secs(120);
const NTH: [u64; 4] = [2, 3, 5, 7];
const KINDS: [Kind; 2] = [Kind::Redis7, Kind::Valkey9];

#[tokio::test]
async fn a_wait_ends_with_the_lock_and_a_release_leaves_no_key() {
    for (kind, then) in cases() {
        for n in NTH {
            let weather = Weather::new(kind, n, then).await;
            for round in 0..8 {
                let obtaining = weather.locker.obtain("k").wait(60 * SECOND).into_future();
                let lock = weather.hurry(obtaining).await;
                let lock = lock.unwrap_or_else(|error| panic!("{weather:?}: {error}"));
                if round % 2 == 0 {
                    let refreshed = weather.hurry(lock.refresh()).await;
                    refreshed.unwrap_or_else(|error| panic!("{weather:?}: {error}"));
                }
                let released = weather.hurry(lock.release()).await;

                // A release whose reply was lost finds nothing when it is sent again. That proves nothing.
                assert_ne!(released, Released::Missing, "{weather:?}");
                assert_eq!(weather.keys(), Value::Int(0), "{weather:?}: {released:?}");
            }
            weather.close().await;
        }
    }
}

#[tokio::test]
async fn a_try_never_reports_its_own_key_as_taken_by_others() {
    for (kind, then) in cases() {
        for n in NTH {
            let weather = Weather::new(kind, n, then).await;
            let mut unknown = 0;
            for _ in 0..12 {
                // A try does not wait for a connection that is being made again.
                while weather.hurry(weather.locker.ready()).await.is_err() {
                    tokio::task::yield_now().await;
                }
                match weather
                    .hurry(weather.locker.obtain("k").into_future())
                    .await
                {
                    Ok(lock) => {
                        assert_ne!(weather.hurry(lock.release()).await, Released::Missing);
                    }
                    // What this one may have left is taken back before anything else is said to the server.
                    Err(ObtainError::NotObtained(NotObtained::Unreachable(_), _)) => unknown += 1,
                    Err(error) => panic!("{weather:?}: {error}"),
                }
            }
            println!("{weather:?}: {unknown} of 12 not known");
            weather.close().await;
        }
    }
}

#[tokio::test]
async fn several_keys_and_many_tasks_fare_no_worse() {
    for (kind, then) in cases() {
        for n in NTH {
            let weather = Weather::new(kind, n, then).await;
            let tasks: Vec<_> = (0..8)
                .map(|task| {
                    let keys = [format!("a{}", task % 3), format!("b{}", task % 2)];
                    let obtaining = weather.locker.obtain(keys).wait(60 * SECOND);
                    tokio::spawn(async move {
                        let lock = obtaining.await?;
                        tokio::task::yield_now().await;
                        Ok::<_, ObtainError>(lock.release().await)
                    })
                })
                .collect();
            for task in tasks {
                let released = weather.hurry(task).await.expect("no panic");
                let released = released.unwrap_or_else(|error| {
                    let commands = weather.proxy.commands();
                    panic!(
                        "{weather:?}: {error}: {:#?}",
                        &commands[commands.len() - 60..]
                    );
                });
                assert_ne!(released, Released::Missing, "{weather:?}");
            }
            assert_eq!(weather.keys(), Value::Int(0), "{weather:?}");
            weather.close().await;
        }
    }
}

fn cases() -> impl Iterator<Item = (Kind, Then)> {
    KINDS
        .into_iter()
        .flat_map(|kind| [(kind, Then::Cut), (kind, Then::Silence)])
}

/// A locker behind a proxy that loses replies.
struct Weather {
    server: Server,
    proxy: Proxy,
    locker: Locker,
    name: String,
}

impl std::fmt::Debug for Weather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Weather {
    async fn new(kind: Kind, n: u64, then: Then) -> Self {
        let server = Server::start(kind);
        let proxy = Proxy::start(server.port());
        // Short pauses, so that a hundred lost connections take seconds.
        let servers = Servers::single(proxy.url())
            .request_timeout(150 * MS)
            .reconnect(MS, 5 * MS);
        let locker = connect(servers).await.expect("a locker");
        proxy.fail(On::EveryWrite(n), Fault::Reply { kept: 0 }, then);
        let name = format!("{kind:?}, every {n}. write, then {then:?}");
        Self {
            server,
            proxy,
            locker,
            name,
        }
    }

    /// What is there beside the lock server's own data: nothing but locks is ever stored.
    fn keys(&self) -> Value {
        self.server.raw().command(&["DBSIZE"])
    }

    async fn hurry<T>(&self, future: impl Future<Output = T>) -> T {
        let result = tokio::time::timeout(HANG, future).await;
        result.unwrap_or_else(|_| panic!("{self:?}: a hang after {:?}", self.proxy.commands()))
    }

    /// Everything has ended, and nothing is left.
    async fn close(self) {
        // A cancelled try is released on the next connection: closing waits for that.
        self.proxy.heal();
        self.hurry(self.locker.close()).await;
        assert_eq!(self.keys(), Value::Int(0), "{self:?}");
    }
}
