//! The limits of what a request may contain. They are checked when a value is made, so that no later step has to.

use core::fmt;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 1024;
/// The most keys of one lock.
pub const MAX_KEYS: usize = 64;
/// The longest token, in bytes.
pub const MAX_TOKEN: usize = 128;
/// The most metadata of one lock, in bytes.
pub const MAX_METADATA: usize = 4096;

/// The shortest ttl. A shorter one could not outlive the allowance for drift (1 % and 2 ms).
pub(crate) const MIN_TTL_MS: u64 = 3;
/// The longest ttl: 365 days. A lock without an end is a key, not a lock.
pub(crate) const MAX_TTL_MS: u64 = 365 * 24 * 60 * 60 * 1000;

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
    /// A ttl shorter than [`crate::Ttl::MIN`].
    TtlTooShort,
    /// A ttl longer than [`crate::Ttl::MAX`].
    TtlTooLong,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyKey => f.write_str("a key must have at least one byte"),
            Self::KeyTooLong => write!(f, "a key must have at most {MAX_KEY} bytes"),
            Self::NoKey => f.write_str("a lock must have at least one key"),
            Self::TooManyKeys => write!(f, "a lock must have at most {MAX_KEYS} keys"),
            Self::DuplicateKey => f.write_str("the keys of a lock must differ"),
            Self::EmptyToken => f.write_str("a token must have at least one byte"),
            Self::TokenTooLong => write!(f, "a token must have at most {MAX_TOKEN} bytes"),
            Self::MetadataTooLong => write!(f, "metadata must have at most {MAX_METADATA} bytes"),
            Self::TtlTooShort => write!(f, "the ttl must be at least {MIN_TTL_MS} ms"),
            Self::TtlTooLong => write!(f, "the ttl must be at most {MAX_TTL_MS} ms"),
        }
    }
}

impl core::error::Error for ClaimError {}
