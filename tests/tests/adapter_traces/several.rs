//! Several servers.

use futures_lite::future::yield_now;
use tenure::{Released, Servers};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{Held as _, User as _};

use crate::stage::{Compared, Stage};
use crate::target::Target;
use crate::{patient, request};

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
