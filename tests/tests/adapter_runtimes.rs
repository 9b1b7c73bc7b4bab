//! Each runtime gives the same locks: one suite, played on a real server and on the embedded one.

use std::future::Future;

use tenure::{Locker, Loss, Released, Servers};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::everything;

/// A runtime as its users see it.
trait Target {
    const NAME: &'static str;

    fn run<T>(future: impl Future<Output = T>) -> T;
    fn connect(servers: Servers) -> impl Future<Output = Locker>;
    /// Two lockers that share an embedded server.
    fn memory() -> [Locker; 2];
}

/// A runtime, and a module of tests that play everything on it.
macro_rules! target {
    ($tests:ident: $name:ident, $module:ident, $run:expr) => {
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

        mod $tests {
            use super::$name;

            #[test]
            fn the_embedded_server_gives_the_same_locks() {
                super::in_memory::<$name>();
            }

            #[test]
            fn a_server_gives_the_same_locks() {
                super::on_a_server::<$name>();
            }

            #[test]
            fn tls_gives_the_same_locks() {
                super::over_tls::<$name>();
            }

            #[test]
            fn a_lock_on_a_quorum_is_kept_while_two_servers_end() {
                super::on_a_quorum::<$name>();
            }
        }
    };
}

target!(on_tokio: Tokio, tokio, |future| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
});
target!(on_smol: Smol, smol, smol::block_on);
target!(
    on_async_std: AsyncStd,
    async_std,
    async_std::task::block_on
);

fn in_memory<T: Target>() {
    T::run(async {
        let [alice, bob] = T::memory();
        everything(&format!("{}, embedded server", T::NAME), alice, bob).await;
    });
}

fn on_a_server<T: Target>() {
    let server = Server::start(Kind::Redis7);
    T::run(async {
        let url = || Servers::from(server.url());
        everything(T::NAME, T::connect(url()).await, T::connect(url()).await).await;

        // Over a Unix socket, and a key that somebody else deletes.
        let socket = format!("redis+unix://{}", server.socket_path().display());
        let locker = T::connect(socket.as_str().into()).await;
        let lock = locker.obtain("k").await.expect("the lock");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.lost().await, Loss::Taken, "{}", T::NAME);
        locker.close().await;
    });
}

fn over_tls<T: Target>() {
    let server = Server::builder(Kind::Redis7).tls().start();
    T::run(async {
        let trusting = || Servers::single(server.url()).root_certificate_pem(server.ca_pem());
        let target = format!("{}, TLS", T::NAME);
        let (alice, bob) = (T::connect(trusting()).await, T::connect(trusting()).await);
        everything(&target, alice, bob).await;
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
