//! How locks are lost.

use std::time::Duration;

use tenure::{Holder, Loss, Released, Servers};
use tenure_tests::proxy::{Fault, On, Proxy, Then};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{Held as _, Request, User as _, taken_by};

use crate::stage::{Compared, Stage};
use crate::target::Target;
use crate::{is_unreachable, patient, request};

pub(crate) async fn loss_by_del<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let a = stage.client("a", &server).await;
    for _ in 0..2 {
        let lock = a.obtain(request(&["k"])).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.lost().await, Loss::Taken);
    }
    a.obtain(request(&["k"]))
        .await
        .expect("free")
        .release()
        .await;
}

/// What is there now is another client's: it stays, and keeps others out.
pub(crate) async fn loss_by_overwrite<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let a = stage.client("a", &server).await;
    let lock = a.obtain(request(&["k"])).await.expect("free");
    let mut raw = server.raw();
    raw.command(&["SET", "k", "theirs"]);
    assert_eq!(lock.lost().await, Loss::Taken);
    assert_eq!(lock.refresh().await, Err(Loss::Taken));
    assert_eq!(lock.release().await, Released::Missing);
    let refused = a.obtain(request(&["k"])).await;
    assert_eq!(taken_by(refused), Some(Holder::Other));
    assert_eq!(raw.command(&["GET", "k"]).text(), "theirs");
    raw.command(&["DEL", "k"]);
    let again = a.obtain(request(&["k"])).await.expect("free");
    assert_eq!(again.release().await, Released::Confirmed);
}

/// It never comes back, so only the clock can say when the lock is over.
pub(crate) async fn loss_by_death_of_the_server<T: Target>(stage: &mut Stage<T>) {
    let mut server = Server::start(Kind::Redis7);
    let a = stage.client("a", &server).await;
    let lock = a.obtain(Request {
        ttl: Some(Duration::from_secs(3)),
        ..request(&["k"])
    });
    let lock = lock.await.expect("free");
    server.kill();
    let loss = lock.lost().await;
    assert!(matches!(loss, Loss::Expired { .. }), "{loss}");
    assert!(!lock.is_held());
    assert_eq!(lock.refresh().await, Err(loss));
    assert_eq!(lock.release().await, Released::Expired);
    let refused = a.obtain(request(&["k"])).await;
    assert!(is_unreachable(refused), "there is no server");
}

pub(crate) async fn loss_that_only_the_release_finds<T: Target>(stage: &mut Stage<T>) {
    let server = Server::start(Kind::Redis7);
    let deaf = Servers::single(T::reach(&server.url()).await).tracking(false);
    let a = stage.client_of("a", deaf).await;
    for _ in 0..4 {
        let lock = a.obtain(request(&["k"])).await.expect("free");
        server.raw().command(&["DEL", "k"]);
        assert_eq!(lock.release().await, Released::Missing);
    }
    for _ in 0..2 {
        let lock = a.obtain(request(&["k"])).await.expect("free");
        assert_eq!(lock.release().await, Released::Confirmed);
    }
}

pub(crate) async fn server_killed_and_back<T: Target>(stage: &mut Stage<T>) {
    let mut server = Server::start(Kind::Redis7);
    let a = stage.client("a", &server).await;
    let held = a.obtain(request(&["k"])).await.expect("free");
    server.kill();
    assert!(a.obtain(request(&["j"])).await.is_err());
    server.restart();
    assert_eq!(held.lost().await, Loss::Taken);
    let lock = a.obtain(patient(&["j"])).await.expect("free");
    lock.release().await;
}

/// The proxy loses the answer to each kind of write in turn: the server has acted, and the client does not know.
pub(crate) async fn answers_that_are_lost<T: Target>(stage: &mut Stage<T>) {
    stage.compare(Compared::OfLocks);
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    let behind = Servers::single(T::reach(&proxy.url()).await);
    let a = stage.client_of("a", behind).await;
    let b = stage.client("b", &server).await;
    // Without a fault, so that the server knows the scripts: otherwise their answer would be that it does not.
    let lock = a.obtain(request(&["k"])).await.expect("free");
    lock.refresh().await.expect("held");
    assert_eq!(lock.release().await, Released::Confirmed);

    let lose = || proxy.fail(On::NextWrite, Fault::Reply { kept: 0 }, Then::Cut);
    lose();
    let lock = a.obtain(patient(&["k"])).await;
    let lock = lock.expect("the server has granted it");
    let refused = b.obtain(request(&["k"])).await;
    assert_eq!(taken_by(refused), Some(Holder::Other));
    lose();
    lock.refresh().await.expect("the server has extended it");
    lose();
    // Sent again, it finds nothing, which proves nothing.
    assert_eq!(lock.release().await, Released::Unconfirmed);
    let free = b.obtain(request(&["k"])).await.expect("it was released");
    assert_eq!(free.release().await, Released::Confirmed);

    // A try does not wait for a connection, and three were lost.
    stage.is_ready("a", 4).await;
    lose();
    let refused = a.obtain(request(&["k"])).await;
    assert!(is_unreachable(refused), "nobody knows");
    // What that one has left is released before anybody else has a turn.
    let next = b.obtain(patient(&["k"])).await.expect("it was released");
    assert_eq!(next.release().await, Released::Confirmed);
}
