//! The scripts, and the names that a server knows them by.

/// What one command cannot do: an operation on several keys, or one that compares where the server has no command
/// for it. All compare whole values, and reach keys only through `KEYS`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Script {
    /// `KEYS`, value, ttl in ms → 1 if all keys hold the value now, else 0 and nothing changed.
    Obtain,
    /// `KEYS`, value, ttl in ms → 1 if all keys hold the value, for the new ttl, else 0 and nothing changed.
    Refresh,
    /// `KEYS`, value → how many keys held the value, and are deleted now.
    Release,
}

impl Script {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Obtain, Self::Refresh, Self::Release];

    /// The program, for `SCRIPT LOAD` and `EVAL`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Obtain => include_str!("lua/obtain.lua"),
            Self::Refresh => include_str!("lua/refresh.lua"),
            Self::Release => include_str!("lua/release.lua"),
        }
    }

    /// The SHA-1 of the program in 40 lowercase hex digits, for `EVALSHA`.
    #[must_use]
    pub const fn sha(self) -> &'static str {
        match self {
            Self::Obtain => "0b8fa82ca85b9112633508a1923e4cddcc6de86c",
            Self::Refresh => "4853d6561f1bd7ed99bffd4aaea9ce562034fde4",
            Self::Release => "c4586584e0586b4d1d85489cf457fee70a8ac472",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};
    use sha1::{Digest, Sha1};

    #[test]
    fn each_name_is_the_hash_of_its_program() {
        for script in Script::ALL {
            let hash = Sha1::digest(script.text());
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(script.sha(), hex, "{script:?}");
        }
    }
}
