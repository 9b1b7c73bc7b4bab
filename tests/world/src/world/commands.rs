//! What users do with locks.

use tenure_core::{ChangeError, Keys, LockId, Mode, Ttl};

use super::held_lock::Change;
use super::log::Input;
use super::{ClientId, World};

impl World {
    /// Releases a lock.
    pub fn release(&mut self, client: ClientId, lock: LockId) {
        self.check_before_release(client.0, lock);
        self.share(client.0, lock);
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Release(lock));
        of.retire_value(lock);
        of.end_held_lock(lock);
        let (clock, now) = (of.clock, self.now);
        self.net
            .record(|record| record.ends(client.0, Some(lock), "", clock, now));
        of.engine.release(lock, own);
        self.drain(client.0);
    }

    /// Refreshes a lock, if it is held.
    pub fn refresh(&mut self, client: ClientId, lock: LockId, ttl: Option<Ttl>) {
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Refresh(lock, ttl));
        for held_lock in of.held_locks.iter_mut().filter(|b| b.lock == lock) {
            held_lock.reshaped |= ttl.is_some();
        }
        // A lock that is not held is no matter here.
        let begun = of.engine.refresh(lock, ttl, own).is_ok();
        for request in of
            .requests
            .iter_mut()
            .filter(|request| request.lock == lock)
        {
            request.refreshed |= ttl.is_some();
            if begun {
                // All open requests are answered by one report, after the latest.
                request.unanswered = Some((own, 0));
            }
        }
        self.drain(client.0);
    }

    /// Changes the mode of a lock, if that can be requested. Returns why not.
    pub fn change(&mut self, client: ClientId, lock: LockId, mode: Mode) -> Option<ChangeError> {
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Change(lock, mode));
        let result = of.engine.change(lock, mode, own);
        if result.is_ok()
            && let Some(held_lock) = of.held_locks.iter_mut().find(|b| b.lock == lock)
        {
            held_lock.change = Change::UnderWay;
            // Its requests set a new ttl, so the lease may be another than was reported.
            held_lock.reshaped = true;
            let mut requests = of.requests.iter_mut();
            if let Some(request) = requests.find(|request| request.lock == lock) {
                request.changed = true;
            }
        }
        self.drain(client.0);
        result.err()
    }

    /// Inspects keys and discards the result.
    pub fn inspect(&mut self, client: ClientId, keys: Keys) {
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Inspect(keys.clone()));
        let inspection = of.engine.inspect(keys.clone(), own);
        self.snapshot(client.0, inspection, keys);
        self.drain(client.0);
    }

    /// Closes an engine.
    pub fn close(&mut self, client: ClientId) {
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Close);
        let held: Vec<LockId> = of
            .held_locks
            .iter()
            .map(|held_lock| held_lock.lock)
            .collect();
        for lock in held {
            of.end_held_lock(lock);
            of.retire_value(lock);
        }
        let (clock, now) = (of.clock, self.now);
        self.net
            .record(|record| record.ends(client.0, None, "", clock, now));
        of.engine.close(own);
        // A release that a node does not take is not tried for long.
        self.killed |= (0..self.nodes.len()).any(|node| !self.reaches(client.0, node));
        self.drain(client.0);
    }
}
