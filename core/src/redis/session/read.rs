//! Reads the replies one by one.

use super::{Phase, Report, Session};
use crate::event::NodeError;
use crate::id::RequestId;
use crate::lock::{Op, Outcome};
use crate::locks::Locks;
use crate::redis::error::ServerError;
use crate::redis::error_text;
use crate::redis::exchange::Finding;
use crate::redis::handshake::Greeting;
use crate::redis::push::{self, Push};
use crate::redis::resp::{DecodeError, Item};
use crate::time::Instant;

/// The kind of one reply.
pub(super) enum Read {
    Nothing,
    Handled,
    Greeted,
    /// With the reason if nobody knows what became of the request.
    Answer(RequestId, Finding, NodeError),
    Wake,
    #[cfg(feature = "modes")]
    Bell,
    WakeAll,
    Broken(NodeError),
}

impl Session {
    pub(super) fn wake(&self) -> Report<'_> {
        Report::Wake(&self.woken, self.exchange.partly_answered())
    }

    #[cfg(feature = "modes")]
    pub(super) fn bell(&self) -> Report<'_> {
        Report::Bell(&self.woken, self.exchange.partly_answered())
    }

    /// What became of the requests of a connection that is gone.
    pub(super) fn next_lost(&mut self) -> Option<Report<'_>> {
        if let Some((request, outcome)) = self.exchange.take_lost() {
            return Some(Report::Lost(request, outcome, self.error));
        }
        if !self.holds_requests
            && let Some(request) = self.waiting.pop_front()
        {
            return Some(Report::Outcome(request, Outcome::Failed(self.error)));
        }
        self.change.take().map(Report::State)
    }

    /// A request has been answered.
    pub(super) fn answered(
        &mut self,
        request: RequestId,
        outcome: Outcome,
        why: NodeError,
        now: Instant,
    ) -> Report<'static> {
        if let Outcome::Failed(error) = outcome
            && error.hangs_up()
        {
            self.hang_up(error, now);
        } else {
            self.error = NodeError::Disconnected;
        }
        if outcome == Outcome::Unknown {
            // Nobody knows what was done, but there was an answer.
            return Report::Lost(request, outcome, why);
        }
        Report::Outcome(request, outcome)
    }

    pub(super) fn read(&mut self, locks: &Locks, now: Instant) -> Read {
        #[cfg(feature = "acks")]
        if let Some((request, outcome)) = self.exchange.next_acknowledged() {
            return Read::Answer(request, Finding::Outcome(outcome), NodeError::Other);
        }
        let reply = match self.decoder.next_reply() {
            Ok(Some(reply)) => reply,
            Ok(None) => return Read::Nothing,
            Err(DecodeError::Malformed) => return Read::Broken(NodeError::Malformed),
            Err(DecodeError::TooLarge | DecodeError::TooDeep) => {
                return Read::Broken(NodeError::AnswerTooLarge);
            }
        };
        if reply.is_push() {
            return match push::read(reply, &self.setup.prefix, &mut self.woken) {
                Push::Other => Read::Handled,
                Push::Key => Read::Wake,
                #[cfg(feature = "modes")]
                Push::Bell => Read::Bell,
                Push::All => Read::WakeAll,
            };
        }
        if let Phase::Greeting { .. } = self.phase {
            return match self
                .handshake
                .receive(reply, &mut self.capability, self.out.open())
            {
                Greeting::Continue => Read::Handled,
                Greeting::Done => Read::Greeted,
                Greeting::Refused(error) => Read::Broken(error),
            };
        }
        if let Item::Error(line) = reply.item()
            && ServerError::of(line) == ServerError::Node(NodeError::Other)
        {
            let op = self.exchange.first().and_then(|request| locks.op(request));
            let token = op.and_then(Op::claim).map(|claim| claim.token().as_bytes());
            if let Some(words) = error_text::shown(line, [self.handshake.password(), token]) {
                self.unknown = Some((now, words));
            }
        }
        #[cfg(feature = "acks")]
        if self.exchange.expects_acks() {
            return match self.exchange.receive_acks(reply) {
                Ok(()) => Read::Handled,
                Err(error) => Read::Broken(error),
            };
        }
        // No server answers a request with an empty array: a lent client has lost that one request.
        let why = if matches!(reply.item(), Item::Array(0)) {
            NodeError::Disconnected
        } else {
            NodeError::Other
        };
        let is_ours = |request, value: &[u8]| match locks.op(request) {
            Some(Op::Check { claim, .. }) => claim.value() == value,
            _ => false,
        };
        match self.exchange.receive(reply, is_ours, &mut self.capability) {
            Some(Some((request, finding))) => Read::Answer(request, finding, why),
            Some(None) => Read::Handled,
            None => Read::Broken(NodeError::Malformed),
        }
    }
}
