//! The handle of one lock.

mod changing;
mod handles;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tenure_core::{Claim, Fence, Keys, Lease, LockId, Loss, Ttl};

use crate::cell::{Cell, Grant};
use crate::error::{InspectError, RefreshError, VerifyError};
use crate::inspect::inspect;
use crate::shared::Handle;
use crate::wakers::{WaitSlot, guard};

/// A lock that was obtained. Dropping it releases it, without blocking.
///
/// The outcome of a drop is not reported. When the runtime ends right after it, the release is sent once, and no reply is
/// read. To be certain, await [`Lock::release`] or [`Locker::close`](crate::Locker::close).
///
/// The driver renews the lock in the background, unless it was obtained with
/// [`Obtaining::manual`](crate::Obtaining::manual). Race work that needs the lock against [`Lock::lost`], and check
/// [`Lock::is_held`] right before a critical step.
pub struct Lock {
    handle: Handle,
    id: LockId,
    cell: Arc<Cell>,
    claim: Claim,
    /// The first lease, for a lock that ended before any other.
    first: Lease,
    /// Whether it still counts among the handles of the lock.
    counts: bool,
}

impl Lock {
    pub(crate) fn new(handle: Handle, id: LockId, cell: Arc<Cell>, grant: Grant) -> Self {
        Self {
            handle,
            id,
            cell,
            claim: grant.claim,
            first: grant.lease,
            counts: true,
        }
    }

    /// The key, or the first of several.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.claim.keys().first().as_bytes()
    }

    /// The keys, in the order given.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        self.claim.keys()
    }

    /// The owner's token. A secret: with it, any client can release the lock.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        self.claim.token().as_bytes()
    }

    /// The metadata, as given to [`Obtaining::metadata`](crate::Obtaining::metadata).
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.claim.metadata()
    }

    /// The number of this grant, if it was requested with [`Obtaining::fence`](crate::Obtaining::fence). A lock that has been
    /// [downgraded](Self::downgrade) has none, and a larger one after the next [upgrade](Self::try_upgrade).
    #[must_use]
    pub fn fence(&self) -> Option<Fence> {
        let current = self.handle.fence(self.id);
        current.unwrap_or_else(|| guard(&self.cell.0).fence)
    }

    /// The current lease, or the last known one if the lock has ended. It may have expired.
    #[must_use]
    pub fn lease(&self) -> Lease {
        // Not that of the last event: one that is asked to be shorter counts before anybody has answered.
        let current = self.handle.lease(self.id);
        current.unwrap_or_else(|| guard(&self.cell.0).lease.unwrap_or(self.first))
    }

    /// How long the lock is certainly still held if no refresh succeeds. Zero once it is no longer held.
    ///
    /// It is at most the ttl less 1 % and 2 ms. The clock is read now; it keeps running while the machine is suspended.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        if guard(&self.cell.0).loss().is_some() {
            return Duration::ZERO;
        }
        self.handle
            .lease(self.id)
            .map_or(Duration::ZERO, |lease| lease.remaining(self.handle.now()))
    }

    /// Whether the lock is certainly still held now: whether [`remaining`](Self::remaining) is more than zero.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.remaining() > Duration::ZERO
    }

    /// Extends the lease to a whole ttl from now. Servers that do not reply are retried until the lease ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # let locker = tenure::tokio::memory();
    /// let minute = Duration::from_secs(60);
    /// let lock = locker.obtain("nightly").ttl(minute).manual().await?;
    /// tokio::time::sleep(Duration::from_secs(45)).await;
    /// lock.refresh().await?;
    /// assert!(lock.remaining() > Duration::from_secs(59));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The [`Loss`], if the lock is no longer held.
    pub async fn refresh(&self) -> Result<Lease, Loss> {
        self.refresh_with(None).await
    }

    /// The same with another ttl, longer or shorter, which renewal uses from now on. From 3 ms to 365 days, rounded up to
    /// whole milliseconds.
    ///
    /// # Errors
    /// [`RefreshError::Ttl`] if the ttl is out of range, [`RefreshError::Lost`] if the lock is no longer held.
    pub async fn refresh_for(&self, ttl: Duration) -> Result<Lease, RefreshError> {
        let ttl = Ttl::new(ttl).map_err(RefreshError::Ttl)?;
        self.refresh_with(Some(ttl))
            .await
            .map_err(RefreshError::Lost)
    }

    async fn refresh_with(&self, ttl: Option<Ttl>) -> Result<Lease, Loss> {
        let before = guard(&self.cell.0).refreshes;
        // If it is not held, the cell knows or will soon know why.
        let _ = self
            .handle
            .command(|engine, now| engine.refresh(self.id, ttl, now));
        WaitSlot::new(&self.cell.0, |state| &mut state.refreshing)
            .wait(|state| match state.loss() {
                Some(loss) => Some(Err(loss)),
                None if state.refreshes != before => state.lease.map(Ok),
                None => None,
            })
            .await
    }

    /// Waits until the lock is lost, and returns the cause. Any number of tasks may wait.
    ///
    /// It resolves within five round trips after the key was deleted or overwritten, where the server reports changes, and
    /// at the next renewal elsewhere. It resolves at the end of the lease at the latest, by the clock of this machine. A
    /// task may still run late: let the protected resource reject stale writers.
    ///
    /// Where the cause is an error that Tenure does not know,
    /// [`Locker::unknown_error`](crate::Locker::unknown_error) has the text of the server.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # async fn work() -> Result<(), std::io::Error> { Ok(()) }
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// tokio::select! {
    ///     done = work() => done?,
    ///     loss = lock.lost() => return Err(loss.into()),
    /// }
    /// lock.release().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn lost(&self) -> Loss {
        WaitSlot::new(&self.cell.0, |state| &mut state.losing)
            .wait(|state| state.loss())
            .await
    }

    /// Waits until the lock has ended, and returns the cause if it was lost. It does not keep the lock.
    #[cfg(feature = "blocking")]
    pub(crate) fn ended(&self) -> impl Future<Output = Option<Loss>> + Send + 'static {
        use crate::cell::{CellState, End, Phase};

        let cell = Arc::clone(&self.cell);
        async move {
            let ended = |state: &mut CellState| match state.phase {
                Phase::Over(End::Released(_)) => Some(None),
                Phase::Asking | Phase::Held | Phase::Over(_) => state.loss().map(Some),
            };
            WaitSlot::new(&cell.0, |state| &mut state.losing)
                .wait(ended)
                .await
        }
    }

    /// Waits until the lease ends later than `known`, no matter which refresh extended it, and returns the new lease.
    ///
    /// Renewal in the background reports nothing by itself. Use this to pass each new end of the lease on, for example to
    /// another process that acts when the lease ends.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// let first = lock.lease();
    /// let next = lock.renewed(first).await?; // a third of the ttl later
    /// assert!(next.expires_at() > first.expires_at());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The [`Loss`], if the lock is no longer held.
    pub async fn renewed(&self, known: Lease) -> Result<Lease, Loss> {
        let is_later = |lease: &Lease| lease.expires_at() > known.expires_at();
        WaitSlot::new(&self.cell.0, |state| &mut state.renewing)
            .wait(|state| match state.loss() {
                Some(loss) => Some(Err(loss)),
                None => state.lease.filter(is_later).map(Ok),
            })
            .await
    }

    /// Asks the servers whether they still keep the lock, and checks the clock after that.
    ///
    /// It takes a round trip. Use it before a critical step if the clock of this machine cannot be trusted.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// lock.verify().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`VerifyError::Lost`] if the lock is no longer held, [`VerifyError::Inspect`] if too few servers replied.
    pub async fn verify(&self) -> Result<(), VerifyError> {
        let remaining = self.remaining_on_servers().await;
        if let Some(loss) = guard(&self.cell.0).loss() {
            return Err(VerifyError::Lost(loss));
        }
        match remaining.map_err(VerifyError::Inspect)? {
            None => Err(VerifyError::Lost(Loss::Taken)),
            Some(_) if self.is_held() => Ok(()),
            Some(_) => Err(VerifyError::Lost(Loss::Expired { error: None })),
        }
    }

    /// Asks the servers how long they will keep the lock without a refresh: the shortest time of its keys. `None` if it is
    /// no longer held there, [`Duration::MAX`] if the keys have no ttl. Changes nothing, but for a lock that is
    /// [shared](Self::is_shared): that one is refreshed, because nothing else reports its own lease among many. Without a reply
    /// it tries until the lease is over.
    ///
    /// The answer was true when the servers replied.
    ///
    /// # Errors
    /// [`InspectError`] if too few servers replied, their replies differ, or the locker is closed.
    pub async fn remaining_on_servers(&self) -> Result<Option<Duration>, InspectError> {
        if self.is_shared() {
            return match self.refresh().await {
                Ok(_) => Ok(Some(self.remaining())),
                Err(Loss::Closed) => Err(InspectError::Closed),
                Err(Loss::Refused(error) | Loss::Expired { error: Some(error) }) => Err(
                    InspectError::Node(error, guard(&self.cell.0).detail.clone()),
                ),
                Err(_) => Ok(None),
            };
        }
        let holdings = inspect(&self.handle, self.claim.keys().clone()).await?;
        let ours = |holding: &Option<tenure_core::Holding>| match holding {
            Some(holding) if *holding.value == *self.claim.value() => {
                // No ttl: another client has removed it.
                Some(holding.remaining.unwrap_or(Duration::MAX))
            }
            _ => None,
        };
        let remaining: Option<Vec<Duration>> = holdings.iter().map(ours).collect();
        Ok(remaining.and_then(|each| each.into_iter().min()))
    }
}

/// The token is not shown.
impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("keys", self.claim.keys())
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
