//! What to connect to.

use std::fmt;
use std::time::Duration;

use tenure_core::{Arrangement, Config, Limits};

use crate::address::{Address, Endpoint};
use crate::error::ConnectError;
use crate::link::tls::{Certificates, Tls};

/// What to connect to, and how. Errors in it are told by `connect`.
///
/// ```
/// use tenure::Servers;
///
/// let one = Servers::single("redis://127.0.0.1:6379/0").prefix("locks:");
/// let redlock = Servers::quorum(["redis://a", "redis://b", "redis://c"]);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Servers {
    urls: Vec<String>,
    arrangement: Arrangement,
    certificates: Certificates,
    prefix: Vec<u8>,
    client_name: Option<String>,
    request_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    reconnect: Option<(Duration, Duration)>,
    limits: Limits,
    tracking: bool,
    prepare: bool,
}

impl Servers {
    /// One server.
    ///
    /// A URL is `redis://[user[:password]@]host[:port][/database]`, the same with `rediss://` for TLS, or
    /// `redis+unix://[user[:password]@]/path/to/socket[?db=database]`. `valkey` may stand for `redis`. What is not a
    /// letter, digit or one of `-._~` in a user or password is to be percent-encoded. With `?resp=2` there is no `HELLO`,
    /// for proxies that hang up at it: then a loss is found out at the next renewal.
    pub fn single(url: impl Into<String>) -> Self {
        Self::new(vec![url.into()], Arrangement::Ordered)
    }

    /// Several independent servers, all of which must grant, asked in this order.
    ///
    /// The same server twice is [`ConnectError::SameServer`], here and in a [quorum](Self::quorum): it would vote twice,
    /// and both votes are gone when it is. What counts as the same: equal host (in any case) and port, or equal path of
    /// the socket. User, TLS and database make no difference. Two names of one machine are not recognised.
    pub fn ordered(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let urls = urls.into_iter().map(Into::into);
        Self::new(urls.collect(), Arrangement::Ordered)
    }

    /// Redlock: at least three independent servers, more than half of which must grant. The same server twice is refused:
    /// see [`ordered`](Self::ordered).
    pub fn quorum(urls: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let urls = urls.into_iter().map(Into::into);
        Self::new(urls.collect(), Arrangement::Quorum)
    }

    fn new(urls: Vec<String>, arrangement: Arrangement) -> Self {
        Self {
            urls,
            arrangement,
            certificates: Certificates::default(),
            prefix: Vec::new(),
            client_name: None,
            request_timeout: None,
            connect_timeout: None,
            reconnect: None,
            limits: Limits::default(),
            tracking: true,
            prepare: false,
        }
    }

    /// Set in front of every key on the servers. Default: nothing.
    pub fn prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.prefix = prefix.as_ref().to_vec();
        self
    }

    /// Trusts the authorities in this PEM text, and no longer those that are known to the public. May be called again
    /// for more of them.
    pub fn root_certificate_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.certificates.roots.push(pem.as_ref().to_vec());
        self
    }

    /// Shows this certificate to servers that ask for one: PEM texts of its chain and of its private key.
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        self.certificates.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// How long an answer may take before it counts as unknown, and the connection as dead. Default: 1 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// How long a connection and its handshake may take. Default: 3 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The pause before a second try to connect, and the longest to which it may grow. Default: 20 ms, 2 s.
    pub fn reconnect(mut self, min: Duration, max: Duration) -> Self {
        self.reconnect = Some((min, max));
        self
    }

    /// The name that servers show in `CLIENT LIST`. Default: `tenure`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// What may grow, and how far.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether to let the servers tell of changes to keys (client tracking). Default: yes.
    pub fn tracking(mut self, tracking: bool) -> Self {
        self.tracking = tracking;
        self
    }

    /// Whether to load the scripts while connecting, so that the first use costs no extra round trip. Default: no.
    pub fn prepare(mut self, prepare: bool) -> Self {
        self.prepare = prepare;
        self
    }

    /// Reads all URLs and settings without connecting, as connecting does first: for programs that check their
    /// configuration.
    ///
    /// # Errors
    /// What is wrong with them. No password is in it.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.clone().plan().map(drop)
    }

    /// Parses and checks it all.
    pub(crate) fn plan(self) -> Result<Plan, ConnectError> {
        let addresses = self
            .urls
            .iter()
            .map(|url| Address::parse(url))
            .collect::<Result<Vec<_>, _>>()?;
        differ(&addresses)?;
        let nodes = addresses.iter().map(|address| {
            let mut node = address.node.clone();
            node.tracking = self.tracking;
            node.prepare = self.prepare;
            node
        });
        let mut config = Config::new(nodes.collect(), self.arrangement)?;
        config.prefix = self.prefix.into();
        config.limits = self.limits;
        if let Some(name) = self.client_name {
            config.client_name = name.into();
        }
        if let Some(timeout) = self.request_timeout {
            config.request_timeout = timeout;
        }
        if let Some(timeout) = self.connect_timeout {
            config.connect_timeout = timeout;
        }
        if let Some((min, max)) = self.reconnect {
            (config.reconnect_min, config.reconnect_max) = (min, max.max(min));
        }
        let tls = if addresses.iter().any(|address| address.tls) {
            Some(Tls::new(&self.certificates)?)
        } else {
            None
        };
        let targets = addresses.into_iter().map(|address| Target {
            tls: tls.clone().filter(|_| address.tls),
            endpoint: address.endpoint,
        });
        Ok(Plan {
            config,
            targets: targets.collect(),
        })
    }
}

/// Nothing is gained by a server that counts twice, and the promise of a quorum is lost.
fn differ(addresses: &[Address]) -> Result<(), ConnectError> {
    for (index, Address { endpoint, .. }) in addresses.iter().enumerate() {
        let mut earlier = addresses.iter().take(index);
        if earlier.any(|other| other.endpoint.is_same_server(endpoint)) {
            return Err(ConnectError::SameServer {
                address: endpoint.to_string(),
            });
        }
    }
    Ok(())
}

/// Shows no URL, because a URL may hold a password.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers")
            .field("count", &self.urls.len())
            .field("arrangement", &self.arrangement)
            .finish_non_exhaustive()
    }
}

impl From<&str> for Servers {
    fn from(url: &str) -> Self {
        Self::single(url)
    }
}

impl From<String> for Servers {
    fn from(url: String) -> Self {
        Self::single(url)
    }
}

impl From<&String> for Servers {
    fn from(url: &String) -> Self {
        Self::single(url)
    }
}

/// Servers that were parsed and checked.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    /// By node.
    pub(crate) targets: Vec<Target>,
}

/// How one node is reached.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<Tls>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_was_said_arrives() {
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
    fn a_url_does_not_show() {
        let servers = Servers::single("redis://:hunter2@h");
        assert!(!format!("{servers:?}").contains("hunter2"));
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_bad_certificate_is_told() {
        let servers = || Servers::single("rediss://h");
        assert!(servers().plan().is_ok());
        for bad in [
            servers().root_certificate_pem("nothing"),
            servers().root_certificate_pem(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
            servers().client_certificate_pem("", ""),
        ] {
            assert!(matches!(error(bad), ConnectError::Certificate(_)));
        }
    }
}
