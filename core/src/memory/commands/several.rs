//! `MSETEX`, which sets several keys or none.

use super::strings::{Condition, Lasting, SetOptions, end_of, set_options};
use super::{Call, NOT_AN_INTEGER, OUT_OF_MEMORY, SYNTAX_ERROR, integer};
use crate::memory::store::{Millis, Value};

pub(super) fn msetex(call: &mut Call<'_>) {
    let count = integer(call.arg(1))
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .and_then(|count| usize::try_from(count).ok());
    let Some(count) = count else {
        return call.error(b"ERR invalid numkeys value or out of range");
    };
    let given = call.args.get(2..).unwrap_or_default();
    let Some((pairs, given)) = given.split_at_checked(count.saturating_mul(2)) else {
        return call.error(SYNTAX_ERROR);
    };
    let Some(options) = set_options(given, false).filter(|options| !options.returns_old) else {
        return call.error(SYNTAX_ERROR);
    };
    let expires_at = match options.ttl {
        Some(Lasting::For(amount, unit)) => match end_of(amount, unit, call.now()) {
            Ok(at) => Some(at),
            Err(NOT_AN_INTEGER) => return call.error(NOT_AN_INTEGER),
            Err(_) => return call.error(b"ERR invalid expire time in 'msetex' command"),
        },
        Some(Lasting::AsBefore) | None => None,
    };
    let pairs: &[[&[u8]; 2]] = pairs.as_chunks().0;
    if !call.may_set(pairs, &options) {
        return call.integer(0);
    }
    if !call.has_room_for(pairs) {
        return call.error(OUT_OF_MEMORY);
    }
    let keeps = matches!(options.ttl, Some(Lasting::AsBefore));
    let db = call.database();
    for [key, value] in pairs {
        let before: Option<Millis> = call.state.entry(db, key).and_then(|entry| entry.expires_at);
        let at = if keeps { before } else { expires_at };
        call.store(key, Value::String(value.to_vec()), at);
    }
    call.integer(1);
}

impl Call<'_> {
    fn may_set(&mut self, pairs: &[[&[u8]; 2]], options: &SetOptions<'_>) -> bool {
        let db = self.database();
        let mut keys = pairs.iter();
        match options.condition {
            Some(Condition::Missing) => keys.all(|[key, _]| self.state.entry(db, key).is_none()),
            Some(Condition::Present) => keys.all(|[key, _]| self.state.entry(db, key).is_some()),
            Some(Condition::Equal(_)) | None => true,
        }
    }

    /// Whether all of them fit in. Expired keys that no command has touched may take up the room.
    fn has_room_for(&mut self, pairs: &[[&[u8]; 2]]) -> bool {
        self.fits(pairs) || {
            self.state.expire_due();
            self.fits(pairs)
        }
    }

    fn fits(&self, pairs: &[[&[u8]; 2]]) -> bool {
        let (options, store) = (&self.state.options, &self.state.store);
        let (keys, bytes) = store.size_of_all();
        let after = pairs.iter().fold((keys, bytes), |after, [key, value]| {
            let value = Value::String(value.to_vec());
            let with = store.size_with(self.database(), key, &value);
            (
                after.0.saturating_add(with.0.saturating_sub(keys)),
                after.1.saturating_add(with.1.saturating_sub(bytes)),
            )
        });
        after.0 <= options.max_keys && after.1 <= options.max_bytes
    }
}
