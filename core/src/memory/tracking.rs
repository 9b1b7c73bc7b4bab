//! Client-side caching (`CLIENT TRACKING`): which connection has read which key, and gets a push message when it changes.
//!
//! As in Redis, a registration is for one message: any write to the key ends it, even the reader's own, for which `NOLOOP`
//! suppresses the message. So a client has to read after each write of its own to stay registered. Registrations belong to
//! the name of a key, whatever its database.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The content of a push message.
#[derive(Clone)]
pub(super) enum Change {
    /// This key has changed.
    Key(Arc<[u8]>),
    /// All keys have: after `FLUSHALL` and `FLUSHDB`.
    All,
}

pub(super) struct Tracking {
    /// The readers of each key, sorted.
    readers: BTreeMap<Arc<[u8]>, Vec<u64>>,
    /// An empty list for the readers of the next key: a key that is locked again and again allocates none.
    spare: Vec<u64>,
    /// What keys and registrations take, in bytes.
    bytes: usize,
    limit: usize,
    /// The messages that are still to be sent, in order, with their reader; `None` is for all connections that track.
    changes: Vec<(Option<u64>, Change)>,
}

/// What one registration takes, roughly, in bytes.
const REGISTRATION: usize = 32;

impl Tracking {
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            readers: BTreeMap::new(),
            spare: Vec::new(),
            bytes: 0,
            limit,
            changes: Vec::new(),
        }
    }

    /// The connection has read `key`. `known` is the same key if it is stored already.
    pub(super) fn register(&mut self, reader: u64, key: &[u8], known: Option<&Arc<[u8]>>) {
        let added = if let Some(readers) = self.readers.get_mut(key) {
            let Err(place) = readers.binary_search(&reader) else {
                return;
            };
            readers.insert(place, reader);
            REGISTRATION
        } else {
            let mut readers = core::mem::take(&mut self.spare);
            readers.push(reader);
            let name = known.map_or_else(|| key.into(), Arc::clone);
            self.readers.insert(name, readers);
            key.len().saturating_add(REGISTRATION)
        };
        self.bytes = self.bytes.saturating_add(added);
        while self.bytes > self.limit {
            // A message without a change costs its reader one more read. A registration that is dropped silently could cost it
            // a whole ttl.
            let Some((key, _)) = self.readers.first_key_value() else {
                return;
            };
            let key = key.clone();
            self.invalidate(&key);
        }
    }

    /// The key has changed.
    pub(super) fn invalidate(&mut self, key: &[u8]) {
        let Some((key, mut readers)) = self.readers.remove_entry(key) else {
            return;
        };
        let taken = readers.len().saturating_mul(REGISTRATION);
        self.bytes = self.bytes.saturating_sub(taken.saturating_add(key.len()));
        for reader in readers.drain(..) {
            self.changes.push((Some(reader), Change::Key(key.clone())));
        }
        self.spare = readers;
    }

    /// All keys are gone: every connection that tracks gets a message, whatever it has read.
    pub(super) fn invalidate_all(&mut self) {
        self.readers.clear();
        self.bytes = 0;
        self.changes.push((None, Change::All));
    }

    /// The connection is gone.
    pub(super) fn forget(&mut self, reader: u64) {
        let bytes = &mut self.bytes;
        self.readers.retain(|key, readers| {
            if let Ok(place) = readers.binary_search(&reader) {
                readers.remove(place);
                *bytes = bytes.saturating_sub(REGISTRATION);
            }
            if readers.is_empty() {
                *bytes = bytes.saturating_sub(key.len());
            }
            !readers.is_empty()
        });
    }

    /// Whether there are messages to be sent.
    pub(super) const fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes the messages to be sent, in order.
    pub(super) fn take_changes(&mut self) -> Vec<(Option<u64>, Change)> {
        core::mem::take(&mut self.changes)
    }

    /// Takes the empty list back, to use its memory again.
    pub(super) fn give_back(&mut self, empty: Vec<(Option<u64>, Change)>) {
        self.changes = empty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registrations_stay_below_their_limit_and_no_client_is_forgotten() {
        let mut tracking = Tracking::new(10 * (4 + REGISTRATION));
        let mut notified = 0;
        for n in 0_u32..1000 {
            tracking.register(u64::from(n % 3), &n.to_be_bytes(), None);
            tracking.register(u64::from(n % 3), &n.to_be_bytes(), None);
            assert!(tracking.bytes <= tracking.limit);
            notified += tracking.take_changes().len();
        }
        assert_eq!(notified + tracking.readers.len(), 1000);
        for reader in 0..3 {
            tracking.forget(reader);
        }
        assert_eq!((tracking.bytes, tracking.readers.len()), (0, 0));
    }
}
