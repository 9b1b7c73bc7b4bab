use std::num::NonZeroU32;

use super::*;
use crate::client::{Command, CommandTransport, Reply, TransportError, lend};

/// A client that carries out nothing.
struct Nothing;

impl CommandTransport for Nothing {
    async fn send(&self, _commands: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
        Err("nothing is carried out".into())
    }
}

fn error(servers: Servers) -> ConnectError {
    servers.plan().expect_err("something is wrong with it")
}

#[test]
fn the_number_of_servers_must_fit() {
    let none: [&str; 0] = [];
    assert_eq!(error(Servers::ordered(none)), ConnectError::NoAddress);
    assert_eq!(error(Servers::quorum(none)), ConnectError::NoAddress);
    assert_eq!(error("".into()), ConnectError::NoAddress);
    let two = ["redis://a", "redis://b"];
    assert_eq!(error(Servers::quorum(two)), ConnectError::TooFewForQuorum);
    assert!(Servers::ordered(two).plan().is_ok());
    let many = (0..=tenure_core::MAX_NODES).map(|i| format!("redis://h{i}"));
    assert_eq!(error(Servers::ordered(many)), ConnectError::TooMany);
}

#[test]
fn one_server_does_not_count_twice() {
    for (urls, address) in [
        (["redis://a", "redis://b", "redis://a"], "a:6379"),
        (["redis://b", "redis://a", "redis://A:6379"], "A:6379"),
        (["redis://me:pw@a", "redis://b", "rediss://a/2"], "a:6379"),
        (
            ["redis://[::1]", "redis://b", "redis://[0::1]"],
            "[::1]:6379",
        ),
        (
            [
                "redis+unix:///r.s",
                "redis://b",
                "unix://localhost/r.s?db=1",
            ],
            "/r.s",
        ),
    ] {
        let same = ConnectError::SameServer {
            address: address.into(),
        };
        assert_eq!(error(Servers::quorum(urls)), same, "{urls:?}");
        assert_eq!(error(Servers::ordered(urls)), same, "{urls:?}");
    }
    for urls in [
        ["redis://a:1", "redis://a:2", "redis://b"],
        ["redis+unix:///r", "redis+unix:///R", "redis://r"],
    ] {
        assert!(Servers::quorum(urls).plan().is_ok(), "{urls:?}");
    }
}

#[test]
fn written_bytes_arrive() {
    let plan = Servers::quorum(["redis://a", "redis://:pw@b/2", "redis+unix:///c"])
        .prefix("p:")
        .client_name("me")
        .request_timeout(Duration::from_millis(5))
        .tracking(false)
        .plan()
        .expect("good servers");
    assert_eq!(plan.config.quorum(), 2);
    assert_eq!(&*plan.config.prefix, b"p:");
    assert_eq!(&*plan.config.client_name, "me");
    assert_eq!(plan.config.request_timeout, Duration::from_millis(5));
    assert!(plan.config.nodes().iter().all(|node| !node.tracking));
    assert_eq!(plan.config.nodes()[1].database, 2);
    assert_eq!(plan.targets[1].endpoint.to_string(), "b:6379");
}

#[test]
fn grants_over_an_existing_client_wait_for_no_replica() {
    let acks = Acks::received(NonZeroU32::MIN);
    assert!(Servers::single(lend(Nothing)).check().is_ok());
    let lent = Servers::single(lend(Nothing)).acks(acks);
    assert_eq!(error(lent), ConnectError::AcksOverClient);
    let plan = Servers::single("redis://a").acks(acks).plan();
    assert_eq!(plan.expect("a good server").config.acks, Some(acks));
}

#[test]
fn a_url_does_not_show() {
    let servers = Servers::single("redis://:hunter2@h");
    assert!(!format!("{servers:?}").contains("hunter2"));
}

#[cfg(feature = "tls")]
#[test]
fn a_bad_certificate_is_reported() {
    let servers = || Servers::single("rediss://h");
    assert!(servers().plan().is_ok());
    for bad in [
        servers().root_certificate_pem("nothing"),
        servers()
            .root_certificate_pem("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        servers().client_certificate_pem("", ""),
    ] {
        assert!(matches!(error(bad), ConnectError::Certificate(_)));
    }
}
