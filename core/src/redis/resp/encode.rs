//! Appending writers. They allocate only when the buffer has to grow.

use alloc::vec::Vec;

use super::LINE_END;

/// Begins a command of exactly `args` arguments, its name included.
pub fn command(out: &mut Vec<u8>, args: usize) -> Args<'_> {
    count(out, b'*', args);
    Args { out }
}

/// Begins a command with what is written down as it goes over the wire.
#[inline]
pub(crate) fn prepared<'a>(out: &'a mut Vec<u8>, head: &[u8]) -> Args<'a> {
    out.extend_from_slice(head);
    Args { out }
}

/// Takes the arguments of a command.
pub struct Args<'a> {
    out: &'a mut Vec<u8>,
}

impl Args<'_> {
    /// Any bytes.
    pub fn arg(&mut self, bytes: &[u8]) -> &mut Self {
        write_bulk(self.out, bytes);
        self
    }

    /// One argument of two parts, such as a prefix and a key.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub fn joined(&mut self, head: &[u8], tail: &[u8]) -> &mut Self {
        count(self.out, b'$', head.len().saturating_add(tail.len()));
        self.out.extend_from_slice(head);
        self.out.extend_from_slice(tail);
        self.out.extend_from_slice(LINE_END);
        self
    }

    /// One argument of several parts.
    #[cfg(feature = "modes")]
    pub(crate) fn parts(&mut self, parts: &[&[u8]]) -> &mut Self {
        let len = parts.iter().map(|part| part.len()).sum();
        count(self.out, b'$', len);
        for part in parts {
            self.out.extend_from_slice(part);
        }
        self.out.extend_from_slice(LINE_END);
        self
    }

    /// A number in decimal digits.
    pub fn number(&mut self, n: u64) -> &mut Self {
        let (digits, from) = decimal(n);
        self.arg(digits.get(from..).unwrap_or_default())
    }

    /// Arguments that were encoded before.
    #[inline]
    pub(crate) fn prepared(&mut self, encoded: &[u8]) -> &mut Self {
        self.out.extend_from_slice(encoded);
        self
    }
}

/// `+` A short text. A line end in it would be the end of the answer, so that it becomes a space.
pub fn write_simple(out: &mut Vec<u8>, text: &[u8]) {
    line(out, b'+', text);
}

/// `-` An error, its code first. A line end in it becomes a space.
pub fn write_error(out: &mut Vec<u8>, text: &[u8]) {
    line(out, b'-', text);
}

/// `:` An integer.
pub fn write_integer(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = usize::try_from(value) {
        return count(out, b':', value);
    }
    out.extend_from_slice(if value < 0 { b":-" } else { b":" });
    write_decimal(out, value.unsigned_abs());
    out.extend_from_slice(LINE_END);
}

/// `$` Any bytes.
pub fn write_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    count(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(LINE_END);
}

/// `_`, or `$-1` for a peer that does not speak RESP3.
pub fn write_null(out: &mut Vec<u8>, resp3: bool) {
    out.extend_from_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" });
}

/// `*` The beginning of an array of `len` elements.
pub fn write_array(out: &mut Vec<u8>, len: usize) {
    count(out, b'*', len);
}

/// `>` The beginning of a push message of `len` elements (RESP3).
pub fn write_push(out: &mut Vec<u8>, len: usize) {
    count(out, b'>', len);
}

/// `%` The beginning of a map of `pairs` keys with their values (RESP3).
pub fn write_map(out: &mut Vec<u8>, pairs: usize) {
    count(out, b'%', pairs);
}

/// `#` True or false (RESP3).
pub fn write_boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" });
}

fn line(out: &mut Vec<u8>, kind: u8, text: &[u8]) {
    out.push(kind);
    out.extend(text.iter().map(|byte| match byte {
        b'\r' | b'\n' => b' ',
        other => *other,
    }));
    out.extend_from_slice(LINE_END);
}

fn count(out: &mut Vec<u8>, kind: u8, count: usize) {
    // Most counts have one digit or two, and these are copied in one piece.
    let digit = |n: usize| b'0' | (n % 10) as u8;
    match count {
        0..10 => out.extend_from_slice(&[kind, digit(count), b'\r', b'\n']),
        10..100 => {
            out.extend_from_slice(&[kind, digit(count / 10), digit(count), b'\r', b'\n']);
        }
        _ => {
            out.push(kind);
            write_decimal(out, count as u64);
            out.extend_from_slice(LINE_END);
        }
    }
}

/// The digits of the largest number there is.
const MAX_DIGITS: usize = 20;

fn write_decimal(out: &mut Vec<u8>, n: u64) {
    let (digits, from) = decimal(n);
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// The digits of a number, and where they begin.
fn decimal(mut n: u64) -> ([u8; MAX_DIGITS], usize) {
    let mut digits = [b'0'; MAX_DIGITS];
    let mut from = MAX_DIGITS;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' | (n % 10) as u8;
        n /= 10;
        from = from.saturating_sub(1);
        if n == 0 {
            break;
        }
    }
    (digits, from)
}
