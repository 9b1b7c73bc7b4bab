//! RESP, the protocol of Redis and Valkey, in its versions 2 and 3.
//!
//! [`Decoder`] takes bytes however they arrive and hands out one complete, validated [`Reply`] after the other.
//! [`command`] and the `write_*` functions append to a buffer of the caller's.
//!
//! The other side is not trusted. Nothing recurses and nothing is allocated because of an announced count: what a
//! decoder holds is what was fed to it. *Incomplete* is `Ok(None)`, everything else is a [`DecodeError`]. A connection
//! cannot find its way back into the stream after one, so a decoder stays in error until [`Decoder::clear`].
//!
//! Streamed strings and aggregates (`$?`, `*?`) have never been sent by any server, and count as malformed.
//! Attributes (`|`) are skipped together with what they hold.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::skip_integer;
pub use decode::{DecodeError, DecodeLimits, Decoder};
pub(crate) use encode::prepared;
pub use encode::{
    Args, command, write_array, write_boolean, write_bulk, write_error, write_integer, write_map,
    write_null, write_push, write_simple,
};

use core::fmt;

/// One complete value, already validated. It borrows from the decoder.
#[derive(Copy, Clone)]
pub struct Reply<'a> {
    raw: &'a [u8],
}

/// What a value is. Elements of an aggregate come from [`Reply::children`].
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Item<'a> {
    /// `+` A short text such as `OK`.
    Simple(&'a [u8]),
    /// `-` or `!` An error. Its first word is the code.
    Error(&'a [u8]),
    /// `:` An integer.
    Integer(i64),
    /// `$` Any bytes.
    Bulk(&'a [u8]),
    /// `_`, `$-1` or `*-1` Nothing.
    Null,
    /// `#` True or false.
    Boolean(bool),
    /// `,` A number, as the text that was sent.
    Double(&'a [u8]),
    /// `(` An integer of any size, as the text that was sent.
    BigNumber(&'a [u8]),
    /// `=` A text with its three letters of format and the colon.
    Verbatim(&'a [u8]),
    /// `*` That many elements.
    Array(usize),
    /// `%` That many pairs.
    Map(usize),
    /// `~` That many elements.
    Set(usize),
    /// `>` That many elements, and no answer to anything.
    Push(usize),
}

impl<'a> Reply<'a> {
    /// What it is.
    #[must_use]
    pub fn item(&self) -> Item<'a> {
        // What most answers are: one line.
        if let [kind @ (b'+' | b'-' | b':'), line @ .., b'\r', b'\n'] = self.raw {
            return match kind {
                b'+' => Item::Simple(line),
                b'-' => Item::Error(line),
                _ => integer(line).map_or(Item::Null, Item::Integer),
            };
        }
        Element::first(self.raw).map_or(Item::Null, |element| element.item())
    }

    /// The direct children, in order. A map alternates key and value; a leaf has none.
    pub fn children(&self) -> impl Iterator<Item = Self> + use<'a> {
        let (rest, left) = match Element::first(self.raw) {
            Some(element) => match element.head {
                Head::Aggregate(elements) => (element.rest, elements),
                Head::Line | Head::Blob(_) | Head::Null | Head::Attribute(_) => (&[][..], 0),
            },
            None => (&[][..], 0),
        };
        Children { rest, left }
    }

    /// The text of a simple string, a bulk string or a verbatim string (without its format).
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.item() {
            Item::Simple(bytes) | Item::Bulk(bytes) => Some(bytes),
            Item::Verbatim(bytes) => bytes.get(VERBATIM_PREFIX..),
            Item::Error(_)
            | Item::Integer(_)
            | Item::Null
            | Item::Boolean(_)
            | Item::Double(_)
            | Item::BigNumber(_)
            | Item::Array(_)
            | Item::Map(_)
            | Item::Set(_)
            | Item::Push(_) => None,
        }
    }

    /// The value of an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Item::Integer(value) = self.item() {
            Some(value)
        } else {
            None
        }
    }

    /// Whether it is one of the three nulls.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.item() == Item::Null
    }

    /// Whether it answers nothing: the server speaks of its own accord.
    #[must_use]
    pub fn is_push(&self) -> bool {
        self.raw.first() == Some(&b'>')
    }

    /// The bytes that were sent, without an attribute in front.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }
}

/// Shows the kind only: a reply may hold somebody's token.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.raw.first().copied().map_or('?', char::from);
        write!(f, "Reply({kind} {} bytes)", self.raw.len())
    }
}

struct Children<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Iterator for Children<'a> {
    type Item = Reply<'a>;

    fn next(&mut self) -> Option<Reply<'a>> {
        self.left = self.left.checked_sub(1)?;
        let mut from = self.rest;
        let mut element = Element::first(from)?;
        while let Head::Attribute(elements) = element.head {
            from = skip(element.rest, elements)?;
            element = Element::first(from)?;
        }
        self.rest = match element.head {
            Head::Aggregate(elements) => skip(element.rest, elements)?,
            Head::Line | Head::Blob(_) | Head::Null | Head::Attribute(_) => element.rest,
        };
        let raw = from.get(..from.len().saturating_sub(self.rest.len()))?;
        Some(Reply { raw })
    }
}

/// What follows after `pending` whole values.
fn skip(mut rest: &[u8], mut pending: usize) -> Option<&[u8]> {
    while let Some(others) = pending.checked_sub(1) {
        let element = Element::first(rest)?;
        rest = element.rest;
        pending = match element.head {
            Head::Line | Head::Blob(_) | Head::Null => others,
            Head::Aggregate(elements) => others.saturating_add(elements),
            Head::Attribute(elements) => pending.saturating_add(elements),
        };
    }
    Some(rest)
}

/// The letters of the format and the colon.
const VERBATIM_PREFIX: usize = 4;

/// What the first line of an element announces.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Head {
    /// The line is all of it.
    Line,
    /// That many bytes and a line end follow.
    Blob(usize),
    /// One of the nulls.
    Null,
    /// That many elements follow (twice the pairs of a map).
    Aggregate(usize),
    /// That many elements follow, and then the value that they describe.
    Attribute(usize),
}

const fn is_known(kind: u8) -> bool {
    matches!(
        kind,
        b'+' | b'-'
            | b':'
            | b'$'
            | b'*'
            | b'_'
            | b'#'
            | b','
            | b'('
            | b'!'
            | b'='
            | b'%'
            | b'~'
            | b'>'
            | b'|'
    )
}

/// Reads the line of an element, which is without its type and its line end.
fn head(kind: u8, line: &[u8]) -> Result<Head, DecodeError> {
    let line_if = |valid: bool| {
        if valid {
            Ok(Head::Line)
        } else {
            Err(DecodeError::Malformed)
        }
    };
    match kind {
        b'+' | b'-' => Ok(Head::Line),
        b':' => line_if(integer(line).is_some()),
        b'$' | b'*' if line == b"-1" => Ok(Head::Null),
        b'$' | b'!' => length(line).map(Head::Blob),
        b'=' => match length(line)? {
            0..VERBATIM_PREFIX => Err(DecodeError::Malformed),
            length => Ok(Head::Blob(length)),
        },
        b'*' | b'~' | b'>' => length(line).map(Head::Aggregate),
        // Saturated, it is past every limit.
        b'%' => length(line).map(|pairs| Head::Aggregate(pairs.saturating_mul(2))),
        b'|' => length(line).map(|pairs| Head::Attribute(pairs.saturating_mul(2))),
        b'_' if line.is_empty() => Ok(Head::Null),
        b'#' => line_if(matches!(line, b"t" | b"f")),
        b',' => line_if(is_double(line)),
        b'(' => line_if(is_digits(unsigned(line))),
        _ => Err(DecodeError::Malformed),
    }
}

/// The first element of validated bytes: for an aggregate its line, for a leaf all of it.
struct Element<'a> {
    kind: u8,
    head: Head,
    /// The line, or the bytes of a blob.
    text: &'a [u8],
    /// What comes after it.
    rest: &'a [u8],
}

impl<'a> Element<'a> {
    /// `None` is only for bytes that no decoder has validated.
    fn first(whole: &'a [u8]) -> Option<Self> {
        let (kind, rest) = whole.split_first()?;
        let end = rest.iter().position(|byte| *byte == b'\r')?;
        let (line, rest) = rest.split_at_checked(end)?;
        let head = head(*kind, line).ok()?;
        let rest = rest.get(LINE_END.len()..)?;
        let (text, rest) = if let Head::Blob(length) = head {
            let (text, rest) = rest.split_at_checked(length)?;
            (text, rest.get(LINE_END.len()..)?)
        } else {
            (line, rest)
        };
        Some(Self {
            kind: *kind,
            head,
            text,
            rest,
        })
    }

    fn item(&self) -> Item<'a> {
        match (self.kind, self.head) {
            (b'+', _) => Item::Simple(self.text),
            (b'-' | b'!', _) => Item::Error(self.text),
            (b':', _) => integer(self.text).map_or(Item::Null, Item::Integer),
            (b'$', Head::Blob(_)) => Item::Bulk(self.text),
            (b'#', _) => Item::Boolean(self.text == b"t"),
            (b',', _) => Item::Double(self.text),
            (b'(', _) => Item::BigNumber(self.text),
            (b'=', _) => Item::Verbatim(self.text),
            (b'*', Head::Aggregate(elements)) => Item::Array(elements),
            (b'%', Head::Aggregate(elements)) => Item::Map(elements / 2),
            (b'~', Head::Aggregate(elements)) => Item::Set(elements),
            (b'>', Head::Aggregate(elements)) => Item::Push(elements),
            _ => Item::Null,
        }
    }
}

const LINE_END: &[u8] = b"\r\n";

/// A length or count. One that does not fit is the largest there is, and so past every limit.
fn length(line: &[u8]) -> Result<usize, DecodeError> {
    if !is_digits(line) {
        return Err(DecodeError::Malformed);
    }
    Ok(line.iter().fold(0_usize, |sum, digit| {
        sum.saturating_mul(10)
            .saturating_add(usize::from(digit.wrapping_sub(b'0')))
    }))
}

/// How many digits always fit.
const SHORT: usize = 18;

fn integer(line: &[u8]) -> Option<i64> {
    if line.len() <= SHORT
        && let Some(n) = short_integer(line)
    {
        return Some(n);
    }
    let digits = unsigned(line);
    if !is_digits(digits) {
        return None;
    }
    // Downwards, because the smallest number has no positive counterpart.
    let negative = digits.iter().try_fold(0_i64, |sum, digit| {
        sum.checked_mul(10)?
            .checked_sub(i64::from(digit.wrapping_sub(b'0')))
    })?;
    if line.first() == Some(&b'-') {
        Some(negative)
    } else {
        negative.checked_neg()
    }
}

/// A few digits without a sign, in one go.
fn short_integer(line: &[u8]) -> Option<i64> {
    let mut value = 0_i64;
    for byte in line {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
    }
    (!line.is_empty()).then_some(value)
}

fn unsigned(line: &[u8]) -> &[u8] {
    match line {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    }
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_double(line: &[u8]) -> bool {
    let text = unsigned(line);
    if matches!(text, b"inf" | b"nan") {
        return true;
    }
    let (number, exponent) = split(text, |byte| matches!(byte, b'e' | b'E'));
    let (whole, fraction) = split(number, |byte| byte == b'.');
    is_digits(whole)
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(|exponent| is_digits(unsigned(exponent)))
}

fn split(text: &[u8], at: impl Fn(u8) -> bool) -> (&[u8], Option<&[u8]>) {
    let mut parts = text.splitn(2, |byte| at(*byte));
    (parts.next().unwrap_or_default(), parts.next())
}
