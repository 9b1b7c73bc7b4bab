//! Random worlds without faults: 60 locks over a few overlapping sets of keys, obtained and released at random.

use std::time::Duration;

use tenure_core::{Arrangement, LockId, Rng};

use crate::world::{ClientId, Promise, Violation, World};

/// How many locks are requested in one world.
const LOCKS: usize = 60;
const KEYS: [&str; 7] = ["a", "b", "c", "a+b", "b+c", "a+c", "a+b+c"];
const MS: Duration = Duration::from_millis(1);

/// A kind of such worlds.
#[derive(Copy, Clone, Debug)]
pub struct ManyLocks {
    /// How many clients.
    pub clients: usize,
    /// How many nodes.
    pub nodes: usize,
    /// What the nodes are to each other.
    pub arrangement: Arrangement,
}

impl ManyLocks {
    /// Every kind: one and two clients, on one node, three in order, and a quorum of three.
    pub const ALL: [Self; 6] = [
        Self::new(1, 1, Arrangement::Ordered),
        Self::new(2, 1, Arrangement::Ordered),
        Self::new(1, 3, Arrangement::Ordered),
        Self::new(2, 3, Arrangement::Ordered),
        Self::new(1, 3, Arrangement::Quorum),
        Self::new(2, 3, Arrangement::Quorum),
    ];

    const fn new(clients: usize, nodes: usize, arrangement: Arrangement) -> Self {
        Self {
            clients,
            nodes,
            arrangement,
        }
    }

    /// Plays one world.
    ///
    /// # Errors
    /// A promise that was not kept: [`Promise::Prompt`] if a lock could have been obtained for too long, [`Promise::Ends`]
    /// if a lock was never obtained, and any other.
    pub fn play(self, seed: u64) -> Result<(), Violation> {
        let mut rng = Rng::new(seed ^ 0xc0_0d);
        let mut world = World::new(self.nodes, self.arrangement);
        world.check_often();
        world.latency = Duration::from_micros(200 + rng.below(800));
        let clients: Vec<ClientId> = (0..self.clients).map(|_| world.client()).collect();
        world.pass(50 * MS);
        let mut locks: Vec<Vec<LockId>> = vec![Vec::new(); self.clients];
        let mut requested = 0;
        while requested < LOCKS && world.violation().is_none() {
            if !rng.once_in(3) {
                world.pass(MS * rng.below(4) as u32 + Duration::from_micros(rng.below(1000)));
            }
            let at = rng.below(self.clients as u64) as usize;
            if !locks[at].is_empty() && rng.once_in(4) {
                // Perhaps held, perhaps still waiting, perhaps over.
                let which = rng.below(locks[at].len() as u64) as usize;
                let lock = locks[at].swap_remove(which);
                world.release(clients[at], lock);
                continue;
            }
            requested += 1;
            let keys = KEYS[rng.below(KEYS.len() as u64) as usize];
            let mut request = world.request(keys, 30_000 * MS);
            request.wait = Some(100_000 * MS);
            let hold = Duration::from_micros(rng.below(6000));
            locks[at].push(world.obtain_and_hold(clients[at], request, Some(hold)));
        }
        let done = |world: &mut World| world.violation().is_some() || world.all_ended();
        let ended = world.pass_until(60_000 * MS, done);
        if let Some(violation) = world.violation() {
            return Err(violation.clone());
        }
        if !ended {
            let how = format!("never obtained: {}", world.first_open());
            world.broken(Promise::Ends, how);
        }
        world.violation().map_or(Ok(()), |v| Err(v.clone()))
    }
}
