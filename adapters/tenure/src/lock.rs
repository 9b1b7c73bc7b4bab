//! The handle of one lock.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tenure_core::{Claim, Keys, Lease, LockId, Loss, Released, Ttl};

use crate::cell::{Cell, CellState, End, Phase};
use crate::error::{InspectError, RefreshError};
use crate::locker::inspect;
use crate::shared::Handle;
use crate::wakers::{Seat, lock};

/// A lock that was obtained. Dropping it releases it, without blocking.
///
/// Nobody waits for what comes of that. At the end of a program, when the runtime ends too, the release is still sent, once;
/// if it must not be left to chance, await [`Lock::release`] or [`Locker::close`](crate::Locker::close).
///
/// It is kept alive by the driver, unless it was obtained with [`Obtaining::manual`](crate::Obtaining::manual). What
/// must not happen without it should be raced against [`Lock::lost`], or be asked for by [`Lock::is_held`] at the last
/// moment.
pub struct Lock {
    handle: Handle,
    id: LockId,
    cell: Arc<Cell>,
    claim: Claim,
    /// What is known at the start, so that there is always something to show.
    first: Lease,
}

impl Lock {
    pub(crate) fn new(
        handle: Handle,
        id: LockId,
        cell: Arc<Cell>,
        claim: Claim,
        first: Lease,
    ) -> Self {
        Self {
            handle,
            id,
            cell,
            claim,
            first,
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

    /// The owner's token. A secret: whoever knows it can release the lock.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        self.claim.token().as_bytes()
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.claim.metadata()
    }

    /// The lease that is believed in at this moment; of a lock that is over, the last that was told. It may have ended
    /// since.
    #[must_use]
    pub fn lease(&self) -> Lease {
        // Not that of the last event: one that is asked to be shorter counts before anybody has answered.
        let believed = self.handle.lease(self.id);
        believed.unwrap_or_else(|| lock(&self.cell.0).lease.unwrap_or(self.first))
    }

    /// How long the lock is certainly still ours if no refresh gets through. Zero once it is not held.
    ///
    /// The clock is read at this moment, and it goes on while the machine is suspended.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        if lock(&self.cell.0).loss().is_some() {
            return Duration::ZERO;
        }
        self.handle
            .lease(self.id)
            .map_or(Duration::ZERO, |lease| lease.remaining(self.handle.now()))
    }

    /// Whether the lock is certainly still ours at this moment.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.remaining() > Duration::ZERO
    }

    /// Makes the lease last for a whole ttl from now.
    ///
    /// Servers that do not answer are asked again until the lease ends.
    ///
    /// # Errors
    /// The [`Loss`], if the lock is not held any more.
    pub async fn refresh(&self) -> Result<Lease, Loss> {
        self.refresh_with(None).await
    }

    /// The same, and sets another ttl, which renewal uses from now on.
    ///
    /// # Errors
    /// [`RefreshError::Ttl`] if the ttl is out of its limits, [`RefreshError::Lost`] if the lock is not held any more.
    pub async fn refresh_for(&self, ttl: Duration) -> Result<Lease, RefreshError> {
        let ttl = Ttl::new(ttl).map_err(RefreshError::Ttl)?;
        self.refresh_with(Some(ttl))
            .await
            .map_err(RefreshError::Lost)
    }

    async fn refresh_with(&self, ttl: Option<Ttl>) -> Result<Lease, Loss> {
        let before = lock(&self.cell.0).refreshes;
        // If it is not held, the cell knows or will soon know why.
        let _ = self
            .handle
            .command(|engine, now| engine.refresh(self.id, ttl, now));
        Seat::new(&self.cell.0, |state| &mut state.refreshing)
            .wait(|state| match state.loss() {
                Some(loss) => Some(Err(loss)),
                None if state.refreshes != before => state.lease.map(Ok),
                None => None,
            })
            .await
    }

    /// Waits until the lock is not ours any more, and says why. Any number of tasks may wait.
    ///
    /// It resolves when servers tell that the key is gone, and at the latest at the end of the lease by the clock of
    /// this machine. A task may still run late: only a fence protects a resource from that. Where the reason names an error that
    /// is not known here, [`Locker::unknown_error`](crate::Locker::unknown_error) has the server's own words.
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
        Seat::new(&self.cell.0, |state| &mut state.losing)
            .wait(|state| state.loss())
            .await
    }

    /// Waits until the lease ends later than `known` does, whoever refreshed it, and returns the new lease.
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
    /// The [`Loss`], if the lock is not held any more.
    pub async fn renewed(&self, known: Lease) -> Result<Lease, Loss> {
        let is_later = |lease: &Lease| lease.expires_at() > known.expires_at();
        Seat::new(&self.cell.0, |state| &mut state.renewing)
            .wait(|state| match state.loss() {
                Some(loss) => Some(Err(loss)),
                None => state.lease.filter(is_later).map(Ok),
            })
            .await
    }

    /// Asks the servers how long they still keep the lock: the least of its keys. `None` if it is not held there any
    /// more. It tells what was true when they answered, and changes nothing.
    ///
    /// # Errors
    /// [`InspectError`] if too few servers answered, or not alike.
    pub async fn remaining_on_servers(&self) -> Result<Option<Duration>, InspectError> {
        let holdings = inspect(&self.handle, self.claim.keys().clone()).await?;
        let ours = |holding: &Option<tenure_core::Holding>| match holding {
            Some(holding) if *holding.value == *self.claim.value() => {
                // Without an end: somebody took the key's ttl away.
                Some(holding.remaining.unwrap_or(Duration::MAX))
            }
            _ => None,
        };
        let remaining: Option<Vec<Duration>> = holdings.iter().map(ours).collect();
        Ok(remaining.and_then(|each| each.into_iter().min()))
    }

    /// Releases the lock and says what the release found. Dropping the future does not keep the lock.
    ///
    /// - [`Released::Confirmed`]: every key was still ours on enough servers, and is free now.
    /// - [`Released::Missing`]: the servers answered that the lock was not ours any more.
    /// - [`Released::Expired`]: the lease had ended before the release, be it by its ttl or by
    ///   [`Obtaining::max_hold`](crate::Obtaining::max_hold), even if nothing had reported that yet. What ran until now
    ///   may have run without the lock.
    /// - [`Released::Shared`]: another lock of this locker has the same token and still holds the keys.
    /// - [`Released::Unconfirmed`]: too few servers confirmed it. The keys are free at the latest when their ttl is over.
    ///
    /// It takes at most three request timeouts
    /// ([`Servers::request_timeout`](crate::Servers::request_timeout): 3 s by default). If the servers have not confirmed
    /// the release by then, it resolves to [`Released::Unconfirmed`], and the driver goes on releasing in the background
    /// until they do or the ttl is over.
    pub async fn release(self) -> Released {
        self.handle
            .command(|engine, now| engine.release(self.id, now));
        let ended = |state: &mut CellState| match state.phase {
            Phase::Over(End::Released(released)) => Some(released),
            Phase::Over(End::Lost(loss)) => Some(found_after(loss)),
            Phase::Over(End::Closed | End::NotObtained(_)) => Some(Released::Unconfirmed),
            Phase::Asking | Phase::Held => None,
        };
        std::future::poll_fn(|cx| self.cell.poll(cx, ended)).await
    }
}

/// What the release of a lock finds that has been lost before.
const fn found_after(loss: Loss) -> Released {
    match loss {
        Loss::Taken => Released::Missing,
        // Renewal stops at `max_hold`, so that the lease ends there.
        Loss::Expired { .. } | Loss::MaxHold => Released::Expired,
        // The keys may still be on the servers until their ttl is over; of a reason that is not known here, no more can
        // be said either.
        Loss::Refused(_) | Loss::Closed | _ => Released::Unconfirmed,
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

impl Drop for Lock {
    fn drop(&mut self) {
        if !matches!(lock(&self.cell.0).phase, Phase::Over(_)) {
            self.handle
                .command(|engine, now| engine.release(self.id, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_core::NodeError;

    #[test]
    fn a_release_after_a_loss_says_what_is_so() {
        let error = Some(NodeError::TimedOut);
        for (loss, released) in [
            (Loss::Expired { error: None }, Released::Expired),
            (Loss::Expired { error }, Released::Expired),
            (Loss::MaxHold, Released::Expired),
            (Loss::Taken, Released::Missing),
            (
                Loss::Refused(NodeError::NoPermission),
                Released::Unconfirmed,
            ),
            (Loss::Closed, Released::Unconfirmed),
        ] {
            assert_eq!(found_after(loss), released, "{loss:?}");
        }
    }
}
