//! The events of a client must not depend on its language, nor on what carries its commands. So the scenarios of the npm package
//! are played here step for step, on each runtime, by threads and over lent clients. Each has servers of its own. The traces are
//! those of the package's own tests.

mod ends;
mod life;
mod several;
mod stage;
mod target;
#[path = "../threads/mod.rs"]
mod threads;
mod trace;

use std::future::Future;
use std::time::Duration;

use futures_lite::future::yield_now;
use tenure::{NotObtained, ObtainError};
use tenure_tests::servers::Server;
use tenure_tests::suite::Request;

const HOUR: Duration = Duration::from_secs(3600);
/// Far longer than a scenario takes, on a slow machine too.
const LIMIT: Duration = Duration::from_secs(120);

/// A module of tests for each target. A thread that blocks cannot cancel.
macro_rules! play {
    ($($module:ident: $target:ident $(+ $cancel:ident)?),*) => {
        $(mod $module {
            play!(scenarios $target:
                "life of a lock": life::life_of_a_lock,
                "wait and hand-off": life::wait_and_hand_off,
                "1000 waiters on one key": life::thousand_waiters_on_one_key,
                "several keys": life::several_keys,
                "a wait that ends": life::a_wait_that_ends,
                "automatic renewal": life::automatic_renewal,
                "refresh with another ttl": life::refresh_with_another_ttl,
                "the longest hold": life::the_longest_hold,
                "two locks with the same token": life::two_locks_with_the_same_token,
                "close": life::close,
                "loss by DEL": ends::loss_by_del,
                "loss by overwrite": ends::loss_by_overwrite,
                "loss by death of the server": ends::loss_by_death_of_the_server,
                "loss that only the release finds": ends::loss_that_only_the_release_finds,
                "server killed and back": ends::server_killed_and_back,
                "answers that are lost": ends::answers_that_are_lost,
                "quorum of three": several::quorum_of_three,
                "quorum of five": several::quorum_of_five,
                "three servers in order": several::three_in_order
            );
            $(play!(scenarios $target: "a cancelled request": life::$cancel);)?
        })*
    };
    (scenarios $target:ident: $($name:literal: $file:ident::$scenario:ident),*) => {
        $(#[tokio::test]
        async fn $scenario() {
            type Target = crate::target::$target;
            let mut stage = crate::stage::Stage::<Target>::new($name);
            let ended = tokio::time::timeout(crate::LIMIT, crate::$file::$scenario(&mut stage)).await;
            ended.expect("it ends");
            stage.check().await;
            let target = <Target as crate::target::Target>::NAME;
            tenure_tests::suite::played("events", $name, target);
        })*
    };
}

play!(
    on_tokio: Tokio + a_cancelled_request,
    on_smol: Smol + a_cancelled_request,
    on_async_std: AsyncStd + a_cancelled_request,
    on_threads: Blocking,
    over_redis_rs: RedisRs + a_cancelled_request,
    over_fred: Fred + a_cancelled_request
);

/// A lock that does not end by itself.
fn request(keys: &[&'static str]) -> Request {
    Request {
        keys: keys.to_vec(),
        ttl: Some(HOUR),
        ..Request::default()
    }
}

/// A request that waits until it has the lock.
fn patient(keys: &[&'static str]) -> Request {
    Request {
        wait: Some(HOUR),
        ..request(keys)
    }
}

fn is_unreachable<T>(result: Result<T, ObtainError>) -> bool {
    matches!(
        result,
        Err(ObtainError::NotObtained(NotObtained::Unreachable(_), _))
    )
}

/// How many requests for a lock the server has received.
fn requests(server: &Server) -> u64 {
    let stats = server.raw().command(&["INFO", "commandstats"]).text();
    let (_, rest) = stats.split_once("cmdstat_set:calls=").unwrap_or_default();
    let (count, _) = rest.split_once(',').unwrap_or_default();
    count.parse().unwrap_or(0)
}

/// Waits until the server has received more requests for a lock than these.
async fn is_asked_after(server: &Server, before: u64) {
    while requests(server) <= before {
        yield_now().await;
    }
}

/// Polls once, so that it asks, and drops it.
async fn attempt_and_cancel<T>(obtaining: impl Future<Output = T>) {
    let obtained = async {
        obtaining.await;
        true
    };
    let is_obtained = futures_lite::future::or(obtained, async { false }).await;
    assert!(!is_obtained, "it cannot be there yet");
}
