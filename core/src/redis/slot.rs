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
/// `name` has no `~`, so that no two keys share a companion, whatever braces they have. What is in front of the last `~` ends with
/// `~` if the key has a tag, and with `}` if it has none.
///
/// A key with a `}` but without a valid tag has no such name. Its companion then lies in another slot, which a cluster refuses.
pub(crate) fn companion(key: &[u8], name: &[u8]) -> Vec<u8> {
    let [open, close] = companion_parts(key);
    [open, key, close, name].concat()
}

/// What stands around the key in the name of each companion.
pub(crate) fn companion_parts(key: &[u8]) -> [&'static [u8]; 2] {
    match tag(key) {
        Some(_) => [b"", b"~~"],
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
    /// What a client rings when it leaves the queue. The [`Bell`] of that client ends its name.
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

/// The key, prefix included, to which the bell with this name belongs, and whose bell it is. `None` if it is no bell.
#[cfg(feature = "modes")]
pub(crate) fn bell_name(name: &[u8]) -> Option<(&[u8], Bell)> {
    let mark = name.iter().rposition(|byte| *byte == b'~')?;
    let (marked, end) = name.split_at_checked(mark)?;
    let value = end.strip_prefix(b"~")?;
    let value = value.strip_prefix(CompanionKey::Bell.name())?;
    if value.is_empty() || value.len() > Bell::LONGEST {
        return None;
    }
    let key = if let Some(key) = marked.strip_suffix(b"~") {
        Some(key).filter(|key| tag(key).is_some())
    } else {
        let bare = marked.strip_prefix(b"{")?.strip_suffix(b"}");
        bare.filter(|key| tag(key).is_none())
    };
    Some((key?, Bell::of(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All keys of up to `longest` bytes of an alphabet that has each byte with a meaning.
    fn each_key(longest: usize) -> Vec<Vec<u8>> {
        let mut keys = alloc::vec![Vec::new()];
        let mut last = keys.clone();
        for _ in 0..longest {
            let longer = last
                .iter()
                .flat_map(|key| b"a{}~".map(|byte| [key.as_slice(), &[byte]].concat()));
            last = longer.collect();
            keys.extend_from_slice(&last);
        }
        keys
    }

    /// Keys whose names look like companions, and companions of those.
    fn each_odd_key() -> Vec<Vec<u8>> {
        let mut keys = each_key(5);
        for key in each_key(3) {
            for name in [b"in".as_slice(), b"bell:a", b"in~", b"bell:~", b"bell:a~in"] {
                for marks in [
                    [b"".as_slice(), b"~"],
                    [b"{", b"}~"],
                    [b"", b"~~"],
                    [b"{{", b"}}~~"],
                ] {
                    keys.push([marks[0], &key, marks[1], name].concat());
                }
            }
        }
        keys.sort();
        keys.dedup();
        keys
    }

    #[test]
    fn no_two_keys_share_a_companion() {
        let mut owners = alloc::collections::BTreeMap::new();
        let bells = [
            b"a".as_slice(),
            b"in",
            b"~in",
            b"a~in",
            b"~~in",
            b"~bell:a",
            b"}~in",
        ];
        let bells = bells.map(|value| [b"bell:", Bell::of(value).as_bytes()].concat());
        let mut names: Vec<&[u8]> = bells.iter().map(Vec::as_slice).collect();
        names.extend([
            b"in".as_slice(),
            b"exclusive",
            b"shared",
            b"alive",
            b"fence",
        ]);
        names.sort_unstable();
        names.dedup();
        for key in each_odd_key() {
            for name in &names {
                let owner = (key.clone(), *name);
                if let Some(other) = owners.insert(companion(&key, name), owner.clone()) {
                    panic!("{other:?} and {owner:?}");
                }
            }
        }
    }

    #[test]
    fn a_companion_shares_the_slot_of_its_key() {
        assert_eq!(companion(b"job", b"fence"), b"{job}~fence");
        assert_eq!(companion(b"a{job}", b"fence"), b"a{job}~~fence");
        assert_eq!(companion(b"{job}", b"fence"), b"{job}~~fence");
        for key in each_odd_key().iter().filter(|key| !key.is_empty()) {
            let same = slot(&companion(key, b"fence")) == slot(key);
            // No name would do for a `}` without a tag.
            assert_eq!(same, tag(key).is_some() || !key.contains(&b'}'), "{key:?}");
        }
    }

    #[cfg(feature = "modes")]
    #[test]
    fn a_bell_is_known_by_its_name() {
        for key in each_odd_key() {
            for value in [
                b"token-0123".as_slice(),
                b"v",
                b"~bell:x",
                b"~~~~~~~~~",
                b"}~",
                b"{",
            ] {
                let bell = Bell::of(value);
                let name = companion(&key, &[b"bell:", bell.as_bytes()].concat());
                assert_eq!(bell_name(&name), Some((key.as_slice(), bell)));
            }
            // Whatever is taken for a bell is the name of one.
            if let Some((owner, bell)) = bell_name(&key) {
                let name = companion(owner, &[b"bell:", bell.as_bytes()].concat());
                assert_eq!(name, key);
            }
        }
        for name in [
            b"job".as_slice(),
            b"{job}~in",
            b"job~bell:v",
            b"{job}~bell:",
            b"{job}~bell:123456789",
            b"{job}~~bell:",
            b"{}~~bell:v",
            b"{{job}}~bell:v",
        ] {
            assert_eq!(bell_name(name), None, "{name:?}");
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
}
