//! Collects the replies to one request.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Finding, Sent};
use crate::event::NodeError;
use crate::fence::Fence;
#[cfg(feature = "modes")]
use crate::lock::Status;
use crate::lock::{Holding, KeySet, Obstacle, Outcome};
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply};
use crate::redis::wire::Kind;
#[cfg(feature = "modes")]
use crate::redis::wire::{Queued, Watch};

mod each;

use each::Each;

#[derive(Debug, Default)]
pub(super) struct ReplyProgress {
    pub(super) replies: u16,
    pub(super) decided: Option<Decision>,
    /// The longest remaining time of a key, as PTTL reports it: -1 without an expiry, -2 without a key.
    longest: Option<i64>,
    /// The shortest remaining time of a key that has one.
    least: Option<u64>,
    /// The keys that exist, as far as reported.
    held: KeySet,
    /// The time of a key was not reported.
    missing_time: bool,
    /// Why a remaining time was not reported.
    error: Option<NodeError>,
    pub(super) all_equal: bool,
    /// The server has registered us for a bell.
    #[cfg(feature = "modes")]
    pub(super) has_bell: bool,
    /// The key has our whole value.
    #[cfg(feature = "modes")]
    pub(super) is_alone: bool,
    /// Where each key has a reply of its own: what they said so far.
    each: Each,
    found: Vec<Option<Holding>>,
    #[cfg(feature = "modes")]
    pub(super) status: Option<Box<Status>>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    Granted,
    /// Granted, with this number.
    Fenced(Fence),
    Denied,
    /// Denied, by whom, and for how many milliseconds; negative: without an end.
    #[cfg(feature = "modes")]
    Behind(Obstacle, i64),
    Failed(NodeError),
    Unknown,
    /// The server needs another command.
    Again,
}

/// The result of a reply that is no holding. A reply that no server sends leaves the holder unknown.
fn refusal(reply: Reply<'_>) -> Decision {
    if let Item::Error(line) = reply.item() {
        Decision::Failed(ServerError::of(line).node())
    } else {
        Decision::Unknown
    }
}

impl ReplyProgress {
    pub(super) fn note_time(&mut self, reply: Reply<'_>, key: usize) {
        let Some(time) = reply.as_integer() else {
            // What is unknown for one key is unknown for the lock.
            self.missing_time = true;
            if let Item::Error(line) = reply.item() {
                self.error
                    .get_or_insert_with(|| ServerError::of(line).node());
            }
            return;
        };
        if time != -2 {
            self.held.insert(key);
        }
        // -1 (no expiry) outlasts all, -2 (no key) nothing.
        let rank = |time: i64| if time == -1 { i64::MAX } else { time };
        self.longest = Some(self.longest.map_or(time, |known| {
            if rank(time) > rank(known) {
                time
            } else {
                known
            }
        }));
        if let time @ 0.. = time {
            let time = time.unsigned_abs();
            self.least = Some(self.least.map_or(time, |least| least.min(time)));
        }
    }

    /// Values and times alternate. Reading the time watches the key again, since any write by another client ends that.
    pub(super) fn note_check(&mut self, reply: Reply<'_>, is_ours: impl FnOnce(&[u8]) -> bool) {
        if self.replies.is_multiple_of(2) {
            return self.note_value(reply, is_ours);
        }
        self.note_time(reply, usize::from(self.replies / 2));
        // The key expired between the two commands.
        if reply.as_integer() == Some(-2) {
            self.all_equal = false;
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other reply that a server may send"
    )]
    pub(super) fn note_value(&mut self, reply: Reply<'_>, is_ours: impl FnOnce(&[u8]) -> bool) {
        match reply.item() {
            Item::Bulk(value) => self.all_equal &= is_ours(value),
            Item::Null => self.all_equal = false,
            Item::Error(line) if ServerError::of(line) == ServerError::WrongType => {
                self.all_equal = false;
            }
            Item::Error(line) => {
                self.decided = Some(Decision::Failed(ServerError::of(line).node()))
            }
            _ => self.decided = Some(Decision::Unknown),
        }
    }

    /// Values and times alternate.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other reply that a server may send"
    )]
    pub(super) fn note_holding(&mut self, reply: Reply<'_>) {
        if self.replies.is_multiple_of(2) {
            let holding = match reply.item() {
                Item::Bulk(value) => Some(Holding {
                    value: value.into(),
                    remaining: None,
                }),
                Item::Error(line) if ServerError::of(line) == ServerError::WrongType => {
                    Some(Holding {
                        value: Box::default(),
                        remaining: None,
                    })
                }
                Item::Null => None,
                _ => {
                    self.decided = Some(refusal(reply));
                    None
                }
            };
            self.found.push(holding);
        } else {
            match (self.found.last_mut(), reply.as_integer()) {
                (Some(Some(holding)), Some(time @ 0..)) => {
                    holding.remaining = Some(Duration::from_millis(time.unsigned_abs()));
                }
                // The key expired between the two commands.
                (Some(holding), Some(-2)) => *holding = None,
                (_, Some(_)) => {}
                // A time that was not reported does not mean that the key has no expiry.
                (_, None) => self.decided = Some(refusal(reply)),
            }
        }
    }

    pub(super) fn finish(self, sent: &Sent, watched: bool) -> Finding {
        #[cfg(feature = "modes")]
        if let Some(status) = self.status {
            return Finding::Status(status);
        }
        match (self.decided, sent.kind) {
            (Some(Decision::Again), _) => Finding::Again,
            (None, Kind::ValuesAndTimes) => Finding::Found(self.found),
            _ => Finding::Outcome(self.outcome(sent.kind, watched)),
        }
    }

    fn outcome(&self, kind: Kind, watched: bool) -> Outcome {
        match self.decided {
            Some(Decision::Granted) => Outcome::GRANTED,
            Some(Decision::Fenced(fence)) => Outcome::Granted {
                fence: Some(fence),
                remaining: None,
            },
            // A companion of the key is of another type: that the key may be free says nothing then.
            #[cfg(feature = "modes")]
            Some(Decision::Denied) if matches!(kind, Kind::Mode { .. }) => Self::blocked(),
            Some(Decision::Denied) => self.denied(watched),
            #[cfg(feature = "modes")]
            Some(Decision::Behind(by, left)) => {
                let watch = if let Kind::Mode { watch, queued, .. } = kind {
                    (watch, queued)
                } else {
                    (Watch::No, Queued::No)
                };
                self.behind((by, left), watch, watched)
            }
            Some(Decision::Failed(error)) => Outcome::Failed(error),
            Some(Decision::Unknown | Decision::Again) => Outcome::Unknown,
            None if kind == Kind::Times => self.looked(watched),
            None if self.all_equal => Outcome::Granted {
                fence: None,
                remaining: self.least.map(Duration::from_millis),
            },
            None => self.denied(watched),
        }
    }

    /// The outcome of a look.
    fn looked(&self, watched: bool) -> Outcome {
        match self.error {
            Some(error) => Outcome::Failed(error),
            None if self.held == KeySet::NONE => Outcome::GRANTED,
            None => self.denied(watched),
        }
    }

    fn denied(&self, watched: bool) -> Outcome {
        // One millisecond more, because a key with less than a millisecond left still exists.
        let after = |time: u64| Duration::from_millis(time.saturating_add(1));
        let retry_after = match self.longest {
            Some(-2) => Some(Duration::ZERO),
            Some(time @ 0..) => Some(after(time.unsigned_abs())),
            _ => None,
        };
        let first_free = self
            .least
            .map(after)
            .filter(|first| retry_after.is_none_or(|all| *first < all));
        Outcome::Denied {
            retry_after,
            first_free,
            // Without the time, the key is not watched and no wake will come.
            watched: watched && self.longest.is_some(),
            held: (self.longest.is_some() && !self.missing_time).then_some(self.held),
            by: Obstacle::Holder,
        }
    }

    /// Whether a remaining time was reported, which registers us for the next change.
    #[cfg(feature = "modes")]
    pub(super) const fn has_time(&self) -> bool {
        self.longest.is_some()
    }

    /// Whether there is no key, as far as reported.
    #[cfg(feature = "modes")]
    pub(super) fn is_free(&self) -> bool {
        self.longest == Some(-2)
    }

    /// The outcome after the connection broke: what was decided stands, anything else is unknown.
    pub(super) fn outcome_if_lost(&self, sent: &Sent) -> Outcome {
        match sent.kind {
            Kind::Times | Kind::Check | Kind::ValuesAndTimes | Kind::Probe => Outcome::Unknown,
            #[cfg(feature = "modes")]
            Kind::SharedCheck { .. } | Kind::Status { .. } => Outcome::Unknown,
            #[cfg(feature = "acks")]
            Kind::Wait => Outcome::Unknown,
            #[cfg(feature = "modes")]
            Kind::Mode { .. } if self.decided.is_some() => self.outcome(sent.kind, false),
            #[cfg(feature = "modes")]
            Kind::Mode { .. } => Outcome::Unknown,
            Kind::Set
            | Kind::SetIfEqual
            | Kind::Script { .. }
            | Kind::DeleteIfEqual
            | Kind::Fenced
            | Kind::SetSeveral
            | Kind::PerKey { .. } => {
                if self.decided.is_some() {
                    self.outcome(sent.kind, false)
                } else {
                    Outcome::Unknown
                }
            }
        }
    }
}
