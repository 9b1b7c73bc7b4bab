//! [`Promise::FencesGrow`]: each fence is larger than those before it.

use tenure_core::{Fence, LockId};

use super::World;
use super::oracle::{Promise, Violation};

impl World {
    /// A client has obtained a lock.
    pub(super) fn check_fence(&mut self, index: usize, lock: LockId) -> Result<(), Violation> {
        let client = &self.clients[index];
        let (Some(fence), Some(request)) =
            (client.engine.fence(lock), self.request_of(index, lock))
        else {
            return Ok(());
        };
        // Nodes that forgot their counters, and a client that receives replies late because its clock stopped. Two holders
        // may also receive their grants in another order than the server made them: of one token, or because somebody
        // deleted the key of the first.
        let since = |at| client.clock.read(at) >= request.requested_at;
        let excused = self.oracle.last_damage.is_some() && self.nodes.len() > 1
            || self.oracle.last_damage.is_some_and(since)
            || !client.clock_in_bounds
            || request.has_own_token();
        let keys = request.keys.clone();
        for key in keys.iter() {
            let known = self.fences.iter_mut().find(|(known, _)| known == key);
            let Some((_, largest)) = known else {
                self.fences.push((key.clone(), fence));
                continue;
            };
            let before: Fence = *largest;
            *largest = before.max(fence);
            if fence > before {
                self.oracle.kept(Promise::FencesGrow);
            } else if excused {
                self.oracle.excuse(Promise::FencesGrow);
            } else {
                let how = format!("{index} has {fence} for {key:?}, and somebody had {before}");
                return Err(Promise::FencesGrow.broken(how));
            }
        }
        Ok(())
    }
}
