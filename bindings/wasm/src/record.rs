//! What goes to TypeScript: a few words at a fixed place in memory, and the bytes that two of them point to.

use alloc::vec::Vec;
use core::time::Duration;

use tenure_core::NodeId;

/// Words of 64 bits: an id as it is, or floats: a node, two numbers, and where bytes are. TypeScript reads them before it calls
/// again; until then the bytes stay where they are.
pub(crate) struct Record {
    words: [u64; 5],
    /// Bytes that nobody else keeps.
    text: Vec<u8>,
}

impl Record {
    pub(crate) const fn new() -> Self {
        Self {
            words: [0; 5],
            text: Vec::new(),
        }
    }

    pub(crate) fn address(&self) -> u32 {
        address(self.words.as_ptr().cast())
    }

    /// The id of a lock or an inspection.
    pub(crate) fn name(&mut self, name: u64) {
        self.words[0] = name;
    }

    /// The number of a node, as a float.
    pub(crate) fn node(&mut self, node: NodeId) {
        self.words[0] = u32::try_from(node.index())
            .map_or(f64::NAN, f64::from)
            .to_bits();
    }

    /// The two numbers.
    pub(crate) fn numbers(&mut self, first: f64, second: f64) {
        self.words[1] = first.to_bits();
        self.words[2] = second.to_bits();
    }

    /// A reason, as the first number.
    pub(crate) fn code(&mut self, code: u8) {
        self.numbers(f64::from(code), 0.0);
    }

    /// Bytes that stay where they are.
    pub(crate) fn point_to(&mut self, bytes: &[u8]) {
        self.words[3] = f64::from(address(bytes.as_ptr())).to_bits();
        self.words[4] = u32::try_from(bytes.len()).map_or(0.0, f64::from).to_bits();
    }

    /// Bytes that are made for this.
    pub(crate) fn write(&mut self, bytes: Vec<u8>) {
        self.text = bytes;
        let (at, len) = (address(self.text.as_ptr()), self.text.len());
        self.words[3] = f64::from(at).to_bits();
        self.words[4] = u32::try_from(len).map_or(0.0, f64::from).to_bits();
    }
}

/// Where bytes are. WebAssembly has 32 bits of memory; elsewhere this crate is only checked, never run.
#[allow(clippy::cast_possible_truncation, reason = "said above")]
pub(crate) fn address(pointer: *const u8) -> u32 {
    pointer.addr() as u32
}

/// A duration in milliseconds; negative if there is none.
pub(crate) fn millis(duration: Option<Duration>) -> f64 {
    duration.map_or(-1.0, |duration| duration.as_secs_f64() * 1_000.0)
}
