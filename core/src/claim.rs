//! What a lock is on: keys, the owner's token and metadata. Every limit is checked when a value is made.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::obtain::Ttl;
use crate::redis::Frame;
use crate::token::Token;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// The most keys of one lock.
pub const MAX_KEYS: usize = 64;
/// The longest token, in bytes.
pub const MAX_TOKEN: usize = 128;
/// The most metadata of one lock, in bytes.
pub const MAX_METADATA: usize = 4096;

/// Why a value cannot be part of an obtain.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClaimError {
    /// A key without a byte.
    EmptyKey,
    /// A key of more than [`MAX_KEY`] bytes.
    KeyTooLong,
    /// No key at all.
    NoKey,
    /// More than [`MAX_KEYS`] keys.
    TooManyKeys,
    /// The same key twice.
    DuplicateKey,
    /// A token without a byte.
    EmptyToken,
    /// A token of more than [`MAX_TOKEN`] bytes.
    TokenTooLong,
    /// Metadata of more than [`MAX_METADATA`] bytes.
    MetadataTooLong,
    /// A ttl shorter than [`Ttl::MIN`].
    TtlTooShort,
    /// A ttl longer than [`Ttl::MAX`].
    TtlTooLong,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyKey => f.write_str("a key needs at least one byte"),
            Self::KeyTooLong => write!(f, "a key has at most {MAX_KEY} bytes"),
            Self::NoKey => f.write_str("a lock needs at least one key"),
            Self::TooManyKeys => write!(f, "a lock has at most {MAX_KEYS} keys"),
            Self::DuplicateKey => f.write_str("the keys of a lock must differ"),
            Self::EmptyToken => f.write_str("a token needs at least one byte"),
            Self::TokenTooLong => write!(f, "a token has at most {MAX_TOKEN} bytes"),
            Self::MetadataTooLong => write!(f, "metadata has at most {MAX_METADATA} bytes"),
            Self::TtlTooShort => write!(f, "a ttl has at least {} ms", Ttl::MIN.as_millis()),
            Self::TtlTooLong => write!(f, "a ttl has at most {} ms", Ttl::MAX.as_millis()),
        }
    }
}

impl core::error::Error for ClaimError {}

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
        let slot = crate::redis::slot(self.first.as_bytes());
        self.rest
            .iter()
            .all(|key| crate::redis::slot(key.as_bytes()) == slot)
            .then_some(slot)
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

/// Keys and the value that marks them as ours: what every command of a lock is made of.
#[derive(Clone)]
pub struct Claim {
    keys: Keys,
    token: Token,
    /// Both as they go over the wire. The value is token and metadata.
    frame: Frame,
}

impl Claim {
    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "each obtain makes one, and its parts move less"
    )]
    pub(crate) fn new(prefix: &[u8], keys: Keys, token: Token, metadata: &[u8]) -> Self {
        let frame = Frame::new(prefix, &keys, (token.as_bytes(), metadata));
        Self { keys, token, frame }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The owner's token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The metadata, which is stored after the token.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.value()
            .get(self.token.as_bytes().len()..)
            .unwrap_or_default()
    }

    /// Token and metadata: the value of each key while the lock is held.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.frame.raw_value()
    }

    pub(crate) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The same claim under a fresh token, or `None` if the token is the user's own.
    pub(crate) fn successor(&self) -> Option<Self> {
        let token = self.token.successor()?;
        let frame = self.frame.with_value((token.as_bytes(), self.metadata()));
        let keys = self.keys.clone();
        Some(Self { keys, token, frame })
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
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
        assert!(Token::new([b't'; MAX_TOKEN]).is_ok());
        assert_eq!(
            Token::new([b't'; MAX_TOKEN + 1]),
            Err(ClaimError::TokenTooLong)
        );
        assert_eq!(Token::new(""), Err(ClaimError::EmptyToken));
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
    fn a_secret_does_not_show() {
        let token = Token::new("worker-1").unwrap();
        let key = Key::new("k").unwrap();
        let claim = Claim::new(b"", key.into(), token.clone(), b"meta");
        assert_eq!(claim.value(), b"worker-1meta");
        assert_eq!(claim.metadata(), b"meta");
        assert!(!format!("{token:?}{claim:?}").contains("worker"));
    }

    #[test]
    fn keys_share_a_slot_by_their_tag() {
        let keys = |names: [&str; 2]| Keys::new(names.map(|name| Key::new(name).unwrap())).unwrap();
        assert_eq!(
            keys(["{jobs}a", "{jobs}b"]).same_slot(),
            Some(crate::redis::slot(b"jobs"))
        );
        assert_eq!(keys(["a", "b"]).same_slot(), None);
    }
}
