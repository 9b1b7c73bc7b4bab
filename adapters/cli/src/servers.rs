//! Which servers, and the way to them.

use std::env::VarError;
use std::time::Duration;

use crate::args::ServerArgs;
use crate::failure::{Exit, Failure};
use tenure::Locker;
use tenure::{ConnectError, InspectError, NotObtained, ObtainError, Servers};

const DEFAULT: &str = "redis://127.0.0.1:6379";

/// Connects to the servers of the arguments, of `TENURE_URL`, or to the default one.
pub(crate) async fn connect(args: &ServerArgs) -> Result<Locker, Failure> {
    let environment = match args.urls.as_slice() {
        [] => environment()?,
        [_, ..] => None,
    };
    let urls = urls(&args.urls, environment.as_deref());
    let servers = servers(args, urls)?;
    tenure::tokio::connect(servers).await.map_err(|error| {
        match error {
            ConnectError::Unreachable(_) | ConnectError::Closed => {
                let advice = "Start a server there, name another with --url or TENURE_URL, or use `tenure serve`.";
                Failure::new(Exit::Unavailable, format!("{error}\n{advice}"))
            }
            ConnectError::NoRandomness => Failure::new(Exit::System, error.to_string()),
            ConnectError::NoAddress
            | ConnectError::TooFewForQuorum
            | ConnectError::TooMany
            | ConnectError::SameServer { .. }
            | ConnectError::Url { .. }
            | ConnectError::Certificate(_)
            | _ => Failure::usage(error.to_string()),
        }
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
    let mut urls: Vec<String> = environment
        .unwrap_or_default()
        .split([',', ' ', '\t', '\n'])
        .filter(|url| !url.is_empty())
        .map(str::to_owned)
        .collect();
    if urls.is_empty() {
        urls.push(DEFAULT.to_owned());
    }
    urls
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

/// What to tell of an obtain that failed.
pub(crate) fn not_obtained(error: &ObtainError, keys: &[String], wait: Duration) -> Failure {
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
        ObtainError::Claim(_) => (Exit::Usage, ""),
        ObtainError::NoRandomness => (Exit::System, ""),
        // Whatever the reason, nobody knows who holds it.
        ObtainError::NotObtained(..) | ObtainError::Closed | _ => (Exit::Unavailable, ""),
    };
    Failure::new(exit, format!("{keys}: {error}{advice}"))
}

/// What to tell of an inspection that failed.
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
        assert_eq!(urls(&[], None), [DEFAULT]);
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
        let node = tenure::NodeError::Disconnected;
        for (reason, exit, words) in [
            (
                taken(other),
                Exit::NotObtained,
                "held by somebody else\nGive --wait",
            ),
            (
                taken(ours),
                Exit::NotObtained,
                "held by another lock of this program",
            ),
            (
                NotObtained::TimedOut { by: other },
                Exit::NotObtained,
                "still held by somebody else when the wait was over",
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
            let failure = not_obtained(&error, &["k".to_owned()], Duration::ZERO);
            assert_eq!(failure.exit, exit, "{reason:?}");
            let is_told = failure.message.contains(words) && failure.message.starts_with("k: ");
            assert!(is_told, "{}", failure.message);
        }
        let exit = |error| not_obtained(&error, &[], Duration::ZERO).exit;
        assert_eq!(exit(ObtainError::Claim(ClaimError::EmptyKey)), Exit::Usage);
        assert_eq!(exit(ObtainError::NoRandomness), Exit::System);
        assert_eq!(exit(ObtainError::Closed), Exit::Unavailable);
    }
}
