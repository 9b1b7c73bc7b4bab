//! The tokio adapter reaches real servers in every way that a URL can say, and says why when it cannot.

use std::path::Path;
use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Cause, ConnectError, NodeError, NotObtained, ObtainError, Released, Servers};
use tenure_tests::proxy::Proxy;
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

/// Obtains and releases one key and two, and sees that the server had them.
async fn use_it(servers: impl Into<Servers>, server: &Server) {
    let locker = connect(servers).await.expect("a locker");
    let lock = locker
        .obtain("k")
        .metadata("host-7")
        .await
        .expect("the lock");
    let value = [lock.token(), b"host-7"].concat();
    assert_eq!(server.raw().command(&["GET", "k"]), Value::bulk(value));
    lock.refresh().await.expect("still ours");
    let left = lock.remaining_on_servers().await.expect("an answer");
    assert!(left.is_some_and(|left| left > Duration::from_secs(20)));
    assert_eq!(lock.release().await, Released::Confirmed);
    let both = locker.obtain(["a", "b"]).await.expect("both");
    assert_eq!(both.release().await, Released::Confirmed);
    assert_eq!(server.raw().command(&["DBSIZE"]), Value::Int(0));
    locker.close().await;
}

/// The reasons why the first node cannot be used.
async fn reason(servers: impl Into<Servers>) -> String {
    match connect(servers).await {
        Err(ConnectError::Unreachable(nodes)) => nodes.failures[0].1.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_kind_of_server_gives_locks() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        use_it(server.url(), &server).await;
    }
}

#[tokio::test]
async fn a_unix_socket_leads_there() {
    let server = Server::start(Kind::Redis7);
    let url = |path: &Path| format!("redis+unix://{}", path.display());
    use_it(url(&server.socket_path()), &server).await;

    let nowhere = url(Path::new("/nonexistent/socket"));
    assert!(reason(nowhere).await.contains("No such file"));
}

#[tokio::test]
async fn tls_is_used_and_the_server_verified() {
    let server = Server::builder(Kind::Redis7).tls().start();
    let trusting = Servers::single(server.url()).root_certificate_pem(server.ca_pem());
    use_it(trusting.clone(), &server).await;
    // Also by address, which the certificate names too.
    let by_address = server.url().replace("localhost", "127.0.0.1");
    let by_address = Servers::single(by_address).root_certificate_pem(server.ca_pem());
    use_it(by_address, &server).await;

    let unknown = reason(server.url()).await;
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let other = Server::builder(Kind::Redis7).tls().start();
    let foreign = Servers::single(server.url()).root_certificate_pem(other.ca_pem());
    let foreign = reason(foreign).await;
    assert!(foreign.contains("invalid peer certificate"), "{foreign}");
}

#[tokio::test]
async fn another_name_than_that_of_the_certificate_is_refused() {
    let server = Server::builder(Kind::Redis7).tls().start();
    let url = server.url().replace("localhost", "127.0.0.2");
    let servers = Servers::single(url).root_certificate_pem(server.ca_pem());
    // Whether the server listens there or not: it is not reached as itself.
    assert!(connect(servers).await.is_err());
}

#[tokio::test]
async fn tls_with_a_server_that_has_none_fails() {
    let server = Server::start(Kind::Redis7);
    let url = server.url().replace("redis://", "rediss://");
    let error = connect(Servers::single(url).connect_timeout(Duration::from_millis(300))).await;
    assert!(matches!(error, Err(ConnectError::Unreachable(_))));
}

#[tokio::test]
async fn a_password_opens_the_door() {
    let server = Server::builder(Kind::Redis7).password("p@ss/word").start();
    let url = |login: &str| format!("redis://{login}127.0.0.1:{}", server.port());
    use_it(url(":p%40ss%2Fword@"), &server).await;

    let wrong = reason(url(":no@")).await;
    assert_eq!(wrong, NodeError::WrongPassword.to_string());
    assert_eq!(reason(url("")).await, NodeError::NoAuth.to_string());
}

#[tokio::test]
async fn a_user_may_do_everything_in_its_rules() {
    let server = Server::builder(Kind::Redis7)
        .acl_user("worker", "s3cret", "~locks:* +@all")
        .start();
    let servers = Servers::single(server.url_as("worker", "s3cret"));
    let locker = connect(servers.prefix("locks:")).await.expect("a locker");

    let lock = locker.obtain("k").await.expect("the lock");
    assert_eq!(lock.key(), b"k");
    let exists = server.raw().command(&["EXISTS", "locks:k"]);
    assert_eq!(exists, Value::Int(1));

    let without = connect(server.url_as("worker", "s3cret")).await;
    let refused = without.expect("a locker").obtain("k").await;
    assert_eq!(
        refused.err(),
        Some(ObtainError::NotObtained(
            NotObtained::Refused(NodeError::NoPermission),
            None
        ))
    );
}

#[tokio::test]
async fn a_database_is_a_world_of_its_own() {
    let server = Server::start(Kind::Redis7);
    let two = connect(format!("{}/2", server.url())).await.expect("two");
    let three = connect(format!("{}/3", server.url())).await.expect("three");
    let _lock = two.obtain("k").await.expect("free there");
    assert!(three.obtain("k").await.is_ok());
    assert!(two.obtain("k").await.is_err());
}

#[tokio::test]
async fn a_refused_connection_is_reported_with_the_address() {
    let mut server = Server::start(Kind::Redis7);
    let (url, port) = (server.url(), server.port());
    server.kill();
    match connect(url).await {
        Err(error @ ConnectError::Unreachable(_)) => {
            let text = error.to_string();
            assert!(text.contains(&format!("127.0.0.1:{port}: ")), "{text}");
            assert!(text.contains("Connection refused"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = Server::start(Kind::Redis7);
    let proxy = Proxy::start(server.port());
    proxy.black_hole(true);
    let servers = Servers::single(proxy.url()).connect_timeout(Duration::from_millis(200));
    assert_eq!(reason(servers).await, NodeError::TimedOut.to_string());
}

#[tokio::test]
async fn a_quorum_is_enough() {
    let mut servers = [(); 3].map(|()| Server::start(Kind::Redis7));
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    servers[1].kill();

    let locker = connect(Servers::quorum(&urls)).await.expect("two of three");
    let lock = locker.obtain("k").await.expect("two of three");
    for index in [0, 2] {
        let exists = servers[index].raw().command(&["EXISTS", "k"]);
        assert_eq!(exists, Value::Int(1));
    }
    assert_eq!(lock.release().await, Released::Confirmed);

    servers[0].kill();
    match connect(Servers::quorum(&urls)).await {
        Err(ConnectError::Unreachable(nodes)) => {
            assert_eq!(nodes.needed, 2);
            assert_eq!(nodes.failures.len(), 2);
        }
        other => panic!("{other:?}"),
    }
    let ordered = connect(Servers::ordered(&urls)).await;
    assert!(matches!(ordered, Err(ConnectError::Unreachable(_))));
}

/// Advice to start a server fits one cause only.
#[tokio::test]
async fn a_missing_server_is_distinguished_from_one_that_refuses() {
    let server = Server::builder(Kind::Redis7).password("hunter2").start();
    let nobody = "redis://127.0.0.1:1".to_owned();
    let no_socket = "redis+unix:///no/such/socket".to_owned();
    let no_password = format!("redis://127.0.0.1:{}", server.port());
    let wrong = server.url().replace("hunter2", "hunter3");
    for (url, expected) in [
        (nobody, Cause::NoServer),
        (no_socket, Cause::NoServer),
        (no_password, Cause::Node(NodeError::NoAuth)),
        (wrong, Cause::Node(NodeError::WrongPassword)),
    ] {
        match connect(url).await {
            Err(ConnectError::Unreachable(nodes)) => assert_eq!(nodes.causes, [expected]),
            other => panic!("{other:?}"),
        }
    }
}
