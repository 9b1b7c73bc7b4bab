//! The scripts of locks that know of others that share their key, command by command as they are written in Lua.

use alloc::format;
use alloc::vec::Vec;

use super::fences;
use super::script_reads::{Failed, MISSING_ARGUMENT, register};
use super::strings::WrongType;
use super::{Call, OUT_OF_MEMORY, integer};
use crate::memory::store::{Millis, Value};
use crate::obtain::SHARED_VALUE;
use crate::redis::{CompanionKey, Script};

mod single;
mod status;

/// What a script replies.
pub(super) enum Answer {
    Number(i64),
    /// Who is in the way, for how long, and the beginning of its value.
    Behind(i64, i64, Vec<u8>),
    Status(status::Found),
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Held {
    Nothing,
    Ours,
    Shared,
    Other,
}

/// One run of a script: what `mode.lua` prepares.
struct Run<'r, 'a> {
    call: &'r mut Call<'a>,
    keys: &'r [&'r [u8]],
    args: &'r [&'r [u8]],
    me: &'r [u8],
    ttl: Millis,
    held: Held,
    micros: i64,
    now: Millis,
}

pub(super) fn run(
    call: &mut Call<'_>,
    script: Script,
    keys: &[&[u8]],
    args: &[&[u8]],
) -> Result<Answer, Failed> {
    let [key, ..] = keys else {
        return Err(MISSING_ARGUMENT);
    };
    let me = args.first().copied().unwrap_or_default();
    let value = match (script, call.string(key)) {
        (Script::Status, Ok(value)) => value.map(<[u8]>::to_vec),
        // A key of another type.
        (Script::Status, Err(_)) => Some(Vec::new()),
        (_, _) => None,
    };
    let held = match call.string(key) {
        Ok(None) => Held::Nothing,
        Ok(Some(held)) if held == me => Held::Ours,
        Ok(Some(SHARED_VALUE)) => Held::Shared,
        Ok(Some(_)) | Err(WrongType) => Held::Other,
    };
    register(call, keys, key);
    let micros = i64::try_from(call.state.now.as_micros()).unwrap_or(i64::MAX);
    let ttl = match script {
        Script::Status => 0,
        Script::Enter
        | Script::Share
        | Script::Stay
        | Script::Leave
        | Script::Obtain
        | Script::Refresh
        | Script::Release => args.get(1).and_then(|ttl| integer(ttl)).ok_or(NO_NUMBER)?,
    };
    let now = micros / 1000;
    let mut run = Run {
        call,
        keys,
        args,
        me,
        ttl,
        held,
        micros,
        now,
    };
    match script {
        Script::Enter => run.enter(),
        Script::Share => run.share(),
        Script::Stay => run.stay(),
        Script::Leave => run.leave(),
        Script::Status => run.status(value).map(Answer::Status),
        Script::Obtain | Script::Refresh | Script::Release => Err(NO_NUMBER),
    }
}

const NO_NUMBER: Failed = b"ERR user_script: attempt to perform arithmetic on a nil value";

use CompanionKey::{Alive, Bell, Exclusive, In, Shared};

impl Run<'_, '_> {
    fn enter(&mut self) -> Result<Answer, Failed> {
        let change = !self.arg(4).is_empty();
        let (mut by, mut left, mut mine) = (0, 0, self.held == Held::Ours);
        let mut is_held = self.held != Held::Nothing;
        if self.held == Held::Shared {
            self.remove_over(In)?;
            let last = self.last(In)?;
            let is_me = last.as_ref().is_some_and(|(_, member)| member == self.me);
            mine = change && is_me && self.count(In)? == 1;
            (by, left) = (
                -1,
                last.as_ref()
                    .map_or(0, |(end, _)| end.saturating_sub(self.now)),
            );
            is_held = last.is_some();
        }
        if !mine {
            if change {
                if by != 0 && self.score(In)?.is_none() {
                    by = 0;
                }
                return Ok(Answer::Behind(by, left, Vec::new()));
            }
            let turn = self.turn(Exclusive)?;
            let mut one = self.ahead(Exclusive, turn)?;
            if one.is_none() && !is_held {
                one = self.ahead(Shared, turn)?;
            }
            if let Some((one, ends)) = one {
                return self.denied(Exclusive, turn, (-2, ends, &one));
            }
            if is_held {
                if by == 0 {
                    left = self.remaining_of_key()?;
                }
                return self.denied(Exclusive, turn, (by, left, b""));
            }
        }
        let fence = match self.keys.get(6) {
            Some(counter) => {
                let keep = self.arg(5);
                fences::next(self.call, self.keys, core::slice::from_ref(counter), keep)?
            }
            None => 1,
        };
        self.leave_queue(&[Exclusive])?;
        let inside = self.companion(In)?;
        self.delete(inside);
        if self.held != Held::Ours || self.remaining_of_key()? <= self.ttl {
            let me = self.me.to_vec();
            self.set(&me, self.ttl)?;
        }
        Ok(Answer::Number(fence))
    }

    fn share(&mut self) -> Result<Answer, Failed> {
        let (limit, change) = (self.number(4)?, !self.arg(5).is_empty());
        let down = change && self.held == Held::Ours;
        let mut ends = self.now.saturating_add(self.ttl);
        let inside = self.companion(In)?;
        if self.held == Held::Shared {
            self.remove_over(In)?;
        } else if self.held == Held::Nothing || down {
            self.delete(inside);
        }
        let own = match self.held {
            Held::Shared => self.score(In)?,
            Held::Nothing | Held::Ours | Held::Other => None,
        };
        if let Some(own) = own {
            ends = ends.max(own);
        } else if !down {
            if change {
                return Ok(Answer::Behind(0, 0, Vec::new()));
            }
            let turn = self.turn(Shared)?;
            if let Some((one, left)) = self.ahead(Exclusive, turn)? {
                return self.denied(Shared, turn, (-2, left, &one));
            }
            if matches!(self.held, Held::Ours | Held::Other) {
                let left = self.remaining_of_key()?;
                return self.denied(Shared, turn, (0, left, b""));
            }
            if limit > 0
                && let Some((by, left, one)) = self.full(limit, turn)?
            {
                return self.denied(Shared, turn, (by, left, &one));
            }
        }
        self.leave_queue(&[Shared])?;
        self.cover(Some(ends))?;
        Ok(Answer::Number(1))
    }

    /// Who is in the way if no more may share the key.
    fn full(&mut self, limit: i64, turn: i64) -> Result<Option<(i64, i64, Vec<u8>)>, Failed> {
        let one = self.ahead(Shared, turn)?;
        let taken = match self.held {
            Held::Shared => self.count(In)?,
            Held::Nothing | Held::Ours | Held::Other => 0,
        };
        let before = match &one {
            Some(_) => self.count_before(Shared, turn)?,
            None => 0,
        };
        if taken.saturating_add(before) < limit {
            return Ok(None);
        }
        if let Some((one, left)) = one {
            return Ok(Some((-2, left, one)));
        }
        let first = self.first(In)?.map_or(self.now, |(end, _)| end);
        Ok(Some((-1, first.saturating_sub(self.now), Vec::new())))
    }

    fn stay(&mut self) -> Result<Answer, Failed> {
        let keep = self.arg(2) == b"keep";
        if self.held == Held::Ours {
            if !keep || self.remaining_of_key()? < self.ttl {
                self.expire_key(self.ttl)?;
            }
            return Ok(Answer::Number(1));
        }
        let ends = match self.held {
            Held::Shared => self.score(In)?.unwrap_or(0),
            Held::Nothing | Held::Ours | Held::Other => 0,
        };
        if ends <= self.now {
            return Ok(Answer::Number(0));
        }
        let until = self.now.saturating_add(self.ttl);
        let until = if keep { until.max(ends) } else { until };
        let inside = self.companion(In)?;
        self.write(inside, until)?;
        self.cover(None)?;
        Ok(Answer::Number(1))
    }

    fn leave(&mut self) -> Result<Answer, Failed> {
        let mut done = 0;
        let (key, inside) = (self.key()?, self.companion(In)?);
        if self.held == Held::Ours {
            done = i64::from(self.delete(key));
        } else if self.held == Held::Shared && self.remove(In)? {
            done = 1;
            let last = self.last(In)?.map_or(self.now, |(end, _)| end);
            let want = last.saturating_sub(self.now);
            let slack = self.slack();
            if want <= 0 {
                self.delete(key);
                self.delete(inside);
            } else if self.remaining_of_key()? > want.saturating_add(slack.saturating_mul(2))
                || self.number(2)? > 0 && self.exists(Shared)?
            {
                self.expire_key(want.saturating_add(slack))?;
                self.expire(inside, want.saturating_add(slack));
            }
        }
        self.leave_queue(&[Exclusive, Shared])?;
        Ok(Answer::Number(done))
    }

    /// `cover.lua`.
    fn cover(&mut self, ends: Option<i64>) -> Result<(), Failed> {
        let last = self.last(In)?.map_or(0, |(end, _)| end);
        let want = last.max(ends.unwrap_or(0)).saturating_sub(self.now);
        let slack = self.slack();
        let left = self.remaining_of_key()?;
        let inside = self.companion(In)?;
        let kept = self.remaining_of(inside);
        let short = left.min(kept) < want || left > want.saturating_add(slack.saturating_mul(2));
        let lasts = want.saturating_add(slack);
        let exists = short && self.expire(inside, lasts);
        if short {
            self.set(SHARED_VALUE, lasts)?;
        }
        if let Some(ends) = ends {
            self.write(inside, ends)?;
            if short && !exists {
                self.expire(inside, lasts);
            }
        }
        Ok(())
    }

    /// `ahead` of `queue.lua`.
    fn ahead(
        &mut self,
        order: CompanionKey,
        turn: i64,
    ) -> Result<Option<(Vec<u8>, Millis)>, Failed> {
        let (order, alive) = (self.companion(order)?, self.companion(Alive)?);
        loop {
            self.register(order);
            let before = self.call.sorted_set(order)?.and_then(|members| {
                let mut before = members.iter().rev().filter(|(score, _)| *score < turn);
                before.next().map(|(_, member)| member.to_vec())
            });
            let Some(one) = before else { return Ok(None) };
            self.register(alive);
            let fields = self.call.hash(alive)?;
            let end = fields.and_then(|fields| integer(fields.get(&*one)?));
            let left = end.unwrap_or(0).saturating_sub(self.now);
            if left > 0 {
                return Ok(Some((one, left)));
            }
            self.remove_member(order, &one)?;
            self.remove_field(alive, &one)?;
        }
    }

    /// `leave_queue` of `queue.lua`, for each of these: rings once.
    fn leave_queue(&mut self, orders: &[CompanionKey]) -> Result<(), Failed> {
        let mut stood = false;
        for order in orders {
            stood |= self.remove(*order)?;
        }
        if stood {
            let (alive, bell) = (self.companion(Alive)?, self.companion(Bell)?);
            let me = self.me.to_vec();
            self.remove_field(alive, &me)?;
            if !self.call.store(bell, Value::String(Vec::new()), None) {
                return Err(OUT_OF_MEMORY);
            }
            self.delete(bell);
        }
        Ok(())
    }

    fn denied(
        &mut self,
        order: CompanionKey,
        turn: i64,
        (by, left, one): (i64, i64, &[u8]),
    ) -> Result<Answer, Failed> {
        /// How long the queue is kept without a request.
        const KEPT: Millis = 60_000;
        let patience = self.number(2)?;
        if patience > 0 {
            let (order, alive) = (self.companion(order)?, self.companion(Alive)?);
            self.call.set_score(order, self.me, turn)?;
            let end = format!("{}", self.now.saturating_add(patience));
            self.call.set_field(alive, self.me, end.as_bytes())?;
            self.expire(order, KEPT);
            self.expire(alive, KEPT);
        }
        let start = one.first_chunk::<8>().map_or(one, |start| start);
        Ok(Answer::Behind(by, left, start.to_vec()))
    }

    /// The turn that this lock has already, or the one that it gets now.
    fn turn(&mut self, order: CompanionKey) -> Result<i64, Failed> {
        let waited = self.number(3)?;
        let stands = self.score(order)?;
        Ok(stands.unwrap_or_else(|| self.micros.saturating_sub(waited)))
    }
}
