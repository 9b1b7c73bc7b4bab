//! Commands about the connection, and about the server.

use super::{
    Access, COMMANDS, Call, Command, KeyArgs, NOT_AN_INTEGER, SYNTAX_ERROR, integer, is, known,
};
use crate::memory::client::ClientState;
use crate::memory::options::User;
use crate::memory::store::DATABASES;

const VERSION: &str = env!("CARGO_PKG_VERSION");
const WRONG_PASSWORD: &[u8] = b"WRONGPASS invalid username-password pair or user is disabled.";
const BAD_NAME: &[u8] = b"ERR Client names cannot contain spaces, newlines or special characters.";

pub(super) fn ping(call: &mut Call<'_>) {
    match call.args {
        [_] => call.simple(b"PONG"),
        [_, text] => call.bulk(text),
        _ => call.wrong_arity(&[b"ping"]),
    }
}

pub(super) fn echo(call: &mut Call<'_>) {
    call.bulk(call.arg(1));
}

pub(super) fn quit(call: &mut Call<'_>) {
    call.session.quits = true;
    call.ok();
}

pub(super) fn reset(call: &mut Call<'_>) {
    let has_tracked = call.session.has_tracked;
    *call.session = ClientState::new(&call.state.options);
    call.session.has_tracked = has_tracked;
    call.simple(b"RESET");
}

pub(super) fn select(call: &mut Call<'_>) {
    match integer(call.arg(1)).map(u8::try_from) {
        None => call.error(NOT_AN_INTEGER),
        Some(Ok(db)) if db < DATABASES => {
            call.session.database = db;
            call.ok();
        }
        Some(_) => call.error(b"ERR DB index is out of range"),
    }
}

pub(super) fn auth(call: &mut Call<'_>) {
    let (name, password) = match call.args {
        [_, _] if call.state.options.is_open() => {
            return call.error(
                b"ERR AUTH <password> called without any password configured for the default user. \
                Are you sure your configuration is correct?",
            );
        }
        [_, password] => (User::DEFAULT, *password),
        [_, name, password] => (*name, *password),
        _ => return call.error(SYNTAX_ERROR),
    };
    if call.state.options.admits(name, password) {
        call.session.authenticated = true;
        call.ok();
    } else {
        call.error(WRONG_PASSWORD);
    }
}

pub(super) fn hello(call: &mut Call<'_>) {
    let resp3 = match call.args.get(1).map(|version| integer(version)) {
        None => call.session.resp3,
        Some(None) => {
            return call.error(b"ERR Protocol version is not an integer or out of range");
        }
        Some(Some(2)) => false,
        Some(Some(3)) if call.state.options.resp3 => true,
        Some(Some(_)) => return call.error(b"NOPROTO unsupported protocol version"),
    };
    let mut rest = call.args.get(2..).unwrap_or_default();
    let mut user = None;
    let mut client_name = None;
    loop {
        rest = match rest {
            [] => break,
            [auth, name, password, rest @ ..] if is(auth, "AUTH") => {
                user = Some((*name, *password));
                rest
            }
            [setname, name, rest @ ..] if is(setname, "SETNAME") => {
                if !is_client_name(name) {
                    return call.error(BAD_NAME);
                }
                client_name = Some(*name);
                rest
            }
            [option, ..] => {
                return call.error_of(&[b"ERR Syntax error in HELLO option '", option, b"'"]);
            }
        }
    }
    if let Some((name, password)) = user {
        if !call.state.options.admits(name, password) {
            return call.error(WRONG_PASSWORD);
        }
        call.session.authenticated = true;
    }
    if !call.session.authenticated {
        return call.error(
            b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
            AUTH <user> <pass> option can be used to authenticate the client and select the RESP \
            protocol version at the same time",
        );
    }
    if let Some(name) = client_name {
        call.session.name = name.to_vec();
    }
    call.session.resp3 = resp3;
    introduce(call);
}

fn introduce(call: &mut Call<'_>) {
    call.map(7);
    call.bulk(b"server");
    call.bulk(b"tenure");
    call.bulk(b"version");
    call.bulk(VERSION.as_bytes());
    call.bulk(b"proto");
    call.integer(if call.session.resp3 { 3 } else { 2 });
    call.bulk(b"id");
    call.client_id();
    call.bulk(b"mode");
    call.bulk(b"standalone");
    call.bulk(b"role");
    call.bulk(b"master");
    call.bulk(b"modules");
    call.array(0);
}

impl Call<'_> {
    fn client_id(&mut self) {
        self.integer(i64::try_from(self.id).unwrap_or(i64::MAX));
    }
}

fn is_client_name(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

pub(super) fn client(call: &mut Call<'_>) {
    let (subcommand, given) = (call.arg(1), call.args.get(2..).unwrap_or_default());
    // Each with whether the number of arguments is right.
    let (name, right): (&[u8], bool) = match subcommand.to_ascii_lowercase().as_slice() {
        b"id" => (b"id", given.is_empty()),
        b"getname" => (b"getname", given.is_empty()),
        b"setname" => (b"setname", given.len() == 1),
        b"setinfo" => (b"setinfo", given.len() == 2),
        b"no-evict" => (b"no-evict", given.len() == 1),
        b"no-touch" => (b"no-touch", given.len() == 1),
        b"tracking" if call.state.options.tracking => (b"tracking", !given.is_empty()),
        b"caching" if call.state.options.tracking => (b"caching", given.len() == 1),
        _ => return call.unknown_subcommand(b"CLIENT"),
    };
    if !right {
        return call.wrong_arity(&[b"client", name]);
    }
    match (name, given) {
        (b"id", _) => call.client_id(),
        (b"getname", _) if call.session.name.is_empty() => call.null(),
        (b"getname", _) => {
            let name = call.session.name.clone();
            call.bulk(&name);
        }
        (b"setname", [name]) if is_client_name(name) => {
            call.session.name = name.to_vec();
            call.ok();
        }
        (b"setname", _) => call.error(BAD_NAME),
        (b"setinfo", [option, _]) if !is(option, "LIB-NAME") && !is(option, "LIB-VER") => {
            call.error_of(&[b"ERR Unrecognized option '", option, b"'"]);
        }
        (b"setinfo", _) => call.ok(),
        (b"tracking", _) => tracking(call, given),
        (b"caching", [answer]) => caching(call, answer),
        (_, [state]) if is(state, "ON") || is(state, "OFF") => call.ok(),
        _ => call.error(SYNTAX_ERROR),
    }
}

fn tracking(call: &mut Call<'_>, given: &[&[u8]]) {
    let (on, options) = match given {
        [state, options @ ..] if is(state, "ON") => (true, options),
        [state, options @ ..] if is(state, "OFF") => (false, options),
        _ => return call.error(SYNTAX_ERROR),
    };
    let has = |name| options.iter().any(|option| is(option, name));
    if !options
        .iter()
        .all(|option| is(option, "NOLOOP") || is(option, "OPTOUT"))
    {
        return call.error(SYNTAX_ERROR);
    }
    call.session.tracking = on;
    call.session.has_tracked |= on;
    call.session.no_loop = on && has("NOLOOP");
    call.session.opt_out = on && has("OPTOUT");
    call.ok();
}

/// There is no `OPTIN` here, so `YES` is always wrong.
fn caching(call: &mut Call<'_>, answer: &[u8]) {
    if !call.session.tracking {
        return call.error(
            b"ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
            enabled",
        );
    }
    if is(answer, "NO") && !call.session.opt_out {
        call.error(b"ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    } else if is(answer, "NO") {
        call.session.caching_for_next = Some(false);
        call.ok();
    } else if is(answer, "YES") {
        call.error(b"ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    } else {
        call.error(SYNTAX_ERROR);
    }
}

pub(super) fn command(call: &mut Call<'_>) {
    let (subcommand, names) = (call.arg(1), call.args.get(2..).unwrap_or_default());
    if call.args.len() == 1 || (is(subcommand, "INFO") && names.is_empty()) {
        call.array(COMMANDS.len());
        for command in COMMANDS {
            describe(call, known(call, command.name.as_bytes()));
        }
    } else if is(subcommand, "INFO") {
        call.array(names.len());
        for name in names {
            describe(call, known(call, name));
        }
    } else if is(subcommand, "COUNT") && names.is_empty() {
        call.integer(i64::try_from(COMMANDS.len()).unwrap_or(i64::MAX));
    } else {
        call.unknown_subcommand(b"COMMAND");
    }
}

/// In the form of Redis 6.2, which all clients understand; later ones add fields.
fn describe(call: &mut Call<'_>, command: Option<&Command>) {
    let Some(command) = command else {
        return call.null();
    };
    call.array(7);
    call.bulk(command.name.as_bytes());
    call.integer(i64::from(command.arity));
    let flag: Option<&[u8]> = match command.kind {
        Access::Read => Some(b"readonly"),
        Access::Write => Some(b"write"),
        Access::Open => Some(b"no_auth"),
        Access::Other => None,
    };
    call.array(usize::from(flag.is_some()));
    if let Some(flag) = flag {
        call.simple(flag);
    }
    let (first, last) = match command.keys {
        KeyArgs::None => (0, 0),
        KeyArgs::First => (1, 1),
        KeyArgs::All => (1, -1),
    };
    call.integer(first);
    call.integer(last);
    call.integer(first);
    call.array(0);
}

pub(super) fn info(call: &mut Call<'_>) {
    // Client libraries look for a version of Redis here, to know which commands they may send.
    let text = alloc::format!(
        "# Server\r\nredis_version:7.0.15\r\nserver_name:tenure\r\ntenure_version:{VERSION}\r\n\
        redis_mode:standalone\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n"
    );
    call.bulk(text.as_bytes());
}
