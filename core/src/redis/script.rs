//! The scripts, and the names that a server knows them by.

use alloc::vec::Vec;
use core::str;

use crate::redis::resp::command;

/// A script as it is sent, made from its files when this is compiled.
macro_rules! bare {
    ($($file:literal),+) => {{
        const SOURCE: &[u8] = concat!($(include_str!($file)),+).as_bytes();
        const BYTES: [u8; bare_len(SOURCE)] = bare(SOURCE);
        const TEXT: &str = match str::from_utf8(&BYTES) {
            Ok(text) => text,
            Err(_) => "",
        };
        TEXT
    }};
}

/// What one command cannot do: an operation on several keys, or one that compares where the server has no command
/// for it. All compare whole values, and reach keys only through `KEYS`.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Script {
    /// `KEYS`, value, ttl in ms → 1 if all keys hold the value now, for at least the ttl, else 0 and nothing changed. With a
    /// counter behind the keys for each, and how long it outlives its number → the fence in place of 1.
    Obtain,
    /// `KEYS`, value, ttl in ms, perhaps `keep` → 1 if all keys hold the value, for the new ttl or, with `keep`, for a
    /// longer one, else 0 and nothing changed. With a counter for each key, how long it outlives its number, and the fence:
    /// raises the counters to it.
    Refresh,
    /// `KEYS`, value → how many keys held the value, and are deleted now.
    Release,
    /// The key and its companions, value, ttl, what the queue needs → 1 or the fence if the lock has the key alone now.
    #[cfg(feature = "modes")]
    Enter,
    /// The same → 1 if the lock shares the key now.
    #[cfg(feature = "modes")]
    Share,
    /// The key and who shares it, value, ttl in ms, perhaps `keep` → 1 if the lock shares the key for the ttl from now.
    #[cfg(feature = "modes")]
    Stay,
    /// The key and its companions, value, ttl in ms, limit → 1 if the lock had the key, alone or not.
    #[cfg(feature = "modes")]
    Leave,
    /// The key and its companions with the counter of a fence, how many holders are listed → everything that is known of the key.
    #[cfg(feature = "modes")]
    Status,
}

/// A script without effect: whether a server runs it shows whether it runs scripts at all.
pub(crate) const PROOF: &str = "return 1";

/// Sends it.
pub(crate) fn prove(out: &mut Vec<u8>) {
    command(out, 3).arg(b"EVAL").arg(PROOF.as_bytes()).arg(b"0");
}

impl Script {
    /// All of them.
    #[cfg(feature = "modes")]
    pub const ALL: [Self; 8] = [
        Self::Obtain,
        Self::Refresh,
        Self::Release,
        Self::Enter,
        Self::Share,
        Self::Stay,
        Self::Leave,
        Self::Status,
    ];
    /// All of them.
    #[cfg(not(feature = "modes"))]
    pub const ALL: [Self; 3] = [Self::Obtain, Self::Refresh, Self::Release];

    /// The program without its comments and indentation, for `SCRIPT LOAD` and `EVAL`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Obtain => bare!("lua/obtain.lua"),
            Self::Refresh => bare!("lua/refresh.lua"),
            Self::Release => bare!("lua/release.lua"),
            #[cfg(feature = "modes")]
            Self::Enter => bare!("lua/mode.lua", "lua/queue.lua", "lua/enter.lua"),
            #[cfg(feature = "modes")]
            Self::Share => bare!(
                "lua/mode.lua",
                "lua/queue.lua",
                "lua/cover.lua",
                "lua/share.lua"
            ),
            #[cfg(feature = "modes")]
            Self::Stay => bare!("lua/mode.lua", "lua/cover.lua", "lua/stay.lua"),
            #[cfg(feature = "modes")]
            Self::Leave => bare!("lua/mode.lua", "lua/leave.lua"),
            #[cfg(feature = "modes")]
            Self::Status => bare!("lua/status.lua"),
        }
    }

    /// The SHA-1 of the program in 40 lowercase hex digits, for `EVALSHA`.
    #[must_use]
    pub const fn sha(self) -> &'static str {
        match self {
            Self::Obtain => "1e1f0675263576c0a935fc767a14501107cfa8ed",
            Self::Refresh => "8a0074714290da8e6b2b8891a48fd3f8937b77cd",
            Self::Release => "f189b9a3b5c0384ddbf102578dd1ba20bc9f0071",
            #[cfg(feature = "modes")]
            Self::Enter => "a4fa096b61c27af80f71ee6471f1ca207a44ff7f",
            #[cfg(feature = "modes")]
            Self::Share => "65580896e1458cbf174157979f287e4207290b27",
            #[cfg(feature = "modes")]
            Self::Stay => "645232a3db3004c1b692d7840bd92c38baec600f",
            #[cfg(feature = "modes")]
            Self::Leave => "e8b1ab36b35cc90ad906ee7a997fc3d08b1b0e4d",
            #[cfg(feature = "modes")]
            Self::Status => "9a097facdd4c87a1a1b9db9a0fe0acfac7c1b658",
        }
    }
}

/// The next line without indentation, its end included, and what is behind it. Comments have lines of their own.
const fn split_line(source: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = source;
    while let [b' ', more @ ..] = rest {
        rest = more;
    }
    let line = rest;
    let mut len = 0;
    while let [byte, more @ ..] = rest {
        rest = more;
        len += 1;
        if *byte == b'\n' {
            break;
        }
    }
    match line {
        [b'-', b'-', ..] => (&[], rest),
        _ => (line.split_at(len).0, rest),
    }
}

const fn bare_len(mut source: &[u8]) -> usize {
    let mut len = 0;
    while !source.is_empty() {
        let (line, rest) = split_line(source);
        len += line.len();
        source = rest;
    }
    len
}

const fn bare<const LEN: usize>(mut source: &[u8]) -> [u8; LEN] {
    let mut bytes = [0; LEN];
    let mut free: &mut [u8] = &mut bytes;
    while !source.is_empty() {
        let (line, rest) = split_line(source);
        let (here, others) = free.split_at_mut(line.len());
        here.copy_from_slice(line);
        (free, source) = (others, rest);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};
    use sha1::{Digest, Sha1};

    #[test]
    fn the_program_is_sent_without_comments_and_indentation() {
        let text = "-- Says so.\nif a then\n  -- Why.\n  return 1 - -1\nend\n";
        let mut sent = String::new();
        let mut source = text.as_bytes();
        while !source.is_empty() {
            let (line, rest) = split_line(source);
            sent += str::from_utf8(line).unwrap();
            source = rest;
        }
        assert_eq!(sent, "if a then\nreturn 1 - -1\nend\n");
        for script in Script::ALL {
            assert!(
                [
                    "\nreturn 1\n",
                    "fence\n",
                    "released\n",
                    "done\n",
                    "sharing}\n"
                ]
                .iter()
                .any(|end| script.text().ends_with(end))
            );
            assert!(
                !script.text().contains("--"),
                "a comment behind code in {script:?}"
            );
        }
    }

    #[test]
    fn each_name_is_the_hash_of_its_program() {
        for script in Script::ALL {
            let hash = Sha1::digest(script.text());
            let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(script.sha(), hex, "{script:?}");
        }
    }
}
