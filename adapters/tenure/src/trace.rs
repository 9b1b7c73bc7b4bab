//! Events of the core as events of `tracing`, under the target `tenure`. Tokens and passwords are not in events, so they
//! cannot get here.

use tenure_core::{Event, NodeId, NodeState};
use tracing::{debug, info, trace, warn};

use crate::shared::Shared;
use crate::wakers::lock;

const TARGET: &str = "tenure";

pub(crate) fn event(event: Event, shared: &Shared) {
    match event {
        Event::Obtained { lock: id, lease } => {
            debug!(target: TARGET, lock = ?id, ttl = ?lease.ttl(), "obtained");
        }
        Event::NotObtained { lock: id, reason } => {
            debug!(target: TARGET, lock = ?id, %reason, "not obtained");
        }
        Event::Refreshed {
            lock: id,
            lease,
            asked,
        } => {
            trace!(target: TARGET, lock = ?id, ttl = ?lease.ttl(), asked, "refreshed");
        }
        Event::Lost { lock: id, reason } => warn!(target: TARGET, lock = ?id, %reason, "lost"),
        Event::Released { lock: id, proof } => {
            debug!(target: TARGET, lock = ?id, %proof, "released");
        }
        Event::Inspected { inspection } => trace!(target: TARGET, ?inspection, "inspected"),
        Event::Node { node, state } => node_turned(node, state, shared),
        other => debug!(target: TARGET, ?other),
    }
}

fn node_turned(node: NodeId, state: NodeState, shared: &Shared) {
    // Nodes turn seldom: a copy of the address costs nothing that matters.
    let address = lock(&shared.state).address(node.index()).to_owned();
    match state {
        NodeState::Ready { tracking } => {
            info!(target: TARGET, address, tracking, "node is ready");
        }
        NodeState::Down(error) => warn!(target: TARGET, address, %error, "node is down"),
        other => debug!(target: TARGET, address, ?other),
    }
}
