//! Replies → outcomes: the requests of one connection without a reply yet, in order.

#[cfg(feature = "modes")]
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::event::NodeError;
use crate::fence::Fence;
use crate::fifo::Queue;
use crate::id::{LockId, NodeId, RequestId};
#[cfg(feature = "modes")]
use crate::lock::Status;
use crate::lock::{Holding, Op, Outcome};
use crate::redis::Script;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply, skip_integer};
use crate::redis::wire::{Kind, Wire};
use crate::time::Instant;

#[cfg(feature = "acks")]
mod acks;
#[cfg(feature = "modes")]
mod modes;
mod progress;
#[cfg(feature = "modes")]
mod status;

#[cfg(feature = "acks")]
pub(crate) use acks::{refusal, write_wait};
#[cfg(feature = "modes")]
use modes::Part;
use progress::{Decision, ReplyProgress};

/// The requests without a full reply, first in first out, and the replies to the first of them so far.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    sent: Queue<Sent>,
    progress: ReplyProgress,
    /// Whether one of them is a probe. There is never more than one.
    probing: bool,
    /// Grants that count only once replicas have them.
    #[cfg(feature = "acks")]
    held_back: acks::HeldBack,
}

#[derive(Copy, Clone, Debug)]
struct Sent {
    request: RequestId,
    kind: Kind,
    /// The number of replies it gets.
    replies: u16,
    at: Instant,
    /// See [`Capability::count`].
    number: u32,
    /// Whether a grant counts only once replicas have it.
    #[cfg(feature = "acks")]
    held_back: bool,
}

/// The result of the replies to one request.
#[derive(Debug)]
pub(crate) enum Finding {
    Outcome(Outcome),
    Found(Vec<Option<Holding>>),
    #[cfg(feature = "modes")]
    Status(Box<Status>),
    /// The request is to be sent again with another command.
    Again,
}

impl Exchange {
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// The oldest unanswered request, if some of its replies have arrived and others not.
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

    /// The scripts of unanswered requests.
    pub(crate) fn unanswered_scripts(&self) -> impl Iterator<Item = Script> {
        self.sent.iter().filter_map(|sent| sent.kind.script())
    }

    /// Takes the next request that will get no more replies, with what is known of it.
    pub(crate) fn take_lost(&mut self) -> Option<(RequestId, Outcome)> {
        #[cfg(feature = "acks")]
        if let Some(request) = self.held_back.take_lost() {
            return Some((request, Outcome::Unknown));
        }
        let mut sent = self.sent.pop_front()?;
        while sent.kind.is_of_no_lock() {
            self.probing &= sent.kind != Kind::Probe;
            sent = self.sent.pop_front()?;
        }
        let progress = core::mem::take(&mut self.progress);
        let outcome = progress.outcome_if_lost(&sent);
        #[cfg(feature = "acks")]
        if sent.held_back && matches!(outcome, Outcome::Granted { .. }) {
            return Some((sent.request, Outcome::Unknown));
        }
        Some((sent.request, outcome))
    }

    /// The number of unanswered requests of locks.
    pub(crate) fn requests(&self) -> usize {
        let others = usize::from(self.probing);
        #[cfg(feature = "acks")]
        let others = others.saturating_add(usize::from(self.held_back.waits()));
        self.sent.len().saturating_sub(others)
    }

    pub(crate) const fn is_probing(&self) -> bool {
        self.probing
    }

    /// Appends a probe: a command that every server answers, if only with an error.
    pub(crate) fn probe(&mut self, node: NodeId, wire: &mut Wire<'_>, at: Instant) {
        self.probing = true;
        let kind = wire.probe();
        self.push_of_no_lock(node, kind, wire.capability.count(), at);
    }

    /// Notes a command with one reply that no lock has requested.
    fn push_of_no_lock(&mut self, node: NodeId, kind: Kind, number: u32, at: Instant) {
        /// The id of no lock.
        const NOBODY: LockId = LockId::from_bits(u64::MAX);
        let (lock, round) = (NOBODY, 0);
        self.sent.push_back(Sent {
            request: RequestId { lock, round, node },
            kind,
            replies: 1,
            at,
            number,
            #[cfg(feature = "acks")]
            held_back: false,
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
            #[cfg(feature = "acks")]
            held_back: self.held_back.note(&op),
        });
    }

    /// The fast path for most replies: if `bytes` begin with a complete grant of the oldest request, takes it and returns the
    /// bytes after it. Everything else takes the general path, [`Exchange::receive`], with the same result.
    #[inline]
    pub(crate) fn receive_granted<'a>(&mut self, bytes: &'a [u8]) -> Option<(RequestId, &'a [u8])> {
        let sent = self.sent.front()?;
        let first = match sent.kind {
            _ if self.progress.replies > 0 => None,
            #[cfg(feature = "acks")]
            _ if sent.held_back => None,
            Kind::Set | Kind::SetIfEqual => bytes.strip_prefix(b"+OK\r\n"),
            Kind::DeleteIfEqual | Kind::Script { all: 1, .. } => bytes.strip_prefix(b":1\r\n"),
            Kind::Script { .. }
            | Kind::Fenced
            | Kind::SetSeveral
            | Kind::PerKey { .. }
            | Kind::Times
            | Kind::Check
            | Kind::ValuesAndTimes
            | Kind::Probe => None,
            #[cfg(feature = "modes")]
            Kind::Mode { .. } | Kind::SharedCheck { .. } | Kind::Status { .. } => None,
            #[cfg(feature = "acks")]
            Kind::Wait => None,
        };
        let mut rest = first?;
        // The remaining times follow, which a holder does not need.
        for _ in 1..sent.replies {
            rest = skip_integer(rest)?;
        }
        let request = sent.request;
        self.sent.pop_front();
        Some((request, rest))
    }

    /// Processes one reply. `None` if no request is waiting for one.
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
        let is_ours = |value: &[u8]| is_ours(sent.request, value);
        match sent.kind {
            Kind::Check => progress.note_check(reply, is_ours),
            Kind::Probe => {
                self.sent.pop_front();
                self.probing = false;
                capability.scripts |= !matches!(reply.item(), Item::Error(_));
                return Some(None);
            }
            Kind::ValuesAndTimes => progress.note_holding(reply),
            Kind::Times => progress.note_time(reply, usize::from(progress.replies)),
            #[cfg(feature = "modes")]
            Kind::Mode { before, watch, .. } => match watch.part(before, progress.replies) {
                // Of these commands only the one that registers for a bell has a number for a reply.
                Part::Ignored if reply.as_integer().is_some() => progress.has_bell = true,
                Part::Ignored if !matches!(reply.item(), Item::Error(_)) => {}
                Part::Ignored => progress.note_ignored(reply, sent.kind, capability),
                Part::Time => progress.note_time(reply, 0),
                Part::Decisive => progress.decided = Some(decide(&sent, reply, capability)),
            },
            #[cfg(feature = "modes")]
            Kind::SharedCheck { before } => {
                progress.note_shared(reply, before, is_ours, capability);
            }
            #[cfg(feature = "modes")]
            Kind::Status { before } if progress.replies < u16::from(before) => {
                modes::note_caching(reply, capability);
            }
            #[cfg(feature = "modes")]
            Kind::Status { .. } => progress.note_status(reply, sent.number, capability),
            // The session passes it elsewhere.
            #[cfg(feature = "acks")]
            Kind::Wait => return None,
            Kind::PerKey { command, keys } if progress.replies < sent.kind.deciding() => {
                progress.note_each((command, keys), reply, capability);
            }
            _ if progress.replies == 0 => {
                progress.decided = Some(decide(&sent, reply, capability));
            }
            Kind::Set
            | Kind::SetIfEqual
            | Kind::Script { .. }
            | Kind::DeleteIfEqual
            | Kind::Fenced
            | Kind::SetSeveral
            | Kind::PerKey { .. } => {
                // It is decided; the others are remaining times.
                let key = progress.replies.saturating_sub(sent.kind.deciding());
                progress.note_time(reply, usize::from(key));
            }
        }
        progress.replies = progress.replies.saturating_add(1);
        if progress.replies < sent.replies {
            return Some(None);
        }
        self.sent.pop_front();
        let finding = core::mem::take(&mut self.progress).finish(&sent, capability.tracking);
        Some(self.held_back_or(&sent, finding))
    }

    /// What is known of a request once all of its replies have arrived; `None` if its grant counts only later.
    #[inline]
    #[cfg_attr(
        not(feature = "acks"),
        allow(
            clippy::unused_self,
            clippy::needless_pass_by_ref_mut,
            clippy::unnecessary_wraps,
            clippy::missing_const_for_fn,
            reason = "each counts at once"
        )
    )]
    fn held_back_or(&mut self, sent: &Sent, finding: Finding) -> Option<(RequestId, Finding)> {
        #[cfg(feature = "acks")]
        if let Finding::Outcome(outcome @ Outcome::Granted { .. }) = finding
            && sent.held_back
        {
            self.held_back.hold(sent.request, outcome);
            return None;
        }
        Some((sent.request, finding))
    }
}

/// Interprets the reply that decides.
fn decide(sent: &Sent, reply: Reply<'_>, capability: &mut Capability) -> Decision {
    let kind = sent.kind;
    match (kind, reply.item()) {
        (_, Item::Error(line)) => match (ServerError::of(line), kind) {
            (ServerError::WrongType, _) => Decision::Denied,
            (error @ ServerError::NoScript, _) => match kind.script() {
                Some(script) => {
                    capability.lacks(script, sent.number);
                    Decision::Again
                }
                None => Decision::Failed(error.node()),
            },
            (ServerError::Unsupported, Kind::SetIfEqual) => {
                capability.refuse_set();
                Decision::Again
            }
            // A server whose memory is full refuses every `SET`. The script only sets the time.
            (ServerError::Node(NodeError::OutOfMemory), Kind::SetIfEqual) if capability.scripts => {
                capability.refuse_set();
                Decision::Again
            }
            (ServerError::Unsupported, Kind::DeleteIfEqual) => {
                capability.refuse_delete();
                Decision::Again
            }
            (ServerError::Unsupported, Kind::SetSeveral) => {
                capability.refuse_set_several();
                Decision::Again
            }
            // A script that fails half-way may have changed something.
            (ServerError::Node(NodeError::Other), _) if kind.script().is_some() => {
                Decision::Unknown
            }
            (error, _) => Decision::Failed(error.node()),
        },
        #[cfg(feature = "modes")]
        (Kind::Mode { script, .. }, _) => modes::decide(script, reply),
        (Kind::Set | Kind::SetIfEqual, Item::Simple(b"OK")) => Decision::Granted,
        (Kind::Set | Kind::SetIfEqual, Item::Null) => Decision::Denied,
        (Kind::Script { all, .. }, Item::Integer(n)) if n == i64::from(all) => Decision::Granted,
        (Kind::DeleteIfEqual | Kind::SetSeveral, Item::Integer(1)) => Decision::Granted,
        (Kind::SetSeveral, Item::Integer(0)) => Decision::Denied,
        (Kind::Fenced, Item::Integer(n)) if n > 0 => Decision::Fenced(Fence(n.unsigned_abs())),
        (Kind::Script { .. } | Kind::DeleteIfEqual | Kind::Fenced, Item::Integer(_)) => {
            Decision::Denied
        }
        // No server replies like that, so it is unknown what it did. The kinds are listed, so that a new one is not read like that.
        (
            Kind::Set
            | Kind::SetIfEqual
            | Kind::Script { .. }
            | Kind::DeleteIfEqual
            | Kind::Fenced
            | Kind::SetSeveral
            | Kind::PerKey { .. }
            | Kind::Times
            | Kind::Check
            | Kind::ValuesAndTimes
            | Kind::Probe,
            _,
        ) => Decision::Unknown,
        #[cfg(feature = "modes")]
        (Kind::SharedCheck { .. } | Kind::Status { .. }, _) => Decision::Unknown,
        #[cfg(feature = "acks")]
        (Kind::Wait, _) => Decision::Unknown,
    }
}

#[cfg(test)]
mod tests;
