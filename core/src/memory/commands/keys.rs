//! Commands on keys of any type.

use super::{Call, NOT_AN_INTEGER, SYNTAX_ERROR, integer, is};
use crate::memory::store::{DATABASES, Millis, Value};

pub(super) fn del(call: &mut Call<'_>) {
    let db = call.database();
    let mut deleted = 0_i64;
    for key in call.args.iter().skip(1) {
        if call.state.entry(db, key).is_some() && call.state.remove(db, key) {
            deleted = deleted.saturating_add(1);
        }
    }
    call.integer(deleted);
}

pub(super) fn exists(call: &mut Call<'_>) {
    let db = call.database();
    let mut found = 0_i64;
    for key in call.args.iter().skip(1) {
        if call.state.entry(db, key).is_some() {
            found = found.saturating_add(1);
        }
    }
    call.integer(found);
}

pub(super) fn kind(call: &mut Call<'_>) {
    let (db, key) = (call.database(), call.arg(1));
    let kind: &[u8] = match call.state.entry(db, key).map(|entry| &entry.value) {
        None => b"none",
        Some(Value::String(_)) => b"string",
        Some(Value::Hash(_)) => b"hash",
        Some(Value::SortedSet(_)) => b"zset",
        Some(Value::List(_)) => b"list",
    };
    call.simple(kind);
}

pub(super) fn pttl(call: &mut Call<'_>) {
    let left = remaining(call).unwrap_or_else(|none| none);
    call.integer(left);
}

/// In seconds, rounded to the nearest.
pub(super) fn ttl(call: &mut Call<'_>) {
    let left = remaining(call).map_or_else(|none| none, |left| left.saturating_add(500) / 1000);
    call.integer(left);
}

/// The remaining milliseconds, or the reply that Redis gives instead: -1 without an expiry, -2 without a key.
fn remaining(call: &mut Call<'_>) -> Result<Millis, i64> {
    remaining_of(call, call.arg(1))
}

/// The same for any key.
pub(super) fn remaining_of(call: &mut Call<'_>, key: &[u8]) -> Result<Millis, i64> {
    let db = call.database();
    let Some(entry) = call.state.entry(db, key) else {
        return Err(-2);
    };
    let at = entry.expires_at.ok_or(-1_i64)?;
    Ok(at.saturating_sub(call.now()))
}

pub(super) fn pexpire(call: &mut Call<'_>) {
    expire_in(call, 1, b"pexpire");
}

pub(super) fn expire(call: &mut Call<'_>) {
    expire_in(call, 1000, b"expire");
}

fn expire_in(call: &mut Call<'_>, unit: Millis, name: &[u8]) {
    let (db, key) = (call.database(), call.arg(1));
    let Some(amount) = integer(call.arg(2)) else {
        return call.error(NOT_AN_INTEGER);
    };
    let now = call.now();
    let Some(at) = amount.checked_mul(unit).and_then(|ms| now.checked_add(ms)) else {
        return call.error_of(&[b"ERR invalid expire time in '", name, b"' command"]);
    };
    let changed = expire_at(call, db, key, at);
    call.integer(i64::from(changed));
}

/// Sets the expiry of a key. An expiry in the past deletes it.
pub(super) fn expire_at(call: &mut Call<'_>, db: u8, key: &[u8], at: Millis) -> bool {
    if call.state.entry(db, key).is_none() {
        return false;
    }
    if at <= call.now() {
        return call.state.remove(db, key);
    }
    call.state.store.set_expiry(db, key, Some(at));
    call.state.tracking.invalidate(key);
    true
}

pub(super) fn persist(call: &mut Call<'_>) {
    let (db, key) = (call.database(), call.arg(1));
    let changes = call
        .state
        .entry(db, key)
        .is_some_and(|entry| entry.expires_at.is_some());
    if changes {
        call.state.store.set_expiry(db, key, None);
        call.state.tracking.invalidate(key);
    }
    call.integer(i64::from(changes));
}

pub(super) fn dbsize(call: &mut Call<'_>) {
    let size = call.state.store.size(call.database());
    call.integer(i64::try_from(size).unwrap_or(i64::MAX));
}

pub(super) fn flushdb(call: &mut Call<'_>) {
    let db = call.database();
    flush(call, db..=db);
}

pub(super) fn flushall(call: &mut Call<'_>) {
    flush(call, 0..=DATABASES.saturating_sub(1));
}

fn flush(call: &mut Call<'_>, databases: core::ops::RangeInclusive<u8>) {
    let right = match call.args {
        [_] => true,
        [_, option] => is(option, "ASYNC") || is(option, "SYNC"),
        _ => false,
    };
    if !right {
        return call.error(SYNTAX_ERROR);
    }
    for db in databases {
        call.state.store.clear(db);
    }
    call.state.tracking.invalidate_all();
    call.ok();
}
