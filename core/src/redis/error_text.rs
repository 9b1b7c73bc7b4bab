//! The text of an unknown server error, for people to read.

use alloc::string::String;

/// How much of a line is kept, escaped.
const MOST: usize = 128;

/// The part of an error line that can be shown: without text that may repeat arguments, which can be secret, and without
/// bytes that control a terminal. `None` if nothing is left, or if it still contains one of `secrets`.
pub(crate) fn shown(line: &[u8], secrets: [Option<&[u8]>; 2]) -> Option<String> {
    if contains(line, b"args beginning with") {
        return None;
    }
    // A text in quotation marks is often an argument of ours.
    let quoted = line
        .iter()
        .position(|byte| matches!(byte, b'\'' | b'"' | b'`'));
    let plain = line.get(..quoted.unwrap_or(line.len())).unwrap_or_default();
    let secrets = secrets.into_iter().flatten();
    if secrets.into_iter().any(|secret| contains(plain, secret)) {
        return None;
    }
    let mut text = String::new();
    for byte in plain.trim_ascii() {
        let escaped = byte.escape_ascii();
        if text.len().saturating_add(escaped.len()) > MOST {
            break;
        }
        text.extend(escaped.map(char::from));
    }
    Some(text).filter(|text| !text.is_empty())
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && line.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kept_as_far_as_they_may_be_shown() {
        for (line, expected) in [
            (
                "EXECABORT Transaction discarded",
                Some("EXECABORT Transaction discarded"),
            ),
            ("ERR invalid value 's3cret' for", Some("ERR invalid value")),
            ("ERR invalid value \"s3cret\"", Some("ERR invalid value")),
            ("ERR no such proxy `x`", Some("ERR no such proxy")),
            ("'s3cret' is no password", None),
            ("ERR what, with args beginning with: s3cret", None),
            ("ERR s3cret is no password", None),
            ("ERR nor is my-token", None),
            ("ERR \u{1b}[31mred\ttab", Some("ERR \\x1b[31mred\\ttab")),
            ("ERR gro\u{df}", Some("ERR gro\\xc3\\x9f")),
            ("", None),
        ] {
            let secrets = [Some(&b"s3cret"[..]), Some(b"my-token")];
            assert_eq!(
                shown(line.as_bytes(), secrets).as_deref(),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        assert_eq!(
            shown(&[b'x'; 500], [None, None]).map(|words| words.len()),
            Some(MOST)
        );
        // Never half an escape.
        assert_eq!(
            shown(&[b'\\'; 500], [None, None]).map(|words| words.len()),
            Some(MOST)
        );
        assert_eq!(
            shown(&[0; 500], [None, None]).map(|words| words.len()),
            Some(MOST)
        );
        let odd = [&b"x"[..], &[0; 500]].concat();
        assert_eq!(
            shown(&odd, [None, None]).map(|words| words.len()),
            Some(MOST - 3)
        );
    }
}
