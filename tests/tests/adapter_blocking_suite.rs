//! Threads get the same locks: the suite of all lockers, with a thread for each request.

use std::time::Duration;

use tenure::blocking::{Lock, Locker, Memory, connect};
use tenure::{
    Fence, Holding, InspectError, Lease, Loss, ObtainError, RefreshError, Released, VerifyError,
};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{Held, Request, User, everything};
use tenure_tests::with_options;

/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

struct Threads(Locker);

impl User for Threads {
    type Held = OfThread;

    const CAN_DROP_REQUESTS: bool = false;

    /// The only call during which the suite does something else.
    async fn obtain(&self, request: Request) -> Result<OfThread, ObtainError> {
        let locker = self.0.clone();
        let obtain = move || with_options!(locker.obtain(&request.keys[..]), request).block();
        let result = smol::unblock(obtain).await;
        Ok(OfThread(result?))
    }

    async fn inspect(&self, key: &str) -> Result<Option<Holding>, InspectError> {
        self.0.inspect(key)
    }

    async fn close(&self) {
        self.0.close();
    }
}

struct OfThread(Lock);

impl Held for OfThread {
    fn token(&self) -> &[u8] {
        self.0.token()
    }

    fn fence(&self) -> Option<Fence> {
        self.0.fence()
    }

    fn lease(&self) -> Lease {
        self.0.lease()
    }

    fn remaining(&self) -> Duration {
        self.0.remaining()
    }

    fn is_held(&self) -> bool {
        self.0.is_held()
    }

    async fn refresh(&self) -> Result<Lease, Loss> {
        self.0.refresh()
    }

    async fn refresh_for(&self, ttl: Duration) -> Result<Lease, RefreshError> {
        self.0.refresh_for(ttl)
    }

    async fn verify(&self) -> Result<(), VerifyError> {
        self.0.verify()
    }

    async fn remaining_on_servers(&self) -> Result<Option<Duration>, InspectError> {
        self.0.remaining_on_servers()
    }

    async fn lost(&self) -> Loss {
        self.0.wait_lost(LONG).expect("a loss within a minute")
    }

    async fn release(self) -> Released {
        self.0.release()
    }
}

#[test]
fn threads_get_the_same_locks_on_a_server() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let [alice, bob] = [(); 2].map(|()| Threads(connect(server.url()).expect("a locker")));
        smol::block_on(everything("blocking", alice, bob));
    }
}

#[test]
fn threads_get_the_same_locks_from_the_embedded_server() {
    let server = Memory::new();
    let [alice, bob] = [(); 2].map(|()| Threads(server.locker()));
    smol::block_on(everything("blocking, embedded server", alice, bob));
}
