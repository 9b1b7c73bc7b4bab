//! Who has read which key, and is to be told when it changes.
//!
//! A registration is for one message: any write ends it, the reader's own too. It belongs to the name of a key in
//! whatever database.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a reader is to be told.
#[derive(Clone)]
pub(super) enum Change {
    /// This key has changed.
    Key(Arc<[u8]>),
    /// Everything has.
    All,
}

pub(super) struct Tracking {
    /// Readers in the order of their numbers.
    readers: BTreeMap<Arc<[u8]>, Vec<u64>>,
    /// Memory for the readers of the next key.
    spare: Vec<u64>,
    /// Keys and registrations, in bytes.
    bytes: usize,
    limit: usize,
    /// What has changed for whom, in order; `None` is for everybody.
    changes: Vec<(Option<u64>, Change)>,
}

/// What one registration takes, roughly.
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

    /// The connection has read the key; the second is the same key if it is in memory already.
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
            // To be told too early costs a reader one look; to be forgotten could cost it everything.
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

    /// All keys are gone. Whoever tracks is told, whatever it has read.
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

    /// Whether there is anything to be told.
    pub(super) const fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// What is to be told, in order.
    pub(super) fn take_changes(&mut self) -> Vec<(Option<u64>, Change)> {
        core::mem::take(&mut self.changes)
    }

    /// Takes back the memory of what has been told.
    pub(super) fn give_back(&mut self, told: Vec<(Option<u64>, Change)>) {
        self.changes = told;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_stays_below_its_limit_and_nobody_is_forgotten() {
        let mut tracking = Tracking::new(10 * (4 + REGISTRATION));
        let mut told = 0;
        for n in 0_u32..1000 {
            tracking.register(u64::from(n % 3), &n.to_be_bytes(), None);
            tracking.register(u64::from(n % 3), &n.to_be_bytes(), None);
            assert!(tracking.bytes <= tracking.limit);
            told += tracking.take_changes().len();
        }
        assert_eq!(told + tracking.readers.len(), 1000);
        for reader in 0..3 {
            tracking.forget(reader);
        }
        assert_eq!((tracking.bytes, tracking.readers.len()), (0, 0));
    }
}
