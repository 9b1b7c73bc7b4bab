//! The hash slots of a Redis Cluster.

use alloc::vec::Vec;

#[cfg(feature = "modes")]
use crate::lock::Bell;

/// The hash slot of a key in a Redis Cluster: CRC16 of the part in the first braces, if there is one, else of it all.
#[must_use]
pub fn slot(key: &[u8]) -> u16 {
    let tag = tag(key).unwrap_or(key);
    // CRC-16/XMODEM, as in the specification of Redis Cluster.
    let crc = tag.iter().fold(0_u16, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    });
    crc % 16_384
}

/// The part in the first braces, which alone decides the slot, if there is one.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{')?;
    let rest = key.get(open.saturating_add(1)..)?;
    let end = rest.iter().position(|byte| *byte == b'}')?;
    rest.get(..end).filter(|tag| !tag.is_empty())
}

/// The name of the key in which a server keeps something about a lock's `key`, prefix included: in the same hash slot.
///
/// A key with a `}` but without a valid tag has no such name. Its companion then lies in another slot, which a cluster refuses.
pub(crate) fn companion(key: &[u8], name: &[u8]) -> Vec<u8> {
    let [open, close] = companion_parts(key);
    [open, key, close, name].concat()
}

/// What stands around the key in the name of each companion.
pub(crate) fn companion_parts(key: &[u8]) -> [&'static [u8]; 2] {
    match tag(key) {
        Some(_) => [b"", b"~"],
        None => [b"{", b"}~"],
    }
}

/// What a server keeps beside a key that locks share or wait for.
#[cfg(feature = "modes")]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum CompanionKey {
    /// Who shares the key: a sorted set by the end of each lease.
    In,
    /// Who waits to have it alone: a sorted set by the turn.
    Exclusive,
    /// Who waits to share it.
    Shared,
    /// Until when each of those who wait counts: a hash.
    Alive,
    /// What a client rings when it leaves the queue. Its name ends with the first bytes of that client's value.
    Bell,
}

#[cfg(feature = "modes")]
impl CompanionKey {
    /// All of them, in the order in which scripts get them.
    pub(crate) const ALL: [Self; 5] = [
        Self::In,
        Self::Exclusive,
        Self::Shared,
        Self::Alive,
        Self::Bell,
    ];

    pub(crate) const fn name(self) -> &'static [u8] {
        match self {
            Self::In => b"in",
            Self::Exclusive => b"exclusive",
            Self::Shared => b"shared",
            Self::Alive => b"alive",
            Self::Bell => b"bell:",
        }
    }
}

/// The keys, prefix included, to which the bell with this name may belong, and whose bell it is. `None` if it is no bell.
///
/// A key and the same key in braces have companions of the same name.
#[cfg(feature = "modes")]
pub(crate) fn bell_name(name: &[u8]) -> Option<([Option<&[u8]>; 2], Bell)> {
    const MARK: &[u8] = b"~bell:";
    let longest = MARK.len().saturating_add(Bell::LONGEST);
    let first = name.len().saturating_sub(longest);
    let mut places = first..name.len().saturating_sub(MARK.len());
    let (key, value) = places.find_map(|at| {
        let (key, rest) = name.split_at_checked(at)?;
        Some((key, rest.strip_prefix(MARK)?))
    })?;
    let bare = key
        .strip_prefix(b"{")
        .and_then(|key| key.strip_suffix(b"}"));
    let untagged = bare.filter(|key| tag(key).is_none());
    let tagged = Some(key).filter(|key| tag(key).is_some());
    Some(([untagged, tagged], Bell::of(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "modes")]
    #[test]
    fn a_bell_is_known_by_its_name() {
        for key in [b"job".as_slice(), b"{user}:7", b"a~bell:b", b"{a", b"{a}"] {
            for value in [b"token-0123".as_slice(), b"v", b"~bell:x"] {
                let bell = Bell::of(value);
                let name = companion(key, &[b"bell:", bell.as_bytes()].concat());
                let (keys, found) = bell_name(&name).expect("a bell");
                assert!(keys.contains(&Some(key)), "{key:?}");
                assert_eq!(found, bell);
            }
        }
        for name in [
            b"job".as_slice(),
            b"{job}~in",
            b"job~bell:v",
            b"{job}~bell:",
            b"{job}~bell:123456789",
        ] {
            let keys = bell_name(name).map_or([None; 2], |(keys, _)| keys);
            assert_eq!(keys, [None; 2], "{name:?}");
        }
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        // CRC16("123456789") is 0x31C3 in the specification of Redis Cluster.
        assert_eq!(slot(b"123456789"), 0x31c3);
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{}{bar}"), slot(b"foo{}{bar}"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
    }

    #[test]
    fn a_companion_shares_the_slot_of_its_key() {
        assert_eq!(companion(b"job", b"fence"), b"{job}~fence");
        assert_eq!(companion(b"a{job}", b"fence"), b"a{job}~fence");
        for key in [
            b"job".as_slice(),
            b"{user}:7",
            b"a{b}{c}",
            b"open{",
            b"{a",
            b"a{{b}c",
        ] {
            assert_eq!(slot(&companion(key, b"fence")), slot(key), "{key:?}");
        }
        // No name would do for these.
        for key in [b"a}b".as_slice(), b"{}x"] {
            assert_ne!(slot(&companion(key, b"fence")), slot(key), "{key:?}");
        }
    }
}
