//! What a client sends, read by somebody else.

use super::oracle::{Promise, Violation};

/// Whether something is set with a value whose lock is released or over.
pub(crate) fn watch(bytes: &[u8], spent: &[Box<[u8]>]) -> Result<(), Violation> {
    if spent.is_empty() {
        return Ok(());
    }
    let mut rest = bytes;
    let mut args = Vec::with_capacity(12);
    while !rest.is_empty() {
        args.clear();
        rest = read(rest, &mut args)
            .ok_or_else(|| Promise::Steps.broken("a write that is no whole command"))?;
        if let Some(value) = value_set(&args)
            && spent.iter().any(|old| **old == *value)
        {
            let command = String::from_utf8_lossy(args[0]);
            return Err(Promise::Silence.broken(format!("{command} sets it once more")));
        }
    }
    Ok(())
}

/// The value that a command sets or prolongs.
pub(crate) fn value_set<'a>(args: &[&'a [u8]]) -> Option<&'a [u8]> {
    match args {
        [b"SET", _, value, ..] => Some(value),
        [b"EVALSHA" | b"EVAL", _, keys, rest @ ..] => {
            let keys: usize = std::str::from_utf8(keys).ok()?.parse().ok()?;
            // With a ttl behind the value it sets, without one it deletes.
            (rest.len() == keys + 2).then(|| rest[keys])
        }
        _ => None,
    }
}

/// One command; gives what follows it.
pub(crate) fn read<'a>(bytes: &'a [u8], args: &mut Vec<&'a [u8]>) -> Option<&'a [u8]> {
    let (count, mut rest) = number(bytes.strip_prefix(b"*")?)?;
    for _ in 0..count {
        let (len, after) = number(rest.strip_prefix(b"$")?)?;
        let (arg, after) = after.split_at_checked(len)?;
        args.push(arg);
        rest = after.strip_prefix(b"\r\n")?;
    }
    Some(rest)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\r')?;
    let digits = bytes.get(..end)?;
    let value = digits.iter().try_fold(0_usize, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + usize::from(digit - b'0'))
    })?;
    Some((value, bytes.get(end + 2..)?))
}

/// Commands in short, for people.
pub(crate) fn show(bytes: &[u8]) -> String {
    let (mut rest, mut args, mut commands) = (bytes, Vec::new(), Vec::new());
    while !rest.is_empty() {
        args.clear();
        match read(rest, &mut args) {
            Some(after) => rest = after,
            None => return format!("{} bytes", bytes.len()),
        }
        let shown = args.iter().map(|arg| {
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
