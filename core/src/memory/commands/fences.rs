//! The counters of fences, as the scripts step them.

use alloc::format;

use super::script_reads::{Failed, register};
use super::strings::WrongType;
use super::{Call, NOT_AN_INTEGER, OUT_OF_MEMORY, integer};
use crate::memory::store::{Millis, Value};

pub(super) const NO_COUNTER: Failed = b"ERR the counter of a fence holds something else";

/// The smallest number: 1 is what the script of a write lock returns without a fence. No clock of a real server gives one.
const FIRST: i64 = 2;

/// The next number of these counters, which they have from now on.
pub(super) fn next(
    call: &mut Call<'_>,
    all: &[&[u8]],
    counters: &[&[u8]],
    keep: &[u8],
) -> Result<i64, Failed> {
    let now = i64::try_from(call.state.now.as_micros()).unwrap_or(i64::MAX);
    let mut fence = now.max(FIRST);
    for counter in counters {
        let last = read(call, all, counter)?.unwrap_or(0);
        fence = fence.max(last.saturating_add(1));
    }
    for counter in counters {
        write(call, counter, fence, keep)?;
    }
    Ok(fence)
}

/// Gives each counter that number, if it has a smaller one.
pub(super) fn raise(
    call: &mut Call<'_>,
    all: &[&[u8]],
    counters: &[&[u8]],
    (fence, keep): (&[u8], &[u8]),
) -> Result<(), Failed> {
    let fence = integer(fence).ok_or(NOT_AN_INTEGER)?;
    for counter in counters {
        if read(call, all, counter)?.unwrap_or(0) < fence {
            write(call, counter, fence, keep)?;
        }
    }
    Ok(())
}

fn read(call: &mut Call<'_>, all: &[&[u8]], counter: &[u8]) -> Result<Option<i64>, Failed> {
    let number = match call.string(counter) {
        Ok(None) => Ok(None),
        Ok(Some(bytes)) => integer(bytes).map(Some).ok_or(NO_COUNTER),
        Err(WrongType) => Err(NO_COUNTER),
    };
    register(call, all, counter);
    number
}

fn write(call: &mut Call<'_>, counter: &[u8], fence: i64, keep: &[u8]) -> Result<(), Failed> {
    let end: Option<Millis> = match keep {
        b"forever" => None,
        _ => Some((fence / 1000).saturating_add(integer(keep).ok_or(NOT_AN_INTEGER)?)),
    };
    let number = Value::String(format!("{fence}").into_bytes());
    if call.store(counter, number, end) {
        Ok(())
    } else {
        Err(OUT_OF_MEMORY)
    }
}
