//! URLs of servers.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tenure_core::{NodeConfig, Secret};
use url::{Host, ParseError, Url};

use crate::client::lent::Lent;
use crate::embedded::Embedded;
use crate::error::{ConnectError, UrlPart};

const DEFAULT_PORT: u16 = 6379;

/// Where a node is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    /// A name or an address without brackets, and a port.
    Tcp { host: String, port: u16 },
    /// A Unix socket.
    Unix(PathBuf),
    /// A server within the process.
    Memory(Embedded),
    /// A client that carries out commands.
    Lent(Lent),
}

impl Endpoint {
    /// Whether both lead to the same server, as far as it can be seen without looking names up.
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Tcp { host, port },
                Self::Tcp {
                    host: other_host,
                    port: other_port,
                },
            ) => port == other_port && host.eq_ignore_ascii_case(other_host),
            _ => self == other,
        }
    }
}

/// Shown in errors and logs.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
            Self::Memory(_) => f.write_str("memory"),
            Self::Lent(client) => client.fmt(f),
        }
    }
}

/// What a URL says.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: bool,
    pub(crate) node: NodeConfig,
}

impl Address {
    /// A client has a connection, a user and a database already.
    pub(crate) fn lent(client: Lent) -> Self {
        Self {
            tls: false,
            node: NodeConfig {
                lent: true,
                tracking: client.reports(),
                ..NodeConfig::default()
            },
            endpoint: Endpoint::Lent(client),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ConnectError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ConnectError::NoAddress);
        }
        parse(text).map_err(|Problem(part, reason)| ConnectError::Url {
            part,
            url: without_secrets(text),
            reason,
        })
    }
}

struct Problem(UrlPart, String);

fn problem<T>(part: UrlPart, reason: impl Into<String>) -> Result<T, Problem> {
    Err(Problem(part, reason.into()))
}

fn parse(text: &str) -> Result<Address, Problem> {
    let url = Url::parse(&with_host(text)).map_err(|error| {
        if error == ParseError::RelativeUrlWithoutBase {
            return Problem(UrlPart::Scheme, SCHEMES.into());
        }
        // All others are about the host.
        let part = if error == ParseError::InvalidPort {
            UrlPart::Port
        } else {
            UrlPart::Host
        };
        Problem(part, format!("cannot be read: {error}"))
    })?;
    let (tls, unix) = match url.scheme() {
        "redis" | "valkey" => (false, false),
        "rediss" | "valkeys" => (true, false),
        "redis+unix" | "valkey+unix" | "unix" => (false, true),
        _ => return problem(UrlPart::Scheme, SCHEMES),
    };
    if tls && !cfg!(feature = "tls") {
        return problem(UrlPart::Scheme, "needs the feature `tls` of the crate");
    }
    if url.fragment().is_some() {
        return problem(
            UrlPart::Fragment,
            "means nothing here; write # as %23 in a password",
        );
    }
    let (mut database, mut resp2) = (None, None);
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("db", number) if database.is_none() => database = Some(self::number(number)?),
            ("resp", "2") if resp2.is_none() => resp2 = Some(true),
            ("resp", "3") if resp2.is_none() => resp2 = Some(false),
            _ => return problem(UrlPart::Query, "may only be ?db=N and ?resp=2, once each"),
        }
    }
    let endpoint = if unix {
        unix_endpoint(&url)?
    } else {
        let in_path = url.path().trim_start_matches('/');
        if !in_path.is_empty() {
            if database.is_some() {
                return problem(UrlPart::Database, "is given twice");
            }
            database = Some(number(in_path)?);
        }
        tcp_endpoint(&url)?
    };
    let (username, password) = credentials(&url)?;
    Ok(Address {
        endpoint,
        tls,
        node: NodeConfig {
            username,
            password,
            database: database.unwrap_or_default(),
            resp2: resp2.unwrap_or_default(),
            ..NodeConfig::default()
        },
    })
}

/// The URL of a socket has no host, which URLs with a user must have.
fn with_host(text: &str) -> Cow<'_, str> {
    if let Some((scheme, rest)) = text.split_once("unix://")
        && let Some((user, path)) = rest.split_once("@/")
        && !user.contains('/')
    {
        return format!("{scheme}unix://{user}@localhost/{path}").into();
    }
    text.into()
}

const SCHEMES: &str = "must be redis://, rediss:// (with TLS) or redis+unix://";

fn number(text: &str) -> Result<u32, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => problem(UrlPart::Database, "must be a number"),
    }
}

fn tcp_endpoint(url: &Url) -> Result<Endpoint, Problem> {
    let host = match url.host() {
        None | Some(Host::Domain("")) => return problem(UrlPart::Host, "is missing"),
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Domain(name)) => decoded(name, UrlPart::Host)?,
    };
    if host.contains([':', '/', ' ', ',']) && !matches!(url.host(), Some(Host::Ipv6(_))) {
        return problem(UrlPart::Host, "must be one name or address");
    }
    match url.port() {
        Some(0) => problem(UrlPart::Port, "must not be 0"),
        port => Ok(Endpoint::Tcp {
            host,
            port: port.unwrap_or(DEFAULT_PORT),
        }),
    }
}

fn unix_endpoint(url: &Url) -> Result<Endpoint, Problem> {
    if !matches!(url.host_str(), None | Some("" | "localhost")) {
        return problem(
            UrlPart::Host,
            "must be empty: write redis+unix:///path/to/socket",
        );
    }
    let path: Vec<u8> = percent_decode_str(url.path()).collect();
    if path.len() < 2 || path.first() != Some(&b'/') {
        return problem(
            UrlPart::Path,
            "must be absolute: redis+unix:///path/to/socket",
        );
    }
    if !cfg!(unix) {
        return problem(UrlPart::Scheme, "needs a system with Unix sockets");
    }
    match path_from(path) {
        Some(path) => Ok(Endpoint::Unix(path)),
        None => problem(UrlPart::Path, "must be UTF-8"),
    }
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    Some(std::ffi::OsString::from_vec(bytes).into())
}

#[cfg(not(unix))]
fn path_from(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

type Credentials = (Option<Box<str>>, Option<Secret>);

fn credentials(url: &Url) -> Result<Credentials, Problem> {
    let username = decoded(url.username(), UrlPart::User)?;
    let password: Option<Vec<u8>> = url
        .password()
        .map(|password| percent_decode_str(password).collect());
    let password = match (username.as_str(), password) {
        ("", password) => password.filter(|password| !password.is_empty()),
        // A user without a password still has to be named to the server, which wants some password with the name.
        (_, password) => Some(password.unwrap_or_default()),
    };
    let username = (!username.is_empty()).then(|| username.into());
    Ok((username, password.map(Secret::new)))
}

fn decoded(text: &str, part: UrlPart) -> Result<String, Problem> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => problem(part, "must be UTF-8"),
    }
}

/// The URL for an error message, whether it can be read or not: nothing between `://` and the last `@`, and no query.
fn without_secrets(text: &str) -> String {
    // What stands before a `://` further on may hold a password, too.
    let is_scheme = |scheme: &str| {
        let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        scheme.bytes().all(of_scheme)
    };
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
        Some(_) | None => (String::new(), text),
    };
    // A password that was not encoded may hold `?`, `#` or `/`: look for the `@` first.
    let rest = match rest.rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => rest.to_owned(),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    format!("{scheme}{}", &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where, with TLS or not, user and password (`-` for none), database.
    fn read(url: &str) -> String {
        let Address {
            endpoint,
            tls,
            node,
        } = Address::parse(url).expect(url);
        let user = node.username.as_deref().unwrap_or("-");
        let password = node.password.as_ref().map_or(&b"-"[..], Secret::expose);
        let password = password.escape_ascii();
        let tls = if tls { " tls" } else { "" };
        let resp2 = if node.resp2 { " resp2" } else { "" };
        format!("{endpoint}{tls} {user}:{password} {}{resp2}", node.database)
    }

    #[test]
    fn a_url_names_the_address_and_the_protocol() {
        for (url, expected) in [
            ("redis://localhost", "localhost:6379 -:- 0"),
            ("  redis://localhost/\n", "localhost:6379 -:- 0"),
            ("redis://10.0.0.1:7000/3", "10.0.0.1:7000 -:- 3"),
            ("redis://[::1]:7000?db=4", "[::1]:7000 -:- 4"),
            ("valkey://cache.internal", "cache.internal:6379 -:- 0"),
            ("rediss://h", "h:6379 tls -:- 0"),
            ("valkeys://h", "h:6379 tls -:- 0"),
            ("redis://:pw@h", "h:6379 -:pw 0"),
            ("redis://me:pw@h", "h:6379 me:pw 0"),
            ("redis://me@h", "h:6379 me: 0"),
            ("redis://me:@h", "h:6379 me: 0"),
            ("redis://m%40:p%2F%3A%23@h/1", "h:6379 m@:p/:# 1"),
            ("redis://:%ff@h", r"h:6379 -:\xff 0"),
            ("redis+unix:///run/r%20s", "/run/r s -:- 0"),
            ("redis+unix://me:pw@/r.s?db=2", "/r.s me:pw 2"),
            ("unix://localhost/r.s", "/r.s -:- 0"),
            ("redis://h?resp=2", "h:6379 -:- 0 resp2"),
            ("redis://h/1?resp=3", "h:6379 -:- 1"),
            ("redis+unix:///r.s?resp=2&db=2", "/r.s -:- 2 resp2"),
        ] {
            assert_eq!(read(url), expected, "{url}");
        }
    }

    #[test]
    fn an_error_names_the_bad_part_of_a_url() {
        for (url, expected) in [
            ("localhost", UrlPart::Scheme),
            ("127.0.0.1:6379", UrlPart::Scheme),
            ("localhost:6379", UrlPart::Scheme),
            ("http://h", UrlPart::Scheme),
            ("redis://", UrlPart::Host),
            ("redis:///1", UrlPart::Host),
            ("redis://:6379", UrlPart::Host),
            ("redis://a,b", UrlPart::Host),
            ("redis://h:99999", UrlPart::Port),
            ("redis://h:0", UrlPart::Port),
            ("redis://h:x", UrlPart::Port),
            ("redis://h/x", UrlPart::Database),
            ("redis://h/-1", UrlPart::Database),
            ("redis://h/+1", UrlPart::Database),
            ("redis://h/1/2", UrlPart::Database),
            ("redis://h/99999999999", UrlPart::Database),
            ("redis://h/1?db=1", UrlPart::Database),
            ("redis://h?db=", UrlPart::Database),
            ("redis://h?timeout=1", UrlPart::Query),
            ("redis://h?db=1&db=2", UrlPart::Query),
            ("redis://h?resp=1", UrlPart::Query),
            ("redis://h?resp=2&resp=2", UrlPart::Query),
            ("redis://h#x", UrlPart::Fragment),
            ("redis://%ff:pw@h", UrlPart::User),
            ("redis+unix://", UrlPart::Path),
            ("redis+unix:relative", UrlPart::Path),
            ("redis+unix://host/path", UrlPart::Host),
        ] {
            match Address::parse(url) {
                Err(ConnectError::Url { part, .. }) => assert_eq!(part, expected, "{url}"),
                other => panic!("{url}: {other:?}"),
            }
        }
        assert_eq!(Address::parse(" ").err(), Some(ConnectError::NoAddress));
    }

    #[test]
    fn no_error_shows_a_password() {
        for url in [
            "redis://me:hunter2@h/x",
            "redis://:hunter2@h:99999",
            "me:hunter2@h",
            "redis://me:hunter2/@h/x",
            "redis://me:x#hunter2@h",
            "redis://h/x?password=hunter2",
            "redis:/me:hunter2@h://x",
        ] {
            let error = Address::parse(url).expect_err(url);
            assert!(
                !format!("{error}{error:?}").contains("hunter2"),
                "{error:?}"
            );
        }
        let good = Address::parse("redis://me:hunter2@h").expect("good");
        assert!(!format!("{good:?}").contains("hunter2"));
    }
}
