//! Inspections: who holds keys, without changing anything.

#[cfg(feature = "modes")]
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::event::{Event, NodeError};
use crate::id::{LockId, RequestId};
use crate::keys::Keys;
use crate::lock::{Holding, Inspection, Op, Outcome, Probe};
use crate::time::Instant;
#[cfg(feature = "modes")]
use crate::{keys::Key, lock::Status};

use super::{Entry, Locks};

impl Locks {
    /// Starts an inspection: who holds `keys`, on all nodes, without side effects. Ends with [`Event::Inspected`], then
    /// [`Locks::take_inspection`] has the result. [`Locks::release`] ends it early.
    pub fn inspect(&mut self, keys: Keys, now: Instant) -> LockId {
        let now = self.clamp(now);
        let deadline = now + self.setup.request_timeout;
        self.start_probe(Probe::new(
            keys,
            self.setup.nodes,
            self.setup.quorum,
            deadline,
        ))
    }

    /// Starts to ask all nodes for everything that is known of a key, without side effects. Ends with [`Event::Inspected`], then
    /// [`Locks::take_status`] has the result. [`Locks::release`] ends it early.
    #[cfg(feature = "modes")]
    pub fn status(&mut self, key: Key, now: Instant) -> LockId {
        let now = self.clamp(now);
        let deadline = now + self.setup.request_timeout;
        self.start_probe(Probe::of_status(
            key.into(),
            self.setup.nodes,
            self.setup.quorum,
            deadline,
        ))
    }

    fn start_probe(&mut self, probe: Probe) -> LockId {
        let full = self.slab.len() >= self.setup.limit;
        let id = self.slab.insert(Entry::Probe(probe));
        if full {
            self.found_none(id, NodeError::Overloaded);
            return id;
        }
        if let Some(Entry::Probe(probe)) = self.slab.get_mut(id) {
            for node in probe.round.next_nodes().iter() {
                self.requests.push_back(RequestId {
                    lock: id,
                    round: 0,
                    node,
                });
            }
        }
        self.rearm(id);
        id
    }

    /// The result of an inspection, once, after its [`Event::Inspected`].
    pub fn take_inspection(&mut self, inspection: LockId) -> Option<Inspection> {
        match self.slab.get(inspection)? {
            Entry::Probe(probe) if probe.is_over() && !probe.is_for_status() => {
                let result = probe.result();
                self.slab.remove(inspection);
                Some(result)
            }
            Entry::Probe(_) | Entry::Lock(_) => None,
        }
    }

    /// The result of [`Locks::status`], once: `None` for anything else.
    #[cfg(feature = "modes")]
    pub fn take_status(&mut self, inspection: LockId) -> Option<Result<Status, NodeError>> {
        match self.slab.get(inspection)? {
            Entry::Probe(probe) if probe.is_over() => {
                let result = probe.status()?;
                self.slab.remove(inspection);
                Some(result)
            }
            Entry::Probe(_) | Entry::Lock(_) => None,
        }
    }

    /// Reports what a node found for [`Op::Status`].
    #[cfg(feature = "modes")]
    pub fn handle_status(&mut self, request: RequestId, found: Box<Status>, now: Instant) {
        self.clamp(now);
        if let Some(Entry::Probe(probe)) = self.slab.get_mut(request.lock)
            && probe.answer_status(request.node, Ok(found))
        {
            self.inspected(request.lock);
        }
    }

    /// Reports what a node found for [`Op::Inspect`]: an entry per key.
    pub fn handle_found(&mut self, request: RequestId, found: Vec<Option<Holding>>, now: Instant) {
        self.clamp(now);
        self.found(request, Ok(found));
    }

    /// A request could not be sent, or did not reply.
    pub(super) fn inspection_failed(&mut self, request: RequestId, outcome: Outcome) {
        let error = match outcome {
            Outcome::Failed(error) => error,
            Outcome::Weak => NodeError::NoReplicas,
            Outcome::Granted { .. } | Outcome::Denied { .. } | Outcome::Unknown => {
                NodeError::TimedOut
            }
        };
        self.found(request, Err(error));
    }

    pub(super) fn found(
        &mut self,
        request: RequestId,
        found: Result<Vec<Option<Holding>>, NodeError>,
    ) {
        if let Some(Entry::Probe(probe)) = self.slab.get_mut(request.lock)
            && probe.answer(request.node, found)
        {
            self.inspected(request.lock);
        }
    }

    fn inspected(&mut self, inspection: LockId) {
        self.events.push_back(Event::Inspected { inspection });
        self.rearm(inspection);
    }

    /// Ends an inspection early, if this is one.
    pub(super) fn end_inspection(&mut self, id: LockId) {
        if let Some(Entry::Probe(probe)) = self.slab.get(id)
            && !probe.is_over()
        {
            self.found_none(id, NodeError::Disconnected);
        }
    }

    pub(super) fn inspection_timed_out(&mut self, id: LockId) {
        self.found_none(id, NodeError::TimedOut);
    }

    fn found_none(&mut self, id: LockId, error: NodeError) {
        if let Some(Entry::Probe(probe)) = self.slab.get_mut(id) {
            probe.give_up(error);
            self.events.push_back(Event::Inspected { inspection: id });
        }
        self.rearm(id);
    }
}

impl Probe {
    fn question(&self) -> Op<'_> {
        match self.is_for_status() {
            #[cfg(feature = "modes")]
            true => Op::Status { keys: &self.keys },
            _ => Op::Inspect { keys: &self.keys },
        }
    }

    pub(super) fn op(&self, request: RequestId) -> Option<Op<'_>> {
        self.round
            .pending()
            .contains(request.node)
            .then_some(self.question())
    }
}
