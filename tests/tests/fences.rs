//! Fences on real servers.

use tenure::tokio::connect;
use tenure::{Fence, Keep, Servers};
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::fences_grow;

async fn grows(servers: Servers, last: &mut Option<Fence>) {
    let alice = connect(servers.clone()).await.expect("a locker");
    let bob = connect(servers).await.expect("a locker");
    fences_grow(&alice, &bob, last).await;
}

#[tokio::test]
async fn fences_grow_on_every_kind_of_server() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut last = None;
        grows(Servers::single(server.url()), &mut last).await;
        // Neither a flush nor a counter from a clock that was ahead makes them fall.
        server.raw().command(&["FLUSHALL"]);
        grows(Servers::single(server.url()), &mut last).await;
        let ahead = "4000000000000000";
        server.raw().command(&["SET", "{f}1~~fence", ahead]);
        grows(Servers::single(server.url()), &mut last).await;
        assert!(last > Some(Fence(4_000_000_000_000_000)));
    }
}

#[tokio::test]
async fn a_counter_expires_a_day_after_its_number_unless_it_is_kept() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let locker = connect(server.url()).await.expect("a locker");
        let day = 24 * 60 * 60 * 1000;
        let lock = locker.obtain("k").fence().await.expect("the lock");
        let Value::Int(left) = server.raw().command(&["PTTL", "{k}~fence"]) else {
            panic!("no time");
        };
        assert!(left <= day && left > day - 60_000, "{left}");
        lock.release().await;
        let kept = locker.obtain("k").fence_with(Keep::FOREVER);
        kept.await.expect("the lock").release().await;
        let reply = server.raw().command(&["PTTL", "{k}~fence"]);
        assert_eq!(reply, Value::Int(-1));
    }
}

#[tokio::test]
async fn fences_grow_on_several_servers_of_which_one_ends() {
    for is_quorum in [true, false] {
        let mut servers: Vec<Server> = (0..3).map(|_| Server::start(Kind::Redis7)).collect();
        let urls: Vec<String> = servers.iter().map(Server::url).collect();
        let together = if is_quorum {
            Servers::quorum(urls)
        } else {
            Servers::ordered(urls)
        };
        let mut last = None;
        // Counters that differ, as after a failure.
        for (server, number) in servers.iter().zip(["4000000000000000", "4000000000000007"]) {
            server.raw().command(&["SET", "{f}1~~fence", number]);
        }
        grows(together.clone(), &mut last).await;
        if is_quorum {
            servers.remove(1);
            grows(together, &mut last).await;
        }
    }
}
