//! Permits, and where each mode is possible.

use std::time::Duration;

use tenure_core::{Arrangement, Holder, Keep, LockId, Mode, NotObtained, Released, Unsupported};
use tenure_tests::world::World;

use crate::modes::{READ, WRITE, hold, permit, refused, request, wait_in};
use crate::{MS, TTL, held, is_held, not_obtained, released, until_held};

#[test]
fn no_more_permits_are_given_than_the_limit_allows() {
    let mut world = World::single();
    let clients = [world.client(), world.client(), world.client()];
    let [alice, bob, carol] = clients;
    let first = hold(&mut world, alice, permit(2));
    hold(&mut world, bob, permit(2));
    for client in clients {
        assert_eq!(refused(&mut world, client, permit(2)), Holder::Sharing);
        assert_eq!(refused(&mut world, client, permit(1)), Holder::Sharing);
    }
    world.release(alice, first);
    world.run_for(20 * MS);
    hold(&mut world, carol, permit(2));
    hold(&mut world, carol, permit(3));
}

#[test]
fn a_smaller_limit_waits_for_permits_to_come_back() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let three: Vec<LockId> = (0..3).map(|_| hold(&mut world, alice, permit(3))).collect();
    let one = wait_in(&mut world, bob, permit(1));
    for lock in three {
        world.run_for(Duration::from_secs(2));
        assert!(!is_held(&world, bob, one));
        world.release(alice, lock);
    }
    until_held(&mut world, bob, one, Duration::from_secs(2));
}

#[test]
fn a_permit_of_a_crashed_client_comes_back_when_its_lease_is_over() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    hold(&mut world, alice, permit(2));
    hold(&mut world, bob, permit(2));
    world.suspend(alice, true);
    let next = wait_in(&mut world, carol, permit(2));
    world.run_for(TTL / 2);
    assert!(!is_held(&world, carol, next));
    until_held(&mut world, carol, next, TTL / 2 + 100 * MS);
}

#[test]
fn permits_freed_together_are_taken_together() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let three: Vec<LockId> = (0..3).map(|_| hold(&mut world, alice, permit(3))).collect();
    let next: Vec<LockId> = (0..4)
        .map(|_| wait_in(&mut world, bob, permit(3)))
        .collect();
    world.run_for(Duration::from_secs(1));
    for lock in three {
        world.release(alice, lock);
    }
    let held = |w: &mut World| next.iter().filter(|lock| is_held(w, bob, **lock)).count();
    assert!(world.run_until(Duration::from_secs(2), |w| held(w) == 3));
    world.run_for(Duration::from_secs(2));
    assert_eq!(held(&mut world), 3);
}

#[test]
fn a_permit_is_passed_on_within_one_engine_in_the_same_write() {
    let mut world = World::single();
    let alice = world.client();
    // From then on the server has the scripts.
    let before = hold(&mut world, alice, permit(1));
    world.release(alice, before);
    world.run_for(20 * MS);
    let first = hold(&mut world, alice, permit(1));
    let next = wait_in(&mut world, alice, permit(1));
    world.run_for(Duration::from_secs(1));
    let before = world.of(alice).writes;
    world.release(alice, first);
    until_held(&mut world, alice, next, 20 * MS);
    assert_eq!(world.of(alice).writes, before + 1);
}

#[test]
fn a_lock_in_order_has_each_mode_and_a_quorum_has_none() {
    for mode in [READ, WRITE, permit(2)] {
        let mut world = World::new(3, Arrangement::Ordered);
        let [alice, bob, carol] = [world.client(), world.client(), world.client()];
        let lock = hold(&mut world, alice, mode);
        if mode != WRITE {
            hold(&mut world, bob, mode);
        }
        assert_eq!(refused(&mut world, carol, Mode::Exclusive), Holder::Other);
        world.run_for(3 * TTL);
        assert!(is_held(&world, alice, lock));
        world.release(alice, lock);
        world.run_for(100 * MS);
        assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));

        let mut world = World::new(3, Arrangement::Quorum);
        let alice = world.client();
        let request = request(&mut world, mode);
        let lock = world.obtain(alice, request);
        let reason = NotObtained::Unsupported(Unsupported::ModeUnderQuorum);
        assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));
    }
}

#[test]
fn a_write_lock_has_a_fence_and_a_shared_one_has_none() {
    let mut world = World::single();
    let alice = world.client();
    let mut last = None;
    for _ in 0..2 {
        let mut request = request(&mut world, WRITE);
        request.fence = Some(Keep::default());
        let lock = held(&mut world, alice, request);
        let fence = world.of(alice).engine.fence(lock);
        assert!(fence > last);
        last = fence;
        world.release(alice, lock);
        world.run_for(20 * MS);
    }
    let mut request = request(&mut world, READ);
    request.fence = Some(Keep::default());
    let lock = world.obtain(alice, request);
    let reason = NotObtained::Unsupported(Unsupported::SharedFence);
    assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));
}

#[test]
fn a_permit_that_has_become_a_writer_goes_back_with_its_limit() {
    let mut world = World::single();
    let alice = world.client();
    let lock = hold(&mut world, alice, permit(2));
    assert_eq!(world.change(alice, lock, WRITE), None);
    world.run_for(20 * MS);
    let back = world.act(alice, |engine, _| engine.shared_mode(lock));
    assert_eq!(back, permit(2));
}
