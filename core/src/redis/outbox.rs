//! What is to be sent next.

use alloc::vec::Vec;

/// Bytes to be sent. What the driver was lent stays until the next are written: it is used again.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// How many of them the driver was lent: all or none.
    lent: usize,
}

impl Outbox {
    /// The buffer to append to, without what the driver has taken.
    pub(crate) fn open(&mut self) -> &mut Vec<u8> {
        if core::mem::take(&mut self.lent) > 0 {
            self.bytes.clear();
        }
        &mut self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lent == self.bytes.len()
    }

    pub(crate) fn lend(&mut self) -> Option<&[u8]> {
        if self.is_empty() {
            return None;
        }
        self.lent = self.bytes.len();
        Some(&self.bytes)
    }
}
