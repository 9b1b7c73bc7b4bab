//! `tenure status`: who holds a key, and for how long.

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use crate::args::StatusArgs;
use crate::failure::{Failure, Outcome};
use crate::servers;
use tenure::{Fence, Holding, Key, Locker};

/// The status of a free key.
const FREE: u8 = 1;
/// How long a drawn token is: base64url of 16 bytes.
const TOKEN: usize = 22;
/// The value of a key that readers or permits share.
const SHARED: &[u8] = b"~shared";

/// Asks, prints, and says by its status whether the key is held.
pub(crate) async fn status(mut args: StatusArgs) -> Outcome {
    // An empty key is an error with a prefix, too.
    let _ = named(&args.key)?;
    // The locker has no prefix of its own, because the name of the counter begins with a brace.
    let prefix = args.servers.prefix.take().unwrap_or_default();
    let name = named(&format!("{prefix}{}", args.key))?;
    let locker = servers::connect(&args.servers).await?;
    let holding = locker
        .inspect(name.clone())
        .await
        .map_err(|error| servers::not_inspected(&error, &args.key))?;
    let fence = last_fence(&locker, &name).await;
    locker.close().await;
    let text = if args.json {
        format!("{}\n", as_json(&args.key, holding.as_ref(), fence))
    } else {
        as_text(&args.key, holding.as_ref(), fence)
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::system("cannot print", error))?;
    Ok(if holding.is_some() { 0 } else { FREE })
}

fn named(name: &str) -> Result<Key, Failure> {
    Key::new(name).map_err(|error| Failure::usage(error.to_string()))
}

/// The last fence of the key, if there is one. Who may not read the counter can still see who holds the key.
async fn last_fence(locker: &Locker, name: &Key) -> Option<Fence> {
    let counter = Key::new(Fence::counter(name.as_bytes())).ok()?;
    let number = locker.inspect(counter).await.ok()??.value;
    Some(Fence(std::str::from_utf8(&number).ok()?.parse().ok()?))
}

fn as_json(key: &str, holding: Option<&Holding>, fence: Option<Fence>) -> serde_json::Value {
    let parts = holding.filter(|holding| !is_shared(holding));
    let parts = parts.map(|holding| split(&holding.value));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    json!({
        "key": key,
        "held": holding.is_some(),
        "shared": holding.is_some_and(is_shared),
        "remaining_ms": remaining_ms(holding),
        "token": parts.map(|(token, _)| text(token)),
        "metadata": parts.map(|(_, metadata)| text(metadata)),
        "fence": fence.map(|fence| fence.0),
    })
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

fn is_shared(holding: &Holding) -> bool {
    *holding.value == *SHARED
}

fn as_text(key: &str, holding: Option<&Holding>, fence: Option<Fence>) -> String {
    let key = key.escape_debug();
    let mut text = match (holding, remaining_ms(holding)) {
        (None, _) => format!("{key} is free\n"),
        (_, Some(ms)) => format!(
            "{key} is held for {} more, unless it is refreshed\n",
            rough(ms)
        ),
        (_, None) => format!("{key} is held without an end: it has no ttl\n"),
    };
    if holding.is_some_and(is_shared) {
        return text + "  shared    by readers or permits\n";
    }
    // Any program may have written it, so it must not control the reader's terminal.
    let (token, metadata) = split(holding.map_or(&[], |held| &held.value));
    for (name, value) in [("token", token), ("metadata", metadata)] {
        if !value.is_empty() {
            let value = String::from_utf8_lossy(value);
            text += &format!("  {name:<10}{}\n", value.escape_debug());
        }
    }
    if let Some(fence) = fence {
        text += &format!("  {:<10}{fence}\n", "fence");
    }
    text
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

    #[test]
    fn the_json_of_a_held_key() {
        let held = holding("AAECAwQFBgcICQoLDA0ODwhost-7", Some(1_000_001));
        assert_eq!(
            as_json("k", Some(&held), Some(Fence(7))),
            json!({
                "key": "k",
                "held": true,
                "shared": false,
                "remaining_ms": 1001,
                "token": "AAECAwQFBgcICQoLDA0ODw",
                "metadata": "host-7",
                "fence": 7,
            })
        );
    }

    #[test]
    fn the_json_of_a_free_key_has_the_same_fields() {
        assert_eq!(
            as_json("k", None, None),
            json!({"key": "k", "held": false, "shared": false, "remaining_ms": null, "token": null, "metadata": null, "fence": null})
        );
    }

    #[test]
    fn text_cannot_play_with_the_terminal() {
        let text = as_text("k", Some(&holding("\u{1b}[2J", None)), None);
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("without an end"));
        assert_eq!(as_text("k", None, None), "k is free\n");
        let held = as_text("k", Some(&holding("", Some(9_999_999))), None);
        assert!(held.starts_with("k is held for 10s more,"), "{held}");
        let held = as_text("k", Some(&holding("", Some(29_996_000))), None);
        assert!(held.starts_with("k is held for 29s more,"), "{held}");
        let counted = as_text("k", None, Some(Fence(7)));
        assert_eq!(counted, "k is free\n  fence     7\n");
    }
}
