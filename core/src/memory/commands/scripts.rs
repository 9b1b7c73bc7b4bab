//! The scripts of Tenure, by their text and by their hash.
//!
//! There is no Lua here: what each script does is written once more in Rust. `memory_vs_real` compares it with the scripts
//! themselves on real servers. It must read the same keys in the same order, because reads register for push messages.

use alloc::vec::Vec;

use super::fences;
#[cfg(feature = "modes")]
use super::modes::{self, Answer};
use super::script_reads::{Failed, MISSING_ARGUMENT, register};
use super::strings::{WrongType, end_of};
use super::{Call, NOT_AN_INTEGER, OUT_OF_MEMORY, integer, is, keys};
use crate::memory::store::Value;
use crate::redis::resp::{write_array, write_bulk, write_error, write_integer, write_simple};
use crate::redis::{PROOF, Script};

pub(super) fn eval(call: &mut Call<'_>) {
    let Some((keys, args)) = split(call) else {
        return;
    };
    let text = call.arg(1);
    if is_proof(text) {
        return call.integer(1);
    }
    let Some(script) = Script::ALL
        .into_iter()
        .find(|script| script.text().as_bytes() == text)
    else {
        return call.error(NOT_OURS);
    };
    load(call, script);
    run(call, script, keys, args);
}

/// Whether it is the one other script, which does nothing: sessions find out with it whether the server runs scripts.
pub(super) fn is_proof(text: &[u8]) -> bool {
    text == PROOF.as_bytes()
}

pub(super) fn evalsha(call: &mut Call<'_>) {
    let Some((keys, args)) = split(call) else {
        return;
    };
    match loaded(call, call.arg(1)) {
        Some(script) => run(call, script, keys, args),
        None => call.error(b"NOSCRIPT No matching script. Please use EVAL."),
    }
}

pub(super) fn script(call: &mut Call<'_>) {
    let (subcommand, given) = (call.arg(1), call.args.get(2..).unwrap_or_default());
    if is(subcommand, "LOAD") {
        let [text] = given else {
            return call.wrong_arity(&[b"script", b"load"]);
        };
        let script = Script::ALL
            .into_iter()
            .find(|script| script.text().as_bytes() == *text);
        match script {
            Some(script) => {
                load(call, script);
                write_bulk(call.out, script.sha().as_bytes());
            }
            None => call.error(NOT_OURS),
        }
    } else if is(subcommand, "EXISTS") {
        if given.is_empty() {
            return call.wrong_arity(&[b"script", b"exists"]);
        }
        write_array(call.out, given.len());
        for sha in given {
            let found = loaded(call, sha).is_some();
            write_integer(call.out, i64::from(found));
        }
    } else if is(subcommand, "FLUSH") {
        match given {
            [] => {}
            [option] if is(option, "SYNC") || is(option, "ASYNC") => {}
            _ => return call.error(b"ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        }
        call.state.loaded.clear();
        write_simple(call.out, b"OK");
    } else {
        call.unknown_subcommand(b"SCRIPT");
    }
}

const NOT_OURS: &[u8] =
    b"ERR Error compiling script: this server runs the scripts of Tenure and no others";

fn load(call: &mut Call<'_>, script: Script) {
    if !call.state.loaded.contains(&script) {
        call.state.loaded.push(script);
    }
}

fn loaded(call: &Call<'_>, sha: &[u8]) -> Option<Script> {
    let mut loaded = call.state.loaded.iter();
    let is_it = |script: &&Script| script.sha().as_bytes() == sha || is(sha, script.sha());
    loaded.find(is_it).copied()
}

type Parts<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// `KEYS` and `ARGV`; `None` if they are invalid, after the error reply.
fn split<'a>(call: &mut Call<'a>) -> Option<Parts<'a>> {
    let given = call.args.get(3..).unwrap_or_default();
    let Some(count) = integer(call.arg(2)) else {
        call.error(NOT_AN_INTEGER);
        return None;
    };
    let Ok(count) = usize::try_from(count) else {
        call.error(b"ERR Number of keys can't be negative");
        return None;
    };
    let parts = given.split_at_checked(count);
    if parts.is_none() {
        call.error(b"ERR Number of keys can't be greater than number of args");
    }
    parts
}

fn run(call: &mut Call<'_>, script: Script, keys: &[&[u8]], args: &[&[u8]]) {
    let value = args.first().copied();
    let ttl = args.get(1).copied().ok_or(MISSING_ARGUMENT);
    let keep = args.get(2).copied() == Some(&b"keep"[..]);
    let result = match script {
        Script::Obtain => obtain(call, keys, value, ttl, args.get(2).copied()),
        Script::Refresh => {
            let seal = args.get(4).copied().zip(args.get(3).copied());
            refresh(call, keys, (value, ttl, keep), seal)
        }
        Script::Release => Ok(release(call, keys, value)),
        #[cfg(feature = "modes")]
        Script::Enter | Script::Share | Script::Stay | Script::Leave | Script::Status => {
            match modes::run(call, script, keys, args) {
                Ok(Answer::Number(number)) => Ok(number),
                Ok(Answer::Behind(by, left, one)) => {
                    write_array(call.out, 3);
                    write_integer(call.out, by);
                    write_integer(call.out, left);
                    return write_bulk(call.out, &one);
                }
                Ok(Answer::Status(found)) => return found.write(call),
                Err(error) => Err(error),
            }
        }
    };
    match result {
        Ok(answer) => write_integer(call.out, answer),
        // The script's own error, not that of a command within it.
        Err(error) if error == fences::NO_COUNTER => write_error(call.out, error),
        Err(error) => {
            let text: Vec<u8> = [error, b" script: ", script.sha().as_bytes()].concat();
            write_error(call.out, &text);
        }
    }
}

fn obtain(
    call: &mut Call<'_>,
    all: &[&[u8]],
    value: Option<&[u8]>,
    ttl: Result<&[u8], Failed>,
    keep: Option<&[u8]>,
) -> Result<i64, Failed> {
    let (keys, counters) = with_counters(all, keep.is_some());
    let mut longer = Vec::new();
    for key in keys {
        match look(call, all, key, value) {
            Ownership::Other => return Ok(0),
            Ownership::Same if lasts_longer(call, all, key, ttl) => longer.push(*key),
            Ownership::Same | Ownership::Nothing => {}
        }
    }
    let fence = match keep {
        Some(keep) => fences::next(call, all, counters, keep)?,
        None => 1,
    };
    for key in keys.iter().filter(|key| !longer.contains(key)) {
        let value = value.ok_or(MISSING_ARGUMENT)?;
        let at = end_of(ttl?, 1, call.now())?;
        if !call.store(key, Value::String(value.to_vec()), Some(at)) {
            return Err(OUT_OF_MEMORY);
        }
    }
    Ok(fence)
}

/// The keys of the lock, and the counter of each if there is a fence.
fn with_counters<'a, 'b>(all: &'a [&'b [u8]], fenced: bool) -> (&'a [&'b [u8]], &'a [&'b [u8]]) {
    all.split_at(if fenced { all.len() / 2 } else { all.len() })
}

fn refresh(
    call: &mut Call<'_>,
    all: &[&[u8]],
    (value, ttl, keep): (Option<&[u8]>, Result<&[u8], Failed>, bool),
    seal: Option<(&[u8], &[u8])>,
) -> Result<i64, Failed> {
    let (keys, counters) = with_counters(all, seal.is_some());
    for key in keys {
        if !matches!(look(call, all, key, value), Ownership::Same) {
            return Ok(0);
        }
    }
    for key in keys {
        if keep && lasts_longer(call, all, key, ttl) {
            continue;
        }
        let ttl = integer(ttl?).ok_or(NOT_AN_INTEGER)?;
        let at = call
            .now()
            .checked_add(ttl)
            .ok_or(&b"ERR invalid expire time in 'pexpire' command"[..])?;
        let db = call.database();
        keys::expire_at(call, db, key, at);
    }
    if let Some((fence, keep)) = seal {
        fences::raise(call, all, counters, (fence, keep))?;
    }
    Ok(1)
}

fn release(call: &mut Call<'_>, keys: &[&[u8]], value: Option<&[u8]>) -> i64 {
    let db = call.database();
    let mut released = 0_i64;
    for key in keys {
        if matches!(look(call, keys, key, value), Ownership::Same) && call.state.remove(db, key) {
            released = released.saturating_add(1);
        }
    }
    released
}

/// Whether a key expires later than the ttl would end.
fn lasts_longer(
    call: &mut Call<'_>,
    all: &[&[u8]],
    key: &[u8],
    ttl: Result<&[u8], Failed>,
) -> bool {
    let ttl = ttl.ok().and_then(integer).unwrap_or_default();
    let left = keys::remaining_of(call, key);
    register(call, all, key);
    left.is_ok_and(|left| left > ttl)
}

/// The value of a key, compared with that of the lock.
enum Ownership {
    Nothing,
    Same,
    Other,
}

/// `GET` in a script. It registers the client that runs the script as a reader.
fn look(call: &mut Call<'_>, keys: &[&[u8]], key: &[u8], value: Option<&[u8]>) -> Ownership {
    let held = match call.string(key) {
        Ok(None) => Ownership::Nothing,
        Ok(Some(held)) if Some(held) == value => Ownership::Same,
        Ok(Some(_)) | Err(WrongType) => Ownership::Other,
    };
    register(call, keys, key);
    held
}
