//! Requests in the form in which clients send them: whole, and an array of strings.

use alloc::vec::Vec;

use crate::redis::resp::{Item, Reply};

/// More arguments than this are left to the decoder.
const MOST: usize = 12;

/// The strings of one request.
pub(super) struct Request<'a> {
    args: [&'a [u8]; MOST],
    count: usize,
}

impl<'a> Request<'a> {
    /// The first request and what follows it, if it is whole and not past the limits. Anything else is left to the
    /// decoder, which would come to the same.
    pub(super) fn read(bytes: &'a [u8], limits: Limits) -> Option<(Self, &'a [u8])> {
        let (count, mut rest) = number(bytes, b'*')?;
        if count == 0 || count > MOST.min(limits.args) {
            return None;
        }
        let mut args = [&[][..]; MOST];
        for arg in args.iter_mut().take(count) {
            let (len, after) = number(rest, b'$')?;
            let (text, after) = after.split_at_checked(len)?;
            *arg = text;
            rest = after.strip_prefix(b"\r\n")?;
        }
        let read = bytes.len().saturating_sub(rest.len());
        (read <= limits.bytes).then_some((Self { args, count }, rest))
    }

    pub(super) fn args(&self) -> &[&'a [u8]] {
        self.args.get(..self.count).unwrap_or_default()
    }
}

/// How large a request may be.
#[derive(Copy, Clone)]
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) args: usize,
}

/// A line of this kind with a number of a few digits, and what follows it.
fn number(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    if *first != kind {
        return None;
    }
    let mut value = 0_usize;
    for digits in 0..8_u8 {
        let (byte, after) = rest.split_first()?;
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (digits > 0)
                .then(|| rest.strip_prefix(b"\r\n"))
                .flatten()
                .map(|rest| (value, rest));
        }
        value = value.saturating_mul(10).saturating_add(usize::from(digit));
        rest = after;
    }
    None
}

/// The strings of a request; none for the empty arrays that servers ignore.
pub(super) fn arguments<'a>(
    request: Reply<'a>,
    most: usize,
) -> Result<Vec<&'a [u8]>, &'static [u8]> {
    let raw = request.raw();
    if raw.first() != Some(&b'*') {
        return Err(NOT_A_REQUEST);
    }
    if let Item::Array(count) = request.item()
        && count > most
    {
        return Err(b"ERR Protocol error: invalid multibulk length");
    }
    let bulk = |argument: Reply<'a>| {
        if let Item::Bulk(bytes) = argument.item() {
            Ok(bytes)
        } else if argument.is_null() {
            Err(&b"ERR Protocol error: invalid bulk length"[..])
        } else {
            Err(NOT_A_REQUEST)
        }
    };
    request.children().map(bulk).collect()
}

pub(super) const NOT_A_REQUEST: &[u8] =
    b"ERR Protocol error: a request is an array of bulk strings";
