//! Requests in the form in which clients send them nearly always: whole, and a short array of strings.
//!
//! This reader borrows the strings from the bytes that arrived, and skips what the decoder does for other forms. Both must
//! accept the same requests: a fuzz target feeds the same bytes whole and split.

use alloc::vec::Vec;

use crate::redis::resp::{Item, Reply};

/// Requests with more arguments than this go to the decoder. The commands for a lock of one key have at most seven.
const MOST: usize = 12;

/// The strings of one request.
pub(super) struct Request<'a> {
    args: [&'a [u8]; MOST],
    count: usize,
}

/// The result of reading the bytes that arrived.
pub(super) enum RequestRead<'a> {
    /// A request, now in [`Request`], and what follows it.
    Whole(&'a [u8]),
    /// The beginning of one. It is not complete before there are this many bytes.
    Part(usize),
    /// Something for the decoder.
    Other,
}

impl<'a> Request<'a> {
    pub(super) const fn new() -> Self {
        Self {
            args: [&[]; MOST],
            count: 0,
        }
    }

    /// Reads the first request, if it is within the limits. Any other form is left to the decoder, which would give the same
    /// result for this one, more slowly.
    pub(super) fn read(&mut self, bytes: &'a [u8], limits: RequestLimits) -> RequestRead<'a> {
        let part = |need: usize| {
            // Far enough below the limits for the decoder to wait as well; near them, it decides which error to send.
            let in_limits = need.saturating_add(MARGIN) <= limits.bytes;
            if in_limits {
                RequestRead::Part(need)
            } else {
                RequestRead::Other
            }
        };
        let more = part(bytes.len().saturating_add(1));
        let (count, mut rest) = match number(bytes, b'*') {
            Number::Whole(count, rest) => (count, rest),
            Number::Part => return more,
            Number::Other => return RequestRead::Other,
        };
        if count == 0 || count > MOST.min(limits.args) {
            return RequestRead::Other;
        }
        for arg in self.args.iter_mut().take(count) {
            let (len, after) = match number(rest, b'$') {
                Number::Whole(len, after) => (len, after),
                Number::Part => return more,
                Number::Other => return RequestRead::Other,
            };
            let Some((text, after)) = after.split_at_checked(len) else {
                let missing = len
                    .saturating_sub(after.len())
                    .saturating_add(LINE_END.len());
                return part(bytes.len().saturating_add(missing));
            };
            *arg = text;
            rest = match after.strip_prefix(LINE_END) {
                Some(rest) => rest,
                None if LINE_END.starts_with(after) => return more,
                None => return RequestRead::Other,
            };
        }
        self.count = count;
        if bytes.len().saturating_sub(rest.len()) > limits.bytes {
            return RequestRead::Other;
        }
        RequestRead::Whole(rest)
    }

    pub(super) fn args(&self) -> &[&'a [u8]] {
        self.args.get(..self.count).unwrap_or_default()
    }
}

/// More than the decoder looks ahead: the longest line that is read here, and [`MOST`] of the shortest elements.
const MARGIN: usize = 64;

const LINE_END: &[u8] = b"\r\n";

/// How large a request may be.
#[derive(Copy, Clone)]
pub(super) struct RequestLimits {
    pub(super) bytes: usize,
    pub(super) args: usize,
}

/// The result of reading a line with one number.
enum Number<'a> {
    /// The number, and the bytes after the line.
    Whole(usize, &'a [u8]),
    /// The line is not complete.
    Part,
    Other,
}

/// Reads a line of this kind with a number of a few digits.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
fn number(bytes: &[u8], kind: u8) -> Number<'_> {
    match bytes {
        // One and two digits are nearly all there are.
        [first, digit @ b'0'..=b'9', b'\r', b'\n', rest @ ..] if *first == kind => {
            Number::Whole(usize::from(digit & 15), rest)
        }
        [
            first,
            ten @ b'0'..=b'9',
            digit @ b'0'..=b'9',
            b'\r',
            b'\n',
            rest @ ..,
        ] if *first == kind => {
            let value = usize::from(ten & 15).saturating_mul(10);
            Number::Whole(value.saturating_add(usize::from(digit & 15)), rest)
        }
        [first, rest @ ..] if *first == kind => any_number(rest),
        [] => Number::Part,
        [..] => Number::Other,
    }
}

fn any_number(mut rest: &[u8]) -> Number<'_> {
    let mut value = 0_usize;
    for digits in 0..8_u8 {
        match rest {
            [digit @ b'0'..=b'9', after @ ..] => {
                value = value
                    .saturating_mul(10)
                    .saturating_add(usize::from(digit & 15));
                rest = after;
            }
            [b'\r', b'\n', after @ ..] if digits > 0 => return Number::Whole(value, after),
            [b'\r'] if digits > 0 => return Number::Part,
            [] => return Number::Part,
            [..] => return Number::Other,
        }
    }
    Number::Other
}

/// The strings of a request from the decoder; none for the empty arrays that Redis ignores.
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
