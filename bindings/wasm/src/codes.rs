//! Reasons as numbers. Their names, which programs in JavaScript may rely on, are in the same order in
//! `bindings/npm/src/errors.ts` and `ends.ts`. The enums of the core may grow, and the compiler does not say so here: a
//! test compares these lists with the core's source, so that no variant is without a code and a name of its own.

#[cfg(feature = "modes")]
use tenure_core::{ChangeError, NotChanged};
use tenure_core::{
    ClaimError, ConfigError, Holder, Loss, NodeError, NotObtained, Released, Unsupported,
};

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
        NotObtained::Unsupported(why) => (7, unsupported(why)),
        _ => (NEW, NONE),
    }
}

const NONE: f64 = -1.0;

/// Only an engine with modes has the last two.
const fn holder(by: Holder) -> u8 {
    match by {
        Holder::Other => 0,
        Holder::Ourselves => OURS,
        #[cfg(feature = "modes")]
        Holder::Sharing => 2 * OURS,
        #[cfg(feature = "modes")]
        Holder::Queue => 3 * OURS,
        #[cfg(not(feature = "modes"))]
        Holder::Sharing | Holder::Queue => 0,
    }
}

/// Why a request cannot be served, which only an engine with modes has to tell apart.
fn unsupported(why: Unsupported) -> f64 {
    if cfg!(not(feature = "modes")) {
        return NONE;
    }
    f64::from(match why {
        Unsupported::ReservedValue => 0,
        Unsupported::ModeUnderQuorum => 1,
        Unsupported::ModeWithSeveralKeys => 2,
        Unsupported::SharedFence => 3,
        Unsupported::NoPermits => 4,
        Unsupported::OwnTokenWithAcks => 5,
        _ => NEW,
    })
}

/// Why a lock cannot be asked to change.
#[cfg(feature = "modes")]
pub(crate) const fn change(error: ChangeError) -> u8 {
    match error {
        ChangeError::NotHeld => 0,
        ChangeError::SameMode => 1,
        ChangeError::Exclusive => 2,
        ChangeError::SeveralNodes => 3,
        ChangeError::OwnToken => 4,
        ChangeError::UnderWay => 5,
        ChangeError::Unsettled => 6,
        _ => NEW,
    }
}

/// And what the node said, if it is its fault; negative if not.
#[cfg(feature = "modes")]
pub(crate) fn not_changed(reason: NotChanged) -> (u8, f64) {
    match reason {
        NotChanged::Taken { by } => (holder(by), NONE),
        NotChanged::Failed(error) => (1, fault(Some(error))),
        NotChanged::Unanswered(error) => (2, fault(Some(error))),
        _ => (NEW, NONE),
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
        // Only an engine with modes has an option for acks, and a name for this.
        #[cfg(feature = "modes")]
        NodeError::NoAcks => 25,
        // What is not known here is no more than another error.
        NodeError::Other | _ => 24,
    }
}

#[cfg(test)]
mod tests;
