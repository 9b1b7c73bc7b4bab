//! The table of commands, and what they have in common: permissions, arguments and registrations.
//!
//! Error texts are those of Redis, literally: sessions distinguish errors by their first words, and real servers are compared
//! with this one.

mod collections;
mod fences;
mod keys;
#[cfg(feature = "modes")]
mod modes;
mod replicas;
mod replies;
mod script_reads;
mod scripts;
mod session;
mod several;
mod strings;

use alloc::vec::Vec;

use super::client::ClientState;
use super::options::Trouble;
use super::state::ServerState;
use super::store::Millis;

/// One command on one connection.
pub(super) struct Call<'a> {
    /// The name and the arguments; never empty.
    pub(super) args: &'a [&'a [u8]],
    /// The id of the connection.
    pub(super) id: u64,
    pub(super) state: &'a mut ServerState,
    pub(super) session: &'a mut ClientState,
    pub(super) out: &'a mut Vec<u8>,
    /// Whether it has written. From then on a script is no longer refused for want of memory, as in Redis: it would be left
    /// halfway.
    pub(super) has_written: bool,
}

/// A row of the table of commands. `COMMAND INFO` shows it.
struct Command {
    name: &'static str,
    /// The name as one number, for a quick search: see [`code`].
    code: u64,
    /// The number of arguments, including the name; if negative, the least number, as in Redis.
    arity: i8,
    kind: Access,
    keys: KeyArgs,
    needs: Needs,
    run: fn(&mut Call<'_>),
}

/// The option without which a command is unknown.
#[derive(Copy, Clone)]
enum Needs {
    Nothing,
    Compare,
    SetSeveral,
    Scripts,
    Pttl,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum Access {
    /// Reads keys, and registers a client that tracks for them.
    Read,
    Write,
    Other,
    /// Allowed before the password, too.
    Open,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum KeyArgs {
    None,
    First,
    All,
}

const fn command(
    name: &'static str,
    arity: i8,
    kind: Access,
    keys: KeyArgs,
    run: fn(&mut Call<'_>),
) -> Command {
    let needs = match name.as_bytes() {
        b"delifeq" => Needs::Compare,
        b"msetex" => Needs::SetSeveral,
        b"eval" | b"evalsha" | b"script" => Needs::Scripts,
        b"pttl" => Needs::Pttl,
        _ => Needs::Nothing,
    };
    Command {
        name,
        code: word(name),
        arity,
        kind,
        keys,
        needs,
        run,
    }
}

/// The codes of [`COMMANDS`], sorted, each with the index of its command.
static BY_CODE: [(u64, u8); COMMANDS.len()] = by_code();

#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "it runs at compile time only"
)]
const fn by_code() -> [(u64, u8); COMMANDS.len()] {
    let mut sorted = [(0, 0); COMMANDS.len()];
    let mut count = 0;
    while count < COMMANDS.len() {
        let new = (COMMANDS[count].code, count as u8);
        let mut place = count;
        while place > 0 && sorted[place - 1].0 > new.0 {
            sorted[place] = sorted[place - 1];
            place -= 1;
        }
        sorted[place] = new;
        count += 1;
    }
    sorted
}

const COMMANDS: &[Command] = &[
    command("auth", -2, Access::Open, KeyArgs::None, session::auth),
    command("client", -2, Access::Other, KeyArgs::None, session::client),
    command(
        "command",
        -1,
        Access::Other,
        KeyArgs::None,
        session::command,
    ),
    command("dbsize", 1, Access::Other, KeyArgs::None, keys::dbsize),
    command("del", -2, Access::Write, KeyArgs::All, keys::del),
    command(
        "delifeq",
        3,
        Access::Write,
        KeyArgs::First,
        strings::delifeq,
    ),
    command("echo", 2, Access::Other, KeyArgs::None, session::echo),
    command("eval", -3, Access::Other, KeyArgs::None, scripts::eval),
    command(
        "evalsha",
        -3,
        Access::Other,
        KeyArgs::None,
        scripts::evalsha,
    ),
    command("exists", -2, Access::Read, KeyArgs::All, keys::exists),
    command("expire", 3, Access::Write, KeyArgs::First, keys::expire),
    command("flushall", -1, Access::Other, KeyArgs::None, keys::flushall),
    command("flushdb", -1, Access::Other, KeyArgs::None, keys::flushdb),
    command("get", 2, Access::Read, KeyArgs::First, strings::get),
    command("hello", -1, Access::Open, KeyArgs::None, session::hello),
    command("hget", 3, Access::Read, KeyArgs::First, collections::hget),
    command("hset", -4, Access::Write, KeyArgs::First, collections::hset),
    command("info", -1, Access::Other, KeyArgs::None, session::info),
    command(
        "lpush",
        -3,
        Access::Write,
        KeyArgs::First,
        collections::lpush,
    ),
    command("msetex", -4, Access::Write, KeyArgs::First, several::msetex),
    command("persist", 2, Access::Write, KeyArgs::First, keys::persist),
    command("pexpire", 3, Access::Write, KeyArgs::First, keys::pexpire),
    command("ping", -1, Access::Other, KeyArgs::None, session::ping),
    command("pttl", 2, Access::Read, KeyArgs::First, keys::pttl),
    command("quit", -1, Access::Open, KeyArgs::None, session::quit),
    command("reset", 1, Access::Open, KeyArgs::None, session::reset),
    command("script", -2, Access::Other, KeyArgs::None, scripts::script),
    command("select", 2, Access::Other, KeyArgs::None, session::select),
    command("set", -3, Access::Write, KeyArgs::First, strings::set),
    command("ttl", 2, Access::Read, KeyArgs::First, keys::ttl),
    command("type", 2, Access::Read, KeyArgs::First, keys::kind),
    command("wait", 3, Access::Other, KeyArgs::None, replicas::wait),
    command(
        "waitaof",
        4,
        Access::Other,
        KeyArgs::None,
        replicas::waitaof,
    ),
    command("zadd", -4, Access::Write, KeyArgs::First, collections::zadd),
    command("zcard", 2, Access::Read, KeyArgs::First, collections::zcard),
    command(
        "zrange",
        -4,
        Access::Read,
        KeyArgs::First,
        collections::zrange,
    ),
    command(
        "zscore",
        3,
        Access::Read,
        KeyArgs::First,
        collections::zscore,
    ),
];

/// Executes a command and appends its reply.
pub(super) fn execute(call: &mut Call<'_>) {
    carry_out(call);
    // `CLIENT CACHING` concerns the next command only, even if that is refused.
    let for_next = core::mem::take(&mut call.session.caching_for_next);
    call.session.skips_registration = call.session.opt_out && for_next == Some(false);
}

fn carry_out(call: &mut Call<'_>) {
    let Some(command) = find(call) else {
        return unknown_command(call);
    };
    let needed = usize::from(command.arity.unsigned_abs());
    if call.args.len() < needed || (command.arity > 0 && call.args.len() > needed) {
        return call.wrong_arity(&[command.name.as_bytes()]);
    }
    if command.kind != Access::Open && !call.session.authenticated {
        return call.error(b"NOAUTH Authentication required.");
    }
    if let Some(trouble) = refused(call, command) {
        return call.error(trouble.text());
    }
    (command.run)(call);
    if command.kind == Access::Read && call.session.tracking {
        let keys = match command.keys {
            KeyArgs::None => &[],
            KeyArgs::First => call.args.get(1..2).unwrap_or_default(),
            KeyArgs::All => call.args.get(1..).unwrap_or_default(),
        };
        for key in keys {
            call.register(key);
        }
    }
}

/// The trouble because of which the server refuses the command, if any. All scripts write, except [`scripts::is_proof`].
fn refused(call: &Call<'_>, command: &Command) -> Option<Trouble> {
    call.state.options.trouble.filter(|trouble| {
        let runs = command.name.starts_with("eval");
        let writes = command.kind == Access::Write || runs && !scripts::is_proof(call.arg(1));
        match trouble {
            Trouble::Loading | Trouble::Says(_) => writes || runs || command.kind == Access::Read,
            Trouble::ReadOnly => writes,
        }
    })
}

/// The command that is called, unless the options make it unknown.
fn find(call: &Call<'_>) -> Option<&'static Command> {
    known(call, call.arg(0))
}

fn known(call: &Call<'_>, name: &[u8]) -> Option<&'static Command> {
    let options = &call.state.options;
    let code = code(name)?;
    let place = BY_CODE
        .binary_search_by_key(&code, |(code, _)| *code)
        .ok()?;
    let (_, index) = BY_CODE.get(place)?;
    let command = COMMANDS.get(usize::from(*index))?;
    let is_there = match command.needs {
        Needs::Nothing => true,
        Needs::Compare => options.compare,
        Needs::SetSeveral => options.set_several,
        Needs::Scripts => options.scripts,
        Needs::Pttl => options.pttl,
    };
    is_there.then_some(command)
}

fn unknown_command(call: &mut Call<'_>) {
    /// How much of the arguments is shown, as in Redis.
    const SHOWN: usize = 128;
    let mut shown = Vec::new();
    for arg in call.args.iter().skip(1) {
        let Some(left) = SHOWN.checked_sub(shown.len()).filter(|left| *left > 0) else {
            break;
        };
        shown.push(b'\'');
        shown.extend(arg.iter().take(left));
        shown.extend_from_slice(b"' ");
    }
    let name = call.arg(0);
    let name = name.get(..SHOWN).unwrap_or(name);
    call.error_of(&[
        b"ERR unknown command '",
        name,
        b"', with args beginning with: ",
        &shown,
    ]);
}

/// A name of up to eight letters, in any case, as one number; `None` for anything else.
const fn code(name: &[u8]) -> Option<u64> {
    let mut code = 0_u64;
    let mut rest = name;
    while let [letter, after @ ..] = rest {
        let small = *letter | 0x20;
        if !small.is_ascii_lowercase() || code >> 56 != 0 {
            return None;
        }
        code = code << 8 | small as u64;
        rest = after;
    }
    Some(code)
}

/// The same for a name in the source.
const fn word(name: &str) -> u64 {
    match code(name.as_bytes()) {
        Some(code) => code,
        None => 0,
    }
}

/// Compares a word of a request, in any case.
fn is(arg: &[u8], name: &str) -> bool {
    arg.eq_ignore_ascii_case(name.as_bytes())
}

/// A decimal number, as strict as Redis: no plus sign, no leading zeros.
fn integer(arg: &[u8]) -> Option<i64> {
    let digits = arg.strip_prefix(b"-").unwrap_or(arg);
    match digits {
        [b'0'] if arg.len() == 1 => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Downwards, because the smallest number has no positive counterpart.
    let mut negative = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        negative = negative.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if digits.len() < arg.len() {
        Some(negative)
    } else {
        negative.checked_neg()
    }
}

const NOT_AN_INTEGER: &[u8] = b"ERR value is not an integer or out of range";
const SYNTAX_ERROR: &[u8] = b"ERR syntax error";
const WRONG_TYPE: &[u8] = b"WRONGTYPE Operation against a key holding the wrong kind of value";
const OUT_OF_MEMORY: &[u8] = b"OOM command not allowed when used memory > 'maxmemory'.";

impl<'a> Call<'a> {
    /// An argument; empty if it is missing.
    fn arg(&self, index: usize) -> &'a [u8] {
        self.args.get(index).copied().unwrap_or_default()
    }

    fn database(&self) -> u8 {
        self.session.database
    }

    /// This connection has read a key.
    fn register(&mut self, key: &[u8]) {
        if self.session.skips_registration {
            return;
        }
        self.state.register(self.id, self.session.database, key);
    }

    fn now(&self) -> Millis {
        self.state.now()
    }
}
