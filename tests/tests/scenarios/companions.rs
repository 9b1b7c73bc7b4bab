//! What servers keep beside keys with braces.

use std::time::Duration;

use tenure_core::Holder;
use tenure_tests::world::World;

use crate::modes::{READ, WRITE, nothing_is_left, refused};
use crate::{MS, TTL, held, is_held, obtain, until_held, wait_for};

#[test]
fn a_key_and_the_same_key_in_braces_have_readers_of_their_own() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let read = |world: &mut World, client, key| {
        let mut request = world.request(key, TTL);
        request.mode = READ;
        held(world, client, request)
    };
    let first = read(&mut world, alice, "k");
    let second = read(&mut world, bob, "{k}");
    let third = read(&mut world, carol, "k");
    world.release(bob, second);
    world.run_for(3 * TTL);
    for (client, lock) in [(alice, first), (carol, third)] {
        assert!(is_held(&world, client, lock), "{:?}", world.events(client));
    }
    assert_eq!(refused(&mut world, bob, WRITE), Holder::Sharing);
    for (client, lock) in [(alice, first), (carol, third)] {
        world.release(client, lock);
    }
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn a_waiter_for_a_key_in_braces_is_woken_by_the_bell_of_that_key() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let write = |world: &mut World| {
        let mut request = world.request("{k}", TTL);
        request.mode = WRITE;
        request.wait = Some(Duration::from_secs(60));
        request
    };
    let request = write(&mut world);
    let writer = held(&mut world, alice, request);
    let request = write(&mut world);
    let next = world.obtain(bob, request);
    world.run_for(20 * MS);
    let request = write(&mut world);
    let last = world.obtain(carol, request);
    world.run_for(20 * MS);
    world.release(bob, next);
    world.release(alice, writer);
    world.run_for(20 * MS);
    assert!(is_held(&world, carol, last), "{:?}", world.events(carol));
}

#[test]
fn a_key_that_is_named_like_a_bell_wakes_those_who_wait_for_it() {
    let mut world = World::single();
    let [alice, bob] = [world.client(), world.client()];
    let name = "{k}~bell:AAAAAAAB";
    let first = obtain(&mut world, alice, name);
    let second = wait_for(&mut world, bob, name);
    world.run_for(100 * MS);
    world.release(alice, first);
    until_held(&mut world, bob, second, 5 * MS);
}

/// The marker of the first lasts long enough for the second. Nobody else is left in the set, so that it is a new one.
#[test]
fn a_reader_with_a_short_ttl_behind_one_that_has_crashed_leaves_nothing() {
    let mut world = World::single();
    let read = |world: &mut World, secs| {
        let client = world.client();
        let mut request = world.request("k", Duration::from_secs(secs));
        request.mode = READ;
        held(world, client, request);
        world.suspend(client, true);
    };
    read(&mut world, 80);
    world.run_for(Duration::from_millis(85_500));
    read(&mut world, 4);
    world.run_for(Duration::from_secs(20));
    nothing_is_left(&mut world);
}
