//! The events of a client must not depend on its language, nor on what carries its commands. So the scenarios of the npm package
//! are played here step for step, on each runtime and over lent clients. The traces are those of the package's own tests.

mod target;
mod trace;

use std::future::{Future, IntoFuture, ready};
use std::time::Duration;

use tenure::{Loss, Released, Servers};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

use target::Target;
use trace::expected;

const HOUR: Duration = Duration::from_secs(3600);

/// A module of tests for each target.
macro_rules! play {
    ($($target:ident: $on:ident),*) => {
        $(mod $target {
            use crate::Target;

            play!(scenarios $on: life_of_a_lock, wait_and_hand_off, abort, loss_by_del, loss_that_only_the_release_finds, server_killed_and_back, quorum_of_three, thousand_waiters_on_one_key);
        })*
    };
    (scenarios $on:ident: $($scenario:ident),*) => {
        $(#[tokio::test]
        async fn $scenario() {
            crate::$scenario(Target::$on).await;
            let name = stringify!($scenario).replace('_', " ");
            tenure_tests::suite::played("traces", &name, Target::$on.name());
        })*
    };
}

play!(on_tokio: Tokio, on_smol: Smol, on_async_std: AsyncStd, over_redis_rs: RedisRs, over_fred: Fred);

/// Polls once, so that it asks, and drops it.
async fn attempt_and_cancel<T>(obtaining: impl Future<Output = T>) {
    tokio::select! {
        biased;
        _ = obtaining => panic!("it cannot be there yet"),
        () = ready(()) => {}
    }
}

async fn life_of_a_lock(on: Target) {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (on.client(&server).await, on.client(&server).await);

    let lock = a
        .obtain("nightly")
        .ttl(HOUR)
        .metadata("host-7")
        .await
        .expect("free");
    for _ in 0..2 {
        assert!(b.obtain("nightly").await.is_err());
    }
    assert!(
        lock.remaining_on_servers()
            .await
            .expect("an answer")
            .is_some()
    );
    lock.refresh_for(2 * HOUR).await.expect("held");
    assert_eq!(lock.release().await, Released::Confirmed);
    let both = b.obtain(["nightly", "other"]).await.expect("free");
    both.release().await;

    assert_eq!(a_trace.lines(), expected("life of a lock", "a"));
    assert_eq!(b_trace.lines(), expected("life of a lock", "b"));
}

async fn wait_and_hand_off(on: Target) {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (on.client(&server).await, on.client(&server).await);
    let first = a.obtain("k").ttl(HOUR).await.expect("free");
    let waiting = tokio::spawn(b.obtain("k").ttl(HOUR).wait(HOUR).into_future());
    tokio::task::yield_now().await;

    first.release().await;

    waiting
        .await
        .expect("no panic")
        .expect("its turn")
        .release()
        .await;
    assert_eq!(a_trace.lines(), expected("wait and hand-off", "a"));
    assert_eq!(b_trace.lines(), expected("wait and hand-off", "b"));
}

async fn abort(on: Target) {
    let server = Server::start(Kind::Redis7);
    let ((a, a_trace), (b, b_trace)) = (on.client(&server).await, on.client(&server).await);
    let lock = a.obtain("k").ttl(HOUR).await.expect("free");
    attempt_and_cancel(b.obtain("k").wait(HOUR).into_future()).await;
    lock.release().await;
    attempt_and_cancel(b.obtain("k").ttl(HOUR).into_future()).await;
    b.close().await;

    assert_eq!(server.raw().command(&["EXISTS", "k"]), Value::Int(0));
    assert_eq!(a_trace.lines(), expected("abort", "a"));
    assert_eq!(b_trace.lines(), expected("abort", "b"));
}

async fn loss_by_del(on: Target) {
    let server = Server::start(Kind::Redis7);
    let (a, trace) = on.client(&server).await;
    for _ in 0..2 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.lost().await, Loss::Taken);
    }
    a.obtain("k").await.expect("free").release().await;

    assert_eq!(trace.lines(), expected("loss by DEL", "a"));
}

async fn loss_that_only_the_release_finds(on: Target) {
    let server = Server::start(Kind::Redis7);
    let deaf = Servers::single(on.reach(&server).await);
    let (a, trace) = on.client_of(deaf.tracking(false)).await;
    for _ in 0..4 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.release().await, Released::Missing);
    }
    for _ in 0..2 {
        let lock = a.obtain("k").ttl(HOUR).await.expect("free");
        assert_eq!(lock.release().await, Released::Confirmed);
    }

    let expected = expected("loss that only the release finds", "a");
    assert_eq!(trace.lines(), expected);
}

async fn server_killed_and_back(on: Target) {
    let mut server = Server::start(Kind::Redis7);
    let (a, trace) = on.client(&server).await;
    let held = a.obtain("k").ttl(HOUR).await.expect("free");
    server.kill();
    assert!(a.obtain("j").await.is_err());
    server.restart();
    assert_eq!(held.lost().await, Loss::Taken);
    let lock = a.obtain("j").wait(HOUR).await.expect("free");
    lock.release().await;

    assert_eq!(trace.lines(), expected("server killed and back", "a"));
}

async fn quorum_of_three(on: Target) {
    let mut servers = [(); 3].map(|()| Server::start(Kind::Redis7));
    let (a, a_trace) = on.client_of_three(&servers).await;
    let (b, b_trace) = on.client_of_three(&servers).await;
    let lock = a.obtain("k").ttl(HOUR).await.expect("free");
    for server in &servers {
        // Two are enough to go on; the third has been asked, too.
        while server.raw().command(&["EXISTS", "k"]) != Value::Int(1) {
            tokio::task::yield_now().await;
        }
    }
    servers[0].kill();
    assert!(b.obtain("k").await.is_err());
    assert_eq!(lock.release().await, Released::Confirmed);
    let other = b.obtain("k").ttl(HOUR).wait(HOUR).await.expect("free");
    other.release().await;
    servers[1].kill();
    assert!(b.obtain("k").await.is_err());

    assert_eq!(a_trace.lines_of_locks(), expected("quorum of three", "a"));
    assert_eq!(b_trace.lines_of_locks(), expected("quorum of three", "b"));
}

async fn thousand_waiters_on_one_key(on: Target) {
    let server = Server::start(Kind::Redis7);
    let (a, trace) = on.client(&server).await;
    let waiters: Vec<_> = (0..1_000)
        .map(|_| a.obtain("k").wait(HOUR).into_future())
        .map(|obtaining| tokio::spawn(async { obtaining.await.expect("its turn").release().await }))
        .collect();
    for waiter in waiters {
        assert_eq!(waiter.await.expect("no panic"), Released::Confirmed);
    }

    let mut lines = Vec::new();
    for line in trace.lines() {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    assert_eq!(lines, expected("1000 waiters on one key", "a"));
}
