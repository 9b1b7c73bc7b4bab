//! Bytes on their way.

use std::collections::VecDeque;

use tenure_core::Instant;

/// Bytes on their way in one direction.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    bytes: Vec<u8>,
    /// Where in them that begins which was last taken out, and where it ends.
    start: usize,
    end: usize,
    /// How many bytes arrive when; none is the end.
    pieces: VecDeque<(Instant, usize)>,
    /// When the last of them arrives.
    pub(crate) last: Instant,
    /// Bytes were swallowed: nothing can come after them.
    pub(crate) broken: bool,
    /// Nothing will arrive from now on.
    pub(crate) ended: bool,
}

/// What has arrived.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Arrived {
    /// So many bytes.
    pub(crate) count: usize,
    pub(crate) ended: bool,
}

impl Arrived {
    pub(crate) const fn is_nothing(self) -> bool {
        self.count == 0 && !self.ended
    }
}

impl Pipe {
    pub(crate) fn new() -> Self {
        Self {
            // What most connections come to need: growing to it step by step costs more than they do.
            bytes: Vec::with_capacity(512),
            ..Self::default()
        }
    }

    /// Takes out what is due by `now`: see [`Pipe::arrived`].
    pub(crate) fn take(&mut self, now: Instant) -> Arrived {
        self.start = self.end;
        let (mut count, mut ended) = (0, false);
        while let Some((_, len)) = self.pieces.front().filter(|(at, _)| *at <= now) {
            count += len;
            ended |= *len == 0;
            self.pieces.pop_front();
        }
        self.end += count;
        Arrived { count, ended }
    }

    /// What was last taken out.
    pub(crate) fn arrived(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Takes in bytes that are to be on their way.
    pub(crate) fn load(&mut self, bytes: &[u8]) {
        // Moved only when no more than what has arrived has to move.
        if self.end > 0 && self.end >= self.pending() {
            self.bytes.drain(..self.end);
            (self.start, self.end) = (0, 0);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Lets the next bytes of those arrive behind the others, which they do not overtake; no bytes are the end. Whether
    /// they come alone.
    pub(crate) fn append(&mut self, at: Instant, len: usize) -> bool {
        self.last = self.last.max(at);
        match self.pieces.back_mut() {
            Some((at, before)) if *at == self.last && *before > 0 && len > 0 => {
                *before += len;
                false
            }
            _ => {
                self.pieces.push_back((self.last, len));
                true
            }
        }
    }

    /// Loses all but the first `keep` bytes of what is on its way. If the end was on its way, too, it is lost.
    pub(crate) fn truncate(&mut self, keep: usize) {
        self.ended &= self.pieces.back().is_none_or(|(_, len)| *len > 0);
        self.bytes.truncate(self.end + keep);
        let mut left = keep;
        self.pieces.retain_mut(|(_, len)| {
            *len = left.min(*len);
            left -= *len;
            *len > 0
        });
    }

    pub(crate) fn pending(&self) -> usize {
        self.bytes.len() - self.end
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }
}
