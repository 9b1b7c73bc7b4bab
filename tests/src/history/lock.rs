//! What a lock is when everything happens one after the other.

use std::collections::BTreeSet;

use tenure_core::{Holder, Mode};

/// What one does with it; numbers name attempts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Op {
    Obtain(usize, Mode),
    /// A request in this mode finds somebody like that in its way.
    Denied(Mode, Holder),
    Refresh(usize),
    /// One that shares it wants to have it alone, or the reverse.
    Change(usize, bool),
    Release(usize),
    /// It comes free by itself.
    Expire(usize),
}

/// Who holds it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Lock {
    holders: BTreeSet<usize>,
    /// Whether others may come in.
    is_shared: bool,
}

impl Lock {
    /// Does it, and says whether that was possible.
    pub(super) fn invoke(&mut self, op: Op) -> bool {
        match op {
            Op::Obtain(who, mode) => self.obtain(who, mode),
            Op::Denied(mode, by) => self.is_denied(mode, by),
            Op::Refresh(who) => self.holders.contains(&who),
            Op::Change(who, up) => self.change(who, up),
            Op::Release(who) | Op::Expire(who) => self.holders.remove(&who),
        }
    }

    fn obtain(&mut self, who: usize, mode: Mode) -> bool {
        let is_free = self.holders.is_empty();
        let may_enter = match mode {
            Mode::Shared { .. } => (is_free || self.is_shared) && !self.is_full(mode),
            Mode::Exclusive | Mode::InTurn | _ => is_free,
        };
        if may_enter {
            self.holders.insert(who);
            self.is_shared = matches!(mode, Mode::Shared { .. });
        }
        may_enter
    }

    /// Whether as many share it as this one allows.
    fn is_full(&self, mode: Mode) -> bool {
        let Mode::Shared { limit: Some(limit) } = mode else {
            return false;
        };
        self.holders.len() >= limit.get() as usize
    }

    fn is_denied(&self, mode: Mode, by: Holder) -> bool {
        let is_held = !self.holders.is_empty();
        match (mode, by) {
            // It does not know of those who share the lock.
            (Mode::Exclusive, _) => is_held,
            (Mode::Shared { .. }, Holder::Sharing) => self.is_shared && self.is_full(mode),
            (_, Holder::Sharing) => is_held && self.is_shared,
            (_, _) => is_held && !self.is_shared,
        }
    }

    fn change(&mut self, who: usize, up: bool) -> bool {
        let may_change =
            self.holders.len() == 1 && self.holders.contains(&who) && self.is_shared == up;
        if may_change {
            self.is_shared = !up;
        }
        may_change
    }
}
