//! The queue of a server: which lock is woken when a client leaves it.
//!
//! A change of the key wakes the first of a queue, and the bell of the client in front wakes everybody else. A server does not
//! report to a connection what came over that connection, so an engine also rings for its own locks.

use crate::id::{LockId, NodeId};
use crate::lock::{Bell, LockState, WAITER};
#[cfg(feature = "modes")]
use crate::time::Instant;

use super::Locks;

impl Locks {
    /// A client has left the queue for `key` on `node`, and rung its bell. A hint, as [`Locks::handle_wake`].
    #[cfg(feature = "modes")]
    pub fn handle_bell(&mut self, node: NodeId, key: &[u8], bell: Bell, now: Instant) {
        self.clamp(now);
        self.ring((node, key), bell, None);
    }

    /// A key with the name of a bell has changed, perhaps between two replies to a request of the lock `amid`. Its name is
    /// that of the server, with the prefix.
    #[cfg(feature = "modes")]
    #[cold]
    pub(crate) fn handle_bell_name(
        &mut self,
        (node, name): (NodeId, &[u8]),
        amid: Option<LockId>,
        now: Instant,
    ) {
        self.clamp(now);
        let prefix = self.setup.prefix.clone();
        // Users may name their keys like that.
        if let Some(key) = name.strip_prefix(&*prefix) {
            self.wake_key(node, key, amid);
        }
        let Some((key, bell)) = crate::redis::bell_name(name) else {
            return;
        };
        if let Some(key) = key.strip_prefix(&*prefix) {
            self.ring((node, key), bell, amid);
        }
    }

    /// A lock of this engine with a ticket has left the queue of `node`, if it was in it.
    #[cold]
    pub(super) fn ring_own_bell(&mut self, id: LockId, node: NodeId) {
        if !self.index.has_waiters() {
            return;
        }
        let Some(lock) = self.lock(id) else {
            return;
        };
        let (keys, bell) = (lock.keys(), Bell::of(lock.claim.value()));
        for key in keys.iter() {
            self.ring((node, key.as_bytes()), bell, None);
        }
    }

    /// Wakes the locks that listen to this bell.
    fn ring(&mut self, (node, key): (NodeId, &[u8]), bell: Bell, amid: Option<LockId>) {
        if node.index() != 0 {
            return;
        }
        let mut rank = WAITER;
        while let Some((_, id)) = self.next_of(key, &mut rank) {
            let Some(lock) = self.lock_mut(id) else {
                continue;
            };
            match lock.state {
                LockState::Attempting => {
                    let active = lock.active.as_ref();
                    // The reply that is still to come is newer, unless parts of it have arrived.
                    let pending =
                        active.is_some_and(|active| active.round.pending().contains(node));
                    if !pending || amid == Some(id) {
                        lock.ring(bell, true);
                    }
                }
                LockState::Waiting { parked: false, .. } => {
                    if lock.ring(bell, false) {
                        self.wake(id, node, None);
                    }
                }
                LockState::Waiting { parked: true, .. }
                | LockState::Held(_)
                | LockState::Releasing(_) => {}
            }
        }
    }
}
