//! `status.lua`.

use alloc::vec::Vec;

use super::{Alive, Exclusive, Failed, Held, In, MISSING_ARGUMENT, Run, Shared};
use crate::memory::commands::{NOT_AN_INTEGER, integer};
use crate::redis::resp::{write_array, write_bulk, write_integer};

/// What the script has found, as it is replied.
pub(in crate::memory::commands) struct Found {
    value: Option<Vec<u8>>,
    remaining: i64,
    count: i64,
    waiting: i64,
    counter: Option<Vec<u8>>,
    sharing: Vec<(Vec<u8>, i64)>,
}

impl Run<'_, '_> {
    pub(super) fn status(&mut self, value: Option<Vec<u8>>) -> Result<Found, Failed> {
        let (mut count, mut sharing) = (0, Vec::new());
        if self.held == Held::Shared {
            let (inside, now) = (self.companion(In)?, self.now);
            self.register(inside);
            let members = self.call.sorted_set(inside)?;
            let members = members.into_iter().flat_map(|members| members.iter().rev());
            let living = members.take_while(|(end, _)| *end > now);
            let living = living.map(|(end, member)| (member.to_vec(), end.saturating_sub(now)));
            sharing = living.collect();
            count = i64::try_from(sharing.len()).unwrap_or(i64::MAX);
            let most = self.args.first().ok_or(MISSING_ARGUMENT)?;
            let most = integer(most).ok_or(NOT_AN_INTEGER)?;
            // A negative number stands for all.
            sharing.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        let waiting = self.waiting()?;
        let counter = *self.keys.get(5).ok_or(MISSING_ARGUMENT)?;
        let counter_value = self.call.string(counter).ok().flatten().map(<[u8]>::to_vec);
        self.register(counter);
        Ok(Found {
            value,
            remaining: self.remaining_of_key()?,
            count,
            waiting,
            counter: counter_value,
            sharing,
        })
    }

    fn waiting(&mut self) -> Result<i64, Failed> {
        let (mut waiting, now) = (0_i64, self.now);
        for order in [Exclusive, Shared] {
            let (order, alive) = (self.companion(order)?, self.companion(Alive)?);
            self.register(order);
            let members = self.call.sorted_set(order)?;
            let members = members.into_iter().flat_map(|members| members.iter());
            let members: Vec<_> = members.map(|(_, member)| member.clone()).collect();
            for one in members {
                self.register(alive);
                let fields = self.call.hash(alive)?;
                let end = fields.and_then(|fields| integer(fields.get(&*one)?));
                waiting = waiting.saturating_add(i64::from(end.is_some_and(|end| end > now)));
            }
        }
        Ok(waiting)
    }
}

impl Found {
    /// Replies it.
    pub(in crate::memory::commands) fn write(&self, call: &mut super::Call<'_>) {
        write_array(call.out, 6);
        bulk_or_null(call, self.value.as_deref());
        for number in [self.remaining, self.count, self.waiting] {
            write_integer(call.out, number);
        }
        bulk_or_null(call, self.counter.as_deref());
        write_array(call.out, self.sharing.len().saturating_mul(2));
        for (value, left) in &self.sharing {
            write_bulk(call.out, value);
            write_integer(call.out, *left);
        }
    }
}

fn bulk_or_null(call: &mut super::Call<'_>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => call.bulk(bytes),
        None => call.null(),
    }
}
