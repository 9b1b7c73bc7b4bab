//! A distributed lock over Redis and Valkey.

mod address;
mod cell;
mod clock;
mod driver;
mod error;
mod keys;
mod link;
mod lock;
mod locker;
mod runtime;
mod servers;
mod shared;
mod trace;
mod wakers;

#[cfg(feature = "tokio")]
pub mod tokio;

pub use error::{ConnectError, InspectError, ObtainError, RefreshError, Unreachable, UrlPart};
pub use keys::{IntoKey, IntoKeys};
pub use lock::Lock;
pub use locker::{Locker, ObtainFuture, Obtaining};
pub use servers::Servers;
pub use tenure_core::{
    ClaimError, Holding, Instant, Jitter, Key, Keys, Lease, Limits, Loss, MAX_KEY, MAX_KEYS,
    MAX_METADATA, MAX_NODES, MAX_TOKEN, Metadata, NodeError, NotObtained, Released, Renewal, Retry,
    Token, Ttl,
};
