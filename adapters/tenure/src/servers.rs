//! The servers to connect to, and how.

use std::fmt;
use std::time::Duration;

use tenure_core::{Acks, Arrangement, Config, Limits};

use crate::address::{Address, Endpoint};
use crate::error::ConnectError;
use crate::link::tls::{Certificates, Tls};
use crate::server::Server;

/// The servers to connect to, and how. Invalid URLs and settings are reported by
/// [`connect`](crate::tokio::connect), or before that by [`check`](Self::check).
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
    servers: Vec<Server>,
    arrangement: Arrangement,
    certificates: Certificates,
    prefix: Vec<u8>,
    client_name: Option<String>,
    request_timeout: Option<Duration>,
    connect_timeout: Option<Duration>,
    reconnect: Option<(Duration, Duration)>,
    acks: Option<Acks>,
    limits: Limits,
    tracking: bool,
    prepare: bool,
}

impl Servers {
    /// One server.
    ///
    /// - `redis://[user[:password]@]host[:port][/database]`; the default port is 6379, the default database 0
    /// - `rediss://…`: the same with TLS
    /// - `redis+unix://[user[:password]@]/path/to/socket[?db=database]`
    ///
    /// `valkey` works in place of `redis`. Percent-encode each character of a user or password that is not a letter, a
    /// digit or one of `-._~`. `?resp=2` skips `HELLO`, for proxies that close the connection when they receive it: then a
    /// loss is found at the next renewal.
    ///
    /// Or a client that you already have: see [`client`](crate::client).
    pub fn single(server: impl Into<Server>) -> Self {
        Self::new(vec![server.into()], Arrangement::Ordered)
    }

    /// Several independent servers, all of which must grant, asked in this order.
    ///
    /// The same server twice is refused with [`ConnectError::SameServer`], here and in a [quorum](Self::quorum), because
    /// one failure would remove both votes. Servers are the same if host (ignoring case) and port are equal, or the path of
    /// the socket. User, TLS and database make no difference. Two names of one machine are not recognised.
    ///
    /// ```
    /// use tenure::{ConnectError, Servers};
    ///
    /// let both = Servers::ordered(["redis://a", "redis://b"]);
    /// assert!(both.check().is_ok());
    /// let twice = Servers::ordered(["redis://a", "redis://A:6379/1"]);
    /// assert!(matches!(twice.check(), Err(ConnectError::SameServer { .. })));
    /// ```
    pub fn ordered(servers: impl IntoIterator<Item = impl Into<Server>>) -> Self {
        let servers = servers.into_iter().map(Into::into);
        Self::new(servers.collect(), Arrangement::Ordered)
    }

    /// Redlock: 3 to 31 independent servers, more than half of which must grant. An odd number is best. The same server
    /// twice is refused: see [`ordered`](Self::ordered).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenure::Servers;
    ///
    /// let servers = Servers::quorum(["redis://a", "redis://b", "redis://c"])
    ///     .request_timeout(Duration::from_millis(500));
    /// assert!(servers.check().is_ok());
    /// ```
    pub fn quorum(servers: impl IntoIterator<Item = impl Into<Server>>) -> Self {
        let servers = servers.into_iter().map(Into::into);
        Self::new(servers.collect(), Arrangement::Quorum)
    }

    fn new(servers: Vec<Server>, arrangement: Arrangement) -> Self {
        Self {
            servers,
            arrangement,
            certificates: Certificates::default(),
            prefix: Vec::new(),
            client_name: None,
            request_timeout: None,
            connect_timeout: None,
            reconnect: None,
            acks: None,
            limits: Limits::default(),
            tracking: true,
            prepare: false,
        }
    }

    /// A prefix for every key on the servers. Default: none.
    pub fn prefix(mut self, prefix: impl AsRef<[u8]>) -> Self {
        self.prefix = prefix.as_ref().to_vec();
        self
    }

    /// Trusts the certificate authorities in this PEM text, instead of those that Mozilla trusts. Call it again to add
    /// more. Default: those that Mozilla trusts.
    pub fn root_certificate_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.certificates.roots.push(pem.as_ref().to_vec());
        self
    }

    /// The certificate for servers that require one from their clients: PEM texts of the chain and of its private key.
    /// Default: none.
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        self.certificates.identity = Some((chain.as_ref().to_vec(), key.as_ref().to_vec()));
        self
    }

    /// The request timeout: how long a reply may take before the outcome counts as unknown, and the connection as dead.
    /// Default: 1 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// The longest time for a connection and its handshake. Default: 3 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = Some(timeout);
        self
    }

    /// The first and the longest pause between attempts to connect. Pauses double, and the upper half of each is random.
    /// Values below 1 ms count as 1 ms. Default: 20 ms and 2 s.
    pub fn reconnect(mut self, min: Duration, max: Duration) -> Self {
        self.reconnect = Some((min, max));
        self
    }

    /// The name that servers show in `CLIENT LIST`. Default: `tenure`.
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = Some(name.into());
        self
    }

    /// Whom each grant must have reached besides its server, so that a failover does not lose it. Default: nobody, and
    /// then nothing is sent for it.
    ///
    /// A lock that reaches too few within the time is not obtained, and requested again as long as the request waits. Then it is
    /// given back, and the request fails with [`NodeError::NoReplicas`](crate::NodeError::NoReplicas). A refresh that does extends no lease. Locks with a
    /// [token](crate::Obtaining::token) of their own are refused. While a server waits for its replicas, it does nothing else
    /// for this connection.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use std::time::Duration;
    /// use tenure::{Acks, Servers};
    ///
    /// let one = NonZeroU32::MIN;
    /// let servers = Servers::single("redis://127.0.0.1")
    ///     .acks(Acks::received(one).within(Duration::from_millis(100)));
    /// assert!(servers.check().is_ok());
    /// ```
    ///
    /// # Errors
    /// [`ConnectError::AcksOverClient`] with a [client](crate::client) that you already have: it may use several
    /// connections, and each of them waits only for what it has sent itself. Servers without `WAIT` or `WAITAOF` cannot be
    /// connected to: [`NodeError::NoAcks`](crate::NodeError::NoAcks).
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = Some(acks);
        self
    }

    /// Upper bounds on memory. Default: [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether servers should report changes of keys (client tracking). Default: yes. Without it, waiters retry after
    /// pauses, and a loss is found at the next renewal.
    pub fn tracking(mut self, tracking: bool) -> Self {
        self.tracking = tracking;
        self
    }

    /// Whether to load the scripts while connecting, so that the first use costs no extra round trip. Default: no.
    pub fn prepare(mut self, prepare: bool) -> Self {
        self.prepare = prepare;
        self
    }

    /// Validates all URLs and settings without connecting, for programs that check their configuration.
    ///
    /// ```
    /// use tenure::{ConnectError, Servers};
    ///
    /// let servers = Servers::quorum(["redis://a", "redis://b"]);
    /// assert_eq!(servers.check(), Err(ConnectError::TooFewForQuorum));
    /// ```
    ///
    /// # Errors
    /// The same [`ConnectError`] as connecting, without a password in it.
    pub fn check(&self) -> Result<(), ConnectError> {
        self.clone().plan().map(drop)
    }

    /// Parses and validates everything.
    pub(crate) fn plan(self) -> Result<Plan, ConnectError> {
        let addresses = self
            .servers
            .into_iter()
            .map(Server::address)
            .collect::<Result<Vec<_>, _>>()?;
        differ(&addresses)?;
        if self.acks.is_some() && addresses.iter().any(|address| address.node.lent) {
            return Err(ConnectError::AcksOverClient);
        }
        let nodes = addresses.iter().map(|address| {
            let mut node = address.node.clone();
            node.tracking &= self.tracking;
            node.prepare = self.prepare;
            node
        });
        let mut config = Config::new(nodes.collect(), self.arrangement)?;
        config.prefix = self.prefix.into();
        config.acks = self.acks;
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

/// With a server that counts twice, one failure removes two votes.
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
            .field("count", &self.servers.len())
            .field("arrangement", &self.arrangement)
            .finish_non_exhaustive()
    }
}

impl<T: Into<Server>> From<T> for Servers {
    fn from(server: T) -> Self {
        Self::single(server)
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
mod tests;
