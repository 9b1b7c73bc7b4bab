//! Lockers of threads, as the suite uses them.

use std::thread;
use std::time::Duration;

use tenure::blocking::{Lock, Locker};
use tenure::{
    Fence, Holding, InspectError, Lease, Loss, ObtainError, RefreshError, Released, VerifyError,
};
use tenure_tests::suite::{Held, Request, User};
use tenure_tests::with_options;

/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

/// A thread for each request, and for nothing else: the other calls are short, and block.
pub(crate) struct Threads(pub(crate) Locker);

impl User for Threads {
    type Held = OfThread;

    const CAN_DROP_REQUESTS: bool = false;

    /// The only call during which the suite does something else.
    async fn obtain(&self, request: Request) -> Result<OfThread, ObtainError> {
        let locker = self.0.clone();
        let obtain = move || with_options!(locker.obtain(&request.keys[..]), request).block();
        let (sender, result) = smol::channel::bounded(1);
        thread::spawn(move || sender.try_send(obtain()).is_ok());
        let result = result.recv().await.expect("the thread answers");
        Ok(OfThread(result?))
    }

    async fn inspect(&self, key: &str) -> Result<Option<Holding>, InspectError> {
        self.0.inspect(key)
    }

    async fn close(&self) {
        self.0.close();
    }
}

pub(crate) struct OfThread(Lock);

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
