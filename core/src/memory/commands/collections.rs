//! Commands on hashes, sorted sets and lists: as much as locks need, and what shows what they have left.

use alloc::vec::Vec;

use super::script_reads::Failed;
use super::{Call, NOT_AN_INTEGER, OUT_OF_MEMORY, SYNTAX_ERROR, WRONG_TYPE, integer};
use crate::memory::sorted_set::SortedSet;
use crate::memory::store::{Fields, Value};

impl Call<'_> {
    /// The fields of a hash; `None` without a key.
    pub(super) fn hash(&mut self, key: &[u8]) -> Result<Option<&Fields>, Failed> {
        let db = self.database();
        match self.state.entry(db, key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::Hash(fields)) => Ok(Some(fields)),
            Some(Value::String(_) | Value::SortedSet(_) | Value::List(_)) => Err(WRONG_TYPE),
        }
    }

    /// The members of a sorted set; `None` without a key.
    pub(super) fn sorted_set(&mut self, key: &[u8]) -> Result<Option<&SortedSet>, Failed> {
        let db = self.database();
        match self.state.entry(db, key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::SortedSet(members)) => Ok(Some(members)),
            Some(Value::String(_) | Value::Hash(_) | Value::List(_)) => Err(WRONG_TYPE),
        }
    }

    /// Sets a field. Returns whether it is new.
    pub(super) fn set_field(
        &mut self,
        key: &[u8],
        field: &[u8],
        value: &[u8],
    ) -> Result<bool, Failed> {
        if self.hash(key)?.is_none() && !self.store(key, Value::Hash(Fields::new()), None) {
            return Err(OUT_OF_MEMORY);
        }
        self.has_written = true;
        let db = self.database();
        let old = self.state.store.change(db, key, |stored| match stored {
            Value::Hash(fields) => fields.insert(field.into(), value.to_vec()),
            Value::String(_) | Value::SortedSet(_) | Value::List(_) => None,
        });
        self.state.tracking.invalidate(key);
        Ok(old.flatten().is_none())
    }

    /// Gives a member this score. Returns whether it is new.
    pub(super) fn set_score(
        &mut self,
        key: &[u8],
        member: &[u8],
        score: i64,
    ) -> Result<bool, Failed> {
        let empty = Value::SortedSet(SortedSet::default());
        if self.sorted_set(key)?.is_none() && !self.store(key, empty, None) {
            return Err(OUT_OF_MEMORY);
        }
        self.has_written = true;
        let old = self
            .change_sorted_set(key, |members| members.insert(member, score))
            .flatten();
        if old != Some(score) {
            self.state.tracking.invalidate(key);
        }
        Ok(old.is_none())
    }

    /// Changes a sorted set in place. One without members is no key.
    pub(super) fn change_sorted_set<T>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut SortedSet) -> T,
    ) -> Option<T> {
        let db = self.database();
        let (result, empty) = self.state.store.change(db, key, |stored| match stored {
            Value::SortedSet(members) => Some((change(members), members.len() == 0)),
            Value::String(_) | Value::Hash(_) | Value::List(_) => None,
        })??;
        if empty {
            self.state.store.remove(db, key);
        }
        Some(result)
    }

    /// A score is a number of its own kind in RESP3.
    fn reply_with_score(&mut self, score: i64) {
        let digits = alloc::format!("{score}");
        if self.session.resp3 {
            self.out.push(b',');
            self.out.extend_from_slice(digits.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(digits.as_bytes());
        }
    }
}

pub(super) fn hset(call: &mut Call<'_>) {
    if !call.args.len().is_multiple_of(2) {
        return call.wrong_arity(&[b"hset"]);
    }
    let pairs: &[[&[u8]; 2]] = call.args.get(2..).unwrap_or_default().as_chunks().0;
    let mut new = 0_i64;
    for [field, value] in pairs {
        match call.set_field(call.arg(1), field, value) {
            Ok(is_new) => new = new.saturating_add(i64::from(is_new)),
            Err(error) => return call.error(error),
        }
    }
    call.integer(new);
}

pub(super) fn hget(call: &mut Call<'_>) {
    let field = call.arg(2);
    match call.hash(call.arg(1)) {
        Ok(fields) => match fields.and_then(|fields| fields.get(field)).cloned() {
            Some(value) => call.bulk(&value),
            None => call.null(),
        },
        Err(error) => call.error(error),
    }
}

/// Without options.
pub(super) fn zadd(call: &mut Call<'_>) {
    let pairs: &[[&[u8]; 2]] = match call.args.get(2..).unwrap_or_default().as_chunks() {
        (pairs, []) => pairs,
        (_, [_, ..]) => return call.error(SYNTAX_ERROR),
    };
    if pairs.iter().any(|[score, _]| integer(score).is_none()) {
        return call.error(b"ERR value is not a valid float");
    }
    let mut new = 0_i64;
    for [score, member] in pairs {
        let score = integer(score).unwrap_or_default();
        match call.set_score(call.arg(1), member, score) {
            Ok(is_new) => new = new.saturating_add(i64::from(is_new)),
            Err(error) => return call.error(error),
        }
    }
    call.integer(new);
}

pub(super) fn zcard(call: &mut Call<'_>) {
    match call
        .sorted_set(call.arg(1))
        .map(|members| members.map_or(0, SortedSet::len))
    {
        Ok(count) => call.integer(i64::try_from(count).unwrap_or(i64::MAX)),
        Err(error) => call.error(error),
    }
}

/// By place, without options.
pub(super) fn zrange(call: &mut Call<'_>) {
    if call.args.len() != 4 {
        return call.error(SYNTAX_ERROR);
    }
    let (Some(first), Some(last)) = (integer(call.arg(2)), integer(call.arg(3))) else {
        return call.error(NOT_AN_INTEGER);
    };
    let members: Vec<_> = match call.sorted_set(call.arg(1)) {
        Ok(None) => Vec::new(),
        Ok(Some(members)) => members.iter().map(|(_, member)| member.clone()).collect(),
        Err(error) => return call.error(error),
    };
    let len = i64::try_from(members.len()).unwrap_or(i64::MAX);
    let place = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let (first, last) = (place(first).max(0), place(last).min(len.saturating_sub(1)));
    let range = usize::try_from(first).ok().zip(usize::try_from(last).ok());
    let found = range.and_then(|(first, last)| members.get(first..=last));
    let found = found.unwrap_or_default();
    call.array(found.len());
    for member in found {
        call.bulk(member);
    }
}

pub(super) fn zscore(call: &mut Call<'_>) {
    let member = call.arg(2);
    match call.sorted_set(call.arg(1)) {
        Ok(members) => match members.and_then(|members| members.score(member)) {
            Some(score) => call.reply_with_score(score),
            None => call.null(),
        },
        Err(error) => call.error(error),
    }
}

/// Creates a list, or adds an element.
pub(super) fn lpush(call: &mut Call<'_>) {
    let (db, key) = (call.database(), call.arg(1));
    let is_list = |value: &Value| matches!(value, Value::List(_));
    match call.state.entry(db, key).map(|entry| is_list(&entry.value)) {
        Some(true) => {
            let elements = call.state.store.change(db, key, |value| match value {
                Value::List(elements) => {
                    *elements = elements.saturating_add(1);
                    *elements
                }
                Value::String(_) | Value::Hash(_) | Value::SortedSet(_) => 0,
            });
            call.state.tracking.invalidate(key);
            call.integer(elements.unwrap_or_default());
        }
        Some(false) => call.error(WRONG_TYPE),
        None if call.store(key, Value::List(1), None) => call.integer(1),
        None => call.error(OUT_OF_MEMORY),
    }
}
