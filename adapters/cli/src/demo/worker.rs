//! One worker. It has its own connection, so for the server it is a program of its own.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::plan::{Course, Turn};
use crate::args::ServerArgs;
use crate::failure::Failure;
use crate::servers;
use tenure::Loss;
use tenure::tokio::Memory;
use tenure::{Acks, Lock, Locker};

/// How long a crashed worker's lock lasts.
pub(crate) const TTL: Duration = Duration::from_millis(800);
/// How long a worker waits for its turn before it finds that something is wrong.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// Where the lock is kept.
#[derive(Clone)]
pub(crate) enum Place {
    Embedded(Memory),
    Servers(std::sync::Arc<ServerArgs>, Option<Acks>),
}

impl Place {
    async fn locker(&self) -> Result<Locker, Failure> {
        match self {
            Self::Embedded(memory) => Ok(memory.locker()),
            Self::Servers(args, acks) => servers::connect(args, *acks).await,
        }
    }
}

/// What a worker did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    Asks,
    Obtains,
    Refreshes {
        remaining: Duration,
    },
    Releases,
    Crashes {
        lease_end: Instant,
    },
    Loses(Loss),
    /// Has nothing more to do.
    Leaves,
}

/// What a worker did, and when.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) worker: usize,
    pub(crate) at: Instant,
    pub(crate) action: Action,
}

/// A worker with its plan.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) turns: Vec<Turn>,
    pub(crate) key: String,
    pub(crate) place: Place,
    pub(crate) reports: UnboundedSender<Report>,
}

impl Worker {
    /// Does all its turns. One that is to crash does so on a thread of its own.
    pub(crate) async fn work(self) -> Result<(), Failure> {
        if self
            .turns
            .iter()
            .any(|turn| turn.course == Course::Crashing)
        {
            let (sender, crashed) = tokio::sync::oneshot::channel();
            let _ = std::thread::spawn(move || sender.send(self.crash()));
            return crashed
                .await
                .unwrap_or_else(|_| Err(Failure::system("demo", "a worker's thread is gone")));
        }
        let locker = self.place.locker().await?;
        for turn in &self.turns {
            self.turn(&locker, *turn).await?;
        }
        self.report(Instant::now(), Action::Leaves);
        locker.close().await;
        Ok(())
    }

    async fn turn(&self, locker: &Locker, turn: Turn) -> Result<(), Failure> {
        tokio::time::sleep(turn.pause).await;
        let lock = self.obtain(locker).await?;
        if turn.course == Course::Refreshing {
            self.busy(&lock, turn.work / 2).await;
            if lock.refresh().await.is_ok() {
                let remaining = lock.remaining();
                self.report(Instant::now(), Action::Refreshes { remaining });
            }
            self.busy(&lock, turn.work / 2).await;
        } else {
            self.busy(&lock, turn.work).await;
        }
        if lock.is_held() {
            // Before the release: from the moment of the request, another worker may hold the lock.
            self.report(Instant::now(), Action::Releases);
        }
        let _ = lock.release().await;
        Ok(())
    }

    /// A crash as the server sees it: the connection is cut, no release is sent, and nothing renews.
    fn crash(self) -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::system("cannot start a worker", error))?;
        let remains = runtime.block_on(async {
            let locker = self.place.locker().await?;
            let lock = self.obtain(&locker).await?;
            self.busy(&lock, self.turns.iter().map(|turn| turn.work).sum())
                .await;
            // The clock first: the end may only come out too early.
            let lease_end = Instant::now() + lock.remaining();
            Ok::<_, Failure>((locker, lock, lease_end))
        })?;
        // The driver of its connection ends here, in the middle of what it did.
        drop(runtime);
        let at = Instant::now();
        let lease_end = remains.2;
        self.report(at, Action::Crashes { lease_end });
        drop(remains);
        Ok(())
    }

    async fn obtain(&self, locker: &Locker) -> Result<Lock, Failure> {
        self.report(Instant::now(), Action::Asks);
        let lock = locker
            .obtain(self.key.as_str())
            .ttl(TTL)
            .wait(LONGEST_WAIT)
            .metadata(format!("worker {}", self.number + 1))
            .await
            .map_err(|error| {
                servers::not_granted(&error, std::slice::from_ref(&self.key), LONGEST_WAIT)
            })?;
        self.report(Instant::now(), Action::Obtains);
        Ok(lock)
    }

    /// Works, and reports it if the lock is lost meanwhile.
    async fn busy(&self, lock: &Lock, work: Duration) {
        if !lock.is_held() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(work) => {}
            loss = lock.lost() => self.report(Instant::now(), Action::Loses(loss)),
        }
    }

    fn report(&self, at: Instant, action: Action) {
        let worker = self.number;
        // After the demo has failed, nobody receives.
        let _ = self.reports.send(Report { worker, at, action });
    }
}
