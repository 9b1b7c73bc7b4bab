//! Inspections, for lockers and for locks that are verified.

use tenure_core::{Holding, Keys, LockId};

use crate::cell::{CellState, Phase};
use crate::error::InspectError;
use crate::shared::Handle;

/// Who holds each of the keys, as a quorum of the servers reports it.
pub(crate) async fn inspect(
    handle: &Handle,
    keys: Keys,
) -> Result<Vec<Option<Holding>>, InspectError> {
    let (id, cell) = handle
        .start(|engine, now| engine.inspect(keys, now))
        .map_err(|_| InspectError::Closed)?;
    let mut inspecting = Inspecting {
        handle,
        id,
        over: false,
    };
    let ended = |state: &mut CellState| match (state.inspection.take(), state.phase) {
        (Some(Ok(holdings)), _) => Some(Ok(holdings)),
        (Some(Err(error)), _) => Some(Err(InspectError::Node(error, state.detail.take()))),
        (None, Phase::Over(_)) => Some(Err(InspectError::Closed)),
        (None, Phase::Asking | Phase::Held) => None,
    };
    let result = std::future::poll_fn(|cx| cell.poll(cx, ended)).await;
    inspecting.over = true;
    result
}

/// Ends an inspection when its future is dropped.
struct Inspecting<'a> {
    handle: &'a Handle,
    id: LockId,
    over: bool,
}

impl Drop for Inspecting<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.handle.forget(self.id);
        }
    }
}
