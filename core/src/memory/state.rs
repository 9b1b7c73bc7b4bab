//! The state of the server that commands read and change: keys, scripts, registrations and the time.

use alloc::vec::Vec;

use super::options::Options;
use super::store::{Millis, Store, StoredKey};
use super::tracking::Tracking;
use crate::Instant;
use crate::redis::Script;

/// The part of a server that all connections share.
pub(super) struct ServerState {
    pub(super) options: Options,
    pub(super) store: Store,
    pub(super) tracking: Tracking,
    /// Scripts that `EVALSHA` knows.
    pub(super) loaded: Vec<Script>,
    pub(super) now: Instant,
    /// How far the data had changed when replicas stopped to follow; `None`: they follow.
    pub(super) replicated: Option<u64>,
}

impl ServerState {
    pub(super) fn new(options: Options) -> Self {
        Self {
            store: Store::new(),
            tracking: Tracking::new(options.max_tracked_bytes),
            loaded: Vec::new(),
            now: Instant::default(),
            replicated: None,
            options,
        }
    }

    /// The time at which the current command is executed. One command sees one time, as in Redis.
    pub(super) fn now(&self) -> Millis {
        millis(self.now)
    }

    /// A key that exists. Expired keys are removed when they are touched, as in Redis, and their readers notified.
    pub(super) fn entry(&mut self, db: u8, key: &[u8]) -> Option<&StoredKey> {
        // With announcements, expired keys were removed already when the time was passed in.
        let over = self.store.next_expiry().is_some_and(|at| self.now() > at);
        if over && self.store.is_expired(db, key, self.now()) {
            self.remove(db, key);
        }
        self.store.entry(db, key)
    }

    /// The connection has read a key.
    pub(super) fn register(&mut self, reader: u64, db: u8, key: &[u8]) {
        let known = self.store.entry(db, key).map(|entry| &entry.name);
        self.tracking.register(reader, key, known);
    }

    /// Removes a key and notifies its readers.
    pub(super) fn remove(&mut self, db: u8, key: &[u8]) -> bool {
        let removed = self.store.remove(db, key);
        if removed {
            self.tracking.invalidate(key);
        }
        removed
    }

    /// Removes all expired keys.
    pub(super) fn expire_due(&mut self) {
        let now = self.now();
        while let Some(key) = self.store.remove_expired(now) {
            self.tracking.invalidate(&key);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        if !self.options.announce_expiry {
            return None;
        }
        // A key exists to the end of its last millisecond, as in Redis.
        let over = self.store.next_expiry()?.saturating_add(1);
        // `None` if that does not fit into an instant.
        let over = u64::try_from(over).ok()?.checked_mul(1000)?;
        Some(Instant::from_micros(over))
    }
}

pub(super) fn millis(instant: Instant) -> Millis {
    Millis::try_from(instant.as_micros() / 1000).unwrap_or(Millis::MAX)
}
