//! The handle that obtains locks.

use std::fmt;
use std::num::NonZeroU32;

use tenure_core::{Holding, Mode, Status, Unsupported};

use crate::error::{ConnectError, InspectError, ObtainError};
use crate::inspect::{inspect, status};
use crate::keys::IntoKeys;
use crate::lock::Lock;
use crate::obtaining::Obtaining;
use crate::shared::{Handle, LockerState, Stage};
use crate::wakers::{WaitSlot, guard};

/// Obtains locks from the servers it is connected to. Cheap to clone; all clones share the connections.
///
/// Made by [`tokio::connect`](crate::tokio::connect). When the last clone, [`Lock`] and [`Obtaining`] is dropped, all locks
/// are released and the connections are closed. Await [`Locker::close`] to know that this is done.
#[derive(Clone)]
pub struct Locker {
    handle: Handle,
}

impl Locker {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Requests a lock on one key or on several, all or none. Set options with the methods of [`Obtaining`], then await
    /// it. Nothing is sent before that.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # use std::time::Duration;
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain(["from", "to"]).wait(Duration::from_secs(1)).await?;
    /// assert!(lock.is_held());
    /// # Ok(())
    /// # }
    /// ```
    pub fn obtain(&self, keys: impl IntoKeys) -> Obtaining {
        Obtaining::new(self.handle.clone(), keys.into_keys())
    }

    /// Requests a read lock: any number of them share a key, and exclude write locks and locks by [`obtain`](Self::obtain),
    /// also those of other libraries. See [the modes](https://docs.rs/tenure-core) for what it promises, and when to use it.
    ///
    /// It has one key, and needs one server, or [several in order](crate::Servers::ordered): otherwise the request ends with
    /// [`NotObtained::Unsupported`](crate::NotObtained::Unsupported) before anything is sent. Servers need scripts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// use tenure::{Holder, NotObtained, ObtainError};
    ///
    /// # let locker = tenure::tokio::memory();
    /// let one = locker.read("report").await?;
    /// let other = locker.read("report").await?;
    /// let Err(ObtainError::NotObtained(NotObtained::Taken { by, .. }, _)) = locker.write("report").await else {
    ///     panic!("there are readers");
    /// };
    /// assert_eq!(by, Holder::Sharing);
    /// one.release().await;
    /// other.release().await;
    /// locker.write("report").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn read(&self, key: impl IntoKeys) -> Obtaining {
        self.obtain(key).in_mode(Ok(Mode::Shared { limit: None }))
    }

    /// Requests a write lock: it excludes all others, and learns whether readers are in its way
    /// ([`Holder::Sharing`](crate::Holder::Sharing)). The same is needed as for [`read`](Self::read).
    ///
    /// It differs from [`obtain`](Self::obtain) in that it comes as soon as the lease of a crashed reader ends, and in that
    /// requests that [wait](Obtaining::wait) come in the order in which they were made, in whichever process.
    pub fn write(&self, key: impl IntoKeys) -> Obtaining {
        self.obtain(key).in_mode(Ok(Mode::InTurn))
    }

    /// Requests one of `limit` permits for a key. At no time do more share it than the largest limit with which one of them
    /// was requested. 0 is refused: [`Unsupported::NoPermits`]. The same is needed as for [`read`](Self::read).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # let locker = tenure::tokio::memory();
    /// let first = locker.permit("api", 2).await?;
    /// let second = locker.permit("api", 2).await?;
    /// assert!(locker.permit("api", 2).if_free().await?.is_none());
    /// first.release().await;
    /// assert!(locker.permit("api", 2).if_free().await?.is_some());
    /// # drop(second);
    /// # Ok(())
    /// # }
    /// ```
    pub fn permit(&self, key: impl IntoKeys, limit: u32) -> Obtaining {
        let limit = NonZeroU32::new(limit).ok_or(Unsupported::NoPermits);
        self.obtain(key)
            .in_mode(limit.map(|limit| Mode::Shared { limit: Some(limit) }))
    }

    /// Tries once to obtain a lock with the default options, and returns `None` if a key is held. With other options:
    /// [`Obtaining::if_free`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # let locker = tenure::tokio::memory();
    /// let Some(lock) = locker.try_obtain("nightly").await? else {
    ///     return Ok(()); // another client does the work
    /// };
    /// assert!(locker.try_obtain("nightly").await?.is_none());
    /// # drop(lock);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ObtainError`], except that the lock is held.
    pub async fn try_obtain(&self, keys: impl IntoKeys) -> Result<Option<Lock>, ObtainError> {
        self.obtain(keys).if_free().await
    }

    /// Returns what a key holds and for how long, without changing anything, or `None` if the key is free. With several
    /// keys: the first that is held.
    ///
    /// The answer may be out of date when it arrives. To act on a free key, obtain it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let locker = tenure::tokio::memory();
    /// assert_eq!(locker.inspect("nightly").await?, None);
    /// let _lock = locker.obtain("nightly").metadata("host-7").await?;
    /// let holding = locker.inspect("nightly").await?.expect("it is held");
    /// assert!(holding.value.ends_with(b"host-7")); // the token, then the metadata
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InspectError`] if a key is invalid, too few servers replied, or the locker is closed.
    pub async fn inspect(&self, key: impl IntoKeys) -> Result<Option<Holding>, InspectError> {
        let keys = key.into_keys().map_err(InspectError::Claim)?;
        let holdings = inspect(&self.handle, keys).await?;
        Ok(holdings.into_iter().flatten().next())
    }

    /// Returns everything that servers know of a key: who has it, alone or with others, how many clients wait for it in order,
    /// and its last fence. With several keys: of the first.
    ///
    /// The answer may be out of date when it arrives. It takes a script and the rights of read locks;
    /// [`inspect`](Self::inspect) needs neither.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let locker = tenure::tokio::memory();
    /// let _readers = (locker.read("report").await?, locker.read("report").await?);
    /// let status = locker.status("report").await?;
    /// assert!(status.is_shared());
    /// assert_eq!(status.holders.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`InspectError`] if a key is invalid, too few servers replied, a server runs no scripts, or the locker is closed.
    pub async fn status(&self, key: impl IntoKeys) -> Result<Status, InspectError> {
        let keys = key.into_keys().map_err(InspectError::Claim)?;
        status(&self.handle, keys.first().clone()).await
    }

    /// Releases all locks, cancels all requests, and closes the connections. Resolves when this is done: after one request
    /// timeout (1 s by default) at the latest if servers do not answer. Dropping the future does not stop it.
    ///
    /// Locks still in use are lost: [`Loss::Closed`](crate::Loss::Closed).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// locker.close().await;
    /// assert_eq!(lock.lost().await, tenure::Loss::Closed);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&self) {
        self.handle.close();
        let ended = |state: &mut LockerState| (state.stage == Stage::Ended).then_some(());
        WaitSlot::new(self.handle.state(), |state| &mut state.watchers)
            .wait(ended)
            .await;
    }

    /// The text of the last server error that Tenure does not know, up to 128 bytes, escaped. `None` if there was none, or
    /// if the text may repeat an argument.
    ///
    /// For logs, where a [`Loss`](crate::Loss) contains [`NodeError::Other`](crate::NodeError::Other). Other errors carry
    /// this text themselves.
    #[must_use]
    pub fn unknown_error(&self) -> Option<String> {
        let state = guard(self.handle.state());
        state.engine.unknown_error().map(Into::into)
    }

    /// Waits until enough servers for a quorum are ready, or until too many have failed since they were last ready.
    /// [`tokio::connect`](crate::tokio::connect) has done so already. Connecting is retried in the background either way.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] lists the servers that failed, with the error of each. [`ConnectError::Closed`] if the
    /// locker was closed.
    pub async fn ready(&self) -> Result<(), ConnectError> {
        WaitSlot::new(self.handle.state(), |state| &mut state.watchers)
            .wait(|state| state.ready())
            .await
    }
}

impl fmt::Debug for Locker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locker").finish_non_exhaustive()
    }
}
