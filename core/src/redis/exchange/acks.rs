//! Grants that are held back until enough replicas have them: `WAIT` or `WAITAOF` behind requests that write.
//!
//! A server does nothing for a connection while one of these commands waits. So there is at most one without a reply, and it
//! counts for everything in front of it: requests that are sent meanwhile are followed by another one once it has replied. However
//! many requests there are, none is held up for longer than two of these times.

use core::time::Duration;

use super::Exchange;
use crate::acks::Acks;
use crate::event::NodeError;
use crate::fifo::Queue;
use crate::id::{NodeId, RequestId};
use crate::lock::{Op, Outcome};
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply, command};
use crate::redis::wire::{Kind, Wire};
use crate::time::Instant;
use crate::ttl::Ttl;

#[derive(Debug, Default)]
pub(super) struct HeldBack {
    acks: Option<(Acks, Duration)>,
    /// Granted, and in front of the command that has no reply yet.
    granted: Queue<(RequestId, Outcome)>,
    /// The shortest ttl of the requests that no such command follows yet.
    due: Option<Ttl>,
    /// Whether one has no reply yet.
    waits: bool,
    /// Whether enough replicas have what is held back, once that is known.
    reached: Option<bool>,
}

impl HeldBack {
    pub(super) const fn waits(&self) -> bool {
        self.waits
    }

    /// Notes a request that is sent. Returns whether its grant is to be held back.
    #[inline]
    pub(super) fn note(&mut self, op: &Op<'_>) -> bool {
        self.acks.is_some() && self.note_due(op)
    }

    #[cold]
    fn note_due(&mut self, op: &Op<'_>) -> bool {
        let (Op::Obtain { ttl, .. } | Op::Refresh { ttl, .. }) = op else {
            return false;
        };
        self.due = Some(self.due.map_or(*ttl, |due| due.min(*ttl)));
        true
    }

    /// What comes after all other requests of a connection that is gone. Nobody knows which replicas have it.
    pub(super) fn take_lost(&mut self) -> Option<RequestId> {
        (self.due, self.waits, self.reached) = (None, false, None);
        self.granted.pop_front().map(|(request, _)| request)
    }

    pub(super) fn hold(&mut self, request: RequestId, outcome: Outcome) {
        self.granted.push_back((request, outcome));
    }
}

impl Exchange {
    pub(crate) fn with_acks(acks: Option<Acks>, request_timeout: Duration) -> Self {
        let mut exchange = Self::default();
        exchange.held_back.acks = acks.map(|acks| (acks, request_timeout));
        exchange
    }

    /// Whether a command that waits for replicas is to be sent.
    pub(crate) const fn wants_acks(&self) -> bool {
        self.held_back.due.is_some() && !self.held_back.waits
    }

    /// Sends it, if so.
    pub(crate) fn request_acks(&mut self, node: NodeId, wire: &mut Wire<'_>, at: Instant) {
        let held_back = &mut self.held_back;
        let (Some((acks, request_timeout)), false) = (held_back.acks, held_back.waits) else {
            return;
        };
        let Some(ttl) = held_back.due.take() else {
            return;
        };
        held_back.waits = true;
        write_wait(wire.out, acks, acks.millis(request_timeout, ttl));
        self.push_of_no_lock(node, Kind::Wait, wire.capability.count(), at);
    }

    /// Whether the next reply is that of such a command.
    pub(crate) fn expects_acks(&self) -> bool {
        self.sent
            .front()
            .is_some_and(|sent| sent.kind == Kind::Wait)
    }

    /// Its reply.
    ///
    /// # Errors
    /// The server cannot say what its replicas have. Then the connection must end, because nobody knows what became of the
    /// requests in front.
    pub(crate) fn receive_acks(&mut self, reply: Reply<'_>) -> Result<(), NodeError> {
        let reached = match (self.held_back.acks, reply.item()) {
            (_, Item::Error(line)) => return Err(refusal(ServerError::of(line))),
            (Some((acks, _)), Item::Integer(replicas)) if !acks.is_persisted() => {
                replicas >= i64::from(acks.replicas())
            }
            (Some((acks, _)), Item::Array(2)) if acks.is_persisted() => {
                let mut counts = reply.children().map(|count| count.as_integer());
                let (Some(Some(own)), Some(Some(replicas))) = (counts.next(), counts.next()) else {
                    return Err(NodeError::Malformed);
                };
                own >= 1 && replicas >= i64::from(acks.replicas())
            }
            _ => return Err(NodeError::Malformed),
        };
        self.sent.pop_front();
        self.held_back.waits = false;
        self.held_back.reached = Some(reached);
        Ok(())
    }

    /// The next request for which it is known now whether enough replicas have it.
    pub(crate) fn next_acknowledged(&mut self) -> Option<(RequestId, Outcome)> {
        let reached = self.held_back.reached?;
        let Some((request, outcome)) = self.held_back.granted.pop_front() else {
            self.held_back.reached = None;
            return None;
        };
        let outcome = if reached { outcome } else { Outcome::Weak };
        Some((request, outcome))
    }
}

/// Appends the command that waits.
pub(crate) fn write_wait(out: &mut alloc::vec::Vec<u8>, acks: Acks, millis: u64) {
    let replicas = u64::from(acks.replicas());
    if acks.is_persisted() {
        command(out, 4)
            .arg(b"WAITAOF")
            .arg(b"1")
            .number(replicas)
            .number(millis);
    } else {
        command(out, 3).arg(b"WAIT").number(replicas).number(millis);
    }
}

/// Why a server does not wait for replicas.
pub(crate) fn refusal(error: ServerError) -> NodeError {
    let error = error.node();
    // The second means that the server has no append-only file.
    let cannot = matches!(error, NodeError::Unsupported | NodeError::Other);
    if cannot { NodeError::NoAcks } else { error }
}
