//! The arguments of a script, and its single commands.

use alloc::vec::Vec;

use super::{NO_NUMBER, Run};
use crate::memory::commands::script_reads::{Failed, MISSING_ARGUMENT, register};
use crate::memory::commands::{NOT_AN_INTEGER, OUT_OF_MEMORY, integer, keys};
use crate::memory::store::{Millis, Value};
use crate::redis::CompanionKey;

/// Arguments and single commands.
impl<'r> Run<'r, '_> {
    pub(super) fn arg(&self, index: usize) -> &'r [u8] {
        self.args.get(index).copied().unwrap_or_default()
    }

    pub(super) fn number(&self, index: usize) -> Result<i64, Failed> {
        integer(self.arg(index)).ok_or(NO_NUMBER)
    }

    /// A read, even one that fails, registers the client.
    pub(super) fn register(&mut self, key: &[u8]) {
        register(self.call, self.keys, key);
    }

    pub(super) const fn slack(&self) -> Millis {
        self.ttl.div_euclid(8)
    }

    pub(super) fn key(&self) -> Result<&'r [u8], Failed> {
        self.keys.first().copied().ok_or(MISSING_ARGUMENT)
    }

    pub(super) fn companion(&self, name: CompanionKey) -> Result<&'r [u8], Failed> {
        let place = (name as usize).saturating_add(1);
        self.keys.get(place).copied().ok_or(MISSING_ARGUMENT)
    }

    /// `PTTL`, as Redis replies.
    pub(super) fn remaining_of(&mut self, key: &[u8]) -> Millis {
        let left = keys::remaining_of(self.call, key).unwrap_or_else(|none| none);
        register(self.call, self.keys, key);
        left
    }

    pub(super) fn remaining_of_key(&mut self) -> Result<Millis, Failed> {
        let key = self.key()?;
        Ok(self.remaining_of(key))
    }

    pub(super) fn set(&mut self, value: &[u8], ttl: Millis) -> Result<(), Failed> {
        if ttl <= 0 {
            return Err(b"ERR invalid expire time in 'set' command");
        }
        let at = self.now.checked_add(ttl).ok_or(NOT_AN_INTEGER)?;
        let key = self.key()?;
        if self
            .call
            .store(key, Value::String(value.to_vec()), Some(at))
        {
            Ok(())
        } else {
            Err(OUT_OF_MEMORY)
        }
    }

    pub(super) fn expire_key(&mut self, ttl: Millis) -> Result<(), Failed> {
        let key = self.key()?;
        self.expire(key, ttl);
        Ok(())
    }

    /// Whether the key exists.
    pub(super) fn expire(&mut self, key: &[u8], ttl: Millis) -> bool {
        self.call.has_written = true;
        let db = self.call.database();
        keys::expire_at(self.call, db, key, self.now.saturating_add(ttl))
    }

    /// A command that could have changed something counts as a write, even if it has not.
    pub(super) fn delete(&mut self, key: &[u8]) -> bool {
        self.call.has_written = true;
        let db = self.call.database();
        self.call.state.entry(db, key).is_some() && self.call.state.remove(db, key)
    }

    pub(super) fn exists(&mut self, name: CompanionKey) -> Result<bool, Failed> {
        let key = self.companion(name)?;
        self.register(key);
        let db = self.call.database();
        let exists = self.call.state.entry(db, key).is_some();
        Ok(exists)
    }

    /// The score of this lock.
    pub(super) fn score(&mut self, name: CompanionKey) -> Result<Option<i64>, Failed> {
        let key = self.companion(name)?;
        self.register(key);
        let me = self.me;
        let score = self.call.sorted_set(key)?.and_then(|set| set.score(me));
        Ok(score)
    }

    pub(super) fn count(&mut self, name: CompanionKey) -> Result<i64, Failed> {
        self.count_before(name, i64::MAX)
    }

    pub(super) fn count_before(&mut self, name: CompanionKey, score: i64) -> Result<i64, Failed> {
        let key = self.companion(name)?;
        self.register(key);
        let members = self.call.sorted_set(key)?;
        let count = members.map_or(0, |members| {
            members.iter().take_while(|(own, _)| *own < score).count()
        });
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn first(&mut self, name: CompanionKey) -> Result<Option<(i64, Vec<u8>)>, Failed> {
        let key = self.companion(name)?;
        self.register(key);
        let members = self.call.sorted_set(key)?;
        let first = members.and_then(|members| members.iter().next());
        let first = first.map(|(score, member)| (score, member.to_vec()));
        Ok(first)
    }

    pub(super) fn last(&mut self, name: CompanionKey) -> Result<Option<(i64, Vec<u8>)>, Failed> {
        let key = self.companion(name)?;
        self.register(key);
        let members = self.call.sorted_set(key)?;
        let last = members.and_then(|members| members.iter().next_back());
        let last = last.map(|(score, member)| (score, member.to_vec()));
        Ok(last)
    }

    /// Notes the end of the lease of this lock.
    pub(super) fn write(&mut self, inside: &[u8], ends: Millis) -> Result<(), Failed> {
        let me = self.me;
        let own = self.call.sorted_set(inside)?.and_then(|set| set.score(me));
        let same = i64::from(own == Some(ends));
        self.call.set_score(inside, me, ends.saturating_add(same))?;
        Ok(())
    }

    /// Removes those whose lease is over.
    pub(super) fn remove_over(&mut self, name: CompanionKey) -> Result<(), Failed> {
        let key = self.companion(name)?;
        let now = self.now;
        self.call.sorted_set(key)?;
        self.call.has_written = true;
        let removed = self
            .call
            .change_sorted_set(key, |members| members.remove_up_to(now));
        if removed.is_some_and(|removed| removed > 0) {
            self.call.state.tracking.invalidate(key);
        }
        Ok(())
    }

    /// Removes this lock. Returns whether it was there.
    pub(super) fn remove(&mut self, name: CompanionKey) -> Result<bool, Failed> {
        let key = self.companion(name)?;
        let me = self.me.to_vec();
        self.remove_member(key, &me)
    }

    pub(super) fn remove_member(&mut self, key: &[u8], member: &[u8]) -> Result<bool, Failed> {
        self.call.sorted_set(key)?;
        self.call.has_written = true;
        let removed = self
            .call
            .change_sorted_set(key, |members| members.remove(member).is_some());
        let removed = removed == Some(true);
        if removed {
            self.call.state.tracking.invalidate(key);
        }
        Ok(removed)
    }

    pub(super) fn remove_field(&mut self, key: &[u8], field: &[u8]) -> Result<(), Failed> {
        self.call.hash(key)?;
        let db = self.call.database();
        let removed = self
            .call
            .state
            .store
            .change(db, key, |stored| match stored {
                Value::Hash(fields) => Some((fields.remove(field).is_some(), fields.is_empty())),
                Value::String(_) | Value::SortedSet(_) | Value::List(_) => None,
            });
        if let Some((true, empty)) = removed.flatten() {
            if empty {
                self.call.state.store.remove(db, key);
            }
            self.call.state.tracking.invalidate(key);
        }
        Ok(())
    }
}
