//! What the suite needs of a locker, be it for tasks or for threads.

#![allow(
    missing_docs,
    reason = "these are the methods and options of lockers and locks"
)]

use std::future::Future;
use std::time::Duration;

use tenure::{
    Fence, Holding, InspectError, Lease, Lock, Locker, Loss, ObtainError, RefreshError, Released,
    VerifyError,
};

/// A request with its options.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// All of them have the same tag, so that a cluster takes them.
    pub keys: Vec<&'static str>,
    pub ttl: Option<Duration>,
    pub wait: Option<Duration>,
    pub max_hold: Option<Duration>,
    pub metadata: Option<&'static str>,
    pub token: Option<&'static str>,
    pub manual: bool,
    pub fence: bool,
}

/// Calls the method of each option that is set. Both kinds of `Obtaining` have the same ones.
#[macro_export]
macro_rules! with_options {
    ($obtaining:expr, $request:expr) => {{
        let mut obtaining = $obtaining;
        $crate::with_options!(set obtaining, $request; ttl, wait, max_hold, metadata, token);
        if $request.manual {
            obtaining = obtaining.manual();
        }
        if $request.fence {
            obtaining = obtaining.fence();
        }
        obtaining
    }};
    (set $obtaining:ident, $request:expr; $($option:ident),*) => {
        $(if let Some(value) = $request.$option {
            $obtaining = $obtaining.$option(value);
        })*
    };
}

/// Who obtains locks.
pub trait User {
    type Held: Held;

    /// Whether a request can be dropped while it waits: a thread that blocks cannot do that.
    const CAN_DROP_REQUESTS: bool;

    fn obtain(&self, request: Request) -> impl Future<Output = Result<Self::Held, ObtainError>>;
    fn inspect(&self, key: &str) -> impl Future<Output = Result<Option<Holding>, InspectError>>;
    fn close(&self) -> impl Future<Output = ()>;
}

/// A lock that was obtained.
pub trait Held {
    fn token(&self) -> &[u8];
    fn fence(&self) -> Option<Fence>;
    fn lease(&self) -> Lease;
    fn remaining(&self) -> Duration;
    fn is_held(&self) -> bool;
    fn refresh(&self) -> impl Future<Output = Result<Lease, Loss>>;
    fn refresh_for(&self, ttl: Duration) -> impl Future<Output = Result<Lease, RefreshError>>;
    fn verify(&self) -> impl Future<Output = Result<(), VerifyError>>;
    fn remaining_on_servers(&self) -> impl Future<Output = Result<Option<Duration>, InspectError>>;
    fn lost(&self) -> impl Future<Output = Loss>;
    fn release(self) -> impl Future<Output = Released>;
}

impl User for Locker {
    type Held = Lock;

    const CAN_DROP_REQUESTS: bool = true;

    async fn obtain(&self, request: Request) -> Result<Lock, ObtainError> {
        with_options!(Self::obtain(self, &request.keys[..]), request).await
    }

    async fn inspect(&self, key: &str) -> Result<Option<Holding>, InspectError> {
        Self::inspect(self, key).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

impl Held for Lock {
    fn token(&self) -> &[u8] {
        Self::token(self)
    }

    fn fence(&self) -> Option<Fence> {
        Self::fence(self)
    }

    fn lease(&self) -> Lease {
        Self::lease(self)
    }

    fn remaining(&self) -> Duration {
        Self::remaining(self)
    }

    fn is_held(&self) -> bool {
        Self::is_held(self)
    }

    async fn refresh(&self) -> Result<Lease, Loss> {
        Self::refresh(self).await
    }

    async fn refresh_for(&self, ttl: Duration) -> Result<Lease, RefreshError> {
        Self::refresh_for(self, ttl).await
    }

    async fn verify(&self) -> Result<(), VerifyError> {
        Self::verify(self).await
    }

    async fn remaining_on_servers(&self) -> Result<Option<Duration>, InspectError> {
        Self::remaining_on_servers(self).await
    }

    async fn lost(&self) -> Loss {
        Self::lost(self).await
    }

    async fn release(self) -> Released {
        Self::release(self).await
    }
}
