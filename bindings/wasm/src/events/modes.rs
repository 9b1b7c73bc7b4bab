//! What only an engine with modes has to say.

use alloc::vec::Vec;

use tenure_core::{Engine, LockId, NodeError, NotChanged, Status};

use super::{not_inspected, push, todo};
use crate::codes;
use crate::record::Record;

/// The first number is the fence that the lock has now; 0 if it has none.
pub(super) fn changed(engine: &Engine, record: &mut Record, lock: LockId) -> u8 {
    record.name(lock.to_bits());
    let fence = engine.fence(lock).map_or(0.0, |fence| fence.0 as f64);
    record.numbers(fence, 0.0);
    todo::CHANGED
}

pub(super) fn not_changed(
    engine: &Engine,
    record: &mut Record,
    lock: LockId,
    reason: NotChanged,
) -> u8 {
    record.name(lock.to_bits());
    let (code, fault) = codes::not_changed(reason);
    record.numbers(f64::from(code), fault);
    record.point_to(engine.unknown_error().unwrap_or_default().as_bytes());
    todo::NOT_CHANGED
}

/// Three floats: how many more holders there are, how many clients wait, and the last fence (0: none). Then an entry for the key,
/// and one for each holder.
pub(super) fn status(engine: &Engine, record: &mut Record, result: Result<Status, NodeError>) {
    let status = match result {
        Ok(status) => status,
        Err(error) => return not_inspected(engine, record, error),
    };
    let mut bytes = Vec::new();
    let fence = status.fence.map_or(0, |fence| fence.0);
    for count in [status.more, status.waiting, fence] {
        bytes.extend_from_slice(&(count as f64).to_le_bytes());
    }
    push(&mut bytes, status.held.as_ref());
    for holder in &status.holders {
        push(&mut bytes, Some(holder));
    }
    record.numbers(-1.0, 0.0);
    record.write(bytes);
}
