//! From an operation to the commands that a server gets for it.
//!
//! A lock is one string per key: its value is the token followed by the metadata, its expiry the ttl. The commands are
//! chosen by three rules:
//! - A key with another value is never changed. `SET NX` cannot; everything else compares first, in one command or script,
//!   because a lease can end between a `GET` and the command that follows it.
//! - Several keys are obtained or refreshed together or not at all. A script does that, within one hash slot of a cluster; where
//!   none runs, `several.rs` has other commands.
//! - `PTTL` goes along in the same write: its reply says how long to wait, and it registers the key for a push message on
//!   its next change (`CLIENT TRACKING`). It comes last, since each write to a key ends the registrations for it, even
//!   one's own.
//!
//! Bytes that are the same for every lock are literals here, and those that are the same for every command of a lock are
//! rendered once ([`crate::redis::Frame`]): see `core/docs/hot-path.md`.

mod kind;
#[cfg(feature = "modes")]
mod modes;
mod several;

pub(crate) use kind::{Kind, PerKey};
#[cfg(feature = "modes")]
pub(crate) use kind::{Queued, Watch};

use alloc::vec::Vec;

use crate::claim::Claim;
use crate::fence::{Fence, Keep};
use crate::keys::Keys;
use crate::lock::Op;
use crate::obtain::Mode;
use crate::redis::capability::{Capability, Delete};
use crate::redis::resp::{command, prepared};
use crate::redis::{Script, prove};
use crate::ttl::Ttl;

/// The ttl that was sent last, rendered as an argument: most locks of a program have the same.
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

/// The buffer of a session, with what its server can do.
pub(crate) struct Wire<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) capability: &'a mut Capability,
    pub(crate) prefix: &'a [u8],
    pub(crate) ttl: &'a mut LastTtl,
}

impl Wire<'_> {
    /// Appends the commands of `op`. Returns how their replies are read, and how many there will be.
    pub(crate) fn write(&mut self, op: Op<'_>) -> (Kind, u16) {
        // The commands below fit only an exclusive lock: a new mode does not compile here until it has its own.
        match op.mode() {
            Mode::Exclusive => {}
            #[cfg(feature = "modes")]
            mode @ (Mode::InTurn | Mode::Shared { .. }) => {
                if let Some(sent) = self.write_in_mode(op, mode) {
                    return sent;
                }
            }
        }
        match op {
            Op::Obtain {
                claim,
                ttl,
                again: false,
                fence: None,
                ..
            } if claim.keys().len() == 1 => {
                self.set_if_free(claim, ttl);
                self.with_times(Kind::Set, claim)
            }
            Op::Obtain {
                claim,
                ttl,
                fence: Some(keep),
                ..
            } => {
                let kind = self.fenced(Script::Obtain, claim, ttl, (keep, None));
                self.with_times(kind, claim)
            }
            Op::Obtain {
                claim, ttl, again, ..
            } if !self.capability.scripts => self.obtain_without_scripts(claim, ttl, again),
            Op::Obtain { claim, ttl, .. } => {
                let kind = self.script(Script::Obtain, claim, Some(ttl));
                self.with_times(kind, claim)
            }
            Op::Refresh {
                claim,
                ttl,
                keep,
                fence,
                ..
            } => self.refresh(claim, ttl, keep, fence),
            Op::Release { claim, .. } if claim.keys().len() == 1 => self.release_one(claim),
            Op::Release { claim, .. } if !self.capability.scripts => self.release_each(claim),
            Op::Release { claim, .. } => (self.script(Script::Release, claim, None), 1),
            Op::Check { claim, .. } => {
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
            #[cfg(feature = "modes")]
            Op::Status { keys } => self.status(keys),
        }
    }

    /// Any reply shows that the connection works, even a refusal. Where scripts did not run, they may run by now.
    pub(crate) fn probe(&mut self) -> Kind {
        if self.capability.scripts {
            command(self.out, 1).arg(b"PING");
        } else {
            prove(self.out);
        }
        Kind::Probe
    }

    /// For one key.
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn set_if_free(&mut self, claim: &Claim, ttl: Ttl) {
        prepared(self.out, b"*6\r\n$3\r\nSET\r\n")
            .prepared(claim.frame().all())
            .prepared(b"$2\r\nNX\r\n$2\r\nPX\r\n")
            .prepared(self.ttl.argument(ttl));
    }

    fn refresh(
        &mut self,
        claim: &Claim,
        ttl: Ttl,
        keep: bool,
        fence: Option<&(Fence, Keep)>,
    ) -> (Kind, u16) {
        if let Some(&(fence, counter)) = fence {
            let kind = self.fenced(Script::Refresh, claim, ttl, (counter, Some((fence, keep))));
            return self.with_times(kind, claim);
        }
        if keep {
            return self.refresh_if_shorter(claim, ttl);
        }
        if claim.keys().len() == 1 && self.capability.set_ifeq {
            prepared(self.out, b"*7\r\n$3\r\nSET\r\n")
                .prepared(claim.frame().all())
                .prepared(b"$4\r\nIFEQ\r\n")
                .prepared(claim.frame().value())
                .prepared(b"$2\r\nPX\r\n")
                .prepared(self.ttl.argument(ttl));
            return self.with_times(Kind::SetIfEqual, claim);
        }
        if !self.capability.scripts {
            return self.refresh_each(claim, ttl);
        }
        let kind = self.script(Script::Refresh, claim, Some(ttl));
        self.with_times(kind, claim)
    }

    /// No single command leaves a longer remaining time alone (`PEXPIRE GT` does not compare the value), so this is a script.
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
                // Nearly all locks have one key: the number of arguments is known.
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
        // A release returns the number of deleted keys, the others 1 or 0.
        let all = match script {
            Script::Release => count(claim.keys(), 1),
            Script::Obtain | Script::Refresh => 1,
            #[cfg(feature = "modes")]
            Script::Enter | Script::Share | Script::Stay | Script::Leave | Script::Status => 1,
        };
        Kind::Script { script, all }
    }

    /// A script that also steps the counters of the keys, or with a fence raises them to it; then with whether a longer
    /// remaining time stays.
    #[cold]
    fn fenced(
        &mut self,
        script: Script,
        claim: &Claim,
        ttl: Ttl,
        (counter, seal): (Keep, Option<(Fence, bool)>),
    ) -> Kind {
        let whole = self.capability.takes_text(script);
        let keys = claim.keys().len();
        let more = if seal.is_some() { 8 } else { 6 };
        let mut command = command(self.out, keys.saturating_mul(2).saturating_add(more));
        if whole {
            command.arg(b"EVAL").arg(script.text().as_bytes());
        } else {
            command.arg(b"EVALSHA").arg(script.sha().as_bytes());
        }
        command
            .number(keys.saturating_mul(2) as u64)
            .prepared(claim.frame().keys());
        for key in claim.keys().iter() {
            let key = [self.prefix, key.as_bytes()].concat();
            command.arg(&Fence::counter(&key));
        }
        command
            .prepared(claim.frame().value())
            .prepared(self.ttl.argument(ttl));
        if let Some((_, keep)) = seal {
            command.arg(if keep { b"keep" } else { b"" });
        }
        match counter.as_millis() {
            Some(millis) => command.number(millis),
            None => command.arg(b"forever"),
        };
        match seal {
            Some((fence, _)) => {
                command.number(fence.0);
                Kind::Script { script, all: 1 }
            }
            None => Kind::Fenced,
        }
    }

    /// Reads the remaining time of each key in the same write, which also registers us for its next change.
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

    /// The same command for each key.
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
