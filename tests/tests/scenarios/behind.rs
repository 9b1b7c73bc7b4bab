//! The reports and attempts of a waiter that is or was parked behind another lock of its client.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Holder, Loss, Mode, NodeError, NotObtained, Renewal};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::world::World;

use crate::modes::{WRITE, hold, request, wait_in};
use crate::{
    MS, TTL, ended, is_free, is_held, lost, not_obtained, obtain, until_held, wait_at_most,
    wait_for, without_tracking,
};

/// Without `PTTL` nobody says which of two keys is held. That is no reason to park behind a lock that waits for both.
#[test]
fn without_remaining_times_a_waiter_for_a_free_key_is_not_parked() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut options = Options::default();
        options.pttl = false;
        let mut world = World::with(nodes, arrangement, options, |_| {});
        let (alice, bob) = (world.client(), world.client());
        let held = obtain(&mut world, bob, "b");
        let both = wait_for(&mut world, alice, "a+b");
        world.run_for(100 * MS);
        let alone = wait_for(&mut world, alice, "a");
        until_held(&mut world, alice, alone, 20 * MS);
        // What it waits for still reaches the one with both.
        world.release(alice, alone);
        world.release(bob, held);
        until_held(&mut world, alice, both, 2 * TTL);
    }
}

/// The key is left over on a minority of nodes: a lock of this key alone can be obtained.
#[test]
fn a_key_on_a_minority_of_nodes_is_not_in_the_way_of_a_waiter_for_it_alone() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, bob, "b");
    world.command(0, &[b"SET", b"a", b"left over", b"PX", b"60000"]);
    wait_for(&mut world, alice, "a+b");
    world.run_for(100 * MS);
    let alone = wait_for(&mut world, alice, "a");
    until_held(&mut world, alice, alone, 20 * MS);
}

/// The first waiter is blocked by `b`, until a try of the same client takes `a` before it. From then on the other one
/// must try `b` itself: nobody else learns who holds it.
#[test]
fn a_waiter_behind_a_lock_that_is_parked_makes_the_attempt_instead() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::with(nodes, arrangement, without_tracking(), |_| {});
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, bob, "b");
        wait_for(&mut world, alice, "a+b");
        let alone = wait_at_most(&mut world, alice, "b", 2 * TTL);
        world.run_for(100 * MS);
        obtain(&mut world, alice, "a");
        let by = Holder::Other;
        let end = ended(&mut world, alice, alone, 3 * TTL);
        assert_eq!(end, not_obtained(alone, NotObtained::TimedOut { by }));
    }
}

/// That `b` is held says nothing of `a`.
#[test]
fn a_denial_of_one_of_several_keys_is_not_reported_of_another() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, bob, "b");
        wait_for(&mut world, alice, "a+b");
        // It asks when the first is denied, and has no answer when its wait is over.
        let denied = 2 * world.latency;
        let wait = denied + Duration::from_micros(200);
        let alone = wait_at_most(&mut world, alice, "a", wait);
        let by = Holder::Ourselves;
        let end = ended(&mut world, alice, alone, TTL);
        assert_eq!(end, not_obtained(alone, NotObtained::TimedOut { by }));
    }
}

#[test]
fn a_free_key_is_requested_before_a_wait_ends_even_if_the_turn_of_this_client_is_over() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        world.run_for(20 * MS);
        let mut request = world.request("k", TTL);
        let max_hold = 300 * MS;
        request.renewal = Renewal::Automatic {
            max_hold: Some(max_hold),
        };
        world.obtain(alice, request);
        // It would leave the key alone for nine milliseconds, and with a quorum for nineteen.
        let second = wait_at_most(&mut world, alice, "k", max_hold + 8 * MS);
        world.run_for(max_hold + 9 * MS);
        assert!(is_held(&world, alice, second), "{:?}", world.events(alice));
    }
}

/// A lock of this client was in the way until a moment ago, and there was no time to ask since.
#[test]
fn a_wait_that_ends_just_after_a_lock_of_the_same_client_blocked_it_reports_that() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        world.run_for(20 * MS);
        let mut request = world.request("k", TTL);
        // So long that others get their turn after it.
        let max_hold = 300 * MS;
        request.renewal = Renewal::Automatic {
            max_hold: Some(max_hold),
        };
        let first = world.obtain(alice, request);
        let wait = max_hold + 2 * MS;
        let second = wait_at_most(&mut world, alice, "k", wait);
        let by = Holder::Ourselves;
        let end = ended(&mut world, alice, second, TTL);
        assert_eq!(end, not_obtained(second, NotObtained::TimedOut { by }));
        assert_eq!(world.last(alice, first), lost(first, Loss::MaxHold));
    }
}

/// Two of three nodes know no scripts, and the third is down: no node can be found that makes up for them.
#[test]
fn several_keys_on_servers_without_scripts_are_refused_though_another_node_is_down() {
    let mut options = Options::default();
    (options.scripts, options.set_several) = (false, false);
    let mut world = World::with(3, Arrangement::Quorum, options, |_| {});
    let alice = world.client();
    world.run_for(20 * MS);
    world.down(0, true);
    world.crash(0);
    world.refuses_for_good(1);
    world.refuses_for_good(2);
    world.run_for(100 * MS);
    let both = wait_for(&mut world, alice, "a+b");
    let end = ended(&mut world, alice, both, Duration::from_secs(4));
    let reason = NotObtained::Refused(NodeError::NoScripts);
    assert_eq!(end, not_obtained(both, reason));
}

/// The node had denied it before, and has granted it since: a denial means this engine.
#[test]
fn a_lock_that_had_a_place_in_a_queue_may_have_the_key_when_it_is_cancelled() {
    let mut world = World::single();
    let [alice, bob] = [world.client(), world.client()];
    let first = hold(&mut world, alice, WRITE);
    let queued = wait_in(&mut world, bob, WRITE);
    world.run_for(20 * MS);
    world.release(alice, first);
    let (mut was_free, ms) = (false, 20 * MS);
    let is_granted = |world: &mut World| {
        let free = is_free(world, "k");
        was_free |= free;
        was_free && !free
    };
    assert!(world.run_until(ms, is_granted) && !is_held(&world, bob, queued));
    let request = request(&mut world, Mode::Exclusive);
    let lock = world.obtain(bob, request);
    world.release(bob, queued);
    until_held(&mut world, bob, lock, ms);
}

/// Nobody has asked the server for seconds, because there was nothing to ask: the lock in front was not refreshed.
#[test]
fn a_wait_that_ends_right_after_a_lock_of_its_engine_ends_because_of_that() {
    let mut world = World::single();
    let alice = world.client();
    let mut first = world.request("k", Duration::from_secs(5));
    first.renewal = Renewal::Manual;
    let first = world.obtain(alice, first);
    wait_at_most(&mut world, alice, "k", 60_000 * MS);
    // The lease ends after 4.948 s. The second one asks then, and this one is behind it.
    let waiter = wait_at_most(&mut world, alice, "k", Duration::from_micros(4_948_500));
    let end = ended(&mut world, alice, waiter, 5000 * MS);
    let by = Holder::Ourselves;
    assert_eq!(end, not_obtained(waiter, NotObtained::TimedOut { by }));
    let error = None;
    assert_eq!(
        world.last(alice, first),
        lost(first, Loss::Expired { error })
    );
}
