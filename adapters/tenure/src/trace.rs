//! Events of the core as events of `tracing`, under the target `tenure`. Tokens and passwords are not in events, so they
//! cannot get here.

use tenure_core::{Event, NodeError, NodeId, NodeState};
use tracing::{debug, info, trace, warn};

use crate::error::{fault_of, fault_of_loss};
use crate::shared::Shared;
use crate::wakers::guard;

const TARGET: &str = "tenure";

pub(crate) fn event(event: Event, shared: &Shared) {
    match event {
        Event::Obtained { lock: id, lease } => {
            debug!(target: TARGET, lock = ?id, ttl = ?lease.ttl(), "obtained");
        }
        Event::NotObtained { lock: id, reason } => {
            let detail = detail_of(fault_of(reason), shared);
            debug!(target: TARGET, lock = ?id, %reason, detail, "not obtained");
        }
        Event::Refreshed {
            lock: id,
            lease,
            requested,
        } => {
            trace!(target: TARGET, lock = ?id, ttl = ?lease.ttl(), requested, "refreshed");
        }
        Event::Changed { lock: id, mode } => debug!(target: TARGET, lock = ?id, ?mode, "changed"),
        Event::NotChanged { lock: id, reason } => {
            debug!(target: TARGET, lock = ?id, %reason, "not changed");
        }
        Event::Lost { lock: id, reason } => {
            let detail = detail_of(fault_of_loss(reason), shared);
            warn!(target: TARGET, lock = ?id, %reason, detail, "lost");
        }
        Event::Released { lock: id, proof } => {
            debug!(target: TARGET, lock = ?id, %proof, "released");
        }
        Event::Inspected { inspection } => trace!(target: TARGET, ?inspection, "inspected"),
        Event::Node { node, state } => node_turned(node, state, shared),
        other => debug!(target: TARGET, ?other),
    }
}

/// The server's own text of an unknown error. The engine drops text that may repeat an argument.
fn detail_of(error: Option<NodeError>, shared: &Shared) -> Option<Box<str>> {
    // All other errors have no text, so the mutex is not taken for them.
    (error == Some(NodeError::Other))
        .then(|| guard(&shared.state).server_detail(error))
        .flatten()
}

fn node_turned(node: NodeId, state: NodeState, shared: &Shared) {
    // Nodes change rarely, so a copy of the address does not matter.
    let address = guard(&shared.state).address(node.index()).to_owned();
    match state {
        NodeState::Ready { tracking } => {
            info!(target: TARGET, address, tracking, "node is ready");
        }
        NodeState::Down(error) => {
            let detail = detail_of(Some(error), shared);
            warn!(target: TARGET, address, %error, detail, "node is down");
        }
        other => debug!(target: TARGET, address, ?other),
    }
}
