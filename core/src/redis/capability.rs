//! What a server can do: learnt while connecting and from its answers.

use crate::lock::Op;
use crate::redis::Script;
use crate::redis::resp::{Item, Reply};

/// How a server compares and deletes in one command.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Delete {
    /// It does not: the script does it.
    Script,
    /// `DELIFEQ key value` (Valkey 9).
    Delifeq,
    /// `DELEX key IFEQ value` (Redis 8.4).
    Delex,
}

/// Whether a command can be kept from registering us for the keys that it reads.
#[cfg(feature = "modes")]
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Caching {
    /// Not as tracking was requested.
    Always,
    /// By `CLIENT CACHING NO` right before it.
    OptOut,
    /// The server refuses that. Then notifications are more than are needed.
    Refused,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Capability {
    /// It sends push messages about changed keys on this connection.
    pub(crate) tracking: bool,
    #[cfg(feature = "modes")]
    pub(crate) caching: Caching,
    /// `SET key value IFEQ value` (Valkey 8.1, Redis 8.4).
    pub(crate) set_ifeq: bool,
    pub(crate) delete: Delete,
    /// `MSETEX … NX`: sets several keys or none (Valkey 9.1, Redis 8.4).
    pub(crate) set_several: bool,
    /// It runs scripts, as far as known.
    pub(crate) scripts: bool,
    /// Scripts that it said it does not have: to be sent whole once.
    missing: [bool; Script::ALL.len()],
    /// How many requests went out on this connection.
    sent: u32,
    /// Which of them brought each script whole.
    taught: [u32; Script::ALL.len()],
}

impl Capability {
    /// What every server from Redis 6.2 on can do.
    pub(crate) const BASIC: Self = Self {
        tracking: false,
        #[cfg(feature = "modes")]
        caching: Caching::Always,
        set_ifeq: false,
        delete: Delete::Script,
        set_several: false,
        scripts: true,
        missing: [false; Script::ALL.len()],
        sent: 0,
        taught: [0; Script::ALL.len()],
    };

    /// For a new connection, which may lead to another server: nothing is known, except that a script that was missing, or
    /// may not have arrived, is sent whole. Otherwise, if each connection broke after its first reply, that reply would always
    /// be `NOSCRIPT`.
    pub(crate) const fn anew(self) -> Self {
        Self {
            missing: self.missing,
            ..Self::BASIC
        }
    }

    /// A first guess from the answer to HELLO, for users without permission for `COMMAND INFO`. A wrong one costs a round
    /// trip: see [`Capability::refuse_set`].
    pub(crate) fn guess(&mut self, hello: Reply<'_>) {
        let text = |name: &[u8]| {
            let mut fields = hello.children();
            while let (Some(key), Some(value)) = (fields.next(), fields.next()) {
                if key.as_bytes() == Some(name) {
                    return value.as_bytes();
                }
            }
            None
        };
        let version = text(b"version").map(version).unwrap_or_default();
        (self.set_ifeq, self.delete, self.set_several) = match text(b"server") {
            Some(b"valkey") if version >= (9, 0) => (true, Delete::Delifeq, version >= (9, 1)),
            Some(b"valkey") if version >= (8, 1) => (true, Delete::Script, false),
            Some(b"redis") if version >= (8, 4) => (true, Delete::Delex, true),
            _ => (false, Delete::Script, false),
        };
    }

    /// Learns from the answer to `COMMAND INFO DELIFEQ DELEX MSETEX`: an entry per name, null if unknown.
    pub(crate) fn learn(&mut self, commands: Reply<'_>) {
        let mut known = commands
            .children()
            .map(|entry| matches!(entry.item(), Item::Array(1..)));
        let (delifeq, delex) = (known.next() == Some(true), known.next() == Some(true));
        self.set_several = known.next() == Some(true);
        self.delete = match (delifeq, delex) {
            (true, _) => Delete::Delifeq,
            (_, true) => Delete::Delex,
            _ => Delete::Script,
        };
        // A server that deletes by comparison also sets by comparison: Redis and Valkey added that earlier or together.
        self.set_ifeq |= delifeq || delex;
    }

    /// Whether to refresh or to release a lock takes a script, if it has one key.
    pub(crate) fn needs_scripts(&self) -> bool {
        !self.set_ifeq || self.delete == Delete::Script
    }

    /// Whether no lock can be refreshed and released on this server.
    pub(crate) fn is_useless(&self) -> bool {
        !self.scripts && self.needs_scripts()
    }

    /// Whether `op` takes a script that the server does not run. See the table in `core/docs/scripts.md`.
    #[inline]
    pub(crate) fn refuses(&self, op: Op<'_>) -> bool {
        !self.scripts && self.lacks_scripts_for(op)
    }

    #[cold]
    fn lacks_scripts_for(&self, op: Op<'_>) -> bool {
        match op {
            Op::Obtain { mode, .. } if !mode.is_exclusive() => true,
            // Without comparing, it could not be refreshed or released.
            Op::Obtain { claim, fence, .. } => {
                let several = claim.keys().len() > 1;
                fence.is_some()
                    || !claim.token().is_random()
                    || self.needs_scripts()
                    || several && !self.set_several
            }
            Op::Refresh { keep, fence, .. } => fence.is_some() || keep || !self.set_ifeq,
            Op::Release { .. } => self.delete == Delete::Script,
            Op::Check { .. } | Op::Look { .. } | Op::Inspect { .. } => false,
            #[cfg(feature = "modes")]
            Op::Status { .. } => true,
        }
    }

    pub(crate) const fn refuse_set_several(&mut self) {
        self.set_several = false;
    }

    pub(crate) const fn refuse_set(&mut self) {
        self.set_ifeq = false;
    }

    pub(crate) const fn refuse_delete(&mut self) {
        self.delete = Delete::Script;
    }

    /// How many requests went out on this connection.
    pub(crate) const fn sent(&self) -> usize {
        self.sent as usize
    }

    /// The number of the request that goes out now.
    pub(crate) const fn count(&mut self) -> u32 {
        self.sent = self.sent.wrapping_add(1);
        self.sent
    }

    /// The server did not have the script when it carried out the request with this number. A later request may have brought
    /// it since.
    pub(crate) fn lacks(&mut self, script: Script, request: u32) {
        let taught = self.taught.get(script as usize).copied().unwrap_or(0);
        let later = taught.wrapping_sub(request);
        if later == 0 || later > u32::MAX / 2 {
            self.set_missing(script, true);
        }
    }

    /// Nobody knows whether the script has arrived.
    pub(crate) fn forget(&mut self, script: Script) {
        self.set_missing(script, true);
    }

    /// Whether the script is to be sent whole. From then on the server has it.
    pub(crate) fn takes_text(&mut self, script: Script) -> bool {
        let taken = self.missing.get(script as usize) == Some(&true);
        if taken {
            self.set_missing(script, false);
            if let Some(taught) = self.taught.get_mut(script as usize) {
                *taught = self.sent;
            }
        }
        taken
    }

    fn set_missing(&mut self, script: Script, is_missing: bool) {
        if let Some(missing) = self.missing.get_mut(script as usize) {
            *missing = is_missing;
        }
    }
}

fn version(text: &[u8]) -> (u32, u32) {
    let mut parts = text.split(|byte| *byte == b'.').map(|digits| {
        digits
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .fold(0_u32, |number, digit| {
                number
                    .saturating_mul(10)
                    .saturating_add(u32::from(digit.saturating_sub(b'0')))
            })
    });
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::resp::{DecodeLimits, Decoder};

    fn decoded(bytes: &[u8], act: impl FnOnce(Reply<'_>)) {
        let mut decoder = Decoder::new(DecodeLimits::default());
        decoder.feed(bytes);
        act(decoder.next_reply().unwrap().unwrap());
    }

    #[test]
    fn a_version_is_a_guess_and_the_command_table_is_knowledge() {
        for (server, version, expected) in [
            ("redis", "7.0.15", false),
            ("redis", "8.4.0", true),
            ("valkey", "8.0.1", false),
            ("valkey", "8.1.1", true),
            ("dragonfly", "9.0.0", false),
        ] {
            let mut capability = Capability::BASIC;
            let map = alloc::format!(
                "%2\r\n$6\r\nserver\r\n${}\r\n{server}\r\n$7\r\nversion\r\n${}\r\n{version}\r\n",
                server.len(),
                version.len()
            );
            decoded(map.as_bytes(), |hello| capability.guess(hello));
            assert_eq!(capability.set_ifeq, expected, "{server} {version}");
        }
        let mut capability = Capability::BASIC;
        decoded(b"*2\r\n*2\r\n$7\r\ndelifeq\r\n:3\r\n_\r\n", |reply| {
            capability.learn(reply)
        });
        assert_eq!(
            (capability.delete, capability.set_ifeq),
            (Delete::Delifeq, true)
        );
        let mut capability = Capability::BASIC;
        decoded(b"*2\r\n*-1\r\n*1\r\n$5\r\ndelex\r\n", |reply| {
            capability.learn(reply)
        });
        assert_eq!(
            (capability.delete, capability.set_ifeq),
            (Delete::Delex, true)
        );
        let mut capability = Capability::BASIC;
        decoded(b"*2\r\n*-1\r\n*-1\r\n", |reply| capability.learn(reply));
        assert_eq!(capability, Capability::BASIC);
    }

    #[test]
    fn a_missing_script_is_sent_whole_once() {
        let mut capability = Capability::BASIC;
        let (first, second) = (capability.count(), capability.count());
        capability.lacks(Script::Release, first);
        assert!(!capability.takes_text(Script::Refresh));
        let third = capability.count();
        assert!(capability.takes_text(Script::Release));
        assert!(!capability.takes_text(Script::Release));
        // The third has brought it by the time the second is repeated.
        capability.lacks(Script::Release, second);
        assert!(!capability.takes_text(Script::Release));
        capability.lacks(Script::Release, third);
        assert!(capability.takes_text(Script::Release), "forgotten again");
    }
}
