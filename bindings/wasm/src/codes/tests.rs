//! Names and texts in TypeScript are those of the core.

use super::*;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

const CORE: &str = concat!(
    include_str!("../../../../core/src/change.rs"),
    include_str!("../../../../core/src/config.rs"),
    include_str!("../../../../core/src/event.rs"),
    include_str!("../../../../core/src/limits.rs"),
    include_str!("../../../../core/src/obtain.rs")
);
const TYPESCRIPT: &str = concat!(
    include_str!("../../../npm/src/errors.ts"),
    include_str!("../../../npm/src/ends.ts")
);

/// The names in one table of TypeScript.
fn names(table: &str) -> Vec<&'static str> {
    let start = format!("const {table}");
    let (_, rest) = TYPESCRIPT.split_once(&start).expect(table);
    let (_, list) = rest.split_once(" = ").expect("a value");
    let (list, _) = list.split_once(";\n").expect("an end");
    if let Some(list) = list.strip_prefix('[') {
        return list.split('"').skip(1).step_by(2).collect();
    }
    let lines = list.lines().skip(1).map(str::trim);
    lines
        .filter_map(|line| Some(line.split_once(':')?.0))
        .collect()
}

/// The variants of an enum of the core, as its source has them.
fn variants(name: &str) -> BTreeSet<String> {
    let start = format!("pub enum {name} {{\n");
    let (_, rest) = CORE.split_once(&start).expect(name);
    let (body, _) = rest.split_once("\n}").expect("an end");
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let is_variant = |line: &&str| line.starts_with(char::is_uppercase);
    lines.filter(is_variant).map(snake).collect()
}

/// The name of a variant in the words of JavaScript.
fn snake(shown: &str) -> String {
    let end = shown.find(|letter: char| !letter.is_alphanumeric());
    let mut name = String::new();
    for letter in shown[..end.unwrap_or(shown.len())].chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// Each variant of the enum is among `coded`, and its code leads to its name in the table.
fn agree<T: core::fmt::Debug>(name: &str, table: &str, coded: &[(T, u8)]) {
    let (mut variants, names) = (variants(name), names(table));
    if cfg!(not(feature = "modes")) {
        // Only an engine with modes has an option for acks.
        variants.remove("no_acks");
    }
    let mut seen = BTreeSet::new();
    for (value, code) in coded {
        let variant = snake(&format!("{value:?}"));
        let expected = match name {
            "ConfigError" => variant.replace("node", "server"),
            _ => variant.clone(),
        };
        assert_eq!(names.get(usize::from(*code)), Some(&&*expected), "{name}");
        seen.insert(variant);
    }
    assert_eq!(seen, variants, "all of {name}");
}

const NODES: &[NodeError] = &[
    NodeError::Disconnected,
    NodeError::TimedOut,
    NodeError::Malformed,
    NodeError::AnswerTooLarge,
    NodeError::Overloaded,
    NodeError::Loading,
    NodeError::ReadOnly,
    NodeError::MasterDown,
    NodeError::Moved,
    NodeError::ClusterDown,
    NodeError::TryAgain,
    NodeError::CrossSlot,
    NodeError::NoAuth,
    NodeError::WrongPassword,
    NodeError::NoPermission,
    NodeError::NoDatabase,
    NodeError::OutOfMemory,
    NodeError::Misconfigured,
    NodeError::Busy,
    NodeError::NoReplicas,
    NodeError::Unsupported,
    NodeError::ProtectedMode,
    NodeError::TooManyClients,
    NodeError::NoScripts,
    NodeError::Other,
    #[cfg(feature = "modes")]
    NodeError::NoAcks,
];

#[test]
fn every_error_of_a_node_has_its_name() {
    let coded: Vec<_> = NODES.iter().map(|error| (*error, node(*error))).collect();
    agree("NodeError", "NODES", &coded);
    for error in NODES {
        assert!(
            TYPESCRIPT.contains(&format!(": \"{error}\",")),
            "the text of {error:?}"
        );
    }
}

#[test]
fn every_argument_that_is_refused_has_its_name() {
    let claims = [
        ClaimError::EmptyKey,
        ClaimError::KeyTooLong,
        ClaimError::NoKey,
        ClaimError::TooManyKeys,
        ClaimError::DuplicateKey,
        ClaimError::EmptyToken,
        ClaimError::TokenTooLong,
        ClaimError::MetadataTooLong,
        ClaimError::TtlTooShort,
        ClaimError::TtlTooLong,
    ];
    agree(
        "ClaimError",
        "ARGUMENTS",
        &claims.map(|error| (error, claim(error))),
    );
    let configs = [
        ConfigError::NoNode,
        ConfigError::TooManyNodes,
        ConfigError::TooFewForQuorum,
    ];
    agree(
        "ConfigError",
        "ARGUMENTS",
        &configs.map(|error| (error, config(error))),
    );
    assert_eq!(names("ARGUMENTS")[usize::from(MALFORMED)], "malformed");
}

#[test]
fn every_end_of_a_lock_has_its_name() {
    let (busy, other) = (NodeError::Busy, Holder::Other);
    let fault = f64::from(node(busy));
    let losses = [
        (Loss::Expired { error: None }, -1.0),
        (Loss::Expired { error: Some(busy) }, fault),
        (Loss::Taken, -1.0),
        (Loss::MaxHold, -1.0),
        (Loss::Refused(busy), fault),
        (Loss::Closed, -1.0),
    ];
    agree(
        "Loss",
        "LOSSES",
        &losses.map(|(reason, _)| (reason, loss(reason).0)),
    );
    for (reason, more) in losses {
        assert!(loss(reason).1.total_cmp(&more).is_eq(), "{reason:?}");
    }
    let proofs = [
        Released::Confirmed,
        Released::Missing,
        Released::Unconfirmed,
        Released::Shared,
        Released::Expired,
    ];
    agree(
        "Released",
        "PROOFS",
        &proofs.map(|proof| (proof, released(proof))),
    );
    let remaining = None;
    let reasons = [
        (
            NotObtained::Taken {
                remaining,
                by: other,
            },
            -1.0,
        ),
        (NotObtained::TimedOut { by: other }, -1.0),
        (NotObtained::TooLate, -1.0),
        (NotObtained::Unreachable(busy), fault),
        (NotObtained::Refused(busy), fault),
        (NotObtained::LimitReached, -1.0),
        (NotObtained::Cancelled, -1.0),
        (
            NotObtained::Unsupported(Unsupported::ReservedValue),
            unsupported(Unsupported::ReservedValue),
        ),
    ];
    agree(
        "NotObtained",
        "NOT_OBTAINED",
        &reasons.map(|(reason, _)| (reason, not_obtained(reason).0)),
    );
    for (reason, more) in reasons {
        assert!(
            not_obtained(reason).1.total_cmp(&more).is_eq(),
            "{reason:?}"
        );
    }
}

#[cfg(feature = "modes")]
const MODES: &str = include_str!("../../../npm/src/modes/errors.ts");

/// The lines of a list in TypeScript for an engine with modes.
#[cfg(feature = "modes")]
fn list(table: &str) -> &'static str {
    let (_, rest) = MODES.split_once(&format!("const {table}")).expect(table);
    let (_, rest) = rest.split_once("= [").expect("a list");
    rest.split_once("];").expect("an end").0
}

/// The name and the text of each line of a table for an engine with modes.
#[cfg(feature = "modes")]
fn texts(table: &str) -> Vec<(&'static str, &'static str)> {
    let (_, rest) = MODES.split_once(&format!("const {table}")).expect(table);
    let (_, rest) = rest.split_once(" = {").expect("a table");
    let (lines, _) = rest.split_once("\n};").expect("an end");
    let lines = lines.lines().map(|line| line.trim().trim_end_matches(','));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, text)| (name, &text[1..text.len() - 1]))
        .collect()
}

#[cfg(feature = "modes")]
#[test]
fn every_reason_not_to_change_has_its_name() {
    let refused = [
        ChangeError::NotHeld,
        ChangeError::SameMode,
        ChangeError::Exclusive,
        ChangeError::SeveralNodes,
        ChangeError::OwnToken,
        ChangeError::UnderWay,
        ChangeError::Unsettled,
    ];
    let known: Vec<String> = refused
        .iter()
        .map(|why| snake(&format!("{why:?}")))
        .collect();
    assert_eq!(
        known.iter().cloned().collect::<BTreeSet<_>>(),
        variants("ChangeError")
    );
    let shown = texts("CHANGES");
    for (at, why) in refused.into_iter().enumerate() {
        assert_eq!(usize::from(change(why)), at, "{why:?}");
        let name = known[at].replace("node", "server");
        assert_eq!(shown[at], (&*name, &*why.to_string()));
    }
    let (busy, by) = (NodeError::Busy, Holder::Sharing);
    let reasons = [
        (NotChanged::Taken { by }, NONE),
        (NotChanged::Failed(busy), f64::from(node(busy))),
        (NotChanged::Unanswered(busy), f64::from(node(busy))),
    ];
    let shown = texts("NOT_CHANGED");
    for (at, (reason, more)) in reasons.into_iter().enumerate() {
        let (code, fault) = not_changed(reason);
        assert_eq!(usize::from(code % OURS), at, "{reason:?}");
        assert!(fault.total_cmp(&more).is_eq(), "{reason:?}");
        let (name, text) = shown[at];
        assert_eq!(name, snake(&format!("{reason:?}")));
        assert!(reason.to_string().starts_with(text), "{reason}");
    }
    assert_eq!(shown.len(), variants("NotChanged").len());
    assert_eq!(not_changed(reasons[0].0).0 / OURS, holder(by) / OURS);
}

#[cfg(feature = "modes")]
#[test]
fn every_holder_and_every_refusal_of_a_mode_has_its_name() {
    let holders: Vec<&str> = list("HOLDERS").split('"').skip(1).step_by(2).collect();
    let all = [
        (Holder::Other, "other"),
        (Holder::Ourselves, "ourselves"),
        (Holder::Sharing, "sharing"),
        (Holder::Queue, "queue"),
    ];
    for (by, name) in all {
        assert_eq!(holders[usize::from(holder(by) / OURS)], name);
    }
    assert!(MODES.contains(&format!("const CODES = {OURS};")));
    let texts: Vec<&str> = list("UNSUPPORTED").lines().skip(1).map(str::trim).collect();
    let reasons = [
        Unsupported::ReservedValue,
        Unsupported::ModeUnderQuorum,
        Unsupported::ModeWithSeveralKeys,
        Unsupported::SharedFence,
        Unsupported::NoPermits,
        Unsupported::OwnTokenWithAcks,
    ];
    for (code, why) in reasons.into_iter().enumerate() {
        assert!(unsupported(why).total_cmp(&(code as f64)).is_eq());
        let text = texts[code].trim_end_matches(',');
        assert_eq!(text[1..text.len() - 1], why.to_string());
    }
    let known: BTreeSet<_> = reasons
        .iter()
        .map(|why| snake(&format!("{why:?}")))
        .collect();
    assert_eq!(known, variants("Unsupported"));
}

#[test]
fn a_lock_held_by_ourselves_is_reported_as_such() {
    let by = [Holder::Other, Holder::Ourselves];
    let remaining = None;
    let [taken, ours] = by.map(|by| not_obtained(NotObtained::Taken { remaining, by }).0);
    assert_eq!(ours, taken + OURS);
    let [late, ours] = by.map(|by| not_obtained(NotObtained::TimedOut { by }).0);
    assert_eq!(ours, late + OURS);
    assert!(TYPESCRIPT.contains(&format!("const OURS = {OURS};")));
    assert!(names("NOT_OBTAINED").len() <= usize::from(OURS));
}
