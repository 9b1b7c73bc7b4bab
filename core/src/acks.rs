//! Whom a grant must have reached besides its server.

use core::num::NonZeroU32;
use core::time::Duration;

use crate::ttl::Ttl;

/// Whom a grant must have reached besides its server, so that a failover does not lose it. Until then a lock is not
/// reported as obtained or refreshed, and a request whose grants reach too few gives the keys back at its end. The lease counts from the request
/// as always, so this time comes out of it.
///
/// A failover to a replica that has the grant keeps the lock. Sentinel and clusters prefer the replica that is furthest
/// ahead, but promise nothing. So only a number that includes every replica is certain, and then a replica that is down stops
/// all grants. This is no substitute for a [fence](crate::Obtain::fence).
///
/// ```
/// use core::{num::NonZeroU32, time::Duration};
/// use tenure_core::{Acks, Config, NodeConfig};
///
/// let mut config = Config::single(NodeConfig::default());
/// let two = NonZeroU32::new(2).expect("not zero");
/// config.acks = Some(Acks::received(two).within(Duration::from_millis(50)));
/// ```
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct Acks {
    replicas: u32,
    persisted: bool,
    within: Duration,
}

impl Acks {
    /// That many replicas have received it (`WAIT`).
    #[must_use]
    pub const fn received(replicas: NonZeroU32) -> Self {
        Self {
            replicas: replicas.get(),
            persisted: false,
            within: Duration::MAX,
        }
    }

    /// The server and that many replicas have written it to their append-only files on disk (`WAITAOF`, Redis 7.2 and Valkey). A
    /// server without such a file refuses: [`crate::NodeError::NoAcks`].
    #[must_use]
    pub const fn persisted(replicas: u32) -> Self {
        Self {
            replicas,
            persisted: true,
            within: Duration::MAX,
        }
    }

    /// How long that may take. A connection does nothing else meanwhile. It is at most a quarter of the
    /// [request timeout](crate::Config::request_timeout) and of the ttl, which is the default, and at least 1 ms.
    #[must_use]
    pub const fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    pub(crate) const fn replicas(self) -> u32 {
        self.replicas
    }

    pub(crate) const fn is_persisted(self) -> bool {
        self.persisted
    }

    /// The same from no replica.
    pub(crate) const fn of_none(self) -> Self {
        Self {
            replicas: 0,
            ..self
        }
    }

    /// How long a server may take, in milliseconds, after requests the shortest of which is for `ttl`. Never 0, for which a
    /// server would wait forever.
    pub(crate) fn millis(self, request_timeout: Duration, ttl: Ttl) -> u64 {
        let most = (request_timeout / 4).min(ttl.as_duration() / 4);
        let millis = self.within.min(most).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_a_quarter_of_the_others_at_most_and_never_zero() {
        let acks = Acks::persisted(0);
        let second = Duration::from_secs(1);
        let ttl = |millis| Ttl::new(Duration::from_millis(millis)).expect("in range");
        assert_eq!(acks.millis(second, ttl(30_000)), 250);
        assert_eq!(acks.millis(second, ttl(100)), 25);
        assert_eq!(acks.millis(second, ttl(3)), 1);
        assert_eq!(acks.millis(Duration::ZERO, ttl(30_000)), 1);
        let within = |millis| acks.within(Duration::from_millis(millis));
        assert_eq!(within(250).millis(second, ttl(30_000)), 250);
        assert_eq!(within(251).millis(second, ttl(30_000)), 250);
        assert_eq!(within(0).millis(second, ttl(30_000)), 1);
    }
}
