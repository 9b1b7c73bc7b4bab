//! One server.

use std::borrow::Cow;
use std::fmt;

use crate::address::Address;
use crate::client::lent::Lent;
use crate::error::ConnectError;

/// One server: a URL, or a client that you already have. URLs become one by themselves, in [`Servers`](crate::Servers) and in
/// [`connect`](crate::tokio::connect); for clients see [`client`](crate::client).
///
/// ```
/// use tenure::Server;
///
/// let server: Server = "redis://127.0.0.1:6379".into();
/// ```
#[derive(Clone)]
pub struct Server(Kind);

#[derive(Clone)]
enum Kind {
    Url(String),
    Lent(Lent),
}

impl Server {
    pub(crate) fn address(self) -> Result<Address, ConnectError> {
        match self.0 {
            Kind::Url(url) => Address::parse(&url),
            Kind::Lent(client) => Ok(Address::lent(client)),
        }
    }
}

/// Shows no URL, because a URL may hold a password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Url(_) => f.debug_struct("Server").finish_non_exhaustive(),
            Kind::Lent(client) => write!(f, "Server({client})"),
        }
    }
}

impl From<String> for Server {
    fn from(url: String) -> Self {
        Self(Kind::Url(url))
    }
}

impl From<&String> for Server {
    fn from(url: &String) -> Self {
        url.clone().into()
    }
}

impl From<&str> for Server {
    fn from(url: &str) -> Self {
        url.to_owned().into()
    }
}

impl From<Cow<'_, str>> for Server {
    fn from(url: Cow<'_, str>) -> Self {
        url.into_owned().into()
    }
}

impl From<Lent> for Server {
    fn from(client: Lent) -> Self {
        Self(Kind::Lent(client))
    }
}
