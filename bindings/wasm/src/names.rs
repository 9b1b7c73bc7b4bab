//! Names of reasons, which programs in JavaScript may rely on.

use tenure_core::{ClaimError, ConfigError, Loss, NodeError, NotObtained, Released};

pub(crate) const fn config(error: ConfigError) -> &'static str {
    match error {
        ConfigError::NoNode => "no_server",
        ConfigError::TooManyNodes => "too_many_servers",
        ConfigError::TooFewForQuorum => "too_few_for_quorum",
        _ => "invalid",
    }
}

pub(crate) const fn claim(error: ClaimError) -> &'static str {
    match error {
        ClaimError::EmptyKey => "empty_key",
        ClaimError::KeyTooLong => "key_too_long",
        ClaimError::NoKey => "no_key",
        ClaimError::TooManyKeys => "too_many_keys",
        ClaimError::DuplicateKey => "duplicate_key",
        ClaimError::EmptyToken => "empty_token",
        ClaimError::TokenTooLong => "token_too_long",
        ClaimError::MetadataTooLong => "metadata_too_long",
        ClaimError::TtlTooShort => "ttl_too_short",
        ClaimError::TtlTooLong => "ttl_too_long",
        _ => "invalid",
    }
}

pub(crate) const fn not_obtained(reason: NotObtained) -> &'static str {
    match reason {
        NotObtained::Taken { .. } => "taken",
        NotObtained::TimedOut => "timed_out",
        NotObtained::Unreachable(_) => "unreachable",
        NotObtained::Refused(_) => "refused",
        NotObtained::Withdrawn => "withdrawn",
        NotObtained::LimitReached => "limit_reached",
        _ => "unknown",
    }
}

/// What the node said, if it is its fault.
pub(crate) const fn fault(reason: NotObtained) -> &'static str {
    match reason {
        NotObtained::Unreachable(error) | NotObtained::Refused(error) => node(error),
        NotObtained::Taken { .. }
        | NotObtained::TimedOut
        | NotObtained::Withdrawn
        | NotObtained::LimitReached
        | _ => "",
    }
}

pub(crate) const fn loss(loss: Loss) -> &'static str {
    match loss {
        Loss::Expired => "expired",
        Loss::Taken => "taken",
        Loss::MaxHold => "max_hold",
        Loss::Closed => "closed",
        _ => "unknown",
    }
}

pub(crate) const fn released(proof: Released) -> &'static str {
    match proof {
        Released::Confirmed => "confirmed",
        Released::Missing => "missing",
        Released::Unconfirmed | _ => "unconfirmed",
    }
}

pub(crate) const fn node(error: NodeError) -> &'static str {
    match error {
        NodeError::Disconnected => "disconnected",
        NodeError::TimedOut => "timed_out",
        NodeError::Malformed => "malformed",
        NodeError::AnswerTooLarge => "answer_too_large",
        NodeError::Overloaded => "overloaded",
        NodeError::Loading => "loading",
        NodeError::ReadOnly => "read_only",
        NodeError::MasterDown => "master_down",
        NodeError::Moved => "moved",
        NodeError::ClusterDown => "cluster_down",
        NodeError::TryAgain => "try_again",
        NodeError::CrossSlot => "cross_slot",
        NodeError::NoAuth => "no_auth",
        NodeError::WrongPassword => "wrong_password",
        NodeError::NoPermission => "no_permission",
        NodeError::NoDatabase => "no_database",
        NodeError::OutOfMemory => "out_of_memory",
        NodeError::Misconfigured => "misconfigured",
        NodeError::Busy => "busy",
        NodeError::NoReplicas => "no_replicas",
        NodeError::Unsupported => "unsupported",
        NodeError::Other | _ => "other",
    }
}
