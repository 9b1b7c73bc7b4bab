//! `tenure status`: who holds a key, and for how long.

use std::io::Write;

use serde_json::json;

use crate::args::StatusArgs;
use crate::failure::{Failure, Outcome};
use crate::servers;
use tenure::{Holding, Key};

/// The status of a free key.
const FREE: u8 = 1;
/// How long a drawn token is: base64url of 16 bytes.
const TOKEN: usize = 22;

/// Asks, prints, and says by its status whether the key is held.
pub(crate) async fn status(args: StatusArgs) -> Outcome {
    let key = Key::new(&args.key).map_err(|error| Failure::usage(error.to_string()))?;
    let locker = servers::connect(&args.servers).await?;
    let holding = locker
        .inspect(key)
        .await
        .map_err(|error| servers::not_inspected(&error, &args.key))?;
    locker.close().await;
    let text = if args.json {
        format!("{}\n", as_json(&args.key, holding.as_ref()))
    } else {
        as_text(&args.key, holding.as_ref())
    };
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::system("cannot print", error))?;
    Ok(if holding.is_some() { 0 } else { FREE })
}

fn as_json(key: &str, holding: Option<&Holding>) -> serde_json::Value {
    let parts = holding.map(|holding| split(&holding.value));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    json!({
        "key": key,
        "held": holding.is_some(),
        "remaining_ms": remaining_ms(holding),
        "token": parts.map(|(token, _)| text(token)),
        "metadata": parts.map(|(_, metadata)| text(metadata)),
    })
}

/// Rounded up, so that a held key never has nothing left.
fn remaining_ms(holding: Option<&Holding>) -> Option<u64> {
    let remaining = holding?.remaining?;
    u64::try_from(remaining.as_micros().div_ceil(1000)).ok()
}

fn as_text(key: &str, holding: Option<&Holding>) -> String {
    let key = key.escape_debug();
    let Some(held) = holding else {
        return format!("{key} is free\n");
    };
    let mut text = match remaining_ms(holding) {
        Some(ms) => format!("{key} is held for {ms} ms more, unless it is refreshed\n"),
        None => format!("{key} is held without an end: it has no ttl\n"),
    };
    // Any program may have written it, so it must not control the reader's terminal.
    let (token, metadata) = split(&held.value);
    for (name, value) in [("token", token), ("metadata", metadata)] {
        if !value.is_empty() {
            let value = String::from_utf8_lossy(value);
            text += &format!("  {name:<10}{}\n", value.escape_debug());
        }
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
            as_json("k", Some(&held)),
            json!({
                "key": "k",
                "held": true,
                "remaining_ms": 1001,
                "token": "AAECAwQFBgcICQoLDA0ODw",
                "metadata": "host-7",
            })
        );
    }

    #[test]
    fn the_json_of_a_free_key_has_the_same_fields() {
        assert_eq!(
            as_json("k", None),
            json!({"key": "k", "held": false, "remaining_ms": null, "token": null, "metadata": null})
        );
    }

    #[test]
    fn text_cannot_play_with_the_terminal() {
        let text = as_text("k", Some(&holding("\u{1b}[2J", None)));
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(text.contains("without an end"));
        assert_eq!(as_text("k", None), "k is free\n");
    }
}
