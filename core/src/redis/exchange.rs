//! Replies → outcome: what was sent over one connection and is still to be answered, in order.

use alloc::vec::Vec;

use crate::event::NodeError;
use crate::fifo::Queue;
use crate::id::{LockId, NodeId, RequestId};
use crate::lock::{Holding, Op, Outcome};
use crate::redis::Script;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply, skip_integer};
use crate::redis::wire::{Kind, Wire};
use crate::time::Instant;

mod progress;

use progress::{Decision, ReplyProgress};

/// What was sent and has not been answered, first in first out, and what the first of it has been answered so far.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    sent: Queue<Sent>,
    progress: ReplyProgress,
    /// Whether one of them is a probe. There is never more than one.
    probing: bool,
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

    /// The oldest unanswered request, if some of its replies have come and others not.
    pub(crate) fn partly_answered(&self) -> Option<RequestId> {
        self.first().filter(|_| self.progress.replies > 0)
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
            | Kind::ValuesAndTimes
            | Kind::Probe => None,
        })
    }

    /// Takes the requests that will not be answered any more, with what is known of them.
    pub(crate) fn take_lost(&mut self) -> Option<(RequestId, Outcome)> {
        let mut sent = self.sent.pop_front()?;
        if sent.kind == Kind::Probe {
            self.probing = false;
            sent = self.sent.pop_front()?;
        }
        let progress = core::mem::take(&mut self.progress);
        Some((sent.request, progress.outcome_if_lost(&sent)))
    }

    /// How many requests of locks are to be answered.
    pub(crate) fn requests(&self) -> usize {
        self.sent.len().saturating_sub(usize::from(self.probing))
    }

    /// Appends a probe to `out`: a command that every server answers, if only with an error.
    pub(crate) fn probe(&mut self, node: NodeId, wire: &mut Wire<'_>, at: Instant) {
        /// Of no lock.
        const NOBODY: LockId = LockId::from_bits(u64::MAX);
        let (lock, round) = (NOBODY, 0);
        self.probing = true;
        self.sent.push_back(Sent {
            request: RequestId { lock, round, node },
            kind: wire.probe(),
            replies: 1,
            at,
            number: wire.capability.count(),
        });
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
            Kind::Script { .. }
            | Kind::Times
            | Kind::Check
            | Kind::ValuesAndTimes
            | Kind::Probe => None,
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
            Kind::Probe => {
                self.sent.pop_front();
                self.probing = false;
                return Some(None);
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

#[cfg(test)]
mod tests;
