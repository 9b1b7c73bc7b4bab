//! From the requests of the locks to the sessions of their nodes.

use super::Engine;
use crate::event::NodeError;
use crate::lock::Outcome;

impl Engine {
    /// Sends all requests of the locks, until there is an event that must be returned first.
    #[inline(never)]
    pub(super) fn send_requests(&mut self) {
        if core::mem::take(&mut self.has_input) {
            self.send_waiting();
        }
        let now = self.locks.now();
        loop {
            while let Some(request) = self.locks.next_request() {
                let Some(op) = self.locks.op(request) else {
                    continue;
                };
                let obtains = op.is_obtain();
                let sent = match self.sessions.get_mut(request.node().index()) {
                    Some(session) => session.request(request, op, now),
                    None => Err(NodeError::Disconnected),
                };
                match sent {
                    Ok(true) if obtains => self.locks.obtain_sent(request),
                    Ok(_) => {}
                    Err(error) => self.unsent.push((request, error)),
                }
            }
            if self.unsent.is_empty() || self.locks.has_event() {
                return;
            }
            self.report_unsent();
        }
    }

    /// Reports requests that could not be sent to the locks.
    #[cold]
    fn report_unsent(&mut self) {
        while let Some((request, error)) = self.unsent.pop() {
            self.locks.answered(request, &Outcome::Failed(error));
        }
    }

    /// Sends requests that had to wait, before new ones. Not while receiving: the reaction to a reply must not depend on how
    /// many replies arrive with it.
    #[inline(never)]
    fn send_waiting(&mut self) {
        for session in &mut self.sessions {
            let now = self.locks.now();
            session.send_waiting(&mut self.locks, &mut self.unsent, now);
        }
    }

    /// Waits for replicas, once for all that is about to be sent, behind it.
    #[cfg(feature = "acks")]
    #[cold]
    pub(super) fn request_acks(&mut self) {
        let now = self.locks.now();
        for session in &mut self.sessions {
            session.request_acks(now);
        }
    }
}
