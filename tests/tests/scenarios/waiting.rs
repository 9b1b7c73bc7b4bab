//! Waiting for a lock that somebody holds.

use tenure_core::{Arrangement, Event, Holder, LockId, Loss, NotObtained, Released, Retry};
use tenure_tests::world::World;

use crate::{
    MS, TTL, is_held, lost, obtain, quiet_about_expiry, released, wait_for, without_tracking,
};

#[test]
fn a_waiter_is_woken_by_a_release_within_two_round_trips() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, bob, "k");
    world.run_for(1000 * MS);
    assert_eq!(world.last(bob, second), None);

    world.release(alice, first);
    let start = world.now();
    assert!(world.run_until(100 * MS, |world| is_held(world, bob, second)));

    // Release out, wake in, ask out, answer in: four one-way trips.
    assert_eq!(world.now().saturating_since(start), 4 * world.latency);
}

#[test]
fn the_next_holder_comes_when_the_time_of_a_crashed_one_is_over() {
    let options = quiet_about_expiry();
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, bob, "k");
    let start = world.now();

    world.suspend(alice, true);
    assert!(world.run_until(11_000 * MS, |world| is_held(world, bob, second)));

    let waited = world.now().saturating_since(start);
    assert!(waited > 9900 * MS && waited < TTL + 50 * MS, "{waited:?}");
}

#[test]
fn waiters_of_one_process_come_in_order_and_only_the_first_makes_attempts() {
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let writes = world.of(alice).writes;
    let waiters: Vec<LockId> = (0..50).map(|_| wait_for(&mut world, alice, "k")).collect();
    world.run_for(3000 * MS);
    assert_eq!(
        world.of(alice).writes,
        writes,
        "behind a lock of our own nobody asks"
    );

    world.release(alice, first);
    let mut last = first;
    for lock in waiters {
        assert!(world.run_until(100 * MS, |world| is_held(world, alice, lock)));
        world.release(alice, lock);
        last = lock;
    }
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, last), released(last, Released::Confirmed));
}

#[test]
fn a_release_and_the_next_obtain_leave_in_one_write() {
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, alice, "k");
    world.run_for(100 * MS);
    let writes = world.of(alice).writes;

    world.release(alice, first);
    assert!(world.run_until(100 * MS, |world| is_held(world, alice, second)));

    assert_eq!(world.of(alice).writes, writes + 1);
}

#[test]
fn neighbours_do_not_keep_a_lock_from_others_forever() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut held = obtain(&mut world, alice, "k");
    let other = wait_for(&mut world, bob, "k");
    world.run_for(100 * MS);
    let mut passed = 0;
    while !is_held(&world, bob, other) {
        let next = wait_for(&mut world, alice, "k");
        world.run_for(5 * MS);
        if is_held(&world, alice, held) {
            world.release(alice, held);
        }
        let both = |w: &mut World| is_held(w, alice, next) || is_held(w, bob, other);
        assert!(world.run_until(1000 * MS, both));
        held = next;
        passed += 1;
        assert!(passed < 40, "bob never gets his turn");
    }
    assert!(passed >= 16, "neighbours come first for a while: {passed}");
}

#[test]
fn without_tracking_a_waiter_pauses_and_retries() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    let mut request = world.request("k", TTL);
    request.wait = Some(5000 * MS);
    request.retry = Retry::every(100 * MS);
    let second = world.obtain(bob, request);
    world.run_for(1000 * MS);
    world.release(alice, first);
    let start = world.now();
    assert!(world.run_until(1000 * MS, |world| is_held(world, bob, second)));
    assert!(world.now().saturating_since(start) <= 102 * MS);
}

#[test]
fn a_wait_ends_when_it_is_over_and_a_limit_when_it_is_reached() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let mut request = world.request("k", TTL);
    request.wait = Some(500 * MS);
    let waiting = world.obtain(bob, request.clone());
    let start = world.now();
    assert!(world.run_until(5000 * MS, |w| w.last(bob, waiting).is_some()));
    assert_eq!(world.now().saturating_since(start), 500 * MS);
    let reason = NotObtained::TimedOut { by: Holder::Other };
    assert_eq!(
        world.last(bob, waiting),
        Some(Event::NotObtained {
            lock: waiting,
            reason
        })
    );

    request.retry = Retry::every(10 * MS).limit(3);
    let start = world.now();
    let limited = world.obtain(bob, request);
    assert!(world.run_until(5000 * MS, |w| w.last(bob, limited).is_some()));
    let took = world.now().saturating_since(start);
    assert!(took >= 30 * MS && took < 40 * MS, "{took:?}");
    assert!(matches!(
        world.last(bob, limited),
        Some(Event::NotObtained {
            reason: NotObtained::Taken { .. },
            ..
        })
    ));
}

#[test]
fn a_neighbour_makes_its_attempt_at_once_when_the_holder_is_lost() {
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, alice, "k");
    world.run_for(100 * MS);

    world.command(0, &[b"DEL", b"k"]);
    assert!(world.run_until(100 * MS, |world| is_held(world, alice, second)));
    assert_eq!(world.last(alice, first), lost(first, Loss::Taken));
}
