//! Replies → outcome: what was sent over one connection and is still to be answered, in order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::event::NodeError;
use crate::id::RequestId;
use crate::lock::{Holding, KeySet, Op, Outcome};
use crate::queue::Queue;
use crate::redis::Script;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply, skip_integer};
use crate::redis::wire::{Kind, Wire};
use crate::time::Instant;

/// What was sent and has not been answered, first in first out, and what the first of it has been answered so far.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    sent: Queue<Sent>,
    progress: Progress,
}

#[derive(Copy, Clone, Debug)]
struct Sent {
    request: RequestId,
    kind: Kind,
    /// How many replies it takes in all.
    replies: u16,
    at: Instant,
    /// See [`Capability::count`].
    number: u32,
}

#[derive(Debug, Default)]
struct Progress {
    replies: u16,
    decided: Option<Decision>,
    /// The longest time that a key lasts, as PTTL says it: -1 for ever, -2 not there.
    longest: Option<i64>,
    /// How long the key that ends first still lasts. Of a check only.
    least: Option<u64>,
    /// Which keys are there, as far as it was said.
    held: KeySet,
    /// Why a remaining time was not told.
    error: Option<NodeError>,
    all_equal: bool,
    found: Vec<Option<Holding>>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Decision {
    Granted,
    Denied,
    Failed(NodeError),
    Unknown,
    /// The server wants to be asked in another way.
    Again,
}

/// What the replies to one request come to.
#[derive(Debug)]
pub(crate) enum Finding {
    Outcome(Outcome),
    Found(Vec<Option<Holding>>),
    /// To be asked again, in another way.
    Again,
}

impl Exchange {
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// The oldest unanswered request.
    pub(crate) fn first(&self) -> Option<RequestId> {
        self.sent.front().map(|sent| sent.request)
    }

    /// When the oldest unanswered request was sent.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.sent.front().map(|sent| sent.at)
    }

    /// The scripts of requests that are still to be answered.
    pub(crate) fn unanswered_scripts(&self) -> impl Iterator<Item = Script> {
        self.sent.iter().filter_map(|sent| match sent.kind {
            Kind::Script { script, .. } => Some(script),
            Kind::Set
            | Kind::SetIfEqual
            | Kind::DeleteIfEqual
            | Kind::Times
            | Kind::Check
            | Kind::ValuesAndTimes => None,
        })
    }

    /// Takes the requests that will not be answered any more, with what is known of them.
    pub(crate) fn take_lost(&mut self) -> Option<(RequestId, Outcome)> {
        let sent = self.sent.pop_front()?;
        let progress = core::mem::take(&mut self.progress);
        Some((sent.request, progress.outcome_if_lost(&sent)))
    }

    /// Appends the commands of `op` to `out`.
    pub(crate) fn send(
        &mut self,
        request: RequestId,
        op: Op<'_>,
        wire: &mut Wire<'_>,
        at: Instant,
    ) {
        let number = wire.capability.count();
        let (kind, replies) = wire.write(op);
        self.sent.push_back(Sent {
            request,
            kind,
            replies,
            at,
            number,
        });
    }

    /// Takes the answer to the oldest request if it was granted and all of that is at the start of `bytes`; gives what
    /// comes behind it. Nearly all answers are such. Anything else is left to [`Exchange::receive`], which would come to
    /// the same.
    #[inline]
    pub(crate) fn receive_granted<'a>(&mut self, bytes: &'a [u8]) -> Option<(RequestId, &'a [u8])> {
        let sent = self.sent.front()?;
        let first = match sent.kind {
            _ if self.progress.replies > 0 => None,
            Kind::Set | Kind::SetIfEqual => bytes.strip_prefix(b"+OK\r\n"),
            Kind::DeleteIfEqual | Kind::Script { all: 1, .. } => bytes.strip_prefix(b":1\r\n"),
            Kind::Script { .. } | Kind::Times | Kind::Check | Kind::ValuesAndTimes => None,
        };
        let mut rest = first?;
        // Then the remaining times, which do not matter to a holder.
        for _ in 1..sent.replies {
            rest = skip_integer(rest)?;
        }
        let request = sent.request;
        self.sent.pop_front();
        Some((request, rest))
    }

    /// Takes one reply. `None` if it answers nothing that was sent.
    pub(crate) fn receive(
        &mut self,
        reply: Reply<'_>,
        is_ours: impl FnOnce(RequestId, &[u8]) -> bool,
        capability: &mut Capability,
    ) -> Option<Option<(RequestId, Finding)>> {
        let sent = *self.sent.front()?;
        let progress = &mut self.progress;
        if progress.replies == 0 {
            progress.all_equal = true;
        }
        match sent.kind {
            Kind::Check => {
                progress.note_check(reply, |value| is_ours(sent.request, value));
            }
            Kind::ValuesAndTimes => progress.note_holding(reply),
            Kind::Times => progress.note_time(reply, usize::from(progress.replies)),
            _ if progress.replies == 0 => {
                progress.decided = Some(decide(&sent, reply, capability));
            }
            Kind::Set | Kind::SetIfEqual | Kind::Script { .. } | Kind::DeleteIfEqual => {
                // The first reply was the one that decided.
                let key = usize::from(progress.replies).saturating_sub(1);
                progress.note_time(reply, key);
            }
        }
        progress.replies = progress.replies.saturating_add(1);
        if progress.replies < sent.replies {
            return Some(None);
        }
        self.sent.pop_front();
        let progress = core::mem::take(&mut self.progress);
        Some(Some((
            sent.request,
            progress.finish(&sent, capability.tracking),
        )))
    }
}

/// Understands the reply that decides.
fn decide(sent: &Sent, reply: Reply<'_>, capability: &mut Capability) -> Decision {
    let kind = sent.kind;
    match (kind, reply.item()) {
        (_, Item::Error(line)) => match (ServerError::of(line), kind) {
            (ServerError::WrongType, _) => Decision::Denied,
            (ServerError::NoScript, Kind::Script { script, .. }) => {
                capability.lacks(script, sent.number);
                Decision::Again
            }
            (ServerError::Unsupported, Kind::SetIfEqual) => {
                capability.refuse_set();
                Decision::Again
            }
            (ServerError::Unsupported, Kind::DeleteIfEqual) => {
                capability.refuse_delete();
                Decision::Again
            }
            // A script that breaks off half-way may have done something.
            (ServerError::Node(NodeError::Other), Kind::Script { .. }) => Decision::Unknown,
            (error, _) => Decision::Failed(error.node()),
        },
        (Kind::Set | Kind::SetIfEqual, Item::Simple(b"OK")) => Decision::Granted,
        (Kind::Set | Kind::SetIfEqual, Item::Null) => Decision::Denied,
        (Kind::Script { all, .. }, Item::Integer(n)) if n == i64::from(all) => Decision::Granted,
        (Kind::DeleteIfEqual, Item::Integer(1)) => Decision::Granted,
        (Kind::Script { .. } | Kind::DeleteIfEqual, Item::Integer(_)) => Decision::Denied,
        // No server answers like that; so nobody knows what it did.
        _ => Decision::Unknown,
    }
}

impl Progress {
    fn note_time(&mut self, reply: Reply<'_>, key: usize) {
        let Some(time) = reply.as_integer() else {
            // What is not known of one key is not known of the lock.
            self.held = KeySet::ALL;
            if let Item::Error(line) = reply.item() {
                self.error
                    .get_or_insert_with(|| ServerError::of(line).node());
            }
            return;
        };
        if time != -2 {
            self.held.insert(key);
        }
        // -1 (for ever) outlasts all, -2 (not there) nothing.
        let rank = |time: i64| if time == -1 { i64::MAX } else { time };
        self.longest = Some(self.longest.map_or(time, |known| {
            if rank(time) > rank(known) {
                time
            } else {
                known
            }
        }));
    }

    /// Values and times take turns. The time registers our interest again, as every write of somebody else's ends that.
    fn note_check(&mut self, reply: Reply<'_>, is_ours: impl FnOnce(&[u8]) -> bool) {
        if self.replies.is_multiple_of(2) {
            return self.note_value(reply, is_ours);
        }
        self.note_time(reply, usize::from(self.replies / 2));
        match reply.as_integer() {
            Some(time @ 0..) => {
                let time = time.unsigned_abs();
                self.least = Some(self.least.map_or(time, |least| least.min(time)));
            }
            // It ended between the two.
            Some(-2) => self.all_equal = false,
            _ => {}
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else a server may send"
    )]
    fn note_value(&mut self, reply: Reply<'_>, is_ours: impl FnOnce(&[u8]) -> bool) {
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

    /// Values and times take turns.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "whatever else a server may send"
    )]
    fn note_holding(&mut self, reply: Reply<'_>) {
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
                Item::Error(line) => {
                    self.decided = Some(Decision::Failed(ServerError::of(line).node()));
                    None
                }
                _ => None,
            };
            self.found.push(holding);
        } else {
            match (self.found.last_mut(), reply.as_integer()) {
                (Some(Some(holding)), Some(time @ 0..)) => {
                    holding.remaining = Some(Duration::from_millis(time.unsigned_abs()));
                }
                // It ended between the two.
                (Some(holding), Some(-2)) => *holding = None,
                _ => {}
            }
        }
    }

    fn finish(self, sent: &Sent, watched: bool) -> Finding {
        match (self.decided, sent.kind) {
            (Some(Decision::Again), _) => Finding::Again,
            (None, Kind::ValuesAndTimes) => Finding::Found(self.found),
            _ => Finding::Outcome(self.outcome(sent.kind, watched)),
        }
    }

    fn outcome(&self, kind: Kind, watched: bool) -> Outcome {
        match self.decided {
            Some(Decision::Granted) => Outcome::GRANTED,
            Some(Decision::Denied) => self.denied(watched),
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

    /// What a look has found.
    fn looked(&self, watched: bool) -> Outcome {
        match self.error {
            Some(error) => Outcome::Failed(error),
            None if self.held == KeySet::NONE => Outcome::GRANTED,
            None => self.denied(watched),
        }
    }

    fn denied(&self, watched: bool) -> Outcome {
        // A millisecond more, because a key with no whole millisecond left is still there.
        let retry_after = match self.longest {
            Some(-2) => Some(Duration::ZERO),
            Some(time @ 0..) => Some(Duration::from_millis(time.unsigned_abs().saturating_add(1))),
            _ => None,
        };
        Outcome::Denied {
            retry_after,
            // Without the reply that registers the interest, no wake will come.
            watched: watched && self.longest.is_some(),
            held: match self.longest {
                Some(_) => self.held,
                None => KeySet::ALL,
            },
        }
    }

    /// The connection broke: what was decided stands, the rest is not known.
    fn outcome_if_lost(&self, sent: &Sent) -> Outcome {
        match sent.kind {
            Kind::Times | Kind::Check | Kind::ValuesAndTimes => Outcome::Unknown,
            Kind::Set | Kind::SetIfEqual | Kind::Script { .. } | Kind::DeleteIfEqual => {
                if self.decided.is_some() {
                    self.outcome(sent.kind, false)
                } else {
                    Outcome::Unknown
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
