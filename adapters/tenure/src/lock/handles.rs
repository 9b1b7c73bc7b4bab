//! Several handles of one lock: the last one releases it.

use std::sync::Arc;
use std::time::Duration;

use tenure_core::{Loss, Released};

use super::Lock;
use crate::cell::{CellState, End, Phase};
use crate::wakers::guard;

impl Lock {
    /// Another handle of this lock, for a function that needs the lock itself. The lock is released when the last handle is
    /// released or dropped, and a loss ends all of them.
    ///
    /// All of them are one lock: when it changes from reader to writer or back ([`try_upgrade`](Self::try_upgrade)), it does so
    /// for each handle.
    ///
    /// This makes no request, and does not extend the lease: [`refresh_for`](Self::refresh_for) does, on any handle. To
    /// [`obtain`](crate::Locker::obtain) a key again waits for it, as between strangers.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tenure::Released;
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// let inner = lock.again()?;
    /// assert_eq!(inner.release().await, Released::Shared);
    /// assert!(lock.is_held());
    /// assert_eq!(lock.release().await, Released::Confirmed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The [`Loss`], if the lock is no longer held.
    pub fn again(&self) -> Result<Self, Loss> {
        if self.remaining() == Duration::ZERO {
            let loss = guard(&self.cell.0).loss();
            return Err(loss.unwrap_or(Loss::Expired { error: None }));
        }
        guard(&self.cell.0).join()?;
        Ok(Self {
            handle: self.handle.clone(),
            id: self.id,
            cell: Arc::clone(&self.cell),
            claim: self.claim.clone(),
            first: self.first,
            counts: true,
        })
    }

    /// Releases the lock and returns what the release found. Dropping the future does not stop the release.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tenure::Released;
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").await?;
    /// assert_eq!(lock.release().await, Released::Confirmed);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// - [`Released::Confirmed`]: every key was still ours on enough servers, and is free now.
    /// - [`Released::Missing`]: the servers replied that the lock was no longer ours.
    /// - [`Released::Expired`]: the lease had ended before the release, by its ttl or by
    ///   [`Obtaining::max_hold`](crate::Obtaining::max_hold), even if that was not reported yet. The work may have run
    ///   without the lock.
    /// - [`Released::Shared`]: another handle of this lock ([`again`](Self::again)), or another lock of this locker with the
    ///   same token, still holds the keys.
    /// - [`Released::Unconfirmed`]: too few servers confirmed it. The keys are free at the latest when their ttl is over.
    ///
    /// It takes at most three request timeouts ([`Servers::request_timeout`](crate::Servers::request_timeout): 3 s by
    /// default). If the servers have not confirmed the release by then, it resolves to [`Released::Unconfirmed`]. The
    /// driver then continues to release in the background until they do or the ttl is over.
    pub async fn release(mut self) -> Released {
        self.counts = false;
        if !guard(&self.cell.0).leave() {
            let loss = guard(&self.cell.0).loss();
            // The end of a lease counts, even if it was not reported yet.
            let held = || self.remaining() > Duration::ZERO;
            return match loss {
                Some(loss) => found_after(loss),
                None if held() => Released::Shared,
                None => Released::Expired,
            };
        }
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

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.counts {
            return;
        }
        let releases = {
            let mut state = guard(&self.cell.0);
            state.leave() && !matches!(state.phase, Phase::Over(_))
        };
        if releases {
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
    fn a_release_after_a_loss_reports_the_loss() {
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
