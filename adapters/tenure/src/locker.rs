//! The handle that obtains locks.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tenure_core::{
    ClaimError, Holding, Keys, LockId, Metadata, Mode, NotObtained, Obtain, Renewal, Retry, Token,
    Ttl,
};

use crate::cell::{Cell, CellState, End, Phase};
use crate::error::{ConnectError, InspectError, ObtainError};
use crate::keys::IntoKeys;
use crate::lock::Lock;
use crate::shared::{Handle, Stage, State};
use crate::wakers::{Seat, lock};

const DEFAULT_TTL: Duration = Duration::from_secs(30);

/// Obtains locks from the servers that it is connected to. Cheap to clone; all clones share the connections.
///
/// When the last clone, [`Lock`] and [`Obtaining`] is gone, everything is released and the connections are closed.
#[derive(Clone)]
pub struct Locker {
    handle: Handle,
}

impl Locker {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Asks for a lock on one key or on several, all or none. Say how with the methods of [`Obtaining`], then await it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tenure::ObtainError> {
    /// # use std::time::Duration;
    /// let locker = tenure::tokio::memory();
    /// let lock = locker.obtain(["from", "to"]).wait(Duration::from_secs(1)).await?;
    /// assert!(lock.is_held());
    /// # Ok(())
    /// # }
    /// ```
    pub fn obtain(&self, keys: impl IntoKeys) -> Obtaining {
        Obtaining {
            handle: self.handle.clone(),
            keys: keys.into_keys(),
            token: None,
            metadata: Ok(Metadata::default()),
            ttl: Ttl::new(DEFAULT_TTL),
            wait: None,
            retry: Retry::default(),
            manual: false,
            max_hold: None,
        }
    }

    /// Looks who holds a key, without changing anything: what is stored there, and for how long. `None` if the key is
    /// free. With several keys: the first that is held.
    ///
    /// # Errors
    /// [`InspectError`] if too few servers answered.
    pub async fn inspect(&self, key: impl IntoKeys) -> Result<Option<Holding>, InspectError> {
        let keys = key.into_keys().map_err(InspectError::Claim)?;
        let holdings = inspect(&self.handle, keys).await?;
        Ok(holdings.into_iter().flatten().next())
    }

    /// Releases what is held, withdraws what is asked for, and ends. Servers that do not answer make it last for one
    /// request timeout. Dropping the future changes nothing of that.
    ///
    /// Locks that are still in use are lost by it.
    pub async fn close(&self) {
        self.handle.close();
        let ended = |state: &mut State| (state.stage == Stage::Ended).then_some(());
        Seat::new(self.handle.state(), |state| &mut state.watchers)
            .wait(ended)
            .await;
    }

    /// What a server said last in an error that is not known here, in its own words: up to 128 bytes, escaped. `None` if none
    /// has, or if the words may repeat an argument. For logs, where a [`Loss`](crate::Loss) names
    /// [`NodeError::Other`](crate::NodeError::Other); other errors bring these words along.
    #[must_use]
    pub fn unknown_error(&self) -> Option<String> {
        let state = lock(self.handle.state());
        state.engine.unknown_error().map(Into::into)
    }

    /// Waits until enough servers for a quorum are ready, or too many have failed since they were last ready. Connecting
    /// goes on for ever either way.
    ///
    /// # Errors
    /// [`ConnectError::Unreachable`] says which servers failed and why, [`ConnectError::Closed`] that it ended.
    pub async fn ready(&self) -> Result<(), ConnectError> {
        Seat::new(self.handle.state(), |state| &mut state.watchers)
            .wait(|state| state.ready())
            .await
    }
}

impl fmt::Debug for Locker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locker").finish_non_exhaustive()
    }
}

/// What each of the keys holds.
pub(crate) async fn inspect(
    handle: &Handle,
    keys: Keys,
) -> Result<Vec<Option<Holding>>, InspectError> {
    let (id, cell) = handle
        .start(|engine, now| engine.inspect(keys, now))
        .map_err(|_| InspectError::Closed)?;
    let mut looking = Looking {
        handle,
        id,
        over: false,
    };
    let ended = |state: &mut CellState| match (state.inspection.take(), state.phase) {
        (Some(Ok(holdings)), _) => Some(Ok(holdings)),
        (Some(Err(error)), _) => Some(Err(InspectError::Node(error, state.words.take()))),
        (None, Phase::Over(_)) => Some(Err(InspectError::Closed)),
        (None, Phase::Asking | Phase::Held) => None,
    };
    let result = std::future::poll_fn(|cx| cell.poll(cx, ended)).await;
    looking.over = true;
    result
}

/// Ends an inspection that nobody waits for any more.
struct Looking<'a> {
    handle: &'a Handle,
    id: LockId,
    over: bool,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.handle.forget(self.id);
        }
    }
}

/// A lock that is asked for once this is awaited.
#[derive(Debug)]
#[must_use = "nothing is asked for until it is awaited"]
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
}

impl Obtaining {
    /// How long the servers keep the lock when nobody refreshes it. Rounded up to whole milliseconds. Default: 30 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Ttl::new(ttl);
        self
    }

    /// How long to wait for others to let go. Without it, the lock is tried once.
    pub fn wait(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// What others may read while the lock is held, such as a host name. Not a place for secrets.
    pub fn metadata(mut self, metadata: impl AsRef<[u8]>) -> Self {
        self.metadata = Metadata::new(metadata);
        self
    }

    /// Sets your own token, 1 to 128 bytes. The same keys, token and metadata give the same lock. Default: 16 random bytes.
    ///
    /// - Within one locker such locks are counted: the release of one is [`Released::Shared`](crate::Released::Shared),
    ///   and the keys stay until the last one is released.
    /// - Handles in other lockers and processes are not counted: the first release deletes the keys, and the other
    ///   handles lose the lock.
    /// - bsm/redislock compares the token alone. With the same token and other metadata it overwrites the key,
    ///   and [`Lock::lost`] resolves at once.
    pub fn token(mut self, token: impl AsRef<[u8]>) -> Self {
        self.token = Some(Token::new(token));
        self
    }

    /// When to ask again while waiting, where servers do not tell of a release by themselves. No pause is shorter than
    /// 1 ms: less, zero included, counts as that. Default: 16 ms doubling to 1 s, half of each pause random.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Turns automatic renewal off: the lock ends with its ttl, unless [`Lock::refresh`] makes it last.
    pub fn manual(mut self) -> Self {
        self.manual = true;
        self
    }

    /// The longest time that automatic renewal may keep the lock, counted from when it was asked for. Default: for ever.
    ///
    /// If it is over before the grant arrives, as with less than a round trip, the lock is not obtained:
    /// [`NotObtained::TooLate`].
    pub fn max_hold(mut self, max_hold: Duration) -> Self {
        self.max_hold = Some(max_hold);
        self
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
        let renewal = if self.manual {
            Renewal::Manual
        } else {
            Renewal::Automatic {
                max_hold: self.max_hold,
            }
        };
        Ok(Obtain {
            keys: self.keys?,
            token,
            metadata: self.metadata?,
            ttl: self.ttl?,
            wait: self.wait,
            retry: self.retry,
            renewal,
            mode: Mode::Exclusive,
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

/// The future of an [`Obtaining`]. It asks when it is first polled; dropping it withdraws, without blocking, and what it
/// may have obtained meanwhile is released.
#[derive(Debug)]
#[must_use = "nothing is asked for until it is awaited"]
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
            // Polled after it was done: closed is as true as anything.
            return Poll::Ready(Err(ObtainError::Closed));
        };
        let (id, cell) = (*id, Arc::clone(cell));
        let obtained = ready!(cell.poll(cx, |state| {
            Some(match (state.phase, state.obtained.take()) {
                (Phase::Asking, _) => return None,
                // It may be over already. Then the handle says so.
                (_, Some(obtained)) => Ok(obtained),
                (Phase::Over(End::NotObtained(reason)), None)
                    if reason != NotObtained::Withdrawn =>
                {
                    Err(ObtainError::NotObtained(reason, state.words.take()))
                }
                // Withdrawn by closing the locker, since this future is still there.
                _ => Err(ObtainError::Closed),
            })
        }));
        this.stage = Asking::Done;
        let lock = |(claim, lease)| Lock::new(this.handle.clone(), id, cell, claim, lease);
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
