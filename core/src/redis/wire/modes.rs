//! The commands of locks that know of others that share their key: `core/docs/modes.md` has the table.

use alloc::vec::Vec;

use super::{Kind, Queued, Watch, Wire};
use crate::claim::Claim;
use crate::fence::{COUNTER, Keep};
use crate::keys::Keys;
use crate::lock::{Bell, LISTED, Op, Ticket};
use crate::obtain::Mode;
use crate::redis::capability::Caching;
use crate::redis::resp::{Args, command};
use crate::redis::slot::companion_parts;
use crate::redis::{CompanionKey, Script};
use crate::ttl::Ttl;

/// Whether the lock is held, and changes its mode.
const fn changes(change: bool) -> &'static [u8] {
    if change { b"change" } else { b"" }
}

impl Wire<'_> {
    /// `None` if the commands are those of an exclusive lock.
    #[cold]
    pub(super) fn write_in_mode(&mut self, op: Op<'_>, mode: Mode) -> Option<(Kind, u16)> {
        let limit = match mode {
            Mode::Exclusive => return None,
            Mode::InTurn => None,
            Mode::Shared { limit } => Some(limit.map_or(0, |limit| u64::from(limit.get()))),
        };
        Some(match (op, limit) {
            (
                Op::Obtain {
                    claim,
                    ttl,
                    fence,
                    ticket,
                    change,
                    ..
                },
                None,
            ) => self.enter(claim, ttl, fence, (ticket, change)),
            (
                Op::Obtain {
                    claim,
                    ttl,
                    waits,
                    ticket,
                    change,
                    ..
                },
                Some(limit),
            ) => self.share(claim, ttl, (limit, waits), (ticket, change)),
            (
                Op::Refresh {
                    claim, ttl, keep, ..
                },
                Some(_),
            ) => self.stay(claim, ttl, keep),
            (Op::Check { claim, .. }, Some(_)) => self.check_shared(claim),
            (Op::Release { claim, ttl, .. }, limit) => {
                self.leave(claim, ttl, limit.unwrap_or_default())
            }
            (Op::Refresh { .. } | Op::Check { .. }, None)
            | (Op::Look { .. } | Op::Inspect { .. } | Op::Status { .. }, _) => return None,
        })
    }

    fn enter(
        &mut self,
        claim: &Claim,
        ttl: Ttl,
        fence: Option<Keep>,
        (ticket, change): (Option<&Ticket>, bool),
    ) -> (Kind, u16) {
        let bell = self.register_for_bell(claim, ticket);
        let before = bell.saturating_add(self.without_registration());
        let keys = CompanionKey::ALL.len().saturating_add(1);
        let fenced = usize::from(fence.is_some());
        let mut command = self.start(Script::Enter, keys.saturating_add(fenced), 5 + fenced);
        let key = claim.frame().raw_key();
        command.prepared(claim.frame().keys());
        companions(&mut command, claim, &CompanionKey::ALL);
        if fence.is_some() {
            companion(&mut command, key, &[COUNTER]);
        }
        command.prepared(claim.frame().value());
        command.number(ttl.as_millis());
        place(&mut command, ticket).arg(changes(change));
        match fence.map(Keep::as_millis) {
            Some(Some(millis)) => command.number(millis),
            Some(None) => command.arg(b"forever"),
            None => &mut command,
        };
        self.for_each(b"PTTL", claim);
        let kind = Kind::Mode {
            script: Script::Enter,
            before,
            watch: Watch::Behind,
            queued: queued(ticket, bell),
        };
        (kind, u16::from(before).saturating_add(2))
    }

    /// Only a lock that waits watches the key: one that holds it has no use for the news that others come and go.
    fn share(
        &mut self,
        claim: &Claim,
        ttl: Ttl,
        (limit, waits): (u64, bool),
        (ticket, change): (Option<&Ticket>, bool),
    ) -> (Kind, u16) {
        if waits {
            self.for_each(b"PTTL", claim);
        }
        let bell = self.register_for_bell(claim, ticket);
        let before = bell.saturating_add(self.without_registration());
        let mut command = self.start(Script::Share, CompanionKey::ALL.len().saturating_add(1), 6);
        command.prepared(claim.frame().keys());
        companions(&mut command, claim, &CompanionKey::ALL);
        command.prepared(claim.frame().value());
        command.number(ttl.as_millis());
        place(&mut command, ticket)
            .number(limit)
            .arg(changes(change));
        let watch = if waits { Watch::Before } else { Watch::No };
        let kind = Kind::Mode {
            script: Script::Share,
            before,
            watch,
            queued: queued(ticket, bell),
        };
        let replies = u16::from(before).saturating_add(1);
        (kind, replies.saturating_add(u16::from(waits)))
    }

    fn stay(&mut self, claim: &Claim, ttl: Ttl, keep: bool) -> (Kind, u16) {
        let before = self.without_registration();
        let mut command = self.start(Script::Stay, 2, if keep { 3 } else { 2 });
        command.prepared(claim.frame().keys());
        companions(&mut command, claim, &[CompanionKey::In]);
        command.prepared(claim.frame().value());
        command.number(ttl.as_millis());
        if keep {
            command.arg(b"keep");
        }
        unwatched(Script::Stay, before)
    }

    fn leave(&mut self, claim: &Claim, ttl: Ttl, limit: u64) -> (Kind, u16) {
        let before = self.without_registration();
        let mut command = self.start(Script::Leave, CompanionKey::ALL.len().saturating_add(1), 3);
        command.prepared(claim.frame().keys());
        companions(&mut command, claim, &CompanionKey::ALL);
        command.prepared(claim.frame().value());
        command.number(ttl.as_millis()).number(limit);
        unwatched(Script::Leave, before)
    }

    fn check_shared(&mut self, claim: &Claim) -> (Kind, u16) {
        let before = self.without_registration();
        command(self.out, 2)
            .arg(b"GET")
            .prepared(claim.frame().keys());
        if before > 0 {
            caching_no(self.out);
        }
        let mut score = command(self.out, 3);
        score.arg(b"ZSCORE");
        companions(&mut score, claim, &[CompanionKey::In]);
        score.prepared(claim.frame().value());
        let between = u16::from(before > 0);
        let replies = u16::from(before).saturating_add(between).saturating_add(2);
        (Kind::SharedCheck { before }, replies)
    }

    pub(super) fn status(&mut self, keys: &Keys) -> (Kind, u16) {
        let before = self.without_registration();
        let key = [self.prefix, keys.first().as_bytes()].concat();
        let mut command = self.start(Script::Status, 6, 1);
        command.arg(&key);
        for name in [
            CompanionKey::In,
            CompanionKey::Exclusive,
            CompanionKey::Shared,
            CompanionKey::Alive,
        ] {
            companion(&mut command, &key, &[name.name()]);
        }
        companion(&mut command, &key, &[COUNTER]);
        command.number(LISTED);
        (Kind::Status { before }, u16::from(before).saturating_add(1))
    }

    /// Before the question whether that client still comes first: so none leaves unnoticed. Returns how many replies there
    /// will be.
    fn register_for_bell(&mut self, claim: &Claim, ticket: Option<&Ticket>) -> u8 {
        let Some(bell) = ticket.and_then(Ticket::bell) else {
            return 0;
        };
        if !self.capability.tracking {
            return 0;
        }
        let mut time = command(self.out, 2);
        time.arg(b"PTTL");
        let name = [CompanionKey::Bell.name(), bell.as_bytes()];
        companion(&mut time, claim.frame().raw_key(), &name);
        1
    }

    /// The beginning of a script with this many keys and arguments.
    fn start(&mut self, script: Script, keys: usize, args: usize) -> Args<'_> {
        let whole = self.capability.takes_text(script);
        let mut command = command(self.out, keys.saturating_add(args).saturating_add(3));
        if whole {
            command.arg(b"EVAL").arg(script.text().as_bytes());
        } else {
            command.arg(b"EVALSHA").arg(script.sha().as_bytes());
        }
        command.number(keys as u64);
        command
    }

    /// On a connection that tracks, the next command is to register us for none of its keys. Servers allow that only after
    /// `OPTOUT`, which changes nothing else: so it is sent with the first of these requests, and no other lock pays for it.
    /// Returns how many replies there will be.
    fn without_registration(&mut self) -> u8 {
        if !self.capability.tracking {
            return 0;
        }
        match self.capability.caching {
            Caching::Refused => 0,
            Caching::OptOut => {
                caching_no(self.out);
                1
            }
            Caching::Always => {
                command(self.out, 5)
                    .arg(b"CLIENT")
                    .arg(b"TRACKING")
                    .arg(b"ON")
                    .arg(b"OPTOUT")
                    .arg(b"NOLOOP");
                caching_no(self.out);
                self.capability.caching = Caching::OptOut;
                2
            }
        }
    }
}

const fn queued(ticket: Option<&Ticket>, bell: u8) -> Queued {
    match ticket {
        Some(_) if bell > 0 => Queued::WithBell,
        Some(_) => Queued::Yes,
        None => Queued::No,
    }
}

const fn unwatched(script: Script, before: u8) -> (Kind, u16) {
    let watch = Watch::No;
    let kind = Kind::Mode {
        script,
        before,
        watch,
        queued: Queued::No,
    };
    (kind, (before as u16).saturating_add(1))
}

fn caching_no(out: &mut Vec<u8>) {
    command(out, 3).arg(b"CLIENT").arg(b"CACHING").arg(b"NO");
}

/// For how long the lock is to have a place in the queue without another request, in milliseconds, and for how long it has
/// waited, in microseconds. Without a ticket it gets no place.
fn place<'a, 'b>(command: &'a mut Args<'b>, ticket: Option<&Ticket>) -> &'a mut Args<'b> {
    let patience = ticket.map_or(0, |ticket| ticket.timeout().as_millis());
    let waited = ticket.map_or(0, |ticket| ticket.waited().as_micros());
    let waited = u64::try_from(waited).unwrap_or(u64::MAX);
    command.number(patience).number(waited)
}

fn companions(command: &mut Args<'_>, claim: &Claim, names: &[CompanionKey]) {
    let key = claim.frame().raw_key();
    for name in names {
        match name {
            CompanionKey::Bell => {
                let bell = Bell::of(claim.value());
                companion(command, key, &[name.name(), bell.as_bytes()]);
            }
            CompanionKey::In
            | CompanionKey::Exclusive
            | CompanionKey::Shared
            | CompanionKey::Alive => companion(command, key, &[name.name()]),
        }
    }
}

fn companion(command: &mut Args<'_>, key: &[u8], name: &[&[u8]]) {
    let [open, close] = companion_parts(key);
    let mut parts: [&[u8]; 5] = [open, key, close, b"", b""];
    for (part, name) in parts.iter_mut().skip(3).zip(name) {
        *part = name;
    }
    command.parts(&parts);
}
