//! [`Promise::Truth`] of inspections: what one reports stood on nodes while it was made.

use tenure_core::{Holding, Inspection, Instant, Keys, LockId};

use super::World;
use super::oracle::{Promise, Violation};
use super::prompt::CHECK_INTERVAL;

/// What nodes held of some keys when an inspection began.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) inspection: LockId,
    pub(crate) keys: Keys,
    at: Instant,
    held: Vec<Vec<Held>>,
}

/// The value of a key on one node, and its last millisecond there.
type Held = Option<(Box<[u8]>, Option<u64>)>;

impl World {
    /// Remembers what nodes hold when a client begins to inspect it.
    pub(super) fn snapshot(&mut self, index: usize, inspection: LockId, keys: Keys) {
        let (at, held) = (self.now, self.held(&keys));
        self.clients[index].inspections.push(Snapshot {
            inspection,
            keys,
            at,
            held,
        });
    }

    /// By key, then by node.
    fn held(&self, keys: &Keys) -> Vec<Vec<Held>> {
        let on = |key| {
            let nodes = 0..self.nodes.len();
            let found = nodes.map(move |node| self.holding(node, key));
            found.map(|found| found.map(|(value, last)| (value.into(), last)))
        };
        keys.iter().map(|key| on(key).collect()).collect()
    }

    pub(super) fn check_inspection(
        &mut self,
        index: usize,
        inspection: LockId,
    ) -> Result<(), Violation> {
        let own = self.clients[index].clock.read(self.now);
        let of = &mut self.clients[index];
        let mut known = of.inspections.iter();
        // Otherwise a test has begun it by itself, and wants the result.
        let Some(at) = known.position(|s| s.inspection == inspection) else {
            return Ok(());
        };
        let before = of.inspections.swap_remove(at);
        of.log(own, || super::Input::TakeInspection(inspection));
        let result = of.engine.take_inspection(inspection);
        if let Some(why) = result.and_then(|result| self.differs(&before, &result)) {
            let how = format!("{index} inspected {:?}, and {why}", before.keys);
            return Err(Promise::Truth.broken(how));
        }
        self.oracle.kept(Promise::Truth);
        Ok(())
    }

    /// What is wrong with the result of an inspection, if keys were the same when it began and are now.
    fn differs(&self, before: &Snapshot, result: &Inspection) -> Option<String> {
        let (Ok(found), quorum) = (result, self.quorum()) else {
            return None;
        };
        // A process that was killed, or a hand, may have changed keys without an event.
        if self.waiters.trouble >= before.at {
            return None;
        }
        let busy = |key| {
            let last = self
                .changed
                .iter()
                .rev()
                .take_while(|(at, _)| *at + CHECK_INTERVAL >= before.at);
            last.into_iter()
                .any(|(_, keys)| keys.iter().any(|other| other == key))
        };
        // An attempt that is lost sets keys and deletes them without an event.
        let attempted = |key| {
            let open = |at: Option<Instant>| at.is_none_or(|at| at + CHECK_INTERVAL >= before.at);
            self.clients.iter().any(|client| {
                client.requests.iter().any(|request| {
                    request.lease.is_none()
                        && client.engine.lease(request.lock).is_none()
                        && open(request.ended)
                        && request.keys.iter().any(|other| other == key)
                })
            })
        };
        let held = self.held(&before.keys);
        let each = before
            .keys
            .iter()
            .zip(before.held.iter().zip(&held))
            .zip(found);
        for ((key, (before, after)), found) in each {
            if before != after || busy(key) {
                continue;
            }
            let shown: Vec<&[u8]> = after.iter().flatten().map(|(value, _)| &**value).collect();
            let count = |value: &[u8]| shown.iter().filter(|other| **other == value).count();
            match found {
                Some(Holding { value, .. }) if count(value) < quorum && !attempted(key) => {
                    return Some(format!("{} nodes had what was found", count(value)));
                }
                None if shown.len() == after.len() && count(shown[0]) == shown.len() => {
                    return Some("every node had a key that was not found".to_owned());
                }
                Some(_) | None => {}
            }
        }
        None
    }
}
