//! Several servers.

use futures_lite::future::{yield_now, zip};
use tenure::{Holder, Released, Servers};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{Held as _, User as _, taken_by};

use crate::stage::{Compared, Stage};
use crate::target::Target;
use crate::{is_asked_after, is_unreachable, patient, request, requests};

/// Enough servers are enough to go on; the others have been asked, too.
async fn is_on_each(servers: &[Server], key: &str) {
    for server in servers {
        while server.raw().command(&["EXISTS", key]) != Value::Int(1) {
            yield_now().await;
        }
    }
}

pub(crate) async fn quorum_of_three<T: Target>(stage: &mut Stage<T>) {
    stage.compare(Compared::OfLocks);
    let mut servers = [(); 3].map(|()| Server::start(Kind::Redis7));
    let a = stage.client_of_all("a", Servers::quorum, &servers).await;
    let b = stage.client_of_all("b", Servers::quorum, &servers).await;
    let lock = a.obtain(request(&["k"])).await.expect("free");
    is_on_each(&servers, "k").await;
    servers[0].kill();
    assert!(b.obtain(request(&["k"])).await.is_err());
    assert_eq!(lock.release().await, Released::Confirmed);
    let other = b.obtain(patient(&["k"])).await.expect("free");
    other.release().await;
    servers[1].kill();
    assert!(b.obtain(request(&["k"])).await.is_err());
}

/// Two of five may end while a lock is held and while it is waited for.
pub(crate) async fn quorum_of_five<T: Target>(stage: &mut Stage<T>) {
    // It is refreshed once more if the end of a server is noticed late.
    stage.compare(Compared::KindsOfLocks);
    let mut servers = [(); 5].map(|()| Server::start(Kind::Redis7));
    let a = stage.client_of_all("a", Servers::quorum, &servers).await;
    let b = stage.client_of_all("b", Servers::quorum, &servers).await;
    let lock = a.obtain(request(&["k"])).await.expect("free");
    is_on_each(&servers, "k").await;
    let fail = async {
        for server in &servers {
            is_asked_after(server, 1).await;
        }
        servers[0].kill();
        servers[3].kill();
        lock.refresh().await.expect("three of five are enough");
        lock.verify().await.expect("three of five are enough");
        lock.release().await
    };
    let (next, released) = zip(b.obtain(patient(&["k"])), fail).await;
    assert_eq!(released, Released::Confirmed);
    let next = next.expect("its turn");
    let refused = a.obtain(request(&["k"])).await;
    assert_eq!(taken_by(refused), Some(Holder::Other));
    next.refresh().await.expect("three of five are enough");
    assert_eq!(next.release().await, Released::Confirmed);
    servers[1].kill();
    assert!(is_unreachable(b.obtain(request(&["k"])).await));
}

/// All of them must grant a lock, one after the other.
pub(crate) async fn three_in_order<T: Target>(stage: &mut Stage<T>) {
    stage.compare(Compared::OfLocks);
    let mut servers = [(); 3].map(|()| Server::start(Kind::Redis7));
    let a = stage.client_of_all("a", Servers::ordered, &servers).await;
    let b = stage.client_of_all("b", Servers::ordered, &servers).await;
    let lock = a.obtain(request(&["k", "j"])).await.expect("free");
    is_on_each(&servers, "k").await;
    is_on_each(&servers, "j").await;
    let refused = b.obtain(request(&["j"])).await;
    assert_eq!(taken_by(refused), Some(Holder::Other));
    lock.refresh().await.expect("held");
    let before = requests(&servers[0]);
    let release = async {
        is_asked_after(&servers[0], before).await;
        lock.release().await
    };
    let (next, released) = zip(b.obtain(patient(&["j"])), release).await;
    assert_eq!(released, Released::Confirmed);
    assert_eq!(next.expect("its turn").release().await, Released::Confirmed);
    servers[2].kill();
    assert!(is_unreachable(a.obtain(request(&["k"])).await));
    a.close().await;
    for server in &servers[..2] {
        let left = server.raw().command(&["EXISTS", "k", "j"]);
        assert_eq!(left, Value::Int(0), "what was granted is taken back");
    }
}
