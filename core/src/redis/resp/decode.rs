//! Bytes in, whole replies out.

use alloc::vec::Vec;
use core::fmt;

use super::{Head, LINE_END, Reply, SHORT, head, is_known};

/// How much of an answer is accepted.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct DecodeLimits {
    /// Bytes of one whole answer, with an attribute in front of it. Default: 1 MiB.
    pub bytes: usize,
    /// How many aggregates may be inside one another. Default: 8.
    pub depth: usize,
    /// Bytes of one line, without its type and its end. It cannot be longer than the answer. Default: 64 KiB.
    pub line: usize,
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 8,
            line: 64 << 10,
        }
    }
}

/// Why there will be no more replies.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum DecodeError {
    /// This is not RESP.
    Malformed,
    /// A reply or a line is longer than allowed, or announces to be.
    TooLarge,
    /// Aggregates are nested deeper than allowed.
    TooDeep,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not RESP",
            Self::TooLarge => "a reply is larger than allowed",
            Self::TooDeep => "a reply is nested deeper than allowed",
        })
    }
}

impl core::error::Error for DecodeError {}

/// The shortest element, such as `_\r\n`.
const SHORTEST: usize = 3;

/// The longest line that is read without a check of limits: a number of [`SHORT`] digits.
const USUAL: usize = SHORT + SHORTEST;

/// A number without a sign at the start of `bytes`, as an answer of its own: what comes behind it.
#[inline]
pub(crate) fn skip_integer(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes.strip_prefix(b":")?;
    let length = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let rest = digits.get(length..)?.strip_prefix(LINE_END)?;
    (1..=SHORT).contains(&length).then_some(rest)
}

/// Takes bytes as they arrive and gives whole replies.
///
/// Call [`Decoder::next_reply`] until it gives `None` after each [`Decoder::feed`]: then what it holds stays below
/// [`DecodeLimits::bytes`] and the size of one feed. Both take time in proportion to the bytes, however they are split,
/// and allocate nothing once the buffer has its size.
pub struct Decoder {
    limits: DecodeLimits,
    buffer: Vec<u8>,
    /// Where the answer begins that is next. All other offsets count from here.
    start: usize,
    progress: DecodeProgress,
    /// Aggregates that are open, the innermost last. Reused; never longer than the depth allowed.
    open: Vec<Open>,
    error: Option<DecodeError>,
}

/// Shows no bytes: they may hold somebody's token.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("buffered", &self.buffered())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// The progress within a reply, so that no byte is read twice when more arrive.
#[derive(Copy, Clone, Default)]
struct DecodeProgress {
    /// Where the value begins, after the attributes in front of it.
    value: usize,
    /// Where the element begins that is next.
    at: usize,
    /// How much of that element's line holds no line end.
    searched: usize,
    /// With fewer bytes than this there is nothing to be done.
    need: usize,
}

struct Open {
    left: usize,
    attribute: bool,
}

impl Decoder {
    /// An empty decoder. It allocates when it is fed.
    #[must_use]
    pub const fn new(limits: DecodeLimits) -> Self {
        Self {
            limits,
            buffer: Vec::new(),
            start: 0,
            progress: DecodeProgress {
                value: 0,
                at: 0,
                searched: 0,
                need: 0,
            },
            open: Vec::new(),
            error: None,
        }
    }

    /// Takes bytes as they came, split anywhere. After an error they are dropped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        // Moved only when no more than what was used up has to move: linear in all that is ever fed.
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start >= self.buffered() {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply, or `None` until there are more bytes.
    ///
    /// # Errors
    /// [`DecodeError`], and the same one again until [`Decoder::clear`].
    #[inline]
    pub fn next_reply(&mut self) -> Result<Option<Reply<'_>>, DecodeError> {
        if self.start == self.buffer.len() && self.error.is_none() {
            return Ok(None);
        }
        self.next_in_buffer()
    }

    fn next_in_buffer(&mut self) -> Result<Option<Reply<'_>>, DecodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.scan() {
            Ok(false) => Ok(None),
            Ok(true) => {
                let from = self.start.saturating_add(self.progress.value);
                let end = self.start.saturating_add(self.progress.at);
                self.start = end;
                self.progress = DecodeProgress::default();
                let raw = self.buffer.get(from..end).unwrap_or_default();
                Ok(Some(Reply { raw }))
            }
            Err(error) => {
                self.clear();
                self.error = Some(error);
                Err(error)
            }
        }
    }

    /// Whether what comes next is the beginning of an answer, and may be read by somebody else if it is a few short
    /// lines: those are never past a limit that is worth the name.
    #[inline]
    pub(crate) fn is_idle(&self) -> bool {
        self.start == self.buffer.len()
            && self.error.is_none()
            && self.limits.bytes > USUAL
            && self.limits.line > USUAL
    }

    /// Forgets all bytes and the error, for a new connection.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.progress = DecodeProgress::default();
        self.open.clear();
        self.error = None;
    }

    /// How many bytes wait for the rest of their reply, or to be taken out.
    #[must_use]
    pub const fn buffered(&self) -> usize {
        self.buffer.len().saturating_sub(self.start)
    }

    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.buffer.capacity() + self.open.capacity() * size_of::<Open>()
    }

    /// Goes on until an answer is complete (`true`) or the bytes are used up.
    fn scan(&mut self) -> Result<bool, DecodeError> {
        loop {
            let bytes = self.buffer.get(self.start..).unwrap_or_default();
            if bytes.len() < self.progress.need {
                return Ok(false);
            }
            let Some(head) = next_element(bytes, &mut self.progress, self.limits)? else {
                return Ok(false);
            };
            let (left, attribute) = match head {
                Head::Line | Head::Blob(_) | Head::Null => (0, false),
                Head::Aggregate(left) => (left, false),
                Head::Attribute(left) => (left, true),
            };
            if matches!(head, Head::Aggregate(_) | Head::Attribute(_)) {
                if self.open.len() >= self.limits.depth {
                    return Err(DecodeError::TooDeep);
                }
                let room = self.limits.bytes.saturating_sub(self.progress.at);
                if left > room / SHORTEST {
                    return Err(DecodeError::TooLarge);
                }
            }
            if left > 0 {
                self.open.push(Open { left, attribute });
            } else if attribute {
                self.attribute_ends();
            } else if self.value_ends() {
                return Ok(true);
            }
        }
    }

    /// Counts a value in the aggregate around it, and so on outwards. `true` if it was the outermost one.
    fn value_ends(&mut self) -> bool {
        while let Some(open) = self.open.last_mut() {
            open.left = open.left.saturating_sub(1);
            if open.left > 0 {
                return false;
            }
            let attribute = open.attribute;
            self.open.pop();
            if attribute {
                self.attribute_ends();
                return false;
            }
        }
        true
    }

    /// The value that it describes is still to come.
    fn attribute_ends(&mut self) {
        if self.open.is_empty() {
            self.progress.value = self.progress.at;
        }
    }
}

/// Steps over one element: a whole leaf, or the line of an aggregate. `None` until there are more bytes.
///
/// Each check depends only on bytes that come before it in the stream, so that splits cannot change the result. Sums of
/// offsets into bytes that are there do not wrap: there are no such slices.
fn next_element(
    bytes: &[u8],
    progress: &mut DecodeProgress,
    limits: DecodeLimits,
) -> Result<Option<Head>, DecodeError> {
    let least = progress.at.wrapping_add(SHORTEST);
    let Some(room) = limits.bytes.checked_sub(least) else {
        return Err(DecodeError::TooLarge);
    };
    let Some((kind, rest)) = bytes.get(progress.at..).and_then(<[u8]>::split_first) else {
        return Ok(None);
    };
    if !is_known(*kind) {
        return Err(DecodeError::Malformed);
    }
    let longest = room.min(limits.line);
    let Some((line, mut rest)) = line(rest, &mut progress.searched, longest)? else {
        progress.need = bytes.len().wrapping_add(1);
        return Ok(None);
    };
    let head = head(*kind, line)?;
    if let Head::Blob(length) = head {
        let at = bytes.len().wrapping_sub(rest.len());
        let end = at.saturating_add(length).saturating_add(LINE_END.len());
        if end > limits.bytes {
            return Err(DecodeError::TooLarge);
        }
        let Some((blob, after)) = bytes
            .get(at..end)
            .and_then(|_| rest.split_at_checked(length))
        else {
            progress.need = end;
            return Ok(None);
        };
        let colon = *kind != b'=' || blob.get(3) == Some(&b':');
        rest = match after.strip_prefix(LINE_END) {
            Some(rest) if colon => rest,
            _ => return Err(DecodeError::Malformed),
        };
    }
    progress.at = bytes.len().wrapping_sub(rest.len());
    progress.searched = 0;
    progress.need = progress.at.wrapping_add(1);
    Ok(Some(head))
}

/// A line without its end, and what follows it.
type Line<'a> = (&'a [u8], &'a [u8]);

/// The first line, or `None` until its end has come. It may hold neither half of a line end.
fn line<'a>(
    bytes: &'a [u8],
    searched: &mut usize,
    longest: usize,
) -> Result<Option<Line<'a>>, DecodeError> {
    let window = bytes.get(..=longest).unwrap_or(bytes);
    let mut rest = window.get(*searched..).unwrap_or_default().iter();
    let found = rest.position(|byte| matches!(byte, b'\r' | b'\n'));
    let Some(offset) = found else {
        if window.len() > longest {
            return Err(DecodeError::TooLarge);
        }
        *searched = window.len();
        return Ok(None);
    };
    *searched = searched.wrapping_add(offset);
    match bytes.split_at_checked(*searched) {
        Some((line, [b'\r', b'\n', rest @ ..])) => Ok(Some((line, rest))),
        Some((_, [b'\r'])) => Ok(None),
        _ => Err(DecodeError::Malformed),
    }
}
