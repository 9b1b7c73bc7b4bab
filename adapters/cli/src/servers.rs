//! Which servers, and the way to them.

use std::env::VarError;
use std::time::Duration;

use crate::args::ServerArgs;
use crate::failure::{Exit, Failure};
use tenure::{Acks, Locker};
use tenure::{Cause, ConnectError, InspectError, NodeError, NotObtained, ObtainError, Servers};

const DEFAULT: &str = "redis://127.0.0.1:6379";

/// Connects to the servers of the arguments, of `TENURE_URL`, or to the default one. With `acks`, replicas must confirm each grant.
pub(crate) async fn connect(args: &ServerArgs, acks: Option<Acks>) -> Result<Locker, Failure> {
    let locker = open(args, acks)?;
    locker
        .ready()
        .await
        .map_err(|error| not_connected(&error))?;
    Ok(locker)
}

/// The same without waiting for them: connecting goes on until it succeeds.
pub(crate) fn open(args: &ServerArgs, acks: Option<Acks>) -> Result<Locker, Failure> {
    let environment = match args.urls.as_slice() {
        [] => environment()?,
        [_, ..] => None,
    };
    let urls = urls(&args.urls, environment.as_deref());
    let mut servers = servers(args, urls)?;
    if let Some(acks) = acks {
        servers = servers.acks(acks);
    }
    let (locker, driver) = tenure::tokio::open(servers).map_err(|error| not_connected(&error))?;
    drop(tokio::spawn(driver));
    Ok(locker)
}

/// The failure if servers cannot be used.
pub(crate) fn not_connected(error: &ConnectError) -> Failure {
    match error {
        ConnectError::Unreachable(nodes) => {
            let advice = nodes.causes.iter().find_map(|cause| advice(*cause));
            let advice = advice.map_or_else(String::new, |advice| format!("\n{advice}"));
            Failure::new(Exit::Unavailable, format!("{error}{advice}"))
        }
        ConnectError::Closed => Failure::new(Exit::Unavailable, error.to_string()),
        ConnectError::NoRandomness => Failure::new(Exit::System, error.to_string()),
        ConnectError::NoAddress
        | ConnectError::TooFewForQuorum
        | ConnectError::TooMany
        | ConnectError::SameServer { .. }
        | ConnectError::Url { .. }
        | ConnectError::AcksOverClient
        | ConnectError::Certificate(_)
        | _ => Failure::usage(error.to_string()),
    }
}

/// What to do about it, where that is known.
fn advice(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::NoServer => {
            "Start a server there, name another with --url or TENURE_URL, or use `tenure serve`."
        }
        Cause::Node(NodeError::NoAuth) => {
            "Put the password into the URL: redis://:PASSWORD@host, or redis://USER:PASSWORD@host. In TENURE_URL other \
             users of this machine cannot read it."
        }
        Cause::Node(NodeError::WrongPassword) => {
            "The URL has them: redis://USER:PASSWORD@host, or redis://:PASSWORD@host for the default user. Characters \
             other than letters and digits are safe as %XX."
        }
        Cause::Node(NodeError::NoAcks) => {
            "--acks needs the command WAIT there. --persisted needs WAITAOF, which Redis 7.2 and Valkey have, and `appendonly yes`."
        }
        Cause::Node(_) | _ => return None,
    })
}

/// What cannot be read must not lead to other servers than those that were meant.
fn environment() -> Result<Option<String>, Failure> {
    match std::env::var("TENURE_URL") {
        Ok(urls) => Ok(Some(urls)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(Failure::usage("TENURE_URL is not UTF-8")),
    }
}

/// The arguments win over the environment, and that over the default.
fn urls(args: &[String], environment: Option<&str>) -> Vec<String> {
    if !args.is_empty() {
        return args.to_vec();
    }
    let mut urls = split(environment.unwrap_or_default());
    if urls.is_empty() {
        urls.push(DEFAULT.to_owned());
    }
    urls
}

/// Splits at commas and blanks behind which another URL begins: a password may hold them, too.
fn split(text: &str) -> Vec<String> {
    let is_between = |c: char| c == ',' || c.is_ascii_whitespace();
    let mut urls = Vec::new();
    let mut rest = text.trim_matches(is_between);
    while !rest.is_empty() {
        let mut ends = rest.match_indices(is_between).map(|(at, _)| at);
        let end = ends
            .find(|at| begins_with_scheme(rest[*at..].trim_start_matches(is_between)))
            .unwrap_or(rest.len());
        let (url, behind) = rest.split_at(end);
        urls.push(url.to_owned());
        rest = behind.trim_start_matches(is_between);
    }
    urls
}

fn begins_with_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_allowed)
    })
}

fn servers(args: &ServerArgs, urls: Vec<String>) -> Result<Servers, Failure> {
    let mut servers = match (args.quorum, args.ordered, urls.as_slice()) {
        (true, _, _) => Servers::quorum(urls),
        (_, true, _) => Servers::ordered(urls),
        (_, _, [url]) => Servers::single(url.clone()),
        _ => {
            return Err(Failure::usage(
                "several servers: say how they work together, with --quorum or --ordered",
            ));
        }
    };
    if let Some(prefix) = &args.prefix {
        servers = servers.prefix(prefix.clone());
    }
    if let Some(file) = &args.ca {
        let pem = std::fs::read(file)
            .map_err(|error| Failure::usage(format!("--ca {}: {error}", file.display())))?;
        servers = servers.root_certificate_pem(pem);
    }
    Ok(servers)
}

/// The failure of an obtain. If servers cannot be used, it says which and why.
pub(crate) async fn not_obtained(
    locker: &Locker,
    error: &ObtainError,
    keys: &[String],
    wait: Duration,
) -> Failure {
    let mut failure = not_granted(error, keys, wait);
    if failure.exit == Exit::Unavailable {
        let nodes = tokio::time::timeout(Duration::ZERO, locker.ready()).await;
        if let Ok(Err(nodes @ ConnectError::Unreachable(_))) = nodes {
            failure.message = format!("{}\n{}", failure.message, not_connected(&nodes).message);
        }
    }
    failure
}

/// The same without asking what the servers are like.
pub(crate) fn not_granted(error: &ObtainError, keys: &[String], wait: Duration) -> Failure {
    let keys = keys.join(", ");
    let (exit, advice) = match error {
        ObtainError::NotObtained(NotObtained::Taken { .. }, _) if wait.is_zero() => {
            (Exit::NotObtained, "\nGive --wait a time to wait for it.")
        }
        // Only these say that somebody holds it.
        ObtainError::NotObtained(NotObtained::Taken { .. } | NotObtained::TimedOut { .. }, _) => {
            (Exit::NotObtained, "")
        }
        ObtainError::NotObtained(NotObtained::TooLate, _) => {
            (Exit::Unavailable, "\nGive --ttl a longer time.")
        }
        ObtainError::Claim(_) | ObtainError::NotObtained(NotObtained::Unsupported(_), _) => {
            (Exit::Usage, "")
        }
        ObtainError::NoRandomness => (Exit::System, ""),
        // Whatever the reason, nobody knows who holds it.
        ObtainError::NotObtained(..) | ObtainError::Closed | _ => (Exit::Unavailable, ""),
    };
    Failure::new(exit, format!("{keys}: {error}{advice}"))
}

/// The failure of an inspection.
pub(crate) fn not_inspected(error: &InspectError, key: &str) -> Failure {
    Failure::new(Exit::Unavailable, format!("{key}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure::{ClaimError, Holder};

    #[test]
    fn arguments_win_over_the_environment_and_that_over_the_default() {
        let given = ["redis://a".to_owned()];
        assert_eq!(urls(&given, Some("redis://b")), ["redis://a"]);
        assert_eq!(
            urls(&[], Some(" redis://b,redis://c  redis://d,")),
            ["redis://b", "redis://c", "redis://d"]
        );
        assert_eq!(urls(&[], Some("")), [DEFAULT]);
        assert_eq!(urls(&[], Some(" , ")), [DEFAULT]);
        assert_eq!(urls(&[], None), [DEFAULT]);
    }

    #[test]
    fn the_environment_is_split_only_where_another_url_begins() {
        for (text, expected) in [
            (
                "redis://:a,b c@h, rediss://x",
                &["redis://:a,b c@h", "rediss://x"][..],
            ),
            (
                "redis://a,redis+unix:///s k",
                &["redis://a", "redis+unix:///s k"],
            ),
            ("redis://:p,1x://@h", &["redis://:p,1x://@h"]),
            ("redis://a,b", &["redis://a,b"]),
        ] {
            assert_eq!(split(text), expected);
        }
    }

    #[test]
    fn several_servers_need_an_arrangement() {
        let two = || vec!["redis://a".to_owned(), "redis://b".to_owned()];
        let error = servers(&ServerArgs::default(), two())
            .err()
            .map(|failure| failure.exit);
        assert_eq!(error, Some(Exit::Usage));
        let quorum = ServerArgs {
            quorum: true,
            ..ServerArgs::default()
        };
        assert!(servers(&quorum, two()).is_ok());
    }

    #[test]
    fn each_reason_has_its_exit_code_and_true_words() {
        let (other, ours) = (Holder::Other, Holder::Ourselves);
        let taken = |by| NotObtained::Taken {
            remaining: None,
            by,
        };
        let node = NodeError::Disconnected;
        for (reason, exit, words) in [
            (
                taken(other),
                Exit::NotObtained,
                "held by another client\nGive --wait",
            ),
            (
                taken(ours),
                Exit::NotObtained,
                "held by another lock of this program",
            ),
            (
                NotObtained::TimedOut { by: other },
                Exit::NotObtained,
                "still held by another client when the wait was over",
            ),
            (
                NotObtained::TimedOut { by: ours },
                Exit::NotObtained,
                "still held by another lock of this program",
            ),
            (NotObtained::TooLate, Exit::Unavailable, "granted so late"),
            (
                NotObtained::Unreachable(node),
                Exit::Unavailable,
                "not connected",
            ),
            (NotObtained::Refused(node), Exit::Unavailable, "refused"),
            (
                NotObtained::LimitReached,
                Exit::Unavailable,
                "too many locks",
            ),
        ] {
            let error = ObtainError::NotObtained(reason, None);
            let failure = not_granted(&error, &["k".to_owned()], Duration::ZERO);
            assert_eq!(failure.exit, exit, "{reason:?}");
            let is_named = failure.message.contains(words) && failure.message.starts_with("k: ");
            assert!(is_named, "{}", failure.message);
        }
        let exit = |error| not_granted(&error, &[], Duration::ZERO).exit;
        assert_eq!(exit(ObtainError::Claim(ClaimError::EmptyKey)), Exit::Usage);
        assert_eq!(exit(ObtainError::NoRandomness), Exit::System);
        assert_eq!(exit(ObtainError::Closed), Exit::Unavailable);
    }
}
