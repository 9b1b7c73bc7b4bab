//! Conversions to keys.

use tenure_core::{ClaimError, Key, Keys};

/// A type that can be one key: text, bytes, or a [`Key`].
pub trait IntoKey {
    /// Converts it.
    ///
    /// # Errors
    /// [`ClaimError::EmptyKey`], or [`ClaimError::KeyTooLong`] beyond [`MAX_KEY`](crate::MAX_KEY) bytes.
    fn into_key(self) -> Result<Key, ClaimError>;
}

/// A type that can be the keys of one lock: one key, or an array, slice or vector of them.
pub trait IntoKeys {
    /// Converts them, in the order given.
    ///
    /// # Errors
    /// [`ClaimError`] if there is no key, one is invalid or occurs twice, or there are more than
    /// [`MAX_KEYS`](crate::MAX_KEYS).
    fn into_keys(self) -> Result<Keys, ClaimError>;
}

macro_rules! one_key {
    ($([$($generics:tt)*] $from:ty),*) => {$(
        impl<$($generics)*> IntoKey for $from {
            fn into_key(self) -> Result<Key, ClaimError> {
                Key::new(self)
            }
        }

        impl<$($generics)*> IntoKeys for $from {
            fn into_keys(self) -> Result<Keys, ClaimError> {
                Key::new(self).map(Keys::from)
            }
        }
    )*};
}

one_key!([] &str, [] String, [] &String, [] &[u8], [] Vec<u8>, [const N: usize] &[u8; N]);

impl IntoKey for Key {
    fn into_key(self) -> Result<Key, ClaimError> {
        Ok(self)
    }
}

impl IntoKey for &Key {
    fn into_key(self) -> Result<Key, ClaimError> {
        Ok(self.clone())
    }
}

impl IntoKeys for Key {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        Ok(self.into())
    }
}

impl IntoKeys for &Key {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        Ok(self.clone().into())
    }
}

impl IntoKeys for Keys {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        Ok(self)
    }
}

impl IntoKeys for &Keys {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        Ok(self.clone())
    }
}

impl<K: IntoKey, const N: usize> IntoKeys for [K; N] {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        collect(self)
    }
}

impl<K: IntoKey> IntoKeys for Vec<K> {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        collect(self)
    }
}

impl<K: IntoKey + Clone> IntoKeys for &[K] {
    fn into_keys(self) -> Result<Keys, ClaimError> {
        collect(self.iter().cloned())
    }
}

fn collect<K: IntoKey>(keys: impl IntoIterator<Item = K>) -> Result<Keys, ClaimError> {
    // One more than the limit is enough: an endless iterator must not be read to its end.
    let keys = keys.into_iter().take(tenure_core::MAX_KEYS + 1);
    Keys::new(keys.map(IntoKey::into_key).collect::<Result<Vec<_>, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(keys: impl IntoKeys) -> Vec<Vec<u8>> {
        let keys = keys.into_keys().expect("good keys");
        keys.iter().map(|key| key.as_bytes().to_vec()).collect()
    }

    #[test]
    fn everything_that_looks_like_keys_names_them() {
        let key = Key::new("a").expect("a key");
        assert_eq!(names("a"), [b"a"]);
        assert_eq!(names(String::from("a")), [b"a"]);
        assert_eq!(names(b"a"), [b"a"]);
        assert_eq!(names(&b"a"[..]), [b"a"]);
        assert_eq!(names(b"a".to_vec()), [b"a"]);
        assert_eq!(names(&key), [b"a"]);
        assert_eq!(names(Keys::from(key.clone())), [b"a"]);
        assert_eq!(names(["a", "b"]), [b"a", b"b"]);
        assert_eq!(names([b"a", b"b"]), [b"a", b"b"]);
        assert_eq!(
            names(vec![String::from("a"), String::from("b")]),
            [b"a", b"b"]
        );
        assert_eq!(names(&["a", "b"][..]), [b"a", b"b"]);
        assert_eq!(names([&key]), [b"a"]);
    }

    #[test]
    fn an_error_explains_bad_keys() {
        assert_eq!("".into_keys(), Err(ClaimError::EmptyKey));
        assert_eq!(["a", ""].into_keys(), Err(ClaimError::EmptyKey));
        assert_eq!(["a", "a"].into_keys(), Err(ClaimError::DuplicateKey));
        assert_eq!(Vec::<String>::new().into_keys(), Err(ClaimError::NoKey));
        let many: Vec<String> = (0..=tenure_core::MAX_KEYS).map(|i| i.to_string()).collect();
        assert_eq!(many.into_keys(), Err(ClaimError::TooManyKeys));
    }
}
