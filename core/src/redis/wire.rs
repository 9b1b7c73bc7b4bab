//! Op → commands.

use alloc::vec::Vec;

use crate::claim::Claim;
use crate::keys::Keys;
use crate::lock::Op;
use crate::obtain::Mode;
use crate::redis::Script;
use crate::redis::capability::{Capability, Delete};
use crate::redis::resp::{command, prepared};
use crate::ttl::Ttl;

/// How replies are to be read. The first reply of the first three decides, the others tell remaining times.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Set,
    SetIfEqual,
    Script {
        script: Script,
        all: u16,
    },
    DeleteIfEqual,
    /// Only remaining times: all decide.
    Times,
    /// Values and remaining times in turns, of keys that should be ours.
    Check,
    ValuesAndTimes,
    /// Any reply will do: it shows that the connection is alive.
    Probe,
}

/// The ttl that was sent last, as an argument: most locks of a program have the same.
#[derive(Default)]
pub(crate) struct LastTtl {
    millis: u64,
    argument: Vec<u8>,
}

impl LastTtl {
    #[inline]
    fn argument(&mut self, ttl: Ttl) -> &[u8] {
        if self.millis != ttl.as_millis() {
            self.millis = ttl.as_millis();
            self.argument.clear();
            prepared(&mut self.argument, b"").number(self.millis);
        }
        &self.argument
    }
}

/// Where commands are written, and how this server wants them.
pub(crate) struct Wire<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) capability: &'a mut Capability,
    pub(crate) prefix: &'a [u8],
    pub(crate) ttl: &'a mut LastTtl,
}

impl Wire<'_> {
    /// Writes the commands of `op`; tells how their replies are to be read, and how many there will be.
    pub(crate) fn write(&mut self, op: Op<'_>) -> (Kind, u16) {
        // Another mode needs commands of its own.
        let (Some(Mode::Exclusive) | None) = op.mode();
        match op {
            Op::Obtain {
                claim,
                ttl,
                again: false,
                ..
            } if claim.keys().len() == 1 => {
                prepared(self.out, b"*6\r\n$3\r\nSET\r\n")
                    .prepared(claim.frame().all())
                    .prepared(b"$2\r\nNX\r\n$2\r\nPX\r\n")
                    .prepared(self.ttl.argument(ttl));
                self.with_times(Kind::Set, claim)
            }
            Op::Obtain { claim, ttl, .. } => {
                let kind = self.script(Script::Obtain, claim, Some(ttl));
                self.with_times(kind, claim)
            }
            Op::Refresh {
                claim,
                ttl,
                keep: true,
                ..
            } => self.refresh_if_shorter(claim, ttl),
            Op::Refresh { claim, ttl, .. }
                if claim.keys().len() == 1 && self.capability.set_ifeq =>
            {
                prepared(self.out, b"*7\r\n$3\r\nSET\r\n")
                    .prepared(claim.frame().all())
                    .prepared(b"$4\r\nIFEQ\r\n")
                    .prepared(claim.frame().value())
                    .prepared(b"$2\r\nPX\r\n")
                    .prepared(self.ttl.argument(ttl));
                self.with_times(Kind::SetIfEqual, claim)
            }
            Op::Refresh { claim, ttl, .. } => {
                let kind = self.script(Script::Refresh, claim, Some(ttl));
                self.with_times(kind, claim)
            }
            Op::Release { claim, .. } if claim.keys().len() == 1 => self.release_one(claim),
            Op::Release { claim, .. } => (self.script(Script::Release, claim, None), 1),
            Op::Check { claim } => {
                self.values_and_times(claim.keys());
                (Kind::Check, count(claim.keys(), 2))
            }
            Op::Look { claim } => {
                self.for_each(b"PTTL", claim);
                (Kind::Times, count(claim.keys(), 1))
            }
            Op::Inspect { keys } => {
                self.values_and_times(keys);
                (Kind::ValuesAndTimes, count(keys, 2))
            }
        }
    }

    /// Any reply will do, also that the user may not send it.
    pub(crate) fn probe(&mut self) -> Kind {
        command(self.out, 1).arg(b"PING");
        Kind::Probe
    }

    /// No command can do that, only the script.
    #[cold]
    fn refresh_if_shorter(&mut self, claim: &Claim, ttl: Ttl) -> (Kind, u16) {
        let whole = self.capability.takes_text(Script::Refresh);
        let kind = self.any_script(Script::Refresh, whole, claim, (Some(ttl), true));
        self.with_times(kind, claim)
    }

    fn release_one(&mut self, claim: &Claim) -> (Kind, u16) {
        let frame = claim.frame();
        match self.capability.delete {
            Delete::Delifeq => {
                prepared(self.out, b"*3\r\n$7\r\nDELIFEQ\r\n").prepared(frame.all());
            }
            Delete::Delex => {
                prepared(self.out, b"*4\r\n$5\r\nDELEX\r\n")
                    .prepared(frame.keys())
                    .prepared(b"$4\r\nIFEQ\r\n")
                    .prepared(frame.value());
            }
            Delete::Script => return (self.script(Script::Release, claim, None), 1),
        }
        (Kind::DeleteIfEqual, 1)
    }

    fn script(&mut self, script: Script, claim: &Claim, ttl: Option<Ttl>) -> Kind {
        let whole = self.capability.takes_text(script);
        match script.sha().as_bytes().first_chunk::<40>() {
            Some(sha) if !whole && claim.keys().len() == 1 => {
                // What nearly all are, without counting.
                match ttl {
                    Some(_) => prepared(self.out, b"*6\r\n$7\r\nEVALSHA\r\n$40\r\n"),
                    None => prepared(self.out, b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n"),
                }
                .prepared(sha)
                .prepared(b"\r\n$1\r\n1\r\n")
                .prepared(claim.frame().all());
                if let Some(ttl) = ttl {
                    self.out.extend_from_slice(self.ttl.argument(ttl));
                }
                Kind::Script { script, all: 1 }
            }
            _ => self.any_script(script, whole, claim, (ttl, false)),
        }
    }

    #[cold]
    fn any_script(
        &mut self,
        script: Script,
        whole: bool,
        claim: &Claim,
        (ttl, keep): (Option<Ttl>, bool),
    ) -> Kind {
        let keys = claim.keys().len();
        let more = usize::from(ttl.is_some()).saturating_add(usize::from(keep));
        let args = keys.saturating_add(4).saturating_add(more);
        let mut command = command(self.out, args);
        if whole {
            command.arg(b"EVAL").arg(script.text().as_bytes());
        } else {
            command.arg(b"EVALSHA").arg(script.sha().as_bytes());
        }
        command.number(keys as u64).prepared(claim.frame().all());
        if let Some(ttl) = ttl {
            command.prepared(self.ttl.argument(ttl));
        }
        if keep {
            command.arg(b"keep");
        }
        // A release tells how many keys it deleted; the others answer yes or no.
        let all = match script {
            Script::Release => count(claim.keys(), 1),
            Script::Obtain | Script::Refresh => 1,
        };
        Kind::Script { script, all }
    }

    /// Asks for the remaining time of each key in the same write: it tells when a holder's time is over, and it
    /// registers our interest in the key. A write of our own ends an earlier registration, so that it comes last.
    fn with_times(&mut self, kind: Kind, claim: &Claim) -> (Kind, u16) {
        if let Some(time) = claim.frame().time() {
            self.out.extend_from_slice(time);
            return (kind, 2);
        }
        self.for_each(b"PTTL", claim);
        (kind, count(claim.keys(), 1).saturating_add(1))
    }

    fn values_and_times(&mut self, keys: &Keys) {
        for key in keys.iter() {
            for name in [b"GET".as_slice(), b"PTTL"] {
                command(self.out, 2)
                    .arg(name)
                    .joined(self.prefix, key.as_bytes());
            }
        }
    }

    /// A command of one key for each.
    fn for_each(&mut self, name: &[u8], claim: &Claim) {
        for key in claim.keys().iter() {
            command(self.out, 2)
                .arg(name)
                .joined(self.prefix, key.as_bytes());
        }
    }
}

fn count(keys: &Keys, each: u16) -> u16 {
    u16::try_from(keys.len())
        .unwrap_or(u16::MAX)
        .saturating_mul(each)
}
