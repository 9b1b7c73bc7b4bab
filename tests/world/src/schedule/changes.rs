//! What users do with a lock that is held: refresh it, or let it change from reader to writer or back.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{LockId, Mode, Ttl};

use super::play::Play;
use super::setup::LONGEST_MS;

impl Play {
    pub(super) fn refresh(&mut self, client: usize, nth: u8, how: u8) {
        const TTL: [u64; 6] = [200, 800, 1500, 3000, 6000, LONGEST_MS];
        if self.setup.extras.modes && how >> 6 != 0 {
            let held = self.world.any_held(self.clients[client]);
            if let Some(lock) = held.or_else(|| self.lock(client, nth)) {
                self.change(client, lock, how);
            }
        } else if let Some(lock) = self.lock(client, nth) {
            let ttl = (how & 1 == 0).then(|| TTL[usize::from(how >> 1) % 6]);
            self.refresh_for(client, lock, ttl);
        }
    }

    pub(super) fn refresh_for(&mut self, client: usize, lock: LockId, ttl: Option<u64>) {
        self.world
            .note_line(|| format!("{client} refreshes {lock:?} for {ttl:?} ms"));
        let ttl = ttl.map(|ms| Ttl::new(Duration::from_millis(ms)).expect("a ttl"));
        self.world.refresh(self.clients[client], lock, ttl);
    }

    /// Requests the other mode, or now and then the same one.
    pub(super) fn change(&mut self, client: usize, lock: LockId, how: u8) {
        let id = self.clients[client];
        let limit = NonZeroU32::new(u32::from(how & 3));
        let shares = matches!(self.world.mode(id, lock), Some(Mode::Shared { .. }));
        let mode = if shares != (how & 0x1c == 0) {
            Mode::InTurn
        } else {
            Mode::Shared { limit }
        };
        self.world
            .note_line(|| format!("client {client} changes {lock:?} to {mode:?}"));
        let refused = self.world.change(id, lock, mode);
        self.used(match (refused, mode) {
            (Some(_), _) => "changes that cannot be requested",
            (None, Mode::InTurn) => "changes from reader to writer",
            (None, _) => "changes from writer to reader",
        });
    }
}
