//! Keys, their values, and when they expire.
//!
//! The store has no clock. Its callers decide when a key has expired, because Redis does so in two ways: when a command
//! touches the key, and in the background.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::sorted_set::SortedSet;

/// How many databases there are, as in Redis.
pub(super) const DATABASES: u8 = 16;

/// A point in time, or a duration, in whole milliseconds, as Redis counts.
pub(super) type Millis = i64;

/// The fields of a hash.
pub(super) type Fields = BTreeMap<Box<[u8]>, Vec<u8>>;

/// The value of a key.
#[derive(Clone)]
pub(super) enum Value {
    String(Vec<u8>),
    Hash(Fields),
    SortedSet(SortedSet),
    /// A list; only the number of its elements is kept.
    List(i64),
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Self::String(bytes) => bytes.len(),
            Self::Hash(fields) => fields.iter().fold(0, |sum, (name, value)| {
                sum.saturating_add(name.len()).saturating_add(value.len())
            }),
            Self::SortedSet(members) => members.bytes(),
            Self::List(_) => 0,
        }
    }
}

#[derive(Clone)]
pub(super) struct StoredKey {
    /// The key once more, so that registrations and expiries share its bytes.
    pub(super) name: Arc<[u8]>,
    pub(super) value: Value,
    /// The last millisecond in which the key exists.
    pub(super) expires_at: Option<Millis>,
}

/// The last millisecond of every key that has one.
type Expiries = BTreeSet<(Millis, u8, Arc<[u8]>)>;

impl StoredKey {
    fn expire_at(&mut self, db: u8, at: Option<Millis>, expiries: &mut Expiries) {
        if self.expires_at == at {
            return;
        }
        let mut place = (0, db, self.name.clone());
        if let Some(at) = self.expires_at {
            place.0 = at;
            expiries.remove(&place);
        }
        self.expires_at = at;
        if let Some(at) = at {
            place.0 = at;
            expiries.insert(place);
        }
    }
}

/// The keys of all databases. An expired key stays until it is removed.
#[derive(Clone)]
pub(super) struct Store {
    databases: Vec<BTreeMap<Arc<[u8]>, StoredKey>>,
    expiries: Expiries,
    keys: usize,
    bytes: usize,
    /// How often something has changed.
    changes: u64,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            databases: (0..DATABASES).map(|_| BTreeMap::new()).collect(),
            expiries: BTreeSet::new(),
            keys: 0,
            bytes: 0,
            changes: 0,
        }
    }

    /// How often something has changed.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn entry(&self, db: u8, key: &[u8]) -> Option<&StoredKey> {
        self.database(db)?.get(key)
    }

    /// The names of the keys that have not expired, over all databases.
    pub(super) fn names_at(&self, now: Millis) -> impl Iterator<Item = &[u8]> {
        let entries = self.databases.iter().flat_map(BTreeMap::values);
        let lives = move |entry: &&StoredKey| entry.expires_at.is_none_or(|at| now <= at);
        entries.filter(lives).map(|entry| &*entry.name)
    }

    /// Whether the last millisecond of the key has passed.
    pub(super) fn is_expired(&self, db: u8, key: &[u8], now: Millis) -> bool {
        self.entry(db, key)
            .and_then(|entry| entry.expires_at)
            .is_some_and(|at| now > at)
    }

    pub(super) fn insert(&mut self, db: u8, key: &[u8], value: Value, expires_at: Option<Millis>) {
        self.changes = self.changes.wrapping_add(1);
        let database = self.databases.get_mut(usize::from(db));
        if let Some(entry) = database.and_then(|database| database.get_mut(key)) {
            self.bytes = self
                .bytes
                .saturating_sub(entry.value.len())
                .saturating_add(value.len());
            entry.value = value;
            return entry.expire_at(db, expires_at, &mut self.expiries);
        }
        let key: Arc<[u8]> = key.into();
        let Some(database) = self.databases.get_mut(usize::from(db)) else {
            return;
        };
        self.keys = self.keys.saturating_add(1);
        self.bytes = self
            .bytes
            .saturating_add(key.len())
            .saturating_add(value.len());
        if let Some(at) = expires_at {
            self.expiries.insert((at, db, key.clone()));
        }
        let name = key.clone();
        database.insert(
            key,
            StoredKey {
                name,
                value,
                expires_at,
            },
        );
    }

    /// Changes the value of a key in place; `None` if there is none.
    pub(super) fn change<T>(
        &mut self,
        db: u8,
        key: &[u8],
        change: impl FnOnce(&mut Value) -> T,
    ) -> Option<T> {
        self.changes = self.changes.wrapping_add(1);
        let database = self.databases.get_mut(usize::from(db))?;
        let value = &mut database.get_mut(key)?.value;
        let before = value.len();
        let result = change(value);
        let after = value.len();
        self.bytes = self.bytes.saturating_sub(before).saturating_add(after);
        Some(result)
    }

    pub(super) fn set_expiry(&mut self, db: u8, key: &[u8], expires_at: Option<Millis>) {
        self.changes = self.changes.wrapping_add(1);
        let database = self.databases.get_mut(usize::from(db));
        if let Some(entry) = database.and_then(|database| database.get_mut(key)) {
            entry.expire_at(db, expires_at, &mut self.expiries);
        }
    }

    /// Returns whether the key existed.
    pub(super) fn remove(&mut self, db: u8, key: &[u8]) -> bool {
        let removed = self
            .databases
            .get_mut(usize::from(db))
            .and_then(|database| database.remove_entry(key));
        let Some((key, entry)) = removed else {
            return false;
        };
        self.changes = self.changes.wrapping_add(1);
        self.keys = self.keys.saturating_sub(1);
        self.bytes = self
            .bytes
            .saturating_sub(key.len())
            .saturating_sub(entry.value.len());
        if let Some(at) = entry.expires_at {
            self.expiries.remove(&(at, db, key));
        }
        true
    }

    /// Removes all keys of one database.
    pub(super) fn clear(&mut self, db: u8) {
        while let Some((key, _)) = self
            .databases
            .get(usize::from(db))
            .and_then(BTreeMap::first_key_value)
        {
            let key = key.clone();
            self.remove(db, &key);
        }
    }

    /// Exchanges the keys of two databases.
    pub(super) fn swap(&mut self, a: u8, b: u8) {
        let (first, second) = (usize::from(a), usize::from(b));
        if first.max(second) >= self.databases.len() {
            return;
        }
        self.databases.swap(first, second);
        let there = |db| {
            if db == a {
                b
            } else if db == b {
                a
            } else {
                db
            }
        };
        let expiries = core::mem::take(&mut self.expiries).into_iter();
        self.expiries = expiries.map(|(at, db, key)| (at, there(db), key)).collect();
    }

    /// Removes the key that expired first, if there is one, and returns its name.
    pub(super) fn remove_expired(&mut self, now: Millis) -> Option<Arc<[u8]>> {
        let (at, db, key) = self.expiries.first()?;
        if now <= *at {
            return None;
        }
        let (db, key) = (*db, key.clone());
        self.remove(db, &key);
        Some(key)
    }

    /// The earliest last millisecond of a key.
    pub(super) fn next_expiry(&self) -> Option<Millis> {
        self.expiries.first().map(|(at, ..)| *at)
    }

    /// The number of keys of one database, including expired ones that are not removed yet.
    pub(super) fn size(&self, db: u8) -> usize {
        self.database(db).map_or(0, BTreeMap::len)
    }

    /// The number of keys, and their bytes with values, as they would be after this insertion.
    pub(super) fn size_with(&self, db: u8, key: &[u8], value: &Value) -> (usize, usize) {
        let added = key.len().saturating_add(value.len());
        let (others, replaced) = match self.entry(db, key) {
            Some(entry) => (
                self.keys.saturating_sub(1),
                key.len().saturating_add(entry.value.len()),
            ),
            None => (self.keys, 0),
        };
        (
            others.saturating_add(1),
            self.bytes.saturating_sub(replaced).saturating_add(added),
        )
    }

    /// The number of keys, and their bytes with values.
    pub(super) const fn size_of_all(&self) -> (usize, usize) {
        (self.keys, self.bytes)
    }

    /// The number of keys of all databases that have not expired.
    pub(super) fn keys_at(&self, now: Millis) -> usize {
        let expired = self
            .expiries
            .iter()
            .take_while(|(at, ..)| now > *at)
            .count();
        self.keys.saturating_sub(expired)
    }

    fn database(&self, db: u8) -> Option<&BTreeMap<Arc<[u8]>, StoredKey>> {
        self.databases.get(usize::from(db))
    }
}
