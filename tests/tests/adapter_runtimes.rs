//! Each runtime gives the same locks: one suite, played on a real server and on the embedded one.

use std::future::{Future, IntoFuture as _};
use std::time::Duration;

use tenure::{Holder, Locker, Loss, NotObtained, ObtainError, Released, Servers};
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

/// A runtime as its users see it.
trait Target {
    const NAME: &'static str;

    fn run<T>(future: impl Future<Output = T>) -> T;
    fn connect(servers: Servers) -> impl Future<Output = Locker>;
    /// Two lockers that share an embedded server.
    fn memory() -> [Locker; 2];
}

macro_rules! target {
    ($name:ident, $module:ident, $run:expr) => {
        struct $name;

        impl Target for $name {
            const NAME: &'static str = stringify!($module);

            fn run<T>(future: impl Future<Output = T>) -> T {
                ($run)(future)
            }

            async fn connect(servers: Servers) -> Locker {
                tenure::$module::connect(servers).await.expect("a locker")
            }

            fn memory() -> [Locker; 2] {
                let server = tenure::$module::Memory::new();
                [server.locker(), server.locker()]
            }
        }
    };
}

target!(Tokio, tokio, |future| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
});
target!(Smol, smol, smol::block_on);
target!(AsyncStd, async_std, async_std::task::block_on);

fn taken_by(result: Result<tenure::Lock, ObtainError>) -> Option<Holder> {
    match result {
        Err(ObtainError::NotObtained(
            NotObtained::Taken { by, .. } | NotObtained::TimedOut { by },
            _,
        )) => Some(by),
        Ok(_) | Err(_) => None,
    }
}

async fn a_life(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").ttl(30 * SECOND).metadata("host-7").await;
    let lock = lock.expect("the lock");
    assert!(lock.is_held() && lock.remaining() > 20 * SECOND);
    let holding = bob.inspect("k").await.expect("an answer").expect("held");
    assert_eq!(*holding.value, *[lock.token(), b"host-7"].concat());
    assert_eq!(taken_by(bob.obtain("k").await), Some(Holder::Other));
    assert_eq!(taken_by(alice.obtain("k").await), Some(Holder::Ourselves));
    lock.refresh().await.expect("still held");
    lock.refresh_for(40 * SECOND).await.expect("still held");
    lock.verify().await.expect("still held");
    let left = lock.remaining_on_servers().await.expect("an answer");
    assert!(left.is_some_and(|left| left > 30 * SECOND), "{left:?}");
    assert_eq!(lock.release().await, Released::Confirmed);
    assert_eq!(bob.inspect("k").await.expect("an answer"), None);
}

async fn several_keys(alice: &Locker, bob: &Locker) {
    let both = alice.obtain(["a", "b"]).await.expect("both");
    assert_eq!(taken_by(bob.obtain("b").await), Some(Holder::Other));
    assert!(
        bob.try_obtain(["b", "c"])
            .await
            .expect("an answer")
            .is_none()
    );
    assert_eq!(both.release().await, Released::Confirmed);
    bob.obtain(["b", "c"]).await.expect("both").release().await;
}

async fn a_hand_over(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    let waits = bob.obtain("k").wait(LONG).into_future();
    let (released, next) = futures_lite::future::zip(lock.release(), waits).await;
    assert_eq!(released, Released::Confirmed);
    // A dropped lock is released, too.
    drop(next.expect("the lock"));
    alice
        .obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
}

async fn a_wait_that_ends(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    let wait = Duration::from_millis(50);
    let result = bob.obtain("k").wait(wait).await;
    assert_eq!(taken_by(result), Some(Holder::Other));
    lock.release().await;
}

async fn a_renewal(alice: &Locker, _: &Locker) {
    let ttl = 3 * SECOND;
    let lock = alice.obtain("k").ttl(ttl).await.expect("the lock");
    let first = lock.lease();
    let next = lock.renewed(first).await.expect("renewed");
    assert!(next.expires_at() > first.expires_at());
    lock.release().await;
}

async fn an_end(alice: &Locker, bob: &Locker) {
    let ttl = Duration::from_millis(100);
    let lock = alice.obtain("k").ttl(ttl).manual().await.expect("the lock");
    assert_eq!(lock.lost().await, Loss::Expired { error: None });
    assert!(!lock.is_held());
    assert_eq!(lock.release().await, Released::Expired);
    bob.obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
}

async fn a_close(alice: &Locker, bob: &Locker) {
    let lock = alice.obtain("k").await.expect("the lock");
    alice.close().await;
    assert_eq!(lock.lost().await, Loss::Closed);
    let again = alice.obtain("k").await;
    assert!(matches!(again, Err(ObtainError::Closed)), "{again:?}");
    bob.obtain("k")
        .wait(LONG)
        .await
        .expect("the lock")
        .release()
        .await;
    bob.close().await;
}

async fn everything(alice: Locker, bob: Locker) {
    a_life(&alice, &bob).await;
    several_keys(&alice, &bob).await;
    a_hand_over(&alice, &bob).await;
    a_wait_that_ends(&alice, &bob).await;
    a_renewal(&alice, &bob).await;
    an_end(&alice, &bob).await;
    a_close(&alice, &bob).await;
}

fn in_memory<T: Target>() {
    T::run(async {
        let [alice, bob] = T::memory();
        everything(alice, bob).await;
    });
}

fn on_a_server<T: Target>() {
    let server = Server::start(Kind::Redis7);
    T::run(async {
        let url = || Servers::from(server.url());
        everything(T::connect(url()).await, T::connect(url()).await).await;

        // Over a Unix socket, and a key that somebody else deletes.
        let socket = format!("redis+unix://{}", server.socket_path().display());
        let locker = T::connect(socket.as_str().into()).await;
        let lock = locker.obtain("k").await.expect("the lock");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.lost().await, Loss::Taken, "{}", T::NAME);
        locker.close().await;
    });
}

fn on_a_quorum<T: Target>() {
    let mut servers: Vec<Server> = (0..5).map(|_| Server::start(Kind::Redis7)).collect();
    T::run(async {
        let urls: Vec<String> = servers.iter().map(Server::url).collect();
        let locker = T::connect(Servers::quorum(urls)).await;
        let lock = locker.obtain("k").await.expect("the lock");
        drop(servers.split_off(3));
        lock.refresh().await.expect("three of five are enough");
        assert_eq!(lock.release().await, Released::Confirmed);
        locker.close().await;
    });
}

#[test]
fn every_runtime_gives_the_same_locks_in_memory() {
    in_memory::<Tokio>();
    in_memory::<Smol>();
    in_memory::<AsyncStd>();
}

#[test]
fn every_runtime_gives_the_same_locks_on_a_server() {
    on_a_server::<Tokio>();
    on_a_server::<Smol>();
    on_a_server::<AsyncStd>();
}

#[test]
fn every_runtime_keeps_a_lock_on_a_quorum_of_which_two_servers_end() {
    on_a_quorum::<Tokio>();
    on_a_quorum::<Smol>();
    on_a_quorum::<AsyncStd>();
}
