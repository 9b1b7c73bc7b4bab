//! `WAIT` and `WAITAOF`. They reply at once: the reply does not say for how long a server has waited.

use super::{Call, NOT_AN_INTEGER, integer};

pub(super) fn wait(call: &mut Call<'_>) {
    if let Some(wrong) = wrong_number(call, 1).or_else(|| wrong_time(call, 2)) {
        return call.error(wrong);
    }
    let reached = reached(call);
    call.integer(reached);
}

pub(super) fn waitaof(call: &mut Call<'_>) {
    let wrong = wrong_number(call, 1)
        .or_else(|| wrong_number(call, 2))
        .or_else(|| wrong_time(call, 3));
    if let Some(wrong) = wrong {
        return call.error(wrong);
    }
    let own = call.state.options.append_only;
    match integer(call.arg(1)) {
        Some(0) => {}
        Some(1) if own => {}
        Some(1) => {
            return call.error(
                b"ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
            );
        }
        _ => return call.error(b"ERR value is out of range, must between 0 and 1"),
    }
    let reached = if own { reached(call) } else { 0 };
    call.array(2);
    call.integer(i64::from(own));
    call.integer(reached);
}

/// How many replicas have all that this connection has written. What others have written makes no difference, as in Valkey.
fn reached(call: &Call<'_>) -> i64 {
    if call
        .state
        .replicated
        .is_none_or(|up_to| call.session.wrote <= up_to)
    {
        i64::from(call.state.options.replicas)
    } else {
        0
    }
}

fn wrong_number(call: &Call<'_>, place: usize) -> Option<&'static [u8]> {
    match integer(call.arg(place)) {
        None => Some(NOT_AN_INTEGER),
        Some(..0) => Some(b"ERR value is out of range, must be positive"),
        Some(_) => None,
    }
}

fn wrong_time(call: &Call<'_>, place: usize) -> Option<&'static [u8]> {
    match integer(call.arg(place)) {
        None => Some(b"ERR timeout is not an integer or out of range"),
        Some(..0) => Some(b"ERR timeout is negative"),
        Some(_) => None,
    }
}
