//! `tenure run`: a command under a lock.

mod descendants;
mod ending;
mod group;
mod job;
mod protocol;
mod signals;
mod terminal;
mod watchdog;

use std::time::{Duration, Instant};

use self::group::Group;
use self::job::Job;
use crate::args::RunArgs;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::say;
use crate::{clock, servers, sys};
use tenure::{ClaimError, Key, Keys, Lock, Locker, Loss, Metadata, Released, Token, Ttl};

pub(crate) use self::signals::Signals;
pub(crate) use self::watchdog::watchdog;

/// How long the end of a run may wait for the servers to confirm the release.
const RELEASE_TIME: Duration = Duration::from_secs(2);
/// The same if the lock is lost anyway, or a signal has asked tenure to end.
const FAREWELL_TIME: Duration = Duration::from_millis(200);

/// That, if no server waits for its replicas. One that does reads nothing else meanwhile, and when it finds that the connection
/// is gone it does not carry out the release that lies behind.
fn farewell_time(args: &RunArgs) -> Duration {
    if args.replicas.acks().is_some() {
        RELEASE_TIME
    } else {
        FAREWELL_TIME
    }
}

/// Obtains, runs, releases.
pub(crate) async fn run(args: RunArgs) -> Outcome {
    let begin = Instant::now();
    let grace = args.grace()?;
    check(&args).map_err(|error| Failure::usage(error.to_string()))?;
    let mut signals = Signals::listen()?;
    let locker = servers::open(&args.servers, args.replicas.acks())?;
    // Before the lock is obtained: nobody else has to wait for its start.
    let group = Group::new(grace)?;
    let lock = tokio::select! {
        lock = obtain(&locker, &args, begin) => lock,
        signal = signals.end() => {
            group.dismiss();
            close(&locker, farewell_time(&args)).await;
            return Ok(sys::by_signal(signal));
        }
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(failure) => {
            group.dismiss();
            // A request without a reply may have been granted, and is released. After a wait there is only the time to send
            // that.
            let time = if args.wait.is_zero() {
                RELEASE_TIME
            } else {
                farewell_time(&args)
            };
            close(&locker, time).await;
            return Err(failure);
        }
    };
    let group = match secure(group, &lock).await {
        Ok(group) => group,
        Err(failure) => {
            let _ = release(lock, &args.keys).await;
            close(&locker, RELEASE_TIME).await;
            return Err(failure);
        }
    };
    let (lock, outcome, loss) = Job::new(lock, group, signals, grace)
        .run(&args, &locker)
        .await;
    finish(lock, outcome, loss, &args, &locker).await
}

/// Releases the lock after the command has ended. Returns the outcome of the run.
async fn finish(
    lock: Lock,
    outcome: Outcome,
    mut loss: Option<String>,
    args: &RunArgs,
    locker: &Locker,
) -> Outcome {
    if loss.is_none() {
        loss = release(lock, &args.keys).await;
        close(locker, RELEASE_TIME).await;
    } else {
        // There is nothing to wait for: what may be left of it is released if a server can be reached.
        drop(lock);
        close(locker, farewell_time(args)).await;
    }
    let status = outcome?;
    match loss {
        Some(reason) => Err(Failure::new(
            Exit::Lost,
            format!(
                "{}: lost while the command ran: {reason}",
                args.keys.join(", ")
            ),
        )),
        None => Ok(status),
    }
}

/// Arguments out of their limits are reported even if no server can be reached.
fn check(args: &RunArgs) -> Result<(), ClaimError> {
    let keys: Vec<Key> = args.keys.iter().map(Key::new).collect::<Result<_, _>>()?;
    let _ = Keys::new(keys)?;
    let _ = Ttl::new(args.ttl)?;
    let _ = args.metadata.as_ref().map(Metadata::new).transpose()?;
    let _ = args.token.as_ref().map(Token::new).transpose()?;
    Ok(())
}

/// Obtains the lock. The wait, which began at `begin`, counts for all of it: servers may come up meanwhile.
async fn obtain(locker: &Locker, args: &RunArgs, begin: Instant) -> Result<Lock, Failure> {
    let keys = args.keys.clone();
    let obtain = match args.permits {
        Some(limit) => locker.permit(keys, limit),
        None if args.read => locker.read(keys),
        None if args.write => locker.write(keys),
        None if args.in_turn => locker.obtain(keys).in_turn(),
        None => locker.obtain(keys),
    };
    let mut obtain = obtain.ttl(args.ttl);
    if args.wait.is_zero() {
        // Says which servers failed, and why.
        locker
            .ready()
            .await
            .map_err(|error| servers::not_connected(&error))?;
    } else {
        obtain = obtain.wait(args.wait.saturating_sub(begin.elapsed()));
    }
    if args.fence {
        obtain = obtain.fence();
    }
    if let Some(metadata) = &args.metadata {
        obtain = obtain.metadata(metadata.clone());
    }
    if let Some(token) = &args.token {
        obtain = obtain.token(token.clone());
    }
    match obtain.await {
        Ok(lock) => Ok(lock),
        Err(error) => Err(servers::not_obtained(locker, &error, &args.keys, args.wait).await),
    }
}

/// Makes sure that the second process knows the lease before anything depends on it. One that was killed or stopped during a
/// long wait is replaced. Meanwhile the lock is renewed, so each gets to know the lease of its time.
async fn secure(mut group: Group, lock: &Lock) -> Result<Group, Failure> {
    for _ in 0..3 {
        // The clock first: the end may only come out too early.
        let now = clock::now();
        if group.repeats(now.saturating_add(lock.remaining())).await {
            return Ok(group);
        }
        group = group.replaced().await?;
    }
    group.dismiss();
    let words = "the second process of `tenure run` does not respond";
    Err(Failure::new(Exit::System, words))
}

/// Releases the lock. Why it had been lost before, if the release is the first to find that.
async fn release(lock: Lock, keys: &[String]) -> Option<String> {
    let released = tokio::time::timeout(RELEASE_TIME, lock.release()).await;
    match released {
        Ok(Released::Confirmed) => None,
        Ok(Released::Missing) => Some(Loss::Taken.to_string()),
        Ok(Released::Expired) => Some(Loss::Expired { error: None }.to_string()),
        Ok(proof @ Released::Shared) => {
            say(&format!("{}: {proof}", keys.join(", ")));
            None
        }
        // What is not known here is not confirmed either.
        Ok(Released::Unconfirmed | _) | Err(_) => {
            say(&format!(
                "{}: too few servers confirm the release: it is free when its ttl ends",
                keys.join(", ")
            ));
            None
        }
    }
}

async fn close(locker: &Locker, time: Duration) {
    // A server that does not answer must not hold up the end.
    let _ = tokio::time::timeout(time, locker.close()).await;
}
