//! The oracle's checks of what clients report.

use std::time::Duration;

use tenure_core::{Arrangement, Claim, Event, Key, Keys, LockId, Loss, NotObtained, Released};

use super::World;
use super::client::lock_of;
use super::oracle::{Promise, Violation, quorum};

impl World {
    /// Checks the events that a client has just reported.
    // Apart from `drain_now`, which mostly has nothing to check.
    #[inline(never)]
    pub(super) fn check_events(&mut self, index: usize) {
        let mut unchecked_events = std::mem::take(&mut self.clients[index].unchecked_events);
        let mut result = Ok(());
        for event in &unchecked_events {
            if let Event::Obtained { lock, .. } = event {
                self.plan_release(index, *lock);
            }
            result = result.and_then(|()| self.check_event(index, event));
            if let Some(lock) = lock_of(event) {
                self.update_watches(index, event, lock);
                if !self.workers.is_empty() {
                    self.update_workers(index, event, lock);
                }
            }
        }
        unchecked_events.clear();
        self.clients[index].unchecked_events = unchecked_events;
        if let Err(violation) = result {
            self.oracle.report(violation, self.now);
        }
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other events are not checked"
    )]
    fn check_event(&mut self, index: usize, event: &Event) -> Result<(), Violation> {
        self.check_truth(index, event)?;
        match event {
            Event::Obtained { lease, .. } | Event::Refreshed { lease, .. } => {
                let own = self.clients[index].clock.read(self.now);
                if !lease.is_valid(own) {
                    return Err(
                        Promise::Cover.broken(format!("{index} hears {event:?} at {own:?}"))
                    );
                }
                if let Event::Obtained { lock, .. } = event {
                    self.check_turns(index, *lock)?;
                    self.check_fence(index, *lock)?;
                }
                self.check_exclusion(index)?;
                self.check_cover(index)
            }
            Event::Changed { lock, .. } => {
                if self.clients[index].engine.fence(*lock).is_some() {
                    self.check_fence(index, *lock)?;
                }
                self.check_exclusion(index)?;
                self.check_cover(index)
            }
            Event::Lost { lock, reason } => {
                self.check_calm(index, *lock, *reason)?;
                self.check_loss(index, *reason)
            }
            Event::Released { lock, proof } if *proof != Released::Confirmed => {
                self.check_release_result(index, *lock, *proof)
            }
            Event::NotObtained {
                lock,
                reason: NotObtained::Taken { .. } | NotObtained::TimedOut { .. },
            } => self.check_denial(index, *lock),
            _ => Ok(()),
        }
    }

    fn check_turns(&mut self, index: usize, lock: LockId) -> Result<(), Violation> {
        let held_locks = self.clients[index].held_locks.iter().rev();
        let keys = held_locks
            .into_iter()
            .find(|held_lock| held_lock.lock == lock);
        let Some(keys) = keys.map(|held_lock| held_lock.keys.clone()) else {
            return Ok(());
        };
        // Another lock with the same token may hold a key already: then this is no grant of it, but one holding goes on.
        let goes_on = |key: &Key| {
            let mut others = self.clients[index].valid_locks(self.now);
            others.any(|other| other.lock != lock && other.keys.iter().any(|own| own == key))
        };
        let granted: Vec<Key> = keys.iter().filter(|key| !goes_on(key)).cloned().collect();
        for key in &granted {
            // Locks that wait in order have no turns, and go from one to the next with no pause for those that do not.
            if self.is_of_one_kind(key) {
                self.check_turn(index, key)?;
            } else {
                self.oracle.excuse(Promise::Fair);
            }
        }
        Ok(())
    }

    /// Whether all requests for this key wait in order, or none does.
    fn is_of_one_kind(&self, key: &Key) -> bool {
        let count = self.request_counts.get(key);
        count.is_none_or(|count| count.in_order == 0 || count.in_order == count.all)
    }

    /// Enough nodes keep a lock until the lease that its client relies on is over.
    pub(super) fn check_cover(&mut self, index: usize) -> Result<(), Violation> {
        let now = self.now;
        let client = &self.clients[index];
        if !client.clock_in_bounds {
            self.oracle.excuse(Promise::Cover);
            return Ok(());
        }
        let ordered = self.arrangement == Arrangement::Ordered;
        let quorum = quorum(self.nodes.len(), ordered);
        let mut looked = 0;
        let mut excused = 0;
        for held_lock in client.valid_locks(now) {
            let Some(lease) = client.engine.lease(held_lock.lock) else {
                continue;
            };
            let Some(end) = client.clock.when(lease.expires_at()) else {
                continue;
            };
            let backing = (0..self.nodes.len())
                .filter(|node| self.backs(*node, held_lock, end))
                .count();
            let sound = self
                .oracle
                .last_damage
                .is_none_or(|damage| damage + self.oracle.longest < held_lock.since)
                && !(held_lock.owned && client.late_arrival.is_some());
            if backing >= quorum {
                looked += 1;
            } else if sound {
                let how = format!(
                    "{index} relies on {:?} until {end:?}, and {backing} nodes back it",
                    held_lock.keys
                );
                return Err(Promise::Cover.broken(how));
            } else {
                excused += 1;
            }
        }
        for _ in 0..looked {
            self.oracle.kept(Promise::Cover);
        }
        for _ in 0..excused {
            self.oracle.excuse(Promise::Cover);
        }
        Ok(())
    }

    /// An old connection of a client has delivered something late.
    pub(super) fn check_late_arrival(&mut self, index: usize) {
        self.clients[index].late_arrival = Some(self.now);
        if let Err(violation) = self.check_cover(index) {
            self.oracle.report(violation, self.now);
        }
    }

    /// A client that is owed no answer has nothing on any node but what it holds.
    pub(super) fn check_partial_holds(&mut self, index: usize) {
        let several = self.nodes.len() > 1 && self.oracle.calm.is_some();
        let client = &self.clients[index];
        if !several || client.open.len() == client.held_locks.len() || !self.net.is_quiet(index) {
            return;
        }
        let open = client.open.iter().map(|(lock, _)| *lock);
        let mut claims = open.filter(|lock| client.engine.lease(*lock).is_none());
        let hoarding = claims.find_map(|lock| {
            let claim = client.engine.claim(lock)?;
            // Another lock of this client may have the same token.
            let mut held_locks = client.held_locks.iter();
            if held_locks.any(|held_lock| *held_lock.value == *claim.value())
                || self.ends_by_itself(index, claim)
            {
                return None;
            }
            let mut nodes = 0..self.nodes.len();
            let node = nodes.find(|node| {
                let mut keys = claim.keys().iter();
                keys.any(|key| self.keeps(*node, key, claim.value()))
            });
            node.map(|node| (lock, node))
        });
        if let Some((lock, node)) = hoarding {
            let how = format!("{index} waits for {lock:?} and has it on node {node}");
            let violation = Promise::NoPartialHolds.broken(how);
            return self.oracle.report(violation, self.now);
        }
        self.oracle.kept(Promise::NoPartialHolds);
    }

    /// Whether a lock of this client had this value until its lease was over. A token of the user's own may be another
    /// program's, too: so the key is not deleted then, and a node keeps it a little longer than the lease.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other events are not checked"
    )]
    fn ends_by_itself(&self, index: usize, claim: &Claim) -> bool {
        let client = &self.clients[index];
        let (own, round) = (client.clock.read(self.now), self.round(index));
        let left = client
            .events
            .iter()
            .rev()
            .filter_map(|(_, event)| match event {
                Event::Lost {
                    lock,
                    reason: Loss::Expired { .. },
                } => Some(*lock),
                _ => None,
            });
        left.filter_map(|lock| self.request_of(index, lock))
            .any(|wish| {
                let ttl = if wish.refreshed {
                    self.oracle.longest
                } else {
                    wish.ttl
                };
                let end = wish.lease.map(|(_, until)| until + ttl / 50 + round);
                let late = Duration::from_millis(5);
                wish.token == *claim.token() && end.is_none_or(|end| own < end + late)
            })
    }

    /// What a node holds under a key, and its last millisecond there.
    pub(super) fn holding(&self, node: usize, key: &Key) -> Option<(&[u8], Option<u64>)> {
        let node = &self.nodes[node];
        let own = node.clock.read(self.now);
        let prefixed;
        let mut name = key.as_bytes();
        if !self.prefix.is_empty() {
            prefixed = [self.prefix, name].concat();
            name = &prefixed;
        }
        node.server.holding(name, own)
    }

    pub(super) fn check_before_release(&mut self, index: usize, lock: LockId) {
        if self.clients[index]
            .held_locks
            .iter()
            .any(|b| b.lock == lock)
            && let Err(violation) = self.check_cover(index)
        {
            self.oracle.report(violation, self.now);
        }
    }

    /// Nobody else was ever there: then nobody else has it.
    fn check_denial(&mut self, index: usize, lock: LockId) -> Result<(), Violation> {
        let request = self.clients[index]
            .requests
            .iter()
            .find(|request| request.lock == lock);
        let alone = |keys: &Keys| {
            keys.iter().all(|key| {
                self.request_counts
                    .get(key)
                    .is_some_and(|count| count.all == 1)
            })
        };
        if self.oracle.last_change().is_some() {
            self.oracle.excuse(Promise::NoFalseAlarm);
            return Ok(());
        }
        if !request.is_some_and(|request| alone(&request.keys)) {
            self.oracle.kept(Promise::NoFalseAlarm);
            return Ok(());
        }
        // After a release that was never answered a lock takes another token, so that the release cannot hit it. If the
        // old request comes later still, the old value is in its way until its ttl is over.
        if request.is_some_and(|request| request.renamed) {
            self.oracle.excuse(Promise::NoFalseAlarm);
            return Ok(());
        }
        let how = format!("{index} got Taken for {lock:?}, and nobody else ever requested it");
        Err(Promise::NoFalseAlarm.broken(how))
    }

    /// As long as nothing goes wrong, a lock that is renewed by itself stays.
    fn check_calm(&mut self, index: usize, lock: LockId, reason: Loss) -> Result<(), Violation> {
        let Some(round) = self.oracle.calm.filter(|_| reason != Loss::MaxHold) else {
            return Ok(());
        };
        if self.lasts(index, lock, round) {
            let how = format!("{index} lost {lock:?} ({reason:?}), and nothing had gone wrong");
            return Err(Promise::Calm.broken(how));
        }
        self.oracle.kept(Promise::Calm);
        Ok(())
    }

    /// Whether nothing but a fault can end the lease of this lock: it is renewed, and each round has time enough.
    fn lasts(&self, index: usize, lock: LockId, round: Duration) -> bool {
        let mut requests = self.clients[index].requests.iter();
        let request = requests.find(|request| request.lock == lock);
        request
            .is_some_and(|request| request.renewed && !request.refreshed && request.ttl > round * 8)
    }

    /// As long as nothing goes wrong, every release is confirmed.
    fn check_release_result(
        &self,
        index: usize,
        lock: LockId,
        proof: Released,
    ) -> Result<(), Violation> {
        let Some(round) = self.oracle.calm else {
            return Ok(());
        };
        // Another lock of this client has the same token, and keeps it.
        if proof == Released::Shared {
            return Ok(());
        }
        // A lease may end while the release is on its way.
        if self.lasts(index, lock, round) {
            let how = format!(
                "the release of {lock:?} by {index} is {proof:?}, and nothing had gone wrong"
            );
            return Err(Promise::Calm.broken(how));
        }
        Ok(())
    }

    /// A lock is not said to be taken while nobody can have taken it.
    fn check_loss(&mut self, index: usize, reason: Loss) -> Result<(), Violation> {
        if reason != Loss::Taken {
            return Ok(());
        }
        let Some((since, end)) = self.clients[index].lost.take() else {
            return Ok(());
        };
        let client = &self.clients[index];
        let before = self.oracle.last_change();
        if !client.clock_in_bounds
            || before.is_some_and(|damage| damage + self.oracle.longest >= since)
        {
            self.oracle.excuse(Promise::NoFalseAlarm);
            return Ok(());
        }
        if client.clock.read(self.now) < end {
            let how = format!("{index} lost a lock as taken before its lease was over");
            return Err(Promise::NoFalseAlarm.broken(how));
        }
        self.oracle.kept(Promise::NoFalseAlarm);
        Ok(())
    }
}
