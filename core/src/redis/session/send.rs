//! Sends requests, or says why not.

use alloc::vec::Vec;

use super::{Phase, Session};
use crate::event::NodeError;
use crate::id::RequestId;
use crate::lock::Op;
use crate::locks::Locks;
use crate::redis::wire::Wire;
use crate::time::Instant;

impl Session {
    /// Whether a request may be sent or kept.
    #[cold]
    pub(super) fn check(&mut self, op: Op<'_>, now: Instant) -> Result<(), NodeError> {
        let requests = self.exchange.requests().saturating_add(self.waiting.len());
        // The limit must not delay releases, which would keep keys from others. A lock has one release under way at most.
        let release = self.phase == Phase::Ready && matches!(op, Op::Release { .. });
        if requests >= self.setup.pending && !release {
            Err(NodeError::Overloaded)
        } else if self.phase == Phase::Ready && self.capability.refuses(op) {
            // For the next request: somebody may permit scripts while the connection lasts.
            if !self.exchange.is_probing() {
                self.send_probe(now);
            }
            Err(NodeError::NoScripts)
        } else {
            Ok(())
        }
    }

    /// Sends the requests that had to wait, if their replies still count. Adds those that cannot be sent to `unsent`.
    pub(crate) fn send_waiting(
        &mut self,
        locks: &mut Locks,
        unsent: &mut Vec<(RequestId, NodeError)>,
        now: Instant,
    ) {
        if self.phase == Phase::Ready {
            while let Some(request) = self.waiting.pop_front() {
                if let Some(op) = locks.op(request) {
                    if self.capability.refuses(op) {
                        unsent.push((request, NodeError::NoScripts));
                        continue;
                    }
                    let obtains = op.is_obtain();
                    self.send(request, op, now);
                    if obtains {
                        locks.obtain_sent(request);
                    }
                }
            }
        }
    }

    pub(super) fn send_probe(&mut self, now: Instant) {
        let mut wire = Wire {
            out: self.out.open(),
            capability: &mut self.capability,
            prefix: &self.setup.prefix,
            ttl: &mut self.ttl,
        };
        self.exchange.probe(self.setup.node, &mut wire, now);
    }

    /// Waits for replicas behind all that was sent before, if something there counts only with them.
    #[cfg(feature = "acks")]
    pub(crate) fn request_acks(&mut self, now: Instant) {
        if !self.exchange.wants_acks() {
            return;
        }
        let mut wire = Wire {
            out: self.out.open(),
            capability: &mut self.capability,
            prefix: &self.setup.prefix,
            ttl: &mut self.ttl,
        };
        self.exchange.request_acks(self.setup.node, &mut wire, now);
    }

    pub(super) fn send(&mut self, request: RequestId, op: Op<'_>, now: Instant) {
        let mut wire = Wire {
            out: self.out.open(),
            capability: &mut self.capability,
            prefix: &self.setup.prefix,
            ttl: &mut self.ttl,
        };
        self.exchange.send(request, op, &mut wire, now);
    }
}
