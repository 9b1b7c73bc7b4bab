//! Op → commands.

use alloc::vec::Vec;

use crate::claim::{Claim, Keys};
use crate::lock::Op;
use crate::obtain::Ttl;
use crate::redis::Script;
use crate::redis::capability::{Capability, Delete};
use crate::redis::resp::{command, prepared};

/// How replies are to be read. The first reply of the first three decides, the others tell remaining times.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Set,
    SetIfEqual,
    Script { script: Script, all: u16 },
    DeleteIfEqual,
    Values,
    ValuesAndTimes,
}

/// Where commands are written, and how this server wants them.
pub(crate) struct Wire<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) capability: &'a mut Capability,
    pub(crate) prefix: &'a [u8],
}

impl Wire<'_> {
    /// Writes the commands of `op`; tells how their replies are to be read, and how many there will be.
    pub(crate) fn write(&mut self, op: Op<'_>) -> (Kind, u16) {
        match op {
            Op::Obtain {
                claim,
                ttl,
                again: false,
            } if claim.keys().len() == 1 => {
                let key = claim.keys().first().as_bytes();
                prepared(self.out, b"*6\r\n$3\r\nSET\r\n")
                    .joined(self.prefix, key)
                    .arg(claim.value())
                    .prepared(b"$2\r\nNX\r\n$2\r\nPX\r\n")
                    .number(ttl.as_millis());
                self.with_times(Kind::Set, claim.keys())
            }
            Op::Obtain { claim, ttl, .. } => {
                let kind = self.script(Script::Obtain, claim.keys(), claim.value(), Some(ttl));
                self.with_times(kind, claim.keys())
            }
            Op::Refresh { claim, ttl } if claim.keys().len() == 1 && self.capability.set_ifeq => {
                let key = claim.keys().first().as_bytes();
                prepared(self.out, b"*7\r\n$3\r\nSET\r\n")
                    .joined(self.prefix, key)
                    .arg(claim.value())
                    .prepared(b"$4\r\nIFEQ\r\n")
                    .arg(claim.value())
                    .prepared(b"$2\r\nPX\r\n")
                    .number(ttl.as_millis());
                self.with_times(Kind::SetIfEqual, claim.keys())
            }
            Op::Refresh { claim, ttl } => {
                let kind = self.script(Script::Refresh, claim.keys(), claim.value(), Some(ttl));
                self.with_times(kind, claim.keys())
            }
            Op::Release { claim } if claim.keys().len() == 1 => self.release_one(claim),
            Op::Release { claim } => (
                self.script(Script::Release, claim.keys(), claim.value(), None),
                1,
            ),
            Op::Check { claim } => {
                self.for_each(b"*2\r\n$3\r\nGET\r\n", claim.keys());
                (Kind::Values, count(claim.keys(), 1))
            }
            Op::Inspect { keys } => {
                for key in keys.iter() {
                    command(self.out, 2)
                        .arg(b"GET")
                        .joined(self.prefix, key.as_bytes());
                    command(self.out, 2)
                        .arg(b"PTTL")
                        .joined(self.prefix, key.as_bytes());
                }
                (Kind::ValuesAndTimes, count(keys, 2))
            }
        }
    }

    fn release_one(&mut self, claim: &Claim) -> (Kind, u16) {
        let key = claim.keys().first().as_bytes();
        match self.capability.delete {
            Delete::Delifeq => {
                prepared(self.out, b"*3\r\n$7\r\nDELIFEQ\r\n")
                    .joined(self.prefix, key)
                    .arg(claim.value());
            }
            Delete::Delex => {
                command(self.out, 4)
                    .arg(b"DELEX")
                    .joined(self.prefix, key)
                    .arg(b"IFEQ")
                    .arg(claim.value());
            }
            Delete::Script => {
                return (
                    self.script(Script::Release, claim.keys(), claim.value(), None),
                    1,
                );
            }
        }
        (Kind::DeleteIfEqual, 1)
    }

    fn script(&mut self, script: Script, keys: &Keys, value: &[u8], ttl: Option<Ttl>) -> Kind {
        let args = keys.len().saturating_add(if ttl.is_some() { 5 } else { 4 });
        let mut command = command(self.out, args);
        if self.capability.takes_text(script) {
            command.arg(b"EVAL").arg(script.text().as_bytes());
        } else {
            command
                .prepared(b"$7\r\nEVALSHA\r\n")
                .arg(script.sha().as_bytes());
        }
        command.number(keys.len() as u64);
        for key in keys.iter() {
            command.joined(self.prefix, key.as_bytes());
        }
        command.arg(value);
        if let Some(ttl) = ttl {
            command.number(ttl.as_millis());
        }
        // A release tells how many keys it deleted; the others answer yes or no.
        let all = if script == Script::Release {
            count(keys, 1)
        } else {
            1
        };
        Kind::Script { script, all }
    }

    /// Asks for the remaining time of each key in the same write: it tells when a holder's time is over, and it
    /// registers our interest in the key. A write of our own ends an earlier registration, so that it comes last.
    fn with_times(&mut self, kind: Kind, keys: &Keys) -> (Kind, u16) {
        self.for_each(b"*2\r\n$4\r\nPTTL\r\n", keys);
        (kind, count(keys, 1).saturating_add(1))
    }

    /// A command of one key for each, of which the beginning is given as it goes over the wire.
    fn for_each(&mut self, head: &'static [u8], keys: &Keys) {
        for key in keys.iter() {
            prepared(self.out, head).joined(self.prefix, key.as_bytes());
        }
    }
}

fn count(keys: &Keys, each: u16) -> u16 {
    u16::try_from(keys.len())
        .unwrap_or(u16::MAX)
        .saturating_mul(each)
}
