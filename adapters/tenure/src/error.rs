//! The errors of this crate. None of them contains a password, token or metadata.

use std::error::Error;
use std::fmt;

use tenure_core::{ClaimError, ConfigError, Key, Loss, NodeError, NotObtained};

/// Why connecting failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no URL, or it is empty.
    NoAddress,
    /// Fewer than three URLs for a quorum.
    TooFewForQuorum,
    /// More than [`MAX_NODES`](crate::MAX_NODES) URLs.
    TooMany,
    /// Two URLs of a quorum or an ordered list lead to the same server, which would count twice.
    SameServer {
        /// Host and port, or the path of the Unix socket.
        address: String,
    },
    /// A URL is invalid.
    Url {
        /// The invalid part.
        part: UrlPart,
        /// The URL, without its password.
        url: String,
        /// Why that part is invalid.
        reason: String,
    },
    /// Grants cannot wait for replicas over a client that the program already has.
    AcksOverClient,
    /// A certificate or private key cannot be used. The text says why.
    Certificate(String),
    /// Too few servers are ready.
    Unreachable(Unreachable),
    /// The operating system returned no random bytes.
    NoRandomness,
    /// The locker was closed while it connected.
    Closed,
}

/// The servers that could not be used, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unreachable {
    /// How many servers must be ready.
    pub needed: usize,
    /// How many are ready.
    pub ready: usize,
    /// Address and error of each server that failed.
    pub failures: Vec<(String, String)>,
    /// The cause of each of them, in the same order, for advice that fits.
    pub causes: Vec<Cause>,
}

/// Why a node could not be used.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// No server listens there: the connection was refused, or there is no such Unix socket.
    NoServer,
    /// Anything else.
    Node(NodeError),
}

/// A part of a URL.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum UrlPart {
    /// The part before `://`.
    Scheme,
    /// The user's name.
    User,
    /// The user's password.
    Password,
    /// The name or address of the server.
    Host,
    /// The port of the server.
    Port,
    /// The path of the Unix socket.
    Path,
    /// The number of the database.
    Database,
    /// The part after `?`.
    Query,
    /// The part after `#`.
    Fragment,
}

impl fmt::Display for UrlPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "scheme",
            Self::User => "user",
            Self::Password => "password",
            Self::Host => "host",
            Self::Port => "port",
            Self::Path => "path of the socket",
            Self::Database => "database",
            Self::Query => "query",
            Self::Fragment => "fragment",
        })
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => {
                f.write_str("no server address: give a URL such as redis://127.0.0.1:6379")
            }
            Self::TooFewForQuorum => f.write_str(
                "a quorum needs at least three independent servers: add URLs, or use one server or an ordered list",
            ),
            Self::TooMany => write!(
                f,
                "one locker uses at most {} servers: take some out",
                tenure_core::MAX_NODES
            ),
            Self::SameServer { address } => write!(
                f,
                "{address} is listed twice: several servers must be independent, and databases of one server are not; take one out"
            ),
            Self::Url { part, url, reason } => write!(f, "the {part} of {url:?} {reason}"),
            Self::AcksOverClient => f.write_str(
                "an existing client may use several connections, which do not wait for each other: give a URL, or leave out acks",
            ),
            Self::Certificate(reason) => write!(f, "cannot use the certificate: {reason}"),
            Self::Unreachable(nodes) => nodes.fmt(f),
            Self::NoRandomness => f.write_str("the operating system has no random bytes"),
            Self::Closed => f.write_str("the locker was closed before it was connected"),
        }
    }
}

impl Error for ConnectError {}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, ready, .. } = self;
        if *needed == 1 {
            f.write_str("cannot connect")?;
        } else {
            write!(f, "only {ready} of the {needed} needed servers can be used")?;
        }
        for (index, (address, error)) in self.failures.iter().enumerate() {
            let separator = if index == 0 { ": " } else { "; " };
            write!(f, "{separator}{address}: {error}")?;
        }
        Ok(())
    }
}

/// The error of a server that kept a lock from being obtained.
pub(crate) const fn fault_of(reason: NotObtained) -> Option<NodeError> {
    if let NotObtained::Unreachable(error) | NotObtained::Refused(error) = reason {
        Some(error)
    } else {
        None
    }
}

/// The error of a server that cost a lock.
pub(crate) const fn fault_of_loss(reason: Loss) -> Option<NodeError> {
    if let Loss::Expired { error: Some(error) } | Loss::Refused(error) = reason {
        Some(error)
    } else {
        None
    }
}

/// What a server said itself, behind a message.
pub(crate) struct Detail<'a>(pub(crate) Option<&'a str>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

impl From<ConfigError> for ConnectError {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::TooManyNodes => Self::TooMany,
            ConfigError::TooFewForQuorum => Self::TooFewForQuorum,
            ConfigError::NoNode | _ => Self::NoAddress,
        }
    }
}

/// Why a lock was not obtained.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ObtainError {
    /// The request is invalid: a key, the token, the metadata or the ttl is out of range. Nothing was sent.
    Claim(ClaimError),
    /// The keys are in different slots of the cluster behind a lent client: these two of them, for example. Nothing was sent.
    DifferentSlots(Box<[Key; 2]>),
    /// The request ended without the lock, for this reason. For a server error that Tenure does not know
    /// ([`NodeError::Other`]), the text is what the server sent: up to 128 bytes, escaped, never an argument.
    NotObtained(NotObtained, Option<Box<str>>),
    /// The operating system returned no random bytes for a token. Nothing was sent.
    NoRandomness,
    /// The locker is closed, or its runtime has ended.
    Closed,
}

impl fmt::Display for ObtainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(error) => error.fmt(f),
            Self::DifferentSlots(keys) => {
                let [one, other] = &**keys;
                write!(
                    f,
                    "{one:?} and {other:?} are in different slots of the cluster: give all keys of a lock the same {{tag}}"
                )
            }
            Self::NotObtained(reason, detail) => {
                write!(f, "not obtained: {reason}{}", Detail(detail.as_deref()))
            }
            Self::NoRandomness => f.write_str("the operating system has no random bytes"),
            Self::Closed => f.write_str("the locker is closed"),
        }
    }
}

// The message contains the reason: as a source it would be printed twice.
impl Error for ObtainError {}

impl From<ClaimError> for ObtainError {
    fn from(error: ClaimError) -> Self {
        Self::Claim(error)
    }
}

/// Why a lock was not refreshed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RefreshError {
    /// The ttl is out of range. The lock is unchanged.
    Ttl(ClaimError),
    /// The lock is no longer held.
    Lost(Loss),
}

impl fmt::Display for RefreshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ttl(error) => error.fmt(f),
            Self::Lost(loss) => write!(f, "lost: {loss}"),
        }
    }
}

// The message contains the reason: as a source it would be printed twice.
impl Error for RefreshError {}

/// Why an inspection failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum InspectError {
    /// A key is empty or too long. Nothing was sent.
    Claim(ClaimError),
    /// Too few servers replied, or their replies differ. The text is that of a server error that Tenure does not know: see
    /// [`ObtainError::NotObtained`].
    Node(NodeError, Option<Box<str>>),
    /// The locker is closed, or its runtime has ended.
    Closed,
}

impl fmt::Display for InspectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(error) => error.fmt(f),
            Self::Node(error, detail) => {
                let detail = Detail(detail.as_deref());
                write!(f, "too few servers replied: {error}{detail}")
            }
            Self::Closed => f.write_str("the locker is closed"),
        }
    }
}

// The message contains the reason: as a source it would be printed twice.
impl Error for InspectError {}

/// Why [`Obtaining::with`](crate::Obtaining::with) did not return what the work returned.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WithError {
    /// The lock was not obtained. The work has not begun.
    Obtain(ObtainError),
    /// The lock was lost before the work had ended. The work may have run without the lock for a moment.
    Lost(Loss),
}

impl fmt::Display for WithError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Obtain(error) => error.fmt(f),
            Self::Lost(_) => f.write_str("the lock was lost during the work"),
        }
    }
}

impl Error for WithError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Obtain(_) => None,
            Self::Lost(loss) => Some(loss),
        }
    }
}

/// Why [`Lock::verify`](crate::Lock::verify) does not confirm that the lock is held.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VerifyError {
    /// The lock is no longer held.
    Lost(Loss),
    /// Too few servers replied. The lock may still be held: [`Lock::is_held`](crate::Lock::is_held) says so by the clock.
    Inspect(InspectError),
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(_) => f.write_str("the lock is no longer held"),
            Self::Inspect(_) => f.write_str("the lock could not be verified"),
        }
    }
}

impl Error for VerifyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Lost(loss) => Some(loss),
            Self::Inspect(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ChangeError, ModeError, NotChanged};

    #[test]
    fn a_chain_prints_each_thing_once() {
        let busy = NodeError::Busy;
        let refused = ObtainError::NotObtained(NotObtained::Refused(busy), None);
        let unanswered = InspectError::Node(busy, None);
        let errors: [Box<dyn Error>; 12] = [
            Box::new(ObtainError::Claim(ClaimError::NoKey)),
            Box::new(refused.clone()),
            Box::new(RefreshError::Ttl(ClaimError::TtlTooLong)),
            Box::new(RefreshError::Lost(Loss::Refused(busy))),
            Box::new(ModeError::Refused(ChangeError::NotHeld)),
            Box::new(ModeError::NotChanged(NotChanged::Failed(busy))),
            Box::new(ModeError::Lost(Loss::Taken)),
            Box::new(unanswered.clone()),
            Box::new(WithError::Obtain(refused)),
            Box::new(WithError::Lost(Loss::Taken)),
            Box::new(VerifyError::Lost(Loss::Taken)),
            Box::new(VerifyError::Inspect(unanswered)),
        ];
        for error in errors {
            let chain = std::iter::successors(Some(&*error), |error| (*error).source());
            let texts: Vec<String> = chain.map(ToString::to_string).collect();
            for (place, text) in texts.iter().enumerate() {
                let others = texts
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != place);
                assert!(
                    others.into_iter().all(|(_, other)| !other.contains(text)),
                    "{texts:?}"
                );
            }
        }
    }
}
