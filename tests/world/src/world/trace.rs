//! A hash of everything that can be observed in a world, the same on every platform.

use std::hash::{Hash, Hasher};

use tenure_core::Instant;

/// Takes in what happens, in the order in which it happens.
///
/// Numbers are taken in as 64 bits in a fixed order of bytes, however wide `usize` is, so that derived `Hash` may be used.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Trace(u64);

impl Default for Trace {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Trace {
    /// Something of the kind `what` happens at `now` to somebody, or on a connection.
    pub(crate) fn happens(&mut self, what: u8, now: Instant, who: usize, content: impl Hash) {
        self.write_u64(now.as_micros());
        self.write_u64(u64::from(what) << 32 | who as u64);
        content.hash(self);
    }
}

impl Hasher for Trace {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u8(*byte);
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as i64 as u64);
    }
}
