//! One list of all options. It must agree with the core, the Rust builders, the options of npm and the flags of the program,
//! so that a new option is not forgotten in one of them.

use std::collections::BTreeSet;

const OBTAIN: &str = include_str!("../../core/src/obtain.rs");
const CONFIG: &str = include_str!("../../core/src/config.rs");
const LOCK_BUILDER: &str = include_str!("../../adapters/tenure/src/obtaining.rs");
const BLOCKING_BUILDER: &str = include_str!("../../adapters/tenure/src/blocking/locker.rs");
const SERVER_BUILDER: &str = include_str!("../../adapters/tenure/src/servers.rs");
const PACK: &str = include_str!("../../bindings/wasm/src/pack.rs");
const TYPESCRIPT: &str = include_str!("../../bindings/npm/src/options.ts");
const TYPESCRIPT_MODES: &str = include_str!("../../bindings/npm/src/modes/mode.ts");
const TYPESCRIPT_MODES_CONNECT: &str = include_str!("../../bindings/npm/src/modes/events.ts");
const ARGS: &str = include_str!("../../adapters/cli/src/args.rs");

/// Where an option is found: a field of the core, methods of a Rust builder, fields in TypeScript, flags of the program.
/// Empty where it does not exist on purpose.
struct Row(
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

/// `Obtain`, `Obtaining`, `ObtainOptions` (of `tenure`, and what `tenure/modes` adds), `tenure run`. Keys are arguments. Each
/// mode has a method of `Locker`.
const LOCK: [Row; 10] = [
    Row("keys", &[], &[], &["keys"]),
    Row("token", &["token"], &["token"], &["token"]),
    Row("metadata", &["metadata"], &["metadata"], &["metadata"]),
    Row("ttl", &["ttl"], &["ttl"], &["ttl"]),
    Row("wait", &["wait"], &["wait"], &["wait"]),
    Row("retry", &["retry"], &["retry"], &[]),
    Row(
        "renewal",
        &["manual", "max_hold"],
        &["renew", "maxHold"],
        &[],
    ),
    Row(
        "mode",
        &["in_turn"],
        &["mode"],
        &["read", "write", "in_turn", "permits"],
    ),
    Row("fence", &["fence", "fence_with"], &["fence"], &["fence"]),
    // What has no part in the core: cancelling in JavaScript, servers and child process of the program.
    Row(
        "",
        &[],
        &["signal"],
        &["servers", "replicas", "grace", "command"],
    ),
];

/// `Config`, `Servers`, `ConnectOptions` (of `tenure`, and what `tenure/modes` adds), and the flags for servers and replicas.
const CONNECTION: [Row; 11] = [
    Row("acks", &["acks"], &["acks"], &["acks", "persisted"]),
    Row(
        "request_timeout",
        &["request_timeout"],
        &["requestTimeout"],
        &[],
    ),
    Row(
        "connect_timeout",
        &["connect_timeout"],
        &["connectTimeout"],
        &[],
    ),
    Row("reconnect_min", &["reconnect"], &["reconnectMin"], &[]),
    Row("reconnect_max", &[], &["reconnectMax"], &[]),
    // Their defaults are meant for everybody.
    Row("turn", &[], &[], &[]),
    Row("idle_probe", &[], &[], &[]),
    Row("prefix", &["prefix"], &["prefix"], &["prefix"]),
    Row("client_name", &["client_name"], &["clientName"], &[]),
    Row("limits", &["limits"], &["limits"], &[]),
    // The servers themselves, and what concerns each of them or its connection.
    Row(
        "",
        &[
            "root_certificate_pem",
            "client_certificate_pem",
            "tracking",
            "prepare",
        ],
        &[
            "arrangement",
            "tracking",
            "prepare",
            "tls",
            "signal",
            "onEvent",
        ],
        &["urls", "quorum", "ordered", "ca"],
    ),
];

/// The first words of the lines in the body of an item, of those that `name` finds one in.
fn names(source: &str, start: &str, name: fn(&str) -> Option<&str>) -> BTreeSet<String> {
    let (_, rest) = source.split_once(start).expect(start);
    let (body, _) = rest.split_once("\n}").expect("an end");
    body.lines().filter_map(name).map(Into::into).collect()
}

/// A line without its indentation of one level. What stands deeper belongs to something else.
fn outer(line: &str, indent: usize) -> Option<&str> {
    let (blank, text) = line.split_at_checked(indent)?;
    (blank.trim().is_empty() && !text.starts_with([' ', '/', '#'])).then_some(text)
}

fn field(line: &str) -> Option<&str> {
    let (before, _) = outer(line, 4)?.split_once(':')?;
    before
        .strip_prefix("pub ")
        .or_else(|| before.strip_prefix("pub(crate) "))
}

fn option(line: &str) -> Option<&str> {
    outer(line, 2)?.split_once("?:").map(|(name, _)| name)
}

/// The methods of a builder, which take it by value and give it back.
fn builders(source: &str) -> BTreeSet<String> {
    let methods = source.split("pub fn ").skip(1);
    let builder = |method: &str| {
        let (name, rest) = method.split_once('(')?;
        let (header, _) = rest.split_once(" {\n")?;
        let by_value = header
            .trim_start()
            .trim_start_matches("mut ")
            .starts_with("self");
        (by_value && header.ends_with("-> Self")).then(|| name.to_owned())
    };
    methods.filter_map(builder).collect()
}

fn listed(rows: &[Row], names: fn(&Row) -> &[&'static str]) -> BTreeSet<String> {
    rows.iter()
        .flat_map(names)
        .map(ToString::to_string)
        .collect()
}

fn fields(rows: &[Row]) -> BTreeSet<String> {
    let fields = rows.iter().map(|row| row.0.to_owned());
    fields.filter(|field| !field.is_empty()).collect()
}

#[test]
fn each_option_of_a_lock_is_in_every_interface() {
    let core = names(OBTAIN, "pub struct Obtain {\n", field);
    assert_eq!(core, fields(&LOCK), "the fields of Obtain");
    assert_eq!(
        builders(LOCK_BUILDER),
        listed(&LOCK, |row| row.1),
        "the methods of Obtaining"
    );
    assert_eq!(
        builders(BLOCKING_BUILDER),
        listed(&LOCK, |row| row.1),
        "the methods of blocking::Obtaining"
    );
    let mut typescript = names(TYPESCRIPT, "export interface ObtainOptions {\n", option);
    let with_modes = "export interface ObtainOptions extends Options {\n";
    typescript.extend(names(TYPESCRIPT_MODES, with_modes, option));
    assert_eq!(typescript, listed(&LOCK, |row| row.2), "ObtainOptions");
    let flags = names(ARGS, "struct RunArgs {\n", field);
    assert_eq!(
        flags,
        listed(&LOCK, |row| row.3),
        "the flags of `tenure run`"
    );
}

#[test]
fn each_option_of_a_connection_is_in_every_interface() {
    let core = names(CONFIG, "pub struct Config {\n", field);
    assert_eq!(core, fields(&CONNECTION), "the fields of Config");
    assert_eq!(
        builders(SERVER_BUILDER),
        listed(&CONNECTION, |row| row.1),
        "the methods of Servers"
    );
    let mut typescript = names(TYPESCRIPT, "export interface ConnectOptions {\n", option);
    let with_modes = "export interface ConnectOptions extends Omit<Plain, \"onEvent\"> {\n";
    typescript.extend(names(TYPESCRIPT_MODES_CONNECT, with_modes, option));
    assert_eq!(
        typescript,
        listed(&CONNECTION, |row| row.2),
        "ConnectOptions"
    );
    let mut flags = names(ARGS, "struct ServerArgs {\n", field);
    flags.extend(names(ARGS, "struct AckArgs {\n", field));
    assert_eq!(
        flags,
        listed(&CONNECTION, |row| row.3),
        "the flags for servers and replicas"
    );
}

/// What TypeScript packs is read in the same order by `pack.rs`, where the compiler asks for each field of `Obtain`.
#[test]
fn each_field_of_a_request_is_unpacked() {
    let (_, unpacked) = PACK.split_once("Ok(Obtain {\n").expect("an Obtain");
    let (body, _) = unpacked.split_once("})").expect("an end");
    for name in fields(&LOCK) {
        assert!(body.contains(&name), "{name}");
    }
    assert!(!body.contains(".."), "each field is named");
}
