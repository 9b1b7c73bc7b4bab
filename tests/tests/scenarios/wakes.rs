//! Wakes that never come: a path that swallows them, and connections that are silently dead.

use std::time::Duration;

use tenure_core::{Arrangement, Event, Holder, LockId, NotObtained};
use tenure_tests::world::{ClientId, Weather, World};

use crate::{MS, TTL, ended, is_held, not_obtained, obtain, until_held, wait_at_most, wait_for};

/// What a wake that does not come costs: a look every three seconds, whose answer takes a request timeout at most.
const LONGEST: Duration = Duration::from_secs(4);

/// A waiter of a client that receives nothing more, behind a holder with a long ttl.
fn deaf_waiter(nodes: usize) -> (World, [ClientId; 2], [LockId; 2]) {
    let arrangement = [Arrangement::Ordered, Arrangement::Quorum][usize::from(nodes > 1)];
    let mut world = World::new(nodes, arrangement);
    let (alice, bob) = (world.client(), world.client());
    world.run_for(100 * MS);
    for node in 0..nodes {
        world.lose_pushes(bob, node, true);
    }
    let request = world.request("k", 6 * TTL);
    let held = world.obtain(alice, request);
    assert!(world.run_until(TTL, |world| is_held(world, alice, held)));
    let waits = wait_for(&mut world, bob, "k");
    world.run_for(5100 * MS);
    (world, [alice, bob], [held, waits])
}

#[test]
fn a_waiter_holds_a_released_lock_within_seconds_though_its_path_swallows_pushes() {
    for nodes in [1, 3] {
        let (mut world, [alice, bob], [held, waits]) = deaf_waiter(nodes);
        world.release(alice, held);
        let waited = until_held(&mut world, bob, waits, TTL);
        assert!(waited <= LONGEST, "{nodes} nodes: {waited:?}");
    }
}

#[test]
fn a_wait_without_wakes_ends_with_a_look_and_obtains_a_free_key() {
    for (wait, released) in [(500, 100), (1000, 990), (4000, 3900)] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        world.run_for(100 * MS);
        world.lose_pushes(bob, 0, true);
        let held = obtain(&mut world, alice, "k");
        let waits = wait_at_most(&mut world, bob, "k", wait * MS);
        world.run_for(released * MS);
        world.release(alice, held);
        until_held(&mut world, bob, waits, TTL);
    }
}

#[test]
fn a_wait_over_a_half_open_connection_ends_without_an_answer() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let request = world.request("k", 6 * TTL);
    let held = world.obtain(alice, request);
    world.run_for(100 * MS);
    let waits = wait_at_most(&mut world, bob, "k", 2 * TTL);
    world.run_for(100 * MS);
    world.weather(bob, 0, Weather::Silent);
    world.release(alice, held);

    let end = ended(&mut world, bob, waits, 3 * TTL);
    let Event::NotObtained { reason, .. } = end else {
        panic!("{end:?}");
    };
    assert!(
        matches!(reason, NotObtained::Unreachable(_)),
        "the lock was free, and nobody answered: {reason:?}"
    );
}

#[test]
fn a_waiter_holds_a_released_lock_within_seconds_though_its_connection_died_silently() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let request = world.request("k", 6 * TTL);
    let held = world.obtain(alice, request);
    world.run_for(100 * MS);
    let waits = wait_for(&mut world, bob, "k");
    world.run_for(100 * MS);
    // Only this connection is dead: the next one is not.
    world.weather(bob, 0, Weather::Silent);
    world.release(alice, held);
    world.run_for(3000 * MS);
    world.weather(bob, 0, Weather::Fair);
    world.cut(bob, 0);
    let waited = until_held(&mut world, bob, waits, TTL);
    assert!(waited <= 1000 * MS, "{waited:?}");
}

/// It is renewed meanwhile, and that is not reported either.
#[test]
fn a_lock_that_is_still_held_is_reported_as_held_though_no_wake_came() {
    let (mut world, [_, bob], [_, waits]) = deaf_waiter(1);
    world.release(bob, waits);
    let waits = wait_at_most(&mut world, bob, "k", 7000 * MS);
    let end = ended(&mut world, bob, waits, TTL);
    let by = Holder::Other;
    assert_eq!(end, not_obtained(waits, NotObtained::TimedOut { by }));
}

/// A holder that receives nothing, and whose connection is dead, learns from a probe that the server cannot be reached.
#[test]
fn an_idle_connection_that_silently_died_is_found_by_a_probe() {
    let mut world = World::single();
    let alice = world.client();
    let request = world.request("k", 6 * TTL);
    let lock = world.obtain(alice, request);
    world.run_for(100 * MS);
    assert!(is_held(&world, alice, lock));
    let before = world.of(alice).nodes.len();
    world.weather(alice, 0, Weather::Silent);
    world.run_for(6100 * MS);
    assert!(world.of(alice).nodes.len() > before, "nobody noticed");
    assert!(is_held(&world, alice, lock), "until its lease ends");
}
