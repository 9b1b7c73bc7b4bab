//! Guards: what a resource needs so that it refuses the writes of an old holder. `core/docs/guards.md` explains them; statements and
//! scripts are tried as they are in it.

mod http;
mod postgres;
mod redis;
mod shell;
mod sql;

use std::time::Duration;

use tenure_core::{Event, Fence, Keep, LockId};
use tenure_tests::world::{ClientId, World};

const ROUNDS: u64 = 1000;
const TTL: Duration = Duration::from_secs(10);
const MS: Duration = Duration::from_millis(1);

/// What a lock protects.
trait Resource {
    /// Writes with the fence of a lock. Returns whether that was accepted.
    fn write(&mut self, fence: Fence, value: u64) -> bool;

    /// The same without a guard.
    fn overwrite(&mut self, value: u64);

    fn read(&mut self) -> u64;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    Used,
    Missing,
}

/// How many writes of holders that were stopped past their lease got through. In virtual time, so that nobody waits.
fn stale_writes(resource: &mut impl Resource, guard: Guard) -> u64 {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut through = 0;
    for round in 0..ROUNDS {
        let (old, new) = (2 * round, 2 * round + 1);
        let (stopped, old_fence) = obtain(&mut world, alice);
        // She has checked that she holds the lock, and is stopped before she writes.
        world.suspend(alice, true);
        let (next, new_fence) = obtain(&mut world, bob);
        let mut write = |fence, value| match guard {
            Guard::Used => resource.write(fence, value),
            Guard::Missing => {
                resource.overwrite(value);
                true
            }
        };
        assert!(write(new_fence, new), "the holder writes");
        let is_accepted = write(old_fence, old);
        let found = resource.read();
        assert_eq!(found, if is_accepted { old } else { new });
        through += u64::from(is_accepted);
        world.suspend(alice, false);

        world.release(bob, next);
        world.release(alice, stopped);
        world.run_for(MS * 50);
    }
    through
}

/// A lock and its fence, as soon as it is free.
fn obtain(world: &mut World, client: ClientId) -> (LockId, Fence) {
    let mut request = world.request("k", TTL);
    request.fence = Some(Keep::default());
    request.wait = Some(4 * TTL);
    let lock = world.obtain(client, request);
    let is_held =
        |world: &mut World| matches!(world.last(client, lock), Some(Event::Obtained { .. }));
    assert!(
        world.run_until(4 * TTL, is_held),
        "{:?}",
        world.events(client)
    );
    let fence = world.of(client).engine.fence(lock);
    (lock, fence.expect("a fence"))
}

/// A holder writes as often as it likes, and the largest fence counts, not the last one.
fn the_largest_fence_counts(resource: &mut impl Resource) {
    // Two to the power of 53, up to which fences may grow.
    let end = 1 << 53;
    for (fence, value, is_accepted) in [
        (end - 2, 1, true),
        (end - 2, 2, true),
        (end - 1, 3, true),
        (end - 2, 4, false),
        (9, 5, false),
        (end - 1, 6, true),
    ] {
        assert_eq!(resource.write(Fence(fence), value), is_accepted, "{fence}");
    }
    assert_eq!(resource.read(), 6);
}
