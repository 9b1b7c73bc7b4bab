//! Reasons as numbers. Their names, which programs in JavaScript may rely on, stand in the same order in
//! `bindings/npm/src/errors.ts`; a reason that is unknown here is behind the last name there.

use tenure_core::{ClaimError, ConfigError, Loss, NodeError, NotObtained, Released};

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
        _ => u8::MAX,
    }
}

pub(crate) const fn config(error: ConfigError) -> u8 {
    match error {
        ConfigError::NoNode => 11,
        ConfigError::TooManyNodes => 12,
        ConfigError::TooFewForQuorum => 13,
        _ => u8::MAX,
    }
}

/// And what the node said, if it is its fault; negative if not.
pub(crate) fn not_obtained(reason: NotObtained) -> (u8, f64) {
    match reason {
        NotObtained::Taken { .. } => (0, -1.0),
        NotObtained::TimedOut { .. } => (1, -1.0),
        NotObtained::Unreachable(error) => (2, f64::from(node(error))),
        NotObtained::Refused(error) => (3, f64::from(node(error))),
        NotObtained::LimitReached => (4, -1.0),
        NotObtained::Withdrawn | _ => (5, -1.0),
    }
}

pub(crate) const fn loss(loss: Loss) -> u8 {
    match loss {
        Loss::Expired { .. } => 0,
        Loss::Taken => 1,
        Loss::MaxHold => 2,
        Loss::Closed => 3,
        _ => u8::MAX,
    }
}

pub(crate) const fn released(proof: Released) -> u8 {
    match proof {
        Released::Confirmed => 0,
        Released::Missing => 1,
        Released::Unconfirmed | _ => 2,
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
        NodeError::Other | _ => 23,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;
    use tenure_core::Holder;

    /// The names in one table of `errors.ts`.
    fn names(table: &str) -> Vec<&'static str> {
        let source = include_str!("../../npm/src/errors.ts");
        let (_, rest) = source.split_once(table).expect(table);
        let (lines, _) = rest.split_once("\n}").expect("an end");
        lines
            .lines()
            .skip(1)
            .map(|line| line.trim().split(':').next().unwrap_or_default())
            .collect()
    }

    fn snake(variant: impl core::fmt::Debug) -> String {
        let mut name = String::new();
        for letter in format!("{variant:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }

    /// In the order of their codes.
    const NODES: [NodeError; 24] = [
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
        NodeError::Other,
    ];

    #[test]
    fn the_names_stand_in_the_order_of_the_codes() {
        let names_of_nodes = names("const NODES");
        for error in NODES {
            assert_eq!(names_of_nodes[usize::from(node(error))], snake(error));
        }
        let arguments = names("const ARGUMENTS");
        for error in [
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
        ] {
            assert_eq!(arguments[usize::from(claim(error))], snake(error));
        }
        for error in [
            ConfigError::NoNode,
            ConfigError::TooManyNodes,
            ConfigError::TooFewForQuorum,
        ] {
            let name = snake(error).replace("node", "server");
            assert_eq!(arguments[usize::from(config(error))], name);
        }
        assert_eq!(arguments[usize::from(MALFORMED)], "malformed");
        let losses = names("const LOSSES");
        for reason in [
            Loss::Expired { error: None },
            Loss::Taken,
            Loss::MaxHold,
            Loss::Closed,
        ] {
            let name = snake(reason);
            assert_eq!(
                losses[usize::from(loss(reason))],
                name.split(' ').next().unwrap_or_default()
            );
        }
        let reasons = names("const NOT_OBTAINED");
        for (reason, name) in [
            (
                NotObtained::Taken {
                    remaining: None,
                    by: Holder::Other,
                },
                "taken",
            ),
            (NotObtained::TimedOut { by: Holder::Other }, "timed_out"),
            (NotObtained::Unreachable(NodeError::Busy), "unreachable"),
            (NotObtained::Refused(NodeError::Busy), "refused"),
            (NotObtained::LimitReached, "limit_reached"),
        ] {
            assert_eq!(reasons[usize::from(not_obtained(reason).0)], name);
        }
    }
}
