//! Inspections, for lockers and for locks that are verified.

use tenure_core::{Engine, Holding, Instant, Key, Keys, LockId, NodeError, Status};

use crate::cell::{CellState, Phase};
use crate::error::InspectError;
use crate::shared::Handle;

/// Who holds each of the keys, as a quorum of the servers reports it.
pub(crate) async fn inspect(
    handle: &Handle,
    keys: Keys,
) -> Result<Vec<Option<Holding>>, InspectError> {
    let start = |engine: &mut Engine, now| engine.inspect(keys, now);
    ask(handle, start, |state| state.inspection.take()).await
}

/// Everything that the servers know of a key.
pub(crate) async fn status(handle: &Handle, key: Key) -> Result<Status, InspectError> {
    let start = |engine: &mut Engine, now| engine.status(key, now);
    ask(handle, start, |state| state.status.take()).await
}

async fn ask<T>(
    handle: &Handle,
    start: impl FnOnce(&mut Engine, Instant) -> LockId,
    take: impl Fn(&mut CellState) -> Option<Result<T, NodeError>>,
) -> Result<T, InspectError> {
    let (id, cell) = handle.start(start).map_err(|_| InspectError::Closed)?;
    let mut inspecting = Inspecting {
        handle,
        id,
        over: false,
    };
    let ended = |state: &mut CellState| match (take(state), state.phase) {
        (Some(Ok(found)), _) => Some(Ok(found)),
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
