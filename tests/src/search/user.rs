//! Users of a client: each obtains one lock after the other, some while it holds others.

use tenure_core::{Event, LockId, Loss};

/// What a user obtains: each of these sets of keys while it holds those before, then it releases all. A set is written as
/// the letters of its keys.
pub type Wants = &'static [&'static str];

/// No user wants more sets.
const SETS: usize = 2;

/// The events that a client may expect next for a requested lock.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Phase {
    Attempting,
    Held,
    /// It was released while it was held.
    Releasing,
    /// Its one terminal event is out.
    Over,
}

#[derive(Copy, Clone, Default, Debug)]
pub(super) struct User {
    wants: Wants,
    /// How often it begins again.
    requests_left: u8,
    /// Those that it has requested since it began.
    locks: [Option<(LockId, Phase)>; SETS],
}

impl User {
    pub(super) fn new(wants: Wants, requests: u8) -> Self {
        assert!(wants.len() <= SETS, "a user wants few sets");
        Self {
            wants,
            requests_left: requests,
            locks: [None; SETS],
        }
    }

    /// Another one that wants only the first set, and has no time to begin by itself.
    pub(super) fn first(&self) -> Self {
        Self::new(&self.wants[..1], 0)
    }

    pub(super) fn locks(&self) -> impl Iterator<Item = (LockId, Phase)> + '_ {
        self.locks.iter().flatten().copied()
    }

    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> + '_ {
        self.locks().map(|(_, phase)| phase)
    }

    /// The locks that are not over, with the letters of their keys.
    pub(super) fn open(&self) -> impl Iterator<Item = (LockId, &'static str)> + '_ {
        let locks = self.locks.iter().zip(self.wants);
        let locks = locks.filter_map(|(lock, set)| lock.map(|(id, phase)| (id, phase, *set)));
        locks
            .filter(|(_, phase, _)| *phase != Phase::Over)
            .map(|(id, _, set)| (id, set))
    }

    pub(super) const fn requests_left(&self) -> u8 {
        self.requests_left
    }

    /// It holds all that it requested, and wants more.
    pub(super) fn goes_on(&self) -> bool {
        let requested = self.locks().count();
        requested > 0
            && requested < self.wants.len()
            && self.phases().all(|phase| phase == Phase::Held)
    }

    pub(super) fn can_request(&self) -> bool {
        let over = self.phases().all(|phase| phase == Phase::Over);
        self.goes_on() || over && self.requests_left > 0
    }

    /// It holds all that it wants, or will not get all of it.
    pub(super) fn can_release(&self) -> bool {
        let holds = self.phases().any(|phase| phase == Phase::Held);
        let complete = self.locks().count() == self.wants.len();
        let fails = self.phases().any(|phase| phase == Phase::Over);
        let attempting = self.phases().any(|phase| phase == Phase::Attempting);
        holds && !attempting && (complete || fails)
    }

    /// The letters of the keys that it asks for next, and a number that none of its other locks has.
    pub(super) fn next(&self) -> (&'static str, u8) {
        let at = if self.goes_on() {
            self.locks().count()
        } else {
            0
        };
        let number = self.requests_left << 1 | u8::try_from(at).unwrap_or(1);
        (self.wants[at], number)
    }

    pub(super) fn requested(&mut self, lock: LockId) {
        if !self.goes_on() {
            self.requests_left = self.requests_left.saturating_sub(1);
            self.locks = [None; SETS];
        }
        let at = self.locks().count();
        self.locks[at] = Some((lock, Phase::Attempting));
    }

    /// What is to be released.
    pub(super) fn releases(&mut self) -> impl Iterator<Item = LockId> + use<> {
        let mut all = [None; SETS];
        for (lock, released) in self.locks.iter_mut().flatten().zip(&mut all) {
            if matches!(lock.1, Phase::Attempting | Phase::Held) {
                *released = Some(lock.0);
            }
            if lock.1 == Phase::Held {
                lock.1 = Phase::Releasing;
            }
        }
        all.into_iter().flatten()
    }

    pub(super) fn phase_mut(&mut self, lock: LockId) -> Option<&mut Phase> {
        let mut locks = self.locks.iter_mut().flatten();
        let found = locks.find(|(id, _)| *id == lock);
        found.map(|(_, phase)| phase)
    }
}

/// The events of each lock come in the one valid order, and has one terminal event.
pub(super) fn on_event(users: &mut [User], event: Event) -> Option<&'static str> {
    let (Event::Obtained { lock: about, .. }
    | Event::NotObtained { lock: about, .. }
    | Event::Refreshed { lock: about, .. }
    | Event::Changed { lock: about, .. }
    | Event::NotChanged { lock: about, .. }
    | Event::Lost { lock: about, .. }
    | Event::Released { lock: about, .. }) = event
    else {
        return Some("an event that no lock should have");
    };
    let Some(phase) = users.iter_mut().find_map(|user| user.phase_mut(about)) else {
        return Some("an event of a lock that is over");
    };
    *phase = match (event, *phase) {
        (Event::Obtained { .. }, Phase::Attempting)
        | (
            Event::Refreshed { .. } | Event::Changed { .. } | Event::NotChanged { .. },
            Phase::Held,
        ) => Phase::Held,
        (Event::NotObtained { .. }, Phase::Attempting)
        | (Event::Lost { .. }, Phase::Held)
        | (Event::Released { .. }, Phase::Releasing)
        // What is released when its lease is over was lost.
        | (
            Event::Lost {
                reason: Loss::Expired { .. },
                ..
            },
            Phase::Releasing,
        ) => Phase::Over,
        _ => return Some("an event out of order, or a second terminal one"),
    };
    None
}
