//! Commands on strings.

use super::{Call, NOT_AN_INTEGER, OUT_OF_MEMORY, SYNTAX_ERROR, WRONG_TYPE, code, integer, word};
use crate::memory::store::{Millis, Value};

/// The key is of another type.
pub(super) struct WrongType;

impl Call<'_> {
    /// The value of a key: a string, or nothing.
    pub(super) fn string(&mut self, key: &[u8]) -> Result<Option<&[u8]>, WrongType> {
        let db = self.database();
        match self.state.entry(db, key).map(|entry| &entry.value) {
            None => Ok(None),
            Some(Value::String(bytes)) => Ok(Some(bytes)),
            Some(Value::Hash(_) | Value::SortedSet(_) | Value::List(_)) => Err(WrongType),
        }
    }

    /// Sets the value of a key, if there is room or the script has written, and notifies its readers.
    pub(super) fn store(&mut self, key: &[u8], value: Value, expires_at: Option<Millis>) -> bool {
        if !self.has_written && !self.has_room(key, &value) {
            // Expired keys that no command has touched may take up the room.
            self.state.expire_due();
            if !self.has_room(key, &value) {
                return false;
            }
        }
        self.has_written = true;
        let db = self.database();
        self.state.store.insert(db, key, value, expires_at);
        self.state.tracking.invalidate(key);
        true
    }

    fn has_room(&self, key: &[u8], value: &Value) -> bool {
        let options = &self.state.options;
        let (keys, bytes) = self.state.store.size_with(self.database(), key, value);
        keys <= options.max_keys && bytes <= options.max_bytes
    }

    /// Replies with a value, or null.
    fn reply_with(&mut self, held: Option<&[u8]>) {
        match held {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }
}

pub(super) fn get(call: &mut Call<'_>) {
    let held = match call.string(call.arg(1)) {
        Ok(held) => held.map(<[u8]>::to_vec),
        Err(WrongType) => return call.error(WRONG_TYPE),
    };
    call.reply_with(held.as_deref());
}

#[derive(Default)]
pub(super) struct SetOptions<'a> {
    pub(super) condition: Option<Condition<'a>>,
    pub(super) returns_old: bool,
    pub(super) ttl: Option<Lasting<'a>>,
}

#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    Missing,
    Present,
    Equal(&'a [u8]),
}

/// How long a key is kept.
#[derive(Copy, Clone)]
pub(super) enum Lasting<'a> {
    /// `KEEPTTL`: as long as before.
    AsBefore,
    /// An amount, as it was sent, of units of this many milliseconds.
    For(&'a [u8], Millis),
}

impl Lasting<'_> {
    const fn kind(&self) -> Option<Millis> {
        match self {
            Self::AsBefore => None,
            Self::For(_, unit) => Some(*unit),
        }
    }
}

pub(super) fn set(call: &mut Call<'_>) {
    let (key, value) = (call.arg(1), call.arg(2));
    let given = call.args.get(3..).unwrap_or_default();
    let Some(options) = set_options(given, call.state.options.compare) else {
        return call.error(SYNTAX_ERROR);
    };
    let (db, now) = (call.database(), call.now());
    let expires_at = match options.ttl {
        None => None,
        Some(Lasting::AsBefore) => call.state.entry(db, key).and_then(|entry| entry.expires_at),
        Some(Lasting::For(amount, unit)) => match end_of(amount, unit, now) {
            Ok(at) => Some(at),
            Err(error) => return call.error(error),
        },
    };
    let compares = matches!(options.condition, Some(Condition::Equal(_)));
    let held = match call.string(key) {
        Ok(held) => held,
        Err(WrongType) if options.returns_old || compares => return call.error(WRONG_TYPE),
        // For `NX` and `XX` it only matters that the key exists.
        Err(WrongType) => Some(&[][..]),
    };
    let may = match options.condition {
        None => true,
        Some(Condition::Missing) => held.is_none(),
        Some(Condition::Present) => held.is_some(),
        Some(Condition::Equal(bytes)) => held == Some(bytes),
    };
    let old = held.filter(|_| options.returns_old).map(<[u8]>::to_vec);
    if may && !call.store(key, Value::String(value.to_vec()), expires_at) {
        return call.error(OUT_OF_MEMORY);
    }
    if options.returns_old {
        call.reply_with(old.as_deref());
    } else if may {
        call.ok();
    } else {
        call.null();
    }
}

/// `None` if an option is unknown, or two exclude each other.
pub(super) fn set_options<'a>(given: &[&'a [u8]], compare: bool) -> Option<SetOptions<'a>> {
    const GET: u64 = word("GET");
    const NX: u64 = word("NX");
    const XX: u64 = word("XX");
    const IFEQ: u64 = word("IFEQ");
    const KEEPTTL: u64 = word("KEEPTTL");
    const PX: u64 = word("PX");
    const EX: u64 = word("EX");
    let mut options = SetOptions::default();
    let mut rest = given.iter();
    while let Some(option) = rest.next() {
        match code(option)? {
            GET => options.returns_old = true,
            NX => options.only_if(Condition::Missing)?,
            XX => options.only_if(Condition::Present)?,
            IFEQ if compare && options.condition.is_none() => {
                options.condition = Some(Condition::Equal(rest.next()?));
            }
            KEEPTTL => options.lasts(Lasting::AsBefore)?,
            PX => options.lasts(Lasting::For(rest.next()?, 1))?,
            EX => options.lasts(Lasting::For(rest.next()?, 1000))?,
            _ => return None,
        }
    }
    Some(options)
}

impl<'a> SetOptions<'a> {
    fn only_if(&mut self, condition: Condition<'a>) -> Option<()> {
        let goes = self.condition.is_none_or(|other| other == condition);
        self.condition = Some(condition);
        goes.then_some(())
    }

    /// As in Redis, the same unit may come twice, and the last one counts.
    fn lasts(&mut self, ttl: Lasting<'a>) -> Option<()> {
        let goes = self.ttl.is_none_or(|other| other.kind() == ttl.kind());
        self.ttl = Some(ttl);
        goes.then_some(())
    }
}

/// The last millisecond of a key that is set now, for so long.
pub(super) fn end_of(amount: &[u8], unit: Millis, now: Millis) -> Result<Millis, &'static [u8]> {
    let amount = integer(amount).ok_or(NOT_AN_INTEGER)?;
    amount
        .checked_mul(unit)
        .filter(|ms| *ms > 0)
        .and_then(|ms| now.checked_add(ms))
        .ok_or(b"ERR invalid expire time in 'set' command")
}

/// Valkey 9: deletes a key that holds this value.
pub(super) fn delifeq(call: &mut Call<'_>) {
    let (db, key, value) = (call.database(), call.arg(1), call.arg(2));
    let equal = match call.string(key) {
        Ok(held) => held == Some(value),
        Err(WrongType) => return call.error(WRONG_TYPE),
    };
    let deleted = equal && call.state.remove(db, key);
    call.integer(i64::from(deleted));
}
