//! The hash of a key under which its turn is remembered.

use crate::keys::Key;

/// A hash of a key, eight bytes at a time: for this table only, where a collision costs a pause.
pub(crate) fn hash(key: &Key) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = key.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word))
            .wrapping_mul(MIX)
            .rotate_left(29);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    (hash ^ u64::from_le_bytes(last)).wrapping_mul(MIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_apart() {
        let of = |name: &str| hash(&Key::new(name).unwrap());
        let names = [
            "a",
            "b",
            "aa",
            "12345678",
            "123456789",
            "12345678a",
            "1234567",
        ];
        let mut seen = alloc::collections::BTreeSet::new();
        assert!(names.iter().all(|name| seen.insert(of(name))));
        let spread: alloc::collections::BTreeSet<_> = (0..1000)
            .map(|n| of(&alloc::format!("job:{n}")) >> 58)
            .collect();
        assert!(spread.len() > 60, "{} of 64 places", spread.len());
    }
}
