//! The owner's value.

use alloc::boxed::Box;
use core::fmt;

use crate::limits::{ClaimError, MAX_TOKEN};

/// The owner's value: every client that knows it owns the lock. Its bytes never appear in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    bytes: Box<[u8]>,
    /// The number that a drawn token renders, as bytes; `None` for a token of the user's own.
    drawn: Option<[u8; 16]>,
}

impl Token {
    /// A token from 16 bytes that the caller drew from the operating system just now: 22 characters of base64url.
    /// They must be drawn anew for every obtain.
    #[must_use]
    pub fn random(bytes: [u8; 16]) -> Self {
        Self::from_number(u128::from_be_bytes(bytes))
    }

    /// A token of the user's own, 1 to [`MAX_TOKEN`] bytes. Requests for the same keys with the same token and
    /// metadata get the same lock. The server stores token and metadata without a separator and compares the whole:
    /// give all tokens of one application the same length, or no metadata.
    ///
    /// # Errors
    /// [`ClaimError::EmptyToken`], [`ClaimError::TokenTooLong`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, ClaimError> {
        match bytes.as_ref() {
            [] => Err(ClaimError::EmptyToken),
            long if long.len() > MAX_TOKEN => Err(ClaimError::TokenTooLong),
            bytes => Ok(Self {
                bytes: bytes.into(),
                drawn: None,
            }),
        }
    }

    /// Its bytes, as they stand at the start of the value on the server. A secret: do not log them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_random(&self) -> bool {
        self.drawn.is_some()
    }

    /// Another token as unguessable as this one, or `None` if the token is the user's own.
    pub(crate) fn successor(&self) -> Option<Self> {
        self.drawn
            .map(|number| Self::from_number(u128::from_be_bytes(number).wrapping_add(1)))
    }

    fn from_number(number: u128) -> Self {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        // 128 bits are 21 groups of six and one of two, which base64 pads with four zero bits at its end.
        let group = |i: u32| match 122_u32.checked_sub(i.saturating_mul(6)) {
            Some(shift) => number >> shift,
            None => number << 4,
        };
        let bytes = (0..22)
            .map(|i| {
                ALPHABET
                    .get((group(i) & 63) as usize)
                    .copied()
                    .unwrap_or(b'-')
            })
            .collect();
        Self {
            bytes,
            drawn: Some(number.to_be_bytes()),
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_at_the_limit_and_ends_one_past_it() {
        assert!(Token::new([b't'; MAX_TOKEN]).is_ok());
        assert_eq!(
            Token::new([b't'; MAX_TOKEN + 1]),
            Err(ClaimError::TokenTooLong)
        );
        assert_eq!(Token::new(""), Err(ClaimError::EmptyToken));
    }

    #[test]
    fn a_drawn_token_is_base64url_of_its_bytes() {
        // Checked against RFC 4648: base64url of 0x00..0x0f without padding.
        let bytes: [u8; 16] = core::array::from_fn(|i| u8::try_from(i).unwrap());
        assert_eq!(Token::random(bytes).as_bytes(), b"AAECAwQFBgcICQoLDA0ODw");
        assert_eq!(
            Token::random([255; 16]).as_bytes(),
            b"_____________________w"
        );
        assert_ne!(
            Token::random([255; 16]).successor().unwrap(),
            Token::random([255; 16])
        );
    }
}
