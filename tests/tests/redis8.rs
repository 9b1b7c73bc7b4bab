//! Redis 8.6, which compares values itself (`SET … IFEQ`, `DELEX`) and sets several keys at once (`MSETEX`). `tests/run redis8`
//! fetches it: not every machine can.

use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Locker, Loss, Released};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::{everything, everything_without_scripts};

async fn locker(url: &str) -> Locker {
    connect(url).await.expect("a locker")
}

/// How often each command was carried out, as the server counts.
fn calls(server: &Server) -> String {
    let stats = server.raw().command(&["INFO", "commandstats"]).text();
    let ran = |line: &&str| !line.contains(":calls=0,");
    stats.lines().filter(ran).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
#[ignore = "tests/run redis8"]
async fn redis_8_gives_the_same_locks() {
    let server = Server::start(Kind::Redis8);
    for resp in ["", "?resp=2"] {
        let url = format!("{}{resp}", server.url());
        everything("tokio, Redis 8", locker(&url).await, locker(&url).await).await;
    }
    let calls = calls(&server);
    assert!(calls.contains("cmdstat_delex:"), "{calls}");
}

#[tokio::test]
#[ignore = "tests/run redis8"]
async fn redis_8_gives_the_same_locks_without_scripts() {
    let server = Server::start(Kind::Redis8);
    let rules = ["on", ">s3cret", "~*", "+@all", "-@scripting"];
    let user = [&["ACL", "SETUSER", "worker", "reset"][..], &rules].concat();
    assert_eq!(server.raw().command(&user), Value::ok());
    let url = server.url_as("worker", "s3cret");
    for resp in ["", "?resp=2"] {
        let url = format!("{url}{resp}");
        let target = "tokio, Redis 8, no scripts";
        everything_without_scripts(target, locker(&url).await, locker(&url).await).await;
    }
    let calls = calls(&server);
    assert!(calls.contains("cmdstat_delex:"), "{calls}");
    assert!(calls.contains("cmdstat_msetex:"), "{calls}");
    assert!(!calls.contains("cmdstat_eval"), "{calls}");
}

/// `DELEX … IFEQ` refuses a key of another type with an error of its own, which says that nothing of ours is there.
#[tokio::test]
#[ignore = "tests/run redis8"]
async fn a_key_that_has_another_type_by_now_is_not_ours() {
    let server = Server::start(Kind::Redis8);
    let locker = locker(&format!("{}?resp=2", server.url())).await;
    let hour = Duration::from_secs(3600);
    for refreshed in [true, false] {
        let lock = locker.obtain("k").ttl(hour).manual().await;
        let lock = lock.expect("the lock");
        let mut raw = server.raw();
        raw.command(&["DEL", "k"]);
        raw.command(&["LPUSH", "k", "theirs"]);
        if refreshed {
            assert_eq!(lock.refresh().await, Err(Loss::Taken));
        } else {
            assert_eq!(lock.release().await, Released::Missing);
        }
        assert_eq!(raw.command(&["LLEN", "k"]).int(), 1, "it is still there");
        raw.command(&["DEL", "k"]);
    }
    locker.close().await;
}
