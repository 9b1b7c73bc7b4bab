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
            let words = words_of(fault_of(reason), shared);
            debug!(target: TARGET, lock = ?id, %reason, words, "not obtained");
        }
        Event::Refreshed {
            lock: id,
            lease,
            asked,
        } => {
            trace!(target: TARGET, lock = ?id, ttl = ?lease.ttl(), asked, "refreshed");
        }
        Event::Lost { lock: id, reason } => {
            let words = words_of(fault_of_loss(reason), shared);
            warn!(target: TARGET, lock = ?id, %reason, words, "lost");
        }
        Event::Released { lock: id, proof } => {
            debug!(target: TARGET, lock = ?id, %proof, "released");
        }
        Event::Inspected { inspection } => trace!(target: TARGET, ?inspection, "inspected"),
        Event::Node { node, state } => node_turned(node, state, shared),
        other => debug!(target: TARGET, ?other),
    }
}

/// What a server said itself. The engine keeps no words that may repeat an argument.
fn words_of(error: Option<NodeError>, shared: &Shared) -> Option<Box<str>> {
    // Without a look at the mutex where there is nothing to find.
    (error == Some(NodeError::Other))
        .then(|| guard(&shared.state).server_words(error))
        .flatten()
}

fn node_turned(node: NodeId, state: NodeState, shared: &Shared) {
    // Nodes turn seldom: a copy of the address costs nothing that matters.
    let address = guard(&shared.state).address(node.index()).to_owned();
    match state {
        NodeState::Ready { tracking } => {
            info!(target: TARGET, address, tracking, "node is ready");
        }
        NodeState::Down(error) => {
            let words = words_of(Some(error), shared);
            warn!(target: TARGET, address, %error, words, "node is down");
        }
        other => debug!(target: TARGET, address, ?other),
    }
}
