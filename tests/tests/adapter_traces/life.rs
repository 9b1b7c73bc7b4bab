//! Obtaining, waiting and releasing on one server.

use futures_lite::future::zip;
use futures_util::future::join_all;
use tenure::{ObtainError, Released};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{self, Held as _, Request, User as _, taken_by};

use crate::stage::{Compared, Stage};
use crate::target::Target;
use crate::{HOUR, attempt_and_cancel, is_asked_after, patient, request};

pub(crate) async fn life_of_a_lock<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let (a, b) = (
        stage.client("a", &server).await,
        stage.client("b", &server).await,
    );

    let lock = a.obtain(Request {
        metadata: Some("host-7"),
        ..request(&["nightly"])
    });
    let lock = lock.await.expect("free");
    for _ in 0..2 {
        let refused = b.obtain(request(&["nightly"])).await;
        taken_by(refused).expect("it is held");
    }
    let left = lock.remaining_on_servers().await.expect("an answer");
    assert!(left.is_some());
    lock.refresh_for(2 * HOUR).await.expect("held");
    assert_eq!(lock.release().await, Released::Confirmed);
    let both = b.obtain(request(&["nightly", "other"])).await;
    both.expect("free").release().await;
}

pub(crate) async fn wait_and_hand_off<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let (a, b) = (
        stage.client("a", &server).await,
        stage.client("b", &server).await,
    );
    let first = a.obtain(request(&["k"])).await.expect("free");
    let release = async {
        is_asked_after(&server, 1).await;
        first.release().await
    };
    let (next, released) = zip(b.obtain(patient(&["k"])), release).await;
    assert_eq!(released, Released::Confirmed);
    next.expect("its turn").release().await;
}

pub(crate) async fn a_cancelled_request<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let (a, b) = (
        stage.client("a", &server).await,
        stage.client("b", &server).await,
    );
    let lock = a.obtain(request(&["k"])).await.expect("free");
    attempt_and_cancel(b.obtain(patient(&["k"]))).await;
    lock.release().await;
    attempt_and_cancel(b.obtain(request(&["k"]))).await;
    b.close().await;
    assert_eq!(server.raw().command(&["EXISTS", "k"]), Value::Int(0));
}

pub(crate) async fn thousand_waiters_on_one_key<T: Target>(stage: &mut Stage<T>) {
    stage.compare(Compared::Kinds);
    let server = Server::start(Kind::Redis7);
    let a = stage.client("a", &server).await;
    let turns = (0..1_000).map(|_| async {
        let lock = a.obtain(patient(&["k"])).await?;
        Ok::<_, ObtainError>(lock.release().await)
    });
    for turn in join_all(turns).await {
        assert_eq!(turn, Ok(Released::Confirmed));
    }
    assert_eq!(server.raw().command(&["EXISTS", "k"]), Value::Int(0));
}

/// What the suite plays on every target, here with its events.
macro_rules! of_suite {
    ($($name:ident: $scenario:ident $compared:ident),*) => {
        $(pub(crate) async fn $name<T: Target>(stage: &mut Stage<T>) {
            stage.compare(Compared::$compared);
            let server = Server::start(Kind::Redis7);
            let a = stage.client("a", &server).await;
            let b = stage.client("b", &server).await;
            suite::$scenario(&a, &b).await;
        })*
    };
}

of_suite!(
    several_keys: several_keys All,
    a_wait_that_ends: a_wait_that_ends All,
    automatic_renewal: a_renewal Kinds,
    refresh_with_another_ttl: another_ttl All,
    the_longest_hold: a_longest_hold All,
    two_locks_with_the_same_token: a_shared_token All,
    close: a_close All
);
