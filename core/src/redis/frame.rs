//! The arguments that all commands of one lock share, rendered once.

use alloc::vec::Vec;

use crate::keys::Keys;
use crate::redis::resp::prepared;

/// The most bytes around an argument: its length in up to four digits, its type and two line ends.
const AROUND: usize = 9;

/// The command that reads the remaining time of a key, up to the key.
const PTTL: &[u8] = b"*2\r\n$4\r\nPTTL\r\n";

/// The keys and the value of a lock as consecutive arguments in RESP. All commands of a lock have them, so they are encoded
/// once, when the lock is made, and copied from then on.
///
/// If there is a single key, the command that reads its remaining time precedes it, because that is sent so often.
#[derive(Clone)]
pub(crate) struct Frame {
    bytes: Vec<u8>,
    /// Where the keys begin.
    keys: usize,
    /// Where the value begins as an argument.
    value_argument: usize,
    /// Where the value itself begins, up to the line end behind it.
    value: usize,
}

impl Frame {
    /// Renders `keys`, each after `prefix`, and the value, which has two parts.
    // As `Claim::new`, which is all that needs it.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    pub(crate) fn new(prefix: &[u8], keys: &Keys, value: (&[u8], &[u8])) -> Self {
        let whole = keys.iter().fold(PTTL.len(), |sum, key| {
            sum.saturating_add(prefix.len())
                .saturating_add(key.as_bytes().len())
                .saturating_add(AROUND)
        });
        let value_len = value.0.len().saturating_add(value.1.len());
        let room = value_len.saturating_add(AROUND);
        let mut bytes = Vec::with_capacity(whole.saturating_add(room));
        if keys.len() == 1 {
            bytes.extend_from_slice(PTTL);
        }
        let start = bytes.len();
        for key in keys.iter() {
            prepared(&mut bytes, b"").joined(prefix, key.as_bytes());
        }
        Self::finish(bytes, start, value)
    }

    /// The same keys with another value.
    pub(crate) fn with_value(&self, value: (&[u8], &[u8])) -> Self {
        let bytes = self.bytes.get(..self.value_argument).unwrap_or_default();
        Self::finish(bytes.to_vec(), self.keys, value)
    }

    fn finish(mut bytes: Vec<u8>, keys: usize, value: (&[u8], &[u8])) -> Self {
        let value_argument = bytes.len();
        prepared(&mut bytes, b"").joined(value.0, value.1);
        let behind = value
            .0
            .len()
            .saturating_add(value.1.len())
            .saturating_add(2);
        Self {
            value: bytes.len().saturating_sub(behind),
            bytes,
            keys,
            value_argument,
        }
    }

    /// All keys and then the value, as arguments.
    pub(crate) fn all(&self) -> &[u8] {
        self.bytes.get(self.keys..).unwrap_or_default()
    }

    /// All keys, as arguments.
    pub(crate) fn keys(&self) -> &[u8] {
        let keys = self.keys..self.value_argument;
        self.bytes.get(keys).unwrap_or_default()
    }

    /// The one key itself, with its prefix. Of several keys it is not that of any.
    #[cfg(feature = "modes")]
    pub(crate) fn raw_key(&self) -> &[u8] {
        let argument = self.keys();
        let start = argument.iter().position(|byte| *byte == b'\n');
        let start = start.map_or(0, |at| at.saturating_add(1));
        let end = argument.len().saturating_sub(2);
        argument.get(start..end).unwrap_or_default()
    }

    /// The value, as an argument.
    pub(crate) fn value(&self) -> &[u8] {
        self.bytes.get(self.value_argument..).unwrap_or_default()
    }

    /// The whole command that reads the remaining time, if there is a single key.
    pub(crate) fn time(&self) -> Option<&[u8]> {
        self.bytes
            .get(..self.value_argument)
            .filter(|_| self.keys > 0)
    }

    /// The value itself.
    pub(crate) fn raw_value(&self) -> &[u8] {
        let end = self.bytes.len().saturating_sub(2);
        self.bytes.get(self.value..end).unwrap_or_default()
    }
}
