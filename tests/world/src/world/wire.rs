//! The commands that a client sends, read by a second, independent decoder.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use super::oracle::{Promise, Violation};
use super::trace::Trace;

/// Values, to be looked up for every command that is sent.
pub(crate) type Values = HashSet<Box<[u8]>, BuildHasherDefault<Trace>>;

/// Whether something is set with a value whose lock is released or over.
pub(crate) fn watch(bytes: &[u8], retired_values: &Values) -> Result<(), Violation> {
    if retired_values.is_empty() {
        return Ok(());
    }
    let (mut rest, mut args) = (bytes, [&[][..]; MOST]);
    while !rest.is_empty() {
        let count;
        (count, rest) = read(rest, &mut args)
            .ok_or_else(|| Promise::Steps.broken("a write that is no whole command"))?;
        let args = &args[..count.min(MOST)];
        if let Some(value) = value_set(args)
            && retired_values.contains(value)
        {
            let command = String::from_utf8_lossy(args[0]);
            return Err(Promise::NoLateWrites.broken(format!("{command} sets it once more")));
        }
    }
    Ok(())
}

/// The value that a command sets or prolongs.
pub(crate) fn value_set<'a>(args: &[&'a [u8]]) -> Option<&'a [u8]> {
    match args {
        [b"SET", _, value, ..] | [b"MSETEX", _, _, value, ..] => Some(value),
        [b"EVALSHA" | b"EVAL", _, keys, rest @ ..] => {
            let keys: usize = std::str::from_utf8(keys).ok()?.parse().ok()?;
            // With a ttl behind the value it sets, without one it deletes. The scripts of the modes that set have more
            // behind it, and the one that deletes has the ttl and a limit.
            matches!(rest.len().checked_sub(keys), Some(2 | 5 | 6)).then(|| rest[keys])
        }
        _ => None,
    }
}

/// The most strings of a command that are kept.
const MOST: usize = 16;

/// Reads one command. Returns the number of its strings, and the bytes after it.
fn read<'a>(bytes: &'a [u8], args: &mut [&'a [u8]; MOST]) -> Option<(usize, &'a [u8])> {
    let (count, mut rest) = number(bytes, b'*')?;
    for at in 0..count {
        let (len, after) = number(rest, b'$')?;
        let (arg, after) = after.split_at_checked(len)?;
        if let Some(place) = args.get_mut(at) {
            *place = arg;
        }
        rest = after.strip_prefix(b"\r\n")?;
    }
    Some((count, rest))
}

/// Shows each command of a write to somebody. Returns what is no whole command.
pub(crate) fn each<'a>(mut bytes: &'a [u8], mut see: impl FnMut(&[&'a [u8]])) -> &'a [u8] {
    let mut args = [&[][..]; MOST];
    while let Some((count, rest)) = read(bytes, &mut args) {
        see(&args[..count.min(MOST)]);
        bytes = rest;
    }
    bytes
}

#[inline(always)]
fn number(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let digit = |digit: u8| usize::from(digit - b'0');
    match bytes.strip_prefix(&[kind])? {
        // Most are such.
        [one @ b'0'..=b'9', b'\r', b'\n', rest @ ..] => Some((digit(*one), rest)),
        [
            ten @ b'0'..=b'9',
            one @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] => Some((digit(*ten) * 10 + digit(*one), rest)),
        mut rest => {
            let mut value = 0;
            while let [next @ b'0'..=b'9', after @ ..] = rest {
                value = value * 10 + digit(*next);
                rest = after;
            }
            Some((value, rest.strip_prefix(b"\r\n")?))
        }
    }
}

/// Commands in short, for people.
pub(crate) fn show(bytes: &[u8]) -> String {
    let (mut rest, mut commands) = (bytes, Vec::new());
    while !rest.is_empty() {
        let mut args = [&[][..]; MOST];
        let Some((count, after)) = read(rest, &mut args) else {
            return format!("{} bytes", bytes.len());
        };
        rest = after;
        let shown = args.iter().take(count).map(|arg| {
            let text = String::from_utf8_lossy(arg);
            match arg.len() {
                // A script or its hash.
                40.. => format!("{}…", text.chars().take(6).collect::<String>()),
                _ => text.into_owned(),
            }
        });
        commands.push(shown.collect::<Vec<_>>().join(" "));
    }
    commands.join("; ")
}
