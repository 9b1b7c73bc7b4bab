//! What is locked: keys, and the metadata that is stored with them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::limits::{ClaimError, MAX_KEY, MAX_KEYS, MAX_METADATA};
use crate::redis::slot;

/// The name of what is locked: 1 to [`MAX_KEY`] bytes of any kind. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<[u8]>);

impl Key {
    /// Checks the length.
    ///
    /// # Errors
    /// [`ClaimError::EmptyKey`], [`ClaimError::KeyTooLong`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ClaimError> {
        match bytes.as_ref() {
            [] => Err(ClaimError::EmptyKey),
            long if long.len() > MAX_KEY => Err(ClaimError::KeyTooLong),
            bytes => Ok(Self(bytes.into())),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is equal, and at once if it is a clone.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self == other
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// The keys of one lock, in the order given: at least one, at most [`MAX_KEYS`], no two alike. All are held or none.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Keys {
    first: Key,
    rest: Arc<[Key]>,
}

impl Keys {
    /// Checks the keys.
    ///
    /// # Errors
    /// [`ClaimError::NoKey`], [`ClaimError::TooManyKeys`], [`ClaimError::DuplicateKey`].
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Result<Self, ClaimError> {
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(ClaimError::NoKey)?;
        // One more than allowed is enough to know.
        Self::of(first, keys.take(MAX_KEYS).collect())
    }

    /// What does not depend on where the keys come from: one copy of it is enough.
    fn of(first: Key, rest: Vec<Key>) -> Result<Self, ClaimError> {
        if rest.len() >= MAX_KEYS {
            return Err(ClaimError::TooManyKeys);
        }
        // They are few, and sorting code is large.
        let mut left = core::iter::once(&first).chain(&rest);
        while let Some(key) = left.next() {
            if left.clone().any(|other| other == key) {
                return Err(ClaimError::DuplicateKey);
            }
        }
        Ok(Self {
            rest: rest.into(),
            first,
        })
    }

    /// The first key, which every lock has.
    #[must_use]
    pub fn first(&self) -> &Key {
        &self.first
    }

    /// The keys, in the order given.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Key> + Clone {
        KeysIter {
            first: Some(&self.first),
            rest: self.rest.iter(),
        }
    }

    /// How many there are, at least one.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.rest.len().saturating_add(1)
    }

    /// The hash slot of a Redis Cluster that all keys share, or `None` if they do not share one. Several keys can be
    /// locked together on a cluster only if they do: give them the same `{tag}`.
    #[must_use]
    pub fn same_slot(&self) -> Option<u16> {
        let first = slot(self.first.as_bytes());
        self.rest
            .iter()
            .all(|key| slot(key.as_bytes()) == first)
            .then_some(first)
    }
}

impl From<Key> for Keys {
    fn from(first: Key) -> Self {
        Self {
            first,
            rest: Arc::default(),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[derive(Clone)]
struct KeysIter<'a> {
    first: Option<&'a Key>,
    rest: core::slice::Iter<'a, Key>,
}

impl<'a> Iterator for KeysIter<'a> {
    type Item = &'a Key;

    fn next(&mut self) -> Option<&'a Key> {
        self.first.take().or_else(|| self.rest.next())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let len = self
            .rest
            .len()
            .saturating_add(usize::from(self.first.is_some()));
        (len, Some(len))
    }
}

impl ExactSizeIterator for KeysIter<'_> {}

/// Bytes that others may read while the lock is held, such as a host name or a trace id: at most [`MAX_METADATA`].
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Metadata(Box<[u8]>);

impl Metadata {
    /// Checks the length.
    ///
    /// # Errors
    /// [`ClaimError::MetadataTooLong`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ClaimError> {
        match bytes.as_ref() {
            long if long.len() > MAX_METADATA => Err(ClaimError::MetadataTooLong),
            bytes => Ok(Self(bytes.into())),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn every_limit_holds_at_the_limit_and_ends_one_past_it() {
        assert!(Key::new([b'k'; MAX_KEY]).is_ok());
        assert_eq!(Key::new([b'k'; MAX_KEY + 1]), Err(ClaimError::KeyTooLong));
        assert_eq!(Key::new(""), Err(ClaimError::EmptyKey));
        assert!(Metadata::new([b'm'; MAX_METADATA]).is_ok());
        assert_eq!(
            Metadata::new([b'm'; MAX_METADATA + 1]),
            Err(ClaimError::MetadataTooLong)
        );
        let keys = |n: usize| Keys::new((0..n).map(|i| Key::new(format!("k{i}")).unwrap()));
        assert_eq!(keys(MAX_KEYS).map(|keys| keys.len()), Ok(MAX_KEYS));
        assert_eq!(keys(MAX_KEYS + 1), Err(ClaimError::TooManyKeys));
        assert_eq!(keys(0), Err(ClaimError::NoKey));
        let twice = ["a", "b", "a"].map(|key| Key::new(key).unwrap());
        assert_eq!(Keys::new(twice), Err(ClaimError::DuplicateKey));
    }

    #[test]
    fn keys_share_a_slot_by_their_tag() {
        let keys = |names: [&str; 2]| Keys::new(names.map(|name| Key::new(name).unwrap())).unwrap();
        assert_eq!(
            keys(["{jobs}a", "{jobs}b"]).same_slot(),
            Some(slot(b"jobs"))
        );
        assert_eq!(keys(["a", "b"]).same_slot(), None);
    }
}
