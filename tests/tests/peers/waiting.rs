//! Waiting: no wake is missed, nobody polls, and a release does not start a stampede.

use std::time::Duration;

use tenure_core::LockId;
use tenure_tests::world::{ClientId, World};

use super::{MS, SECOND, TTL, held, is_held, obtain, wait_at_most};

/// redisson#1763, #763 and #3891: a release between the refusal and the subscription is missed.
#[test]
fn a_release_at_any_moment_of_an_attempt_is_noticed() {
    for offset in (0..3000).step_by(50) {
        for bob_first in [false, true] {
            let mut world = World::single();
            let (alice, bob) = (world.client(), world.client());
            let first = obtain(&mut world, alice, "k");
            let between = Duration::from_micros(offset);
            let second = if bob_first {
                let second = wait_at_most(&mut world, bob, "k", 60 * SECOND);
                world.run_for(between);
                world.release(alice, first);
                second
            } else {
                world.release(alice, first);
                world.run_for(between);
                wait_at_most(&mut world, bob, "k", 60 * SECOND)
            };
            // Two round trips are what a hand-off takes; a missed wake would be the whole ttl.
            let held = world.run_until(5 * world.latency, |world| is_held(world, bob, second));
            assert!(
                held,
                "{offset} µs, bob first: {bob_first}: {:?}",
                world.events(bob)
            );
        }
    }
}

/// redis-semaphore#266, madelson#142: a waiter polls all the time. Ours sends requests after a change, and every three
/// seconds in case a notification was lost.
#[test]
fn a_waiter_makes_requests_only_after_a_change_and_checks_at_intervals() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    wait_at_most(&mut world, bob, "k", 3600 * SECOND);
    world.run_for(10 * MS);
    let (asked, renewed) = (world.of(bob).writes, world.of(alice).writes);
    world.run_for(60 * SECOND);
    let asked = world.of(bob).writes - asked;
    let renewed = world.of(alice).writes - renewed;
    // A renewal is a change of the key: nobody but its holder knows that it was nothing else.
    assert!(
        asked <= renewed + 60 / 3,
        "{asked} questions while {renewed} renewals"
    );
}

/// consul#7523, rueidis#602: every waiter of every process asks at each release.
#[test]
fn a_release_wakes_one_waiter_of_each_process() {
    const PROCESSES: usize = 8;
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let clients: Vec<ClientId> = (0..PROCESSES).map(|_| world.client()).collect();
    let mut waiting: Vec<(ClientId, LockId)> = Vec::new();
    for client in &clients {
        for _ in 0..20 {
            waiting.push((
                *client,
                wait_at_most(&mut world, *client, "k", 3600 * SECOND),
            ));
        }
    }
    world.run_for(SECOND);
    let writes = |world: &World| {
        clients
            .iter()
            .map(|client| world.of(*client).writes)
            .sum::<usize>()
    };
    let mut before = writes(&world);
    let mut held = (alice, first);
    for _ in 0..30 {
        world.release(held.0, held.1);
        let next = |world: &World| waiting.iter().position(|(c, l)| is_held(world, *c, *l));
        assert!(world.run_until(SECOND, |world| next(world).is_some()));
        world.run_for(10 * MS);
        held = waiting.remove(next(&world).expect("somebody"));
        let now = writes(&world);
        // Its release, and one question of each process, and one of those that were a moment too early.
        assert!(
            now - before <= 2 * PROCESSES + 1,
            "{} writes for one release",
            now - before
        );
        before = now;
    }
}

/// redisson#6131, node-redlock PR #312, spring-integration#3655: what waited, or was given up, is never forgotten.
#[test]
fn a_waiter_that_gave_up_is_forgotten() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    for _ in 0..100 {
        let waiting: Vec<_> = (0..20)
            .map(|_| wait_at_most(&mut world, bob, "k", SECOND))
            .collect();
        world.run_for(MS);
        for lock in waiting {
            world.release(bob, lock);
        }
    }
    world.run_for(10 * MS);
    world.act(bob, |engine, now| engine.close(now));
    assert!(world.of(bob).engine.is_drained(), "nothing of it is left");
}

/// redisson#5761: the next one comes only when the holder's time would have been over.
#[test]
fn the_next_comes_at_once_for_any_ttl() {
    for ttl in [SECOND, TTL, 3600 * SECOND] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        let request = world.request("k", ttl);
        let first = held(&mut world, alice, request);
        let second = wait_at_most(&mut world, bob, "k", 60 * SECOND);
        world.run_for(100 * MS);
        world.release(alice, first);
        let start = world.now();
        assert!(world.run_until(SECOND, |world| is_held(world, bob, second)));
        assert_eq!(world.now().saturating_since(start), 4 * world.latency);
    }
}
