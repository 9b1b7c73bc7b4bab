//! How locks are lost.

use tenure::{Loss, Released, Servers};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{Held as _, User as _};

use crate::stage::Stage;
use crate::target::Target;
use crate::{patient, request};

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
