//! What a lock claims: its keys, and the value that marks them as ours.

use core::fmt;

use crate::keys::Keys;
use crate::redis::Frame;
use crate::token::Token;

/// Keys and the value that marks them as ours: what every command of a lock is made of.
#[derive(Clone)]
pub struct Claim {
    keys: Keys,
    token: Token,
    /// Both as they go over the wire. The value is token and metadata.
    frame: Frame,
}

impl Claim {
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
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
    use crate::keys::Key;

    #[test]
    fn a_secret_does_not_show() {
        let token = Token::new("worker-1").unwrap();
        let key = Key::new("k").unwrap();
        let claim = Claim::new(b"", key.into(), token.clone(), b"meta");
        assert_eq!(claim.value(), b"worker-1meta");
        assert_eq!(claim.metadata(), b"meta");
        assert!(!format!("{token:?}{claim:?}").contains("worker"));
    }
}
