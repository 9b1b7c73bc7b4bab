//! The state of one lock that driver and handle share.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tenure_core::{
    Claim, Fence, Inspection, Lease, LockId, Loss, NodeError, NotChanged, NotObtained, Released,
    Status,
};

use crate::wakers::{Wakers, guard, put};

/// The state of one lock or inspection, as far as its handle knows. It lives as long as the handle, which may be longer than
/// the lock lives in the engine.
#[derive(Default, Debug)]
pub(crate) struct Cell(pub(crate) Mutex<CellState>);

#[derive(Default, Debug)]
pub(crate) struct CellState {
    pub(crate) phase: Phase,
    /// The locker was closed: the release may be carried out at any moment, so the lock is no longer ours.
    given_up: bool,
    /// How many handles the lock has besides the first one.
    further_handles: usize,
    /// The last known lease.
    pub(crate) lease: Option<Lease>,
    /// The lock that was obtained, until the handle takes it.
    pub(crate) obtained: Option<Grant>,
    /// The number of requested refreshes that have succeeded.
    pub(crate) refreshes: u64,
    /// The last known fence.
    pub(crate) fence: Option<Fence>,
    /// How many changes of mode were requested and have ended, and how the last one did.
    pub(crate) changes_requested: u64,
    pub(crate) changes_ended: u64,
    pub(crate) changed: Option<NotChanged>,
    /// The text of the unknown server error because of which it ended.
    pub(crate) detail: Option<Box<str>>,
    /// The result, if this is an inspection.
    pub(crate) inspection: Option<Inspection>,
    /// The same, if it is one of everything that is known of a key.
    pub(crate) status: Option<Result<Status, NodeError>>,
    /// The task that waits for the lock, for its release or for an inspection.
    pub(crate) owner: Option<Waker>,
    /// Tasks that wait for a refresh.
    pub(crate) refreshing: Wakers,
    /// Tasks that wait for a change of mode.
    pub(crate) changing: Wakers,
    /// Tasks that wait for any renewal.
    pub(crate) renewing: Wakers,
    /// Tasks that wait for the loss.
    pub(crate) losing: Wakers,
}

/// What was obtained.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) claim: Claim,
    pub(crate) lease: Lease,
    pub(crate) fence: Option<Fence>,
}

/// The phase of a lock.
#[derive(Copy, Clone, Default, Debug)]
pub(crate) enum Phase {
    /// Not obtained yet.
    #[default]
    Asking,
    /// Obtained, and not ended.
    Held,
    /// Ended.
    Over(End),
}

/// How it ended.
#[derive(Copy, Clone, Debug)]
pub(crate) enum End {
    NotObtained(NotObtained),
    Lost(Loss),
    Released(Released),
    /// The driver ended first, so the outcome is not known.
    Closed,
}

impl Cell {
    /// Ready when `ask` returns something. Until then the task is woken at each change; only one task may wait here.
    pub(crate) fn poll<T>(
        &self,
        cx: &Context<'_>,
        ask: impl FnOnce(&mut CellState) -> Option<T>,
    ) -> Poll<T> {
        let mut state = guard(&self.0);
        match ask(&mut state) {
            Some(answer) => Poll::Ready(answer),
            None => {
                let old = put(&mut state.owner, cx.waker());
                drop(state);
                drop(old);
                Poll::Pending
            }
        }
    }

    /// Notes that the lock was obtained or inspected. `wakes` gets the tasks to wake.
    pub(crate) fn held(&self, lease: Lease, grant: Option<Grant>, wakes: &mut Vec<Waker>) {
        let mut state = guard(&self.0);
        state.phase = Phase::Held;
        state.lease = Some(lease);
        state.fence = grant.as_ref().and_then(|grant| grant.fence);
        state.obtained = grant;
        wakes.extend(state.owner.take());
    }

    pub(crate) fn refreshed(&self, lease: Lease, requested: bool, wakes: &mut Vec<Waker>) {
        let mut state = guard(&self.0);
        state.lease = Some(lease);
        state.renewing.take_into(wakes);
        if requested {
            state.refreshes += 1;
            state.refreshing.take_into(wakes);
        }
    }

    /// Notes that a change of mode has ended, and why it did not succeed.
    pub(crate) fn changed(
        &self,
        result: Option<NotChanged>,
        (lease, fence): (Option<Lease>, Option<Fence>),
        wakes: &mut Vec<Waker>,
    ) {
        let mut state = guard(&self.0);
        (state.lease, state.fence) = (lease.or(state.lease), fence);
        state.changed = result;
        state.changes_ended += 1;
        state.changing.take_into(wakes);
        state.renewing.take_into(wakes);
    }

    pub(crate) fn inspected(
        &self,
        inspection: Option<Inspection>,
        status: Option<Result<Status, NodeError>>,
        detail: Option<Box<str>>,
        wakes: &mut Vec<Waker>,
    ) {
        let mut state = guard(&self.0);
        state.detail = detail;
        state.inspection = inspection;
        state.status = status;
        wakes.extend(state.owner.take());
    }

    pub(crate) fn give_up(&self, wakes: &mut Vec<Waker>) {
        let mut state = guard(&self.0);
        state.given_up = true;
        state.refreshing.take_into(wakes);
        state.changing.take_into(wakes);
        state.renewing.take_into(wakes);
        state.losing.take_into(wakes);
    }

    pub(crate) fn over(&self, end: End, detail: Option<Box<str>>, wakes: &mut Vec<Waker>) {
        let mut state = guard(&self.0);
        state.detail = detail;
        state.phase = Phase::Over(end);
        wakes.extend(state.owner.take());
        state.refreshing.take_into(wakes);
        state.changing.take_into(wakes);
        state.renewing.take_into(wakes);
        state.losing.take_into(wakes);
    }
}

impl CellState {
    /// Counts one handle more, of a lock that is held.
    pub(crate) fn join(&mut self) -> Result<(), Loss> {
        if let Some(loss) = self.loss() {
            return Err(loss);
        }
        self.further_handles += 1;
        Ok(())
    }

    /// Counts one handle less. True if it was the last one.
    pub(crate) fn leave(&mut self) -> bool {
        let is_last = self.further_handles == 0;
        self.further_handles = self.further_handles.saturating_sub(1);
        is_last
    }

    /// Why the lock is no longer held; `None` while it is.
    pub(crate) fn loss(&self) -> Option<Loss> {
        match self.phase {
            // Nothing renews the lease from now on, and its release may be on its way: it counts as lost at once.
            Phase::Asking | Phase::Held => self.given_up.then_some(Loss::Closed),
            Phase::Over(End::Lost(loss)) => Some(loss),
            Phase::Over(End::Closed | End::Released(_) | End::NotObtained(_)) => Some(Loss::Closed),
        }
    }
}

/// The cells of all locks that the engine knows, by the slot in their id, so that nothing is hashed.
#[derive(Default, Debug)]
pub(crate) struct Cells {
    slots: Vec<Option<Entry>>,
    /// Cells whose ids have no slot, such as those of locks beyond the engine's limit, which end at once.
    strays: Vec<Entry>,
}

type Entry = (LockId, Arc<Cell>);

impl Cells {
    /// The low half of an id is its slot in the engine.
    #[allow(clippy::cast_possible_truncation, reason = "the low half")]
    const fn slot(id: LockId) -> usize {
        id.to_bits() as u32 as usize
    }

    pub(crate) fn insert(&mut self, id: LockId, cell: Arc<Cell>) {
        let slot = Self::slot(id);
        if slot == self.slots.len() {
            self.slots.push(Some((id, cell)));
            return;
        }
        match self.slots.get_mut(slot) {
            Some(free @ None) => *free = Some((id, cell)),
            _ => self.strays.push((id, cell)),
        }
    }

    pub(crate) fn find(&self, id: LockId) -> Option<&Arc<Cell>> {
        let slot = self.slots.get(Self::slot(id)).and_then(Option::as_ref);
        let mut entries = slot.into_iter().chain(&self.strays);
        entries.find(|entry| entry.0 == id).map(|entry| &entry.1)
    }

    pub(crate) fn take(&mut self, id: LockId) -> Option<Arc<Cell>> {
        if let Some(slot) = self.slots.get_mut(Self::slot(id))
            && slot.as_ref().is_some_and(|entry| entry.0 == id)
        {
            return slot.take().map(|entry| entry.1);
        }
        let stray = self.strays.iter().position(|entry| entry.0 == id)?;
        Some(self.strays.swap_remove(stray).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Cell>> {
        let slots = self.slots.iter().flatten();
        slots.chain(&self.strays).map(|entry| &entry.1)
    }

    /// Takes them all.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Arc<Cell>> {
        let slots = std::mem::take(&mut self.slots).into_iter().flatten();
        let strays = std::mem::take(&mut self.strays);
        slots.chain(strays).map(|entry| entry.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_found_by_its_whole_id_only() {
        let id = |slot: u64, generation: u64| LockId::from_bits(generation << 32 | slot);
        let mut cells = Cells::default();
        // The next free slot, one that is taken by another generation, and one out of any order.
        let ids = [id(0, 1), id(0, 2), id(7, 1)];
        for id in ids {
            cells.insert(id, Arc::default());
        }
        for id in ids {
            assert!(cells.find(id).is_some(), "{id:?}");
        }
        assert!(cells.find(id(1, 1)).is_none());
        assert!(cells.take(id(0, 3)).is_none());
        for id in ids {
            assert!(cells.take(id).is_some(), "{id:?}");
            assert!(cells.take(id).is_none(), "{id:?}");
        }
        cells.insert(id(0, 4), Arc::default());
        assert_eq!(cells.drain().count(), 1);
        assert_eq!(cells.drain().count(), 0);
    }

    /// See [`crate::wakers`].
    #[test]
    fn no_waker_is_dropped_under_the_mutex() {
        struct Last(Arc<Cell>);

        impl std::task::Wake for Last {
            fn wake(self: Arc<Self>) {}
        }

        impl Drop for Last {
            fn drop(&mut self) {
                assert!(self.0.0.try_lock().is_ok(), "dropped under the mutex");
            }
        }

        let cell = Arc::<Cell>::default();
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Last(Arc::clone(&cell))));
            let cx = &Context::from_waker(&waker);
            assert!(cell.poll(cx, |_| None::<()>).is_pending());
        }
        let owner = guard(&cell.0).owner.take();
        assert!(owner.is_some(), "it waits");
    }
}
