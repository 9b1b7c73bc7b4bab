//! `tenure status`: who holds a key, and for how long.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::args::StatusArgs;
use crate::failure::{Failure, Outcome};
use crate::servers;
use tenure::{Fence, Holding, InspectError, Key, Locker, Status};

/// The status of a free key.
const FREE: u8 = 1;
/// How long a drawn token is: base64url of 16 bytes.
const TOKEN: usize = 22;

/// Asks, prints, and says by its status whether the key is held.
pub(crate) async fn status(mut args: StatusArgs) -> Outcome {
    // An empty key is an error with a prefix, too.
    let _ = named(&args.key)?;
    // The locker has no prefix of its own, because the name of the counter begins with a brace.
    let prefix = args.servers.prefix.take().unwrap_or_default();
    let name = named(&format!("{prefix}{}", args.key))?;
    let locker = servers::connect(&args.servers, None).await?;
    let known = known(&locker, &name)
        .await
        .map_err(|error| servers::not_inspected(&error, &args.key))?;
    locker.close().await;
    let text = if args.json {
        format!("{}\n", as_json(&args.key, &known))
    } else {
        as_text(&args.key, &known)
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::system("cannot print", error))?;
    Ok(if known.held().is_some() { 0 } else { FREE })
}

fn named(name: &str) -> Result<Key, Failure> {
    Key::new(name).map_err(|error| Failure::usage(error.to_string()))
}

/// What is known of a key.
enum Known {
    Everything(Status),
    /// What it holds and its last fence: to a user who may not read the rest, or where no script runs.
    Value(Option<Holding>, Option<Fence>),
}

impl Known {
    fn held(&self) -> Option<&Holding> {
        match self {
            Self::Everything(status) => status.held.as_ref(),
            Self::Value(held, _) => held.as_ref(),
        }
    }

    fn fence(&self) -> Option<Fence> {
        match self {
            Self::Everything(status) => status.fence,
            Self::Value(_, fence) => *fence,
        }
    }

    fn status(&self) -> Option<&Status> {
        match self {
            Self::Everything(status) => Some(status),
            Self::Value(..) => None,
        }
    }
}

async fn known(locker: &Locker, name: &Key) -> Result<Known, InspectError> {
    match locker.status(name).await {
        Ok(status) => Ok(Known::Everything(status)),
        Err(InspectError::Node(error, _)) if error.is_final() => {
            let held = locker.inspect(name).await?;
            Ok(Known::Value(held, last_fence(locker, name).await))
        }
        Err(error) => Err(error),
    }
}

/// The last fence of the key, if there is one. Who may not read the counter can still see who holds the key.
async fn last_fence(locker: &Locker, name: &Key) -> Option<Fence> {
    let counter = Key::new(Fence::counter(name.as_bytes())).ok()?;
    let number = locker.inspect(counter).await.ok()??.value;
    Some(Fence(std::str::from_utf8(&number).ok()?.parse().ok()?))
}

fn as_json(key: &str, known: &Known) -> Value {
    let (held, status) = (known.held(), known.status());
    let is_shared = held.is_some_and(Holding::is_shared);
    let mode = held.map(|_| if is_shared { "shared" } else { "exclusive" });
    let [token, metadata] = json_parts(held.filter(|_| !is_shared));
    let holders = status.map(|status| {
        let holders = status.holders.iter().map(|holder| {
            let [token, metadata] = json_parts(Some(holder));
            json!({
                "token": token,
                "metadata": metadata,
                "remaining_ms": remaining_ms(Some(holder)),
            })
        });
        holders.collect::<Vec<_>>()
    });
    json!({
        "key": key,
        "held": held.is_some(),
        "mode": mode,
        "shared": is_shared,
        "remaining_ms": remaining_ms(held),
        "token": token,
        "metadata": metadata,
        "holders": holders,
        "more_holders": status.map(|status| status.more),
        "waiting": status.map(|status| status.waiting),
        "fence": known.fence().map(|fence| fence.0),
    })
}

fn json_parts(holding: Option<&Holding>) -> [Option<String>; 2] {
    let parts = holding.map(|holding| split(&holding.value));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    [
        parts.map(|(token, _)| text(token)),
        parts.map(|(_, metadata)| text(metadata)),
    ]
}

/// Rounded up, so that a held key never has nothing left.
fn remaining_ms(holding: Option<&Holding>) -> Option<u64> {
    let remaining = holding?.remaining?;
    u64::try_from(remaining.as_micros().div_ceil(1000)).ok()
}

/// Whole seconds, or tenths below ten seconds, rounded down.
fn rough(ms: u64) -> humantime::FormattedDuration {
    let step = match ms {
        0..1000 => 1,
        1000..10_000 => 100,
        _ => 1000,
    };
    humantime::format_duration(Duration::from_millis(ms / step * step))
}

fn as_text(key: &str, known: &Known) -> String {
    let (key, held) = (key.escape_debug(), known.held());
    let mut text = match (held, remaining_ms(held)) {
        (None, _) => format!("{key} is free\n"),
        (_, Some(ms)) => format!(
            "{key} is held for {} more, unless it is refreshed\n",
            rough(ms)
        ),
        (_, None) => format!("{key} is held without an end: it has no ttl\n"),
    };
    let mut line = |name: &str, value: &str| text += &format!("  {name:<10}{value}\n");
    match (held, known.status()) {
        (Some(held), Some(status)) if held.is_shared() => {
            let count = status.more.saturating_add(status.holders.len() as u64);
            line(
                "shared",
                &format!(
                    "by {}",
                    counted(count, "reader or permit", "readers or permits")
                ),
            );
            for holder in &status.holders {
                line("holder", &described(holder));
            }
            if status.more > 0 {
                line(
                    "more",
                    &counted(status.more, "other holder", "other holders"),
                );
            }
        }
        (Some(held), None) if held.is_shared() => line("shared", "by readers or permits"),
        (held, _) => {
            let (token, metadata) = shown_parts(held);
            for (name, value) in [("token", token), ("metadata", metadata)] {
                if !value.is_empty() {
                    line(name, &value);
                }
            }
        }
    }
    let waiting = known.status().map_or(0, |status| status.waiting);
    if waiting > 0 {
        line("waiting", &counted(waiting, "client", "clients"));
    }
    if let Some(fence) = known.fence() {
        line("fence", &fence.to_string());
    }
    text
}

fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// One of those who share a key.
fn described(holder: &Holding) -> String {
    let (token, metadata) = shown_parts(Some(holder));
    let left = remaining_ms(Some(holder))
        .map_or_else(String::new, |ms| format!(", for {} more", rough(ms)));
    let space = if metadata.is_empty() { "" } else { " " };
    format!("{token}{space}{metadata}{left}")
}

/// Any program may have written it, so it must not control the reader's terminal.
fn shown_parts(holding: Option<&Holding>) -> (String, String) {
    let (token, metadata) = split(holding.map_or(&[], |holding| &holding.value));
    let shown = |bytes| String::from_utf8_lossy(bytes).escape_debug().to_string();
    (shown(token), shown(metadata))
}

/// Token and metadata. The server stores no separator: a value that begins like a drawn token is split behind it, any
/// other is all token.
fn split(value: &[u8]) -> (&[u8], &[u8]) {
    match value.split_at_checked(TOKEN) {
        Some((token, metadata)) if is_drawn(token) => (token, metadata),
        _ => (value, &[]),
    }
}

/// Whether it can be base64url of 16 bytes: the last character then carries two bits only.
fn is_drawn(token: &[u8]) -> bool {
    token
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && matches!(token.last(), Some(b'A' | b'Q' | b'g' | b'w'))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn holding(value: &str, micros: Option<u64>) -> Holding {
        Holding {
            value: value.as_bytes().into(),
            remaining: micros.map(Duration::from_micros),
        }
    }

    #[test]
    fn a_drawn_token_is_separated_from_its_metadata() {
        let drawn = "AAECAwQFBgcICQoLDA0ODw";
        assert_eq!(
            split(format!("{drawn}host-7").as_bytes()),
            (drawn.as_bytes(), &b"host-7"[..])
        );
        assert_eq!(split(drawn.as_bytes()), (drawn.as_bytes(), &b""[..]));
        for own in [
            "",
            "worker-1",
            "AAECAwQFBgcICQoLDA0ODx and more",
            "AAECAwQFBgcICQ+LDA0ODw",
        ] {
            assert_eq!(split(own.as_bytes()), (own.as_bytes(), &b""[..]), "{own}");
        }
    }

    fn alone(held: Option<Holding>, fence: Option<Fence>) -> Known {
        let mut status = Status::default();
        status.holders.extend(held.clone());
        (status.held, status.fence) = (held, fence);
        Known::Everything(status)
    }

    #[test]
    fn the_json_of_a_held_key() {
        let held = holding("AAECAwQFBgcICQoLDA0ODwhost-7", Some(1_000_001));
        let parts = json!({
            "token": "AAECAwQFBgcICQoLDA0ODw",
            "metadata": "host-7",
            "remaining_ms": 1001,
        });
        assert_eq!(
            as_json("k", &alone(Some(held), Some(Fence(7)))),
            json!({
                "key": "k",
                "held": true,
                "mode": "exclusive",
                "shared": false,
                "remaining_ms": 1001,
                "token": "AAECAwQFBgcICQoLDA0ODw",
                "metadata": "host-7",
                "holders": [parts],
                "more_holders": 0,
                "waiting": 0,
                "fence": 7,
            })
        );
    }

    #[test]
    fn the_json_of_a_free_key_has_the_same_fields() {
        let free = as_json("k", &alone(None, None));
        assert_eq!(
            free,
            json!({
                "key": "k", "held": false, "mode": null, "shared": false, "remaining_ms": null, "token": null,
                "metadata": null, "holders": [], "more_holders": 0, "waiting": 0, "fence": null,
            })
        );
        let unknown = as_json("k", &Known::Value(None, None));
        let fields = |json: &Value| json.as_object().expect("fields").len();
        assert_eq!(fields(&unknown), fields(&free));
        assert_eq!(unknown["holders"], Value::Null);
    }

    #[test]
    fn those_who_share_a_key_have_a_line_each() {
        let mut status = Status::default();
        status.held = Some(holding("~shared", Some(11_000_000)));
        status.holders = vec![
            holding("AAECAwQFBgcICQoLDA0ODwhost-7", Some(9_999_999)),
            holding("\u{1b}[2J", Some(2_000_000)),
        ];
        (status.more, status.waiting, status.fence) = (3, 1, Some(Fence(7)));
        let known = Known::Everything(status);
        let text = as_text("k", &known);
        let expected = [
            "k is held for 11s more, unless it is refreshed",
            "  shared    by 5 readers or permits",
            "  holder    AAECAwQFBgcICQoLDA0ODw host-7, for 10s more",
            "  holder    \\u{1b}[2J, for 2s more",
            "  more      3 other holders",
            "  waiting   1 client",
            "  fence     7",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
        let json = as_json("k", &known);
        assert_eq!(
            (&json["mode"], &json["token"]),
            (&json!("shared"), &Value::Null)
        );
        assert_eq!(json["holders"][0]["remaining_ms"], 10_000);
    }

    #[test]
    fn text_cannot_play_with_the_terminal() {
        let text_of =
            |value: &str, micros| as_text("k", &alone(Some(holding(value, micros)), None));
        let text = text_of("\u{1b}[2J", None);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("without an end"));
        assert_eq!(as_text("k", &alone(None, None)), "k is free\n");
        let held = text_of("", Some(9_999_999));
        assert!(held.starts_with("k is held for 10s more,"), "{held}");
        let held = text_of("", Some(29_996_000));
        assert!(held.starts_with("k is held for 29s more,"), "{held}");
        let counted = as_text("k", &alone(None, Some(Fence(7))));
        assert_eq!(counted, "k is free\n  fence     7\n");
    }
}
