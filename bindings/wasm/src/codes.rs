//! Reasons as numbers. Their names, which programs in JavaScript may rely on, are in the same order in
//! `bindings/npm/src/errors.ts` and `ends.ts`. The enums of the core may grow, and the compiler does not say so here: a
//! test compares these lists with the core's source, so that no variant is without a code and a name of its own.

use tenure_core::{ClaimError, ConfigError, Holder, Loss, NodeError, NotObtained, Released};

/// What no variant has. There is no name for it.
const NEW: u8 = u8::MAX;

/// The request cannot be read: program and module are of different versions.
pub(crate) const MALFORMED: u8 = 0;

pub(crate) const fn claim(error: ClaimError) -> u8 {
    match error {
        ClaimError::EmptyKey => 1,
        ClaimError::KeyTooLong => 2,
        ClaimError::NoKey => 3,
        ClaimError::TooManyKeys => 4,
        ClaimError::DuplicateKey => 5,
        ClaimError::EmptyToken => 6,
        ClaimError::TokenTooLong => 7,
        ClaimError::MetadataTooLong => 8,
        ClaimError::TtlTooShort => 9,
        ClaimError::TtlTooLong => 10,
        _ => NEW,
    }
}

pub(crate) const fn config(error: ConfigError) -> u8 {
    match error {
        ConfigError::NoNode => 11,
        ConfigError::TooManyNodes => 12,
        ConfigError::TooFewForQuorum => 13,
        _ => NEW,
    }
}

/// Added to a code if the lock is held by another one of this engine. Codes are smaller.
pub(crate) const OURS: u8 = 8;

/// And what the node said, if it is its fault; negative if not.
pub(crate) fn not_obtained(reason: NotObtained) -> (u8, f64) {
    match reason {
        NotObtained::Taken { by, .. } => (holder(by), NONE),
        NotObtained::TimedOut { by } => (1 + holder(by), NONE),
        NotObtained::TooLate => (2, NONE),
        NotObtained::Unreachable(error) => (3, fault(Some(error))),
        NotObtained::Refused(error) => (4, fault(Some(error))),
        NotObtained::LimitReached => (5, NONE),
        NotObtained::Cancelled => (6, NONE),
        NotObtained::Unsupported(_) => (7, NONE),
        _ => (NEW, NONE),
    }
}

const NONE: f64 = -1.0;

const fn holder(by: Holder) -> u8 {
    match by {
        Holder::Other | Holder::Sharing | Holder::Queue => 0,
        Holder::Ourselves => OURS,
    }
}

fn fault(error: Option<NodeError>) -> f64 {
    error.map_or(NONE, |error| f64::from(node(error)))
}

/// And what the node said, if it is its fault; negative if not.
pub(crate) fn loss(loss: Loss) -> (u8, f64) {
    match loss {
        Loss::Expired { error } => (0, fault(error)),
        Loss::Taken => (1, NONE),
        Loss::MaxHold => (2, NONE),
        Loss::Refused(error) => (3, fault(Some(error))),
        Loss::Closed => (4, NONE),
        _ => (NEW, NONE),
    }
}

pub(crate) const fn released(proof: Released) -> u8 {
    match proof {
        Released::Confirmed => 0,
        Released::Missing => 1,
        Released::Unconfirmed => 2,
        Released::Shared => 3,
        Released::Expired => 4,
        _ => NEW,
    }
}

pub(crate) const fn node(error: NodeError) -> u8 {
    match error {
        NodeError::Disconnected => 0,
        NodeError::TimedOut => 1,
        NodeError::Malformed => 2,
        NodeError::AnswerTooLarge => 3,
        NodeError::Overloaded => 4,
        NodeError::Loading => 5,
        NodeError::ReadOnly => 6,
        NodeError::MasterDown => 7,
        NodeError::Moved => 8,
        NodeError::ClusterDown => 9,
        NodeError::TryAgain => 10,
        NodeError::CrossSlot => 11,
        NodeError::NoAuth => 12,
        NodeError::WrongPassword => 13,
        NodeError::NoPermission => 14,
        NodeError::NoDatabase => 15,
        NodeError::OutOfMemory => 16,
        NodeError::Misconfigured => 17,
        NodeError::Busy => 18,
        NodeError::NoReplicas => 19,
        NodeError::Unsupported => 20,
        NodeError::ProtectedMode => 21,
        NodeError::TooManyClients => 22,
        NodeError::NoScripts => 23,
        // What is not known here is no more than another error.
        NodeError::Other | _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::string::String;
    use std::vec::Vec;
    use tenure_core::Unsupported;

    const CORE: &str = concat!(
        include_str!("../../../core/src/config.rs"),
        include_str!("../../../core/src/event.rs"),
        include_str!("../../../core/src/limits.rs")
    );
    const TYPESCRIPT: &str = concat!(
        include_str!("../../npm/src/errors.ts"),
        include_str!("../../npm/src/ends.ts")
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
        let (variants, names) = (variants(name), names(table));
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

    const NODES: [NodeError; 25] = [
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
    ];

    #[test]
    fn every_error_of_a_node_has_its_name() {
        agree(
            "NodeError",
            "NODES",
            &NODES.map(|error| (error, node(error))),
        );
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
            (NotObtained::Unsupported(Unsupported::ReservedValue), -1.0),
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
}
