//! Behind which locks a waiter is parked: only others of its client that wait for the very same key.

use std::time::Duration;

use tenure_core::{Arrangement, LockId, Renewal, Retry};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::world::{ClientId, Weather, World};

use crate::{MS, TTL, held, is_held, obtain, quiet_about_expiry, until_held, wait_for};

/// A world in which a client waits for `a+b`, whose `a` somebody else holds.
fn waits_for_a(nodes: usize, arrangement: Arrangement) -> (World, [ClientId; 2], [LockId; 2]) {
    let mut world = World::new(nodes, arrangement);
    let (alice, bob) = (world.client(), world.client());
    let held = obtain(&mut world, bob, "a");
    let both = wait_for(&mut world, alice, "a+b");
    world.run_for(100 * MS);
    assert!(!is_held(&world, alice, both));
    (world, [alice, bob], [both, held])
}

/// How many one-way trips a free lock takes: there and back on one node after the other.
fn trips(nodes: usize, arrangement: Arrangement) -> u32 {
    match arrangement {
        Arrangement::Ordered => 2 * nodes as u32,
        Arrangement::Quorum => 2,
    }
}

#[test]
fn a_waiter_for_a_free_key_is_not_parked_behind_one_that_waits_for_another() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let (mut world, [alice, _], _) = waits_for_a(nodes, arrangement);
        let alone = wait_for(&mut world, alice, "b");
        let waited = until_held(&mut world, alice, alone, TTL);
        assert_eq!(waited, trips(nodes, arrangement) * world.latency);
    }
}

/// The nodes do not report that a key has expired, and its holder is cut off and cannot release it.
#[test]
fn a_waiter_is_not_kept_behind_one_that_waits_for_a_key_that_lasts_longer() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for keys in ["a+b", "b+a"] {
            let mut world = World::with(nodes, arrangement, quiet_about_expiry(), |_| {});
            let (alice, bob) = (world.client(), world.client());
            obtain(&mut world, bob, "a");
            let mut short = world.request("b", 500 * MS);
            short.renewal = Renewal::Manual;
            held(&mut world, bob, short);
            (0..nodes).for_each(|node| world.weather(bob, node, Weather::Silent));
            wait_for(&mut world, alice, keys);
            let alone = wait_for(&mut world, alice, "b");
            let waited = until_held(&mut world, alice, alone, TTL);
            assert!(waited < 600 * MS, "{nodes} {keys}: {waited:?}");
        }
    }
}

#[test]
fn a_try_for_a_free_key_is_not_parked_behind_one_that_waits_for_another() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let (mut world, [alice, _], _) = waits_for_a(nodes, arrangement);
        let request = world.request("b", TTL);
        let alone = world.obtain(alice, request);
        let waited = until_held(&mut world, alice, alone, TTL);
        assert_eq!(waited, trips(nodes, arrangement) * world.latency);
    }
}

#[test]
fn a_waiter_for_a_free_key_beside_a_held_one_of_its_own_client_obtains_it() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        obtain(&mut world, alice, "a");
        wait_for(&mut world, alice, "a+b");
        world.run_for(100 * MS);
        let alone = wait_for(&mut world, alice, "b");
        let waited = until_held(&mut world, alice, alone, TTL);
        assert_eq!(waited, trips(nodes, arrangement) * world.latency);
    }
}

/// With one client for each of them nobody waits: so with one client for both nobody does.
#[test]
fn the_holder_of_a_key_obtains_a_free_one_that_a_neighbour_waits_for_together_with_it() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for keys in ["a+b", "b+a"] {
            for clients in [1, 2] {
                let mut world = World::new(nodes, arrangement);
                let of: Vec<ClientId> = (0..clients).map(|_| world.client()).collect();
                let (holder, neighbour) = (of[0], of[clients - 1]);
                let b = obtain(&mut world, holder, "b");
                let both = wait_for(&mut world, neighbour, keys);
                world.run_for(100 * MS);

                let a = wait_for(&mut world, holder, "a");
                let waited = until_held(&mut world, holder, a, TTL);
                assert!(waited <= 10 * MS, "{clients} clients, {keys}: {waited:?}");

                world.release(holder, a);
                world.release(holder, b);
                let waited = until_held(&mut world, neighbour, both, TTL);
                assert!(waited <= 50 * MS, "{clients} clients, {keys}: {waited:?}");
            }
        }
    }
}

#[test]
fn a_request_for_two_keys_has_its_turn_though_requests_for_one_of_them_keep_coming() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let (mut world, [alice, bob], [both, mut held]) = waits_for_a(nodes, arrangement);
        let mut ones: Vec<LockId> = Vec::new();
        // `b` is never without two waiters, `a` comes free now and then for a moment.
        for turn in 0..400 {
            while ones.len() < 3 {
                ones.push(wait_for(&mut world, alice, "b"));
            }
            world.run_for(5 * MS);
            if let Some(at) = ones.iter().position(|lock| is_held(&world, alice, *lock)) {
                let lock = ones.remove(at);
                world.release(alice, lock);
            }
            if is_held(&world, alice, both) {
                break;
            }
            if turn % 20 == 19 && is_held(&world, bob, held) {
                world.release(bob, held);
                held = wait_for(&mut world, bob, "a");
            }
        }
        assert!(is_held(&world, alice, both), "{nodes} {arrangement:?}");
    }
}

#[test]
fn a_request_for_two_keys_comes_first_when_both_come_free() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let (mut world, [alice, bob], [both, held]) = waits_for_a(nodes, arrangement);
        let first = wait_for(&mut world, alice, "b");
        assert!(world.run_until(10 * MS, |w| is_held(w, alice, first)));
        let younger = wait_for(&mut world, alice, "b");
        world.run_for(10 * MS);

        world.release(bob, held);
        world.run_for(10 * MS);
        world.release(alice, first);

        let waited = until_held(&mut world, alice, both, TTL);
        assert!(waited <= 40 * MS, "{nodes} {arrangement:?}: {waited:?}");
        assert!(!is_held(&world, alice, younger));
    }
}

#[test]
fn two_requests_that_cross_do_not_block_each_other_forever() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        let outside = world.client();
        let held = obtain(&mut world, outside, "b");
        let names = ["a+b", "b+c", "c+a", "a", "c"];
        let mut locks: Vec<LockId> = names
            .iter()
            .map(|keys| wait_for(&mut world, alice, keys))
            .collect();
        world.run_for(100 * MS);
        world.release(outside, held);
        while !locks.is_empty() {
            let start = world.now();
            let next = |w: &World| locks.iter().position(|lock| is_held(w, alice, *lock));
            assert!(world.run_until(TTL, |w| next(w).is_some()));
            let waited = world.now().saturating_since(start);
            assert!(waited <= Duration::from_millis(50), "{waited:?}");
            let lock = locks.remove(next(&world).expect("held"));
            world.release(alice, lock);
        }
    }
}

/// The younger one has obtained `b` and does not know it: its answer was lost.
#[test]
fn leftovers_of_a_younger_request_do_not_block_an_older_one() {
    let (mut world, [alice, bob], [both, held]) = waits_for_a(1, Arrangement::Ordered);
    world.weather(alice, 0, Weather::Deaf);
    let mut request = world.request("b", TTL);
    (request.wait, request.retry) = (Some(6 * TTL), Retry::every(5000 * MS));
    world.obtain(alice, request);
    world.run_for(500 * MS);
    assert_eq!(world.command(0, &[b"EXISTS", b"b"]), b":1\r\n");
    world.release(bob, held);
    world.run_for(100 * MS);

    // The older one asks when the connection is back.
    world.weather(alice, 0, Weather::Fair);
    world.cut(alice, 0);

    let waited = until_held(&mut world, alice, both, TTL);
    assert!(waited <= 500 * MS, "{waited:?}");
}
