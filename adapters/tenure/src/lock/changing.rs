//! From reader to writer and back.

use tenure_core::{ChangeError, Mode};

use super::Lock;
use crate::mode_error::ModeError;
use crate::wakers::{WaitSlot, guard};

impl Lock {
    /// Turns a reader or a permit into a writer, if no other client shares the key now. It does not wait: two readers that both
    /// waited for the other to leave would wait forever. It goes ahead of those who wait for the key.
    ///
    /// The lock is a reader until this returns `Ok`. The lease is renewed as well.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use tenure::{Holder, ModeError, NotChanged};
    ///
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.read("config").await?;
    /// let other = locker.read("config").await?;
    /// let by = Holder::Sharing;
    /// let taken = ModeError::NotChanged(NotChanged::Taken { by });
    /// assert_eq!(lock.try_upgrade().await, Err(taken));
    ///
    /// other.release().await;
    /// lock.try_upgrade().await?;
    /// // Change what readers must not see half-way, and then let them in again.
    /// lock.downgrade().await?;
    /// assert!(lock.is_shared());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ModeError::NotChanged`]: the lock is still a reader. [`NotChanged::Taken`](crate::NotChanged::Taken) says who else is,
    ///   and it may be tried again. After [`NotChanged::Unanswered`](crate::NotChanged::Unanswered) it changes no more.
    /// - [`ModeError::Refused`]: a lock by [`obtain`](crate::Locker::obtain), on several servers, with a token of your own, or one
    ///   that is a writer already.
    /// - [`ModeError::Lost`]: the lock is no longer held.
    pub async fn try_upgrade(&self) -> Result<(), ModeError> {
        self.change(true).await
    }

    /// Turns a writer into a reader, in one step: no other writer comes in between. Readers that wait come in, unless a writer
    /// has waited for longer. A lock that was a permit before it became a writer is one again.
    ///
    /// The lock counts as a reader from this call on, whatever it returns and even if the future is dropped: write nothing more
    /// under it.
    ///
    /// # Errors
    /// - [`ModeError::NotChanged`]: it is not known what the server did. The lock is still held, as a reader that changes no more.
    ///   Others may have to wait until it is released.
    /// - [`ModeError::Refused`] and [`ModeError::Lost`] as for [`try_upgrade`](Self::try_upgrade).
    pub async fn downgrade(&self) -> Result<(), ModeError> {
        self.change(false).await
    }

    /// Whether others may hold the key at the same time, as far as this lock may rely on it: true for a reader and a permit,
    /// until an upgrade has succeeded, and from the moment that a downgrade is requested. False once the lock has ended.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        let mode = self.handle.mode(self.id);
        mode.is_some_and(|mode| matches!(mode, Mode::Shared { .. }))
    }

    async fn change(&self, up: bool) -> Result<(), ModeError> {
        let requested = self.handle.command(|engine, now| {
            let to = if up {
                Mode::InTurn
            } else {
                engine.shared_mode(self.id)
            };
            engine.change(self.id, to, now)?;
            let mut state = guard(&self.cell.0);
            state.changes_requested += 1;
            Ok(state.changes_requested)
        });
        let number = match requested {
            Ok(number) => number,
            // Why, may not have been reported yet.
            Err(ChangeError::NotHeld) => return Err(ModeError::Lost(self.lost().await)),
            Err(error) => return Err(ModeError::Refused(error)),
        };
        WaitSlot::new(&self.cell.0, |state| &mut state.changing)
            .wait(|state| match state.loss() {
                Some(loss) => Some(Err(ModeError::Lost(loss))),
                None if state.changes_ended < number => None,
                None => Some(
                    state
                        .changed
                        .map_or(Ok(()), |reason| Err(ModeError::NotChanged(reason))),
                ),
            })
            .await
    }
}
