//! The builder that requests a lock, and its future.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tenure_core::{
    ClaimError, Keep, Keys, LockId, Loss, Metadata, Mode, NotObtained, Obtain, Released, Renewal,
    Retry, Token, Ttl, Unsupported,
};

use crate::cell::{Cell, End, Phase};
use crate::error::{ObtainError, WithError};
use crate::lock::Lock;
use crate::shared::Handle;

const DEFAULT_TTL: Duration = Duration::from_secs(30);

/// A request for a lock: set options, then await it, or finish with [`if_free`](Self::if_free) or [`with`](Self::with).
/// Nothing is sent before that.
///
/// An option that is out of range is an error when the request is awaited, not a panic.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tenure::ObtainError> {
/// # use std::time::Duration;
/// # let locker = tenure::tokio::memory();
/// let lock = locker
///     .obtain("nightly")
///     .ttl(Duration::from_secs(30)) // default
///     .wait(Duration::from_secs(10)) // default: try once
///     .metadata("host-7") // default: none
///     .max_hold(Duration::from_secs(3600)) // default: no limit
///     .await?;
/// # drop(lock);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is requested until it is awaited"]
pub struct Obtaining {
    handle: Handle,
    keys: Result<Keys, ClaimError>,
    token: Option<Result<Token, ClaimError>>,
    metadata: Result<Metadata, ClaimError>,
    ttl: Result<Ttl, ClaimError>,
    wait: Option<Duration>,
    retry: Retry,
    manual: bool,
    max_hold: Option<Duration>,
    fence: Option<Keep>,
    mode: Result<Mode, Unsupported>,
}

impl Obtaining {
    pub(crate) fn new(handle: Handle, keys: Result<Keys, ClaimError>) -> Self {
        Self {
            handle,
            keys,
            token: None,
            metadata: Ok(Metadata::default()),
            ttl: Ttl::new(DEFAULT_TTL),
            wait: None,
            retry: Retry::default(),
            manual: false,
            max_hold: None,
            fence: None,
            mode: Ok(Mode::Exclusive),
        }
    }

    pub(crate) fn in_mode(mut self, mode: Result<Mode, Unsupported>) -> Self {
        self.mode = mode;
        self
    }

    /// Waits in the order of requests, also between processes: the same as [`write`](crate::Locker::write). Read locks and
    /// permits always do.
    pub fn in_turn(self) -> Self {
        let mode = self.mode.map(Mode::in_turn);
        self.in_mode(mode)
    }

    /// How long the servers keep the lock without a refresh: after a crash it is free this long after the last one. From 3
    /// ms to 365 days, rounded up to whole milliseconds. Default: 30 s.
    ///
    /// Renewal needs a round trip within two thirds of it. One second is short even on a local network.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Ttl::new(ttl);
        self
    }

    /// How long to wait for other holders to release. Default: try once.
    ///
    /// When it is over, the request ends with [`NotObtained::TimedOut`].
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Bytes that everybody can read while the lock is held, such as a host name: at most
    /// [`MAX_METADATA`](crate::MAX_METADATA). Not a place for secrets. Default: none.
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = Metadata::new(metadata);
        self
    }

    /// Sets your own token, 1 to 128 bytes. The same keys, token and metadata give the same lock. Default: 16 random bytes.
    ///
    /// - Within one locker such locks are counted: the release of one is [`Released::Shared`],
    ///   and the keys stay until the last one is released.
    /// - Handles in other lockers and processes are not counted: the first release deletes the keys, and the other
    ///   handles lose the lock.
    /// - bsm/redislock compares the token alone. With the same token and other metadata it overwrites the key,
    ///   and [`Lock::lost`] resolves at once.
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// The pauses between attempts while waiting, where servers do not report a release. Values below 1 ms count as 1 ms.
    /// Default: 16 ms doubling to 1 s, the upper half of each pause random.
    ///
    /// A [`Retry::limit`] also bounds the number of attempts where servers report releases.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn request(locker: &tenure::Locker) -> tenure::Obtaining {
    /// use tenure::{Jitter, Retry};
    ///
    /// let retry = Retry::exponential(Duration::from_millis(10), Duration::from_secs(1));
    /// locker
    ///     .obtain("nightly")
    ///     .wait(Duration::from_secs(60))
    ///     .retry(retry.jitter(Jitter::Full { percent: 50 }))
    /// # }
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Turns automatic renewal off: the lock ends with its ttl, unless [`Lock::refresh`] extends it. Default: it is renewed
    /// each time a third of the ttl has passed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").manual().await?;
    /// // … a step of the work, then a whole ttl for the next one:
    /// lock.refresh().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// The longest time that automatic renewal keeps the lock, counted from the request. Then the lock is lost:
    /// [`Loss::MaxHold`]. Default: no limit.
    ///
    /// If it is over before the grant arrives, because it is shorter than a round trip, the request ends with
    /// [`NotObtained::TooLate`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # use std::time::Duration;
    /// # let locker = tenure::tokio::memory();
    /// let lock = locker.obtain("nightly").max_hold(Duration::from_secs(60)).await?;
    /// assert_eq!(lock.lost().await, tenure::Loss::MaxHold); // after a minute
    /// # Ok(())
    /// # }
    /// ```
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = Some(max_hold);
        self
    }

    /// Gives each grant a [`Fence`](crate::Fence): a number that is larger than that of every fenced grant of these keys
    /// before. Read it with [`Lock::fence`] and pass it along with each write, to a resource that refuses numbers below
    /// the largest it has seen. Default: none.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # let locker = tenure::tokio::memory();
    /// let first = locker.obtain("nightly").fence().await?;
    /// let number = first.fence();
    /// drop(first);
    /// let second = locker.obtain("nightly").fence().await?;
    /// assert!(second.fence() > number);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The servers keep a counter for each key, named `{key}~fence` (`key~~fence` with a hash tag), for a day after its last number:
    /// [`fence_with`](Self::fence_with) changes that. They need scripts. With several servers it takes a second round trip.
    /// Clients that do not ask for a fence obtain the same keys without a number.
    pub fn fence(self) -> Self {
        self.fence_with(Keep::default())
    }

    /// The same with another time for which counters outlive their last number.
    ///
    /// Numbers keep growing unless a server loses a counter, or the counter expires, while its clock is set back by more than
    /// this.
    pub fn fence_with(mut self, keep: Keep) -> Self {
        self.fence = Some(keep);
        self
    }

    /// Obtains the lock, or returns `None` if it is held, or is still held when the [`wait`](Self::wait) is over.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # use std::time::Duration;
    /// # let locker = tenure::tokio::memory();
    /// let minute = Duration::from_secs(60);
    /// let lock = locker.obtain("nightly").ttl(minute).if_free().await?;
    /// assert!(lock.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ObtainError`], except [`NotObtained::Taken`] and [`NotObtained::TimedOut`].
    pub async fn if_free(self) -> Result<Option<Lock>, ObtainError> {
        match self.await {
            Ok(lock) => Ok(Some(lock)),
            Err(ObtainError::NotObtained(
                NotObtained::Taken { .. } | NotObtained::TimedOut { .. },
                _,
            )) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Obtains the lock, runs `work`, and releases the lock. If the lock is lost meanwhile, the future of `work` is dropped
    /// at its next await.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::WithError> {
    /// # async fn send_report(_: &[u8]) -> u32 { 7 }
    /// # let locker = tenure::tokio::memory();
    /// let sent = locker
    ///     .obtain("report")
    ///     .with(async |lock| send_report(lock.key()).await)
    ///     .await?;
    /// assert_eq!(sent, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It waits for the release: for at most three request timeouts (3 s by default). Dropping the future drops the work
    /// and releases the lock.
    ///
    /// # Errors
    /// [`WithError::Obtain`] if the lock was not obtained; the work has not begun then. [`WithError::Lost`] if the lock
    /// was lost before the work ended, even if only the release finds that.
    pub async fn with<T>(self, work: impl AsyncFnOnce(&Lock) -> T) -> Result<T, WithError> {
        let lock = self.await.map_err(WithError::Obtain)?;
        let result = {
            let mut lost = pin!(lock.lost());
            let mut work = pin!(work(&lock));
            // The loss first: work that has lost its lock must not take another step.
            std::future::poll_fn(|cx| match lost.as_mut().poll(cx) {
                Poll::Ready(loss) => Poll::Ready(Err(WithError::Lost(loss))),
                Poll::Pending => work.as_mut().poll(cx).map(Ok),
            })
            .await?
        };
        match lock.release().await {
            Released::Missing => Err(WithError::Lost(Loss::Taken)),
            Released::Expired => Err(WithError::Lost(Loss::Expired { error: None })),
            Released::Confirmed | Released::Shared | Released::Unconfirmed | _ => Ok(result),
        }
    }

    fn request(self) -> Result<Obtain, ObtainError> {
        let token = match self.token {
            Some(token) => token?,
            None => {
                // Drawn for each obtain from the operating system: a generator of our own would repeat after a fork.
                let mut bytes = [0; 16];
                getrandom::fill(&mut bytes).map_err(|_| ObtainError::NoRandomness)?;
                Token::random(bytes)
            }
        };
        let renewal = match (self.manual, self.max_hold) {
            (true, _) => Renewal::Manual,
            (false, max_hold) => Renewal::Automatic { max_hold },
        };
        let unsupported = |why| ObtainError::NotObtained(NotObtained::Unsupported(why), None);
        let mode = self.mode.map_err(unsupported)?;
        let keys = self.keys?;
        if let Some(apart) = self.handle.apart(&keys) {
            return Err(ObtainError::DifferentSlots(Box::new(apart)));
        }
        Ok(Obtain {
            keys,
            token,
            metadata: self.metadata?,
            ttl: self.ttl?,
            wait: self.wait,
            retry: self.retry,
            renewal,
            mode,
            fence: self.fence,
        })
    }
}

impl IntoFuture for Obtaining {
    type Output = Result<Lock, ObtainError>;
    type IntoFuture = ObtainFuture;

    fn into_future(self) -> ObtainFuture {
        ObtainFuture {
            handle: self.handle.clone(),
            stage: Asking::New(self),
        }
    }
}

/// The future of an [`Obtaining`]. It sends the request when it is first polled. Dropping it cancels the request without
/// blocking, and releases what was obtained meanwhile.
#[derive(Debug)]
#[must_use = "nothing is requested until it is awaited"]
pub struct ObtainFuture {
    handle: Handle,
    stage: Asking,
}

#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "it lives within the caller's future, and a box would cost an allocation"
)]
enum Asking {
    New(Obtaining),
    Asked(LockId, Arc<Cell>),
    Done,
}

impl Future for ObtainFuture {
    type Output = Result<Lock, ObtainError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Asking::New(_) = &this.stage
            && let Asking::New(obtaining) = std::mem::replace(&mut this.stage, Asking::Done)
        {
            let request = obtaining.request()?;
            let (id, cell) = this
                .handle
                .start(|engine, now| engine.obtain(request, now))
                .map_err(|_| ObtainError::Closed)?;
            tracing::trace!(target: "tenure", lock = ?id, "asked for");
            this.stage = Asking::Asked(id, cell);
        }
        let Asking::Asked(id, cell) = &this.stage else {
            // Polled after completion: return Closed rather than panic.
            return Poll::Ready(Err(ObtainError::Closed));
        };
        let (id, cell) = (*id, Arc::clone(cell));
        let obtained = ready!(cell.poll(cx, |state| {
            Some(match (state.phase, state.obtained.take()) {
                (Phase::Asking, _) => return None,
                // It may be over already. Then the handle says so.
                (_, Some(obtained)) => Ok(obtained),
                (Phase::Over(End::NotObtained(reason)), None)
                    if reason != NotObtained::Cancelled =>
                {
                    Err(ObtainError::NotObtained(reason, state.detail.take()))
                }
                // Cancelled by closing the locker, because this future has not been dropped.
                _ => Err(ObtainError::Closed),
            })
        }));
        this.stage = Asking::Done;
        let lock = |grant| Lock::new(this.handle.clone(), id, cell, grant);
        Poll::Ready(obtained.map(lock))
    }
}

impl Drop for ObtainFuture {
    fn drop(&mut self) {
        if let Asking::Asked(id, _) = self.stage {
            self.handle.command(|engine, now| engine.release(id, now));
        }
    }
}
