//! How an engine is set up: nodes, arrangement, times and limits.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::id::MAX_NODES;

/// How an engine is set up. Make one with [`Config::new`], then change what should differ.
#[derive(Clone, Debug)]
pub struct Config {
    nodes: Vec<NodeConfig>,
    arrangement: Arrangement,
    /// The request timeout: how long a reply may take before the outcome counts as unknown, and the connection as dead.
    /// Default: 1 s.
    pub request_timeout: Duration,
    /// How long a connection and its handshake may take. Default: 3 s.
    pub connect_timeout: Duration,
    /// The pause before the second attempt to connect. It doubles up to [`Config::reconnect_max`], and starts again once a
    /// connection has answered a request or has lasted for longer than that. The upper half of each pause is random.
    /// Values below 1 ms count as 1 ms. Default: 20 ms.
    pub reconnect_min: Duration,
    /// The longest pause between two attempts to connect. Default: 2 s.
    pub reconnect_max: Duration,
    /// How long this engine keeps a key going from one of its locks to the next while others want it, too. Then it leaves
    /// the key alone for a millisecond or nine round trips, whichever is longer. Where nobody else was seen for a second,
    /// it does so every 250 ms. [`Duration::MAX`]: never. Default: 3 ms.
    pub turn: Duration,
    /// How long a connection may be silent, while there is any lock or inspection, before it is probed with a `PING`: no
    /// notification would arrive over a connection that died without a reset. The reply must come within
    /// [`Config::request_timeout`]. Values below 100 ms count as 100 ms; `None` turns probes off. Clients that are lent are
    /// not probed. Default: 5 s.
    pub idle_probe: Option<Duration>,
    /// Set in front of every key on the wire, and taken off again. Default: empty.
    pub prefix: Box<[u8]>,
    /// The name that nodes show in `CLIENT LIST`. Default: `tenure`.
    pub client_name: Box<str>,
    /// Whom a grant must have reached besides its server. Default: nobody, and then nothing is sent for it.
    ///
    /// A client that is [lent](NodeConfig::lent) must send all commands over one connection, in order.
    #[cfg(feature = "acks")]
    pub acks: Option<crate::Acks>,
    /// Upper bounds on memory.
    pub limits: Limits,
}

impl Config {
    /// One node, or several in an arrangement.
    ///
    /// # Errors
    /// [`ConfigError`] if the number of nodes does not fit.
    pub fn new(nodes: Vec<NodeConfig>, arrangement: Arrangement) -> Result<Self, ConfigError> {
        match nodes.len() {
            0 => return Err(ConfigError::NoNode),
            n if n > MAX_NODES => return Err(ConfigError::TooManyNodes),
            n if n < 3 && arrangement == Arrangement::Quorum => {
                return Err(ConfigError::TooFewForQuorum);
            }
            _ => {}
        }
        Ok(Self::with(nodes, arrangement))
    }

    /// One node with nothing special about it.
    #[must_use]
    pub fn single(node: NodeConfig) -> Self {
        Self::with(alloc::vec![node], Arrangement::Ordered)
    }

    fn with(nodes: Vec<NodeConfig>, arrangement: Arrangement) -> Self {
        Self {
            nodes,
            arrangement,
            request_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(3),
            reconnect_min: Duration::from_millis(20),
            reconnect_max: Duration::from_secs(2),
            turn: Duration::from_millis(3),
            idle_probe: Some(Duration::from_secs(5)),
            prefix: Box::default(),
            client_name: "tenure".into(),
            #[cfg(feature = "acks")]
            acks: None,
            limits: Limits::default(),
        }
    }

    /// The nodes, by [`crate::NodeId`].
    #[must_use]
    pub fn nodes(&self) -> &[NodeConfig] {
        &self.nodes
    }

    /// What the nodes are to each other.
    #[must_use]
    pub const fn arrangement(&self) -> Arrangement {
        self.arrangement
    }

    /// Whether grants wait for replicas.
    pub(crate) const fn has_acks(&self) -> bool {
        #[cfg(feature = "acks")]
        return self.acks.is_some();
        #[cfg(not(feature = "acks"))]
        false
    }

    /// How many nodes must grant.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.arrangement.quorum(self.nodes.len())
    }
}

/// What several nodes are to each other. One node is 1 of 1 either way.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Arrangement {
    /// All of them, with requests one after the other in the order given and releases in reverse.
    Ordered,
    /// Redlock: more than half of them, at least three, with requests at the same time.
    Quorum,
}

impl Arrangement {
    /// How many of `nodes` must grant.
    #[must_use]
    pub const fn quorum(self, nodes: usize) -> usize {
        match self {
            Self::Ordered => nodes,
            Self::Quorum => (nodes / 2).saturating_add(1),
        }
    }
}

/// How one node is spoken to.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The ACL user; `None` for the default user.
    pub username: Option<Box<str>>,
    /// Its password; `None` if the node wants none.
    pub password: Option<Secret>,
    /// The number of the database. Default: 0.
    pub database: u32,
    /// Whether the node should report changes of keys (RESP3 client tracking). A client that is [lent](Self::lent) must pass
    /// those reports on to the driver; turn this off if it does not. Default: yes.
    pub tracking: bool,
    /// Whether to load the scripts while connecting, so that the first use of one costs no extra round trip.
    /// Default: no.
    pub prepare: bool,
    /// Whether to speak RESP2 from the start, for a server or proxy that closes the connection at `HELLO`. That command is
    /// not sent then, and changes are not reported. A server that refuses `HELLO` with an error needs no such hint.
    /// Default: no.
    pub resp2: bool,
    /// Whether an existing client carries the commands, one by one. It has a connection, a user and a database already. The
    /// engine then sends no handshake, except to find out what the server can do, and to turn [tracking](Self::tracking) on.
    /// The driver takes each command out of [`crate::Output::Transmit`] and returns the replies in the same order, as RESP.
    /// Reports of changed keys are passed in among them, as `invalidate` push messages. One must not be passed in before the
    /// replies that the server sent before it, because a report counts as older than all replies after it. A client that
    /// stands for several servers may lose one request alone: empty arrays as its replies say so.
    /// Default: no.
    pub lent: bool,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            username: None,
            password: None,
            database: 0,
            tracking: true,
            prepare: false,
            resp2: false,
            lent: false,
        }
    }
}

/// Bytes that never show in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Wraps the bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, to be sent and not to be shown.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Upper bounds on memory. Beyond a limit there is a typed error, and nothing is lost.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Locks and inspections at one time: [`crate::NotObtained::LimitReached`]. Default: 65,536.
    pub locks: usize,
    /// Bytes of one answer: [`crate::NodeError::AnswerTooLarge`]. Default: 1 MiB.
    pub answer_bytes: usize,
    /// Requests that wait for the answer of one node: [`crate::NodeError::Overloaded`]. Releases are sent to a connected node
    /// in any case, one for each lock. Default: 65,536.
    pub pending_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            locks: 65_536,
            answer_bytes: 1 << 20,
            pending_requests: 65_536,
        }
    }
}

/// Why a configuration does not fit.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// No node at all.
    NoNode,
    /// More than [`MAX_NODES`] nodes.
    TooManyNodes,
    /// A quorum of fewer than three nodes survives no failure.
    TooFewForQuorum,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNode => f.write_str("at least one node is needed"),
            Self::TooManyNodes => write!(f, "at most {MAX_NODES} nodes are possible"),
            Self::TooFewForQuorum => f.write_str("a quorum needs at least three nodes"),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nodes_is_checked_at_its_limits() {
        let config = |n, arrangement| {
            Config::new(alloc::vec![NodeConfig::default(); n], arrangement).map(|c| c.quorum())
        };
        assert_eq!(config(0, Arrangement::Ordered), Err(ConfigError::NoNode));
        assert_eq!(config(1, Arrangement::Ordered), Ok(1));
        assert_eq!(config(MAX_NODES, Arrangement::Ordered), Ok(MAX_NODES));
        assert_eq!(
            config(MAX_NODES + 1, Arrangement::Quorum),
            Err(ConfigError::TooManyNodes)
        );
        assert_eq!(
            config(2, Arrangement::Quorum),
            Err(ConfigError::TooFewForQuorum)
        );
        assert_eq!(config(3, Arrangement::Quorum), Ok(2));
        assert_eq!(config(4, Arrangement::Quorum), Ok(3));
        assert_eq!(config(5, Arrangement::Quorum), Ok(3));
    }

    #[test]
    fn a_password_does_not_show() {
        let node = NodeConfig {
            password: Some(Secret::new(*b"hunter2")),
            ..NodeConfig::default()
        };
        assert!(!alloc::format!("{:?}", Config::single(node)).contains("hunter2"));
    }
}
