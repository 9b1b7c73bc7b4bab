//! What mistakes would show that no random schedule has noticed: see `tests/mutations.txt`.

use tenure_core::{Arrangement, Event, Holder, NotObtained, Renewal, Retry};
use tenure_tests::world::World;

use crate::{MS, TTL, is_held, kinds, obtain, quiet_about_expiry, wait_for, without_tracking};

#[test]
fn a_node_that_comes_free_while_another_is_still_asked_is_asked_again_at_once() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    world.run_for(100 * MS);
    for node in [0, 2] {
        world.command(node, &[b"SET", b"k", b"foreign", b"PX", b"60000"]);
    }
    world.pause(2, true);
    let lock = wait_for(&mut world, alice, "k");
    // Node 0 has denied, node 1 has granted, and node 2 is slow.
    world.run_for(4 * MS);
    world.command(0, &[b"DEL", b"k"]);
    world.run_for(4 * MS);
    world.pause(2, false);
    assert!(
        world.run_until(100 * MS, |world| is_held(world, alice, lock)),
        "two of three are free"
    );
}

#[test]
fn nodes_in_order_are_released_from_the_last_to_the_first() {
    let mut world = World::new(3, Arrangement::Ordered);
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.pause(2, true);
    world.release(alice, lock);
    world.run_for(10 * MS);
    // Whoever asks in order must not pass the first before the last is free.
    for node in 0..2 {
        assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":1\r\n");
    }
    world.pause(2, false);
    world.run_for(10 * MS);
    for node in 0..3 {
        assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":0\r\n");
    }
}

#[test]
fn a_refresh_that_was_asked_for_is_told_though_its_first_answer_was_lost() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.renewal = Renewal::Manual;
    let lock = world.obtain(alice, request);
    world.run_for(100 * MS);
    world.refresh(alice, lock, None);
    world.cut(alice, 0);
    world.run_for(2000 * MS);
    assert_eq!(kinds(&world, alice), ["obtained", "refreshed"]);
}

#[test]
fn behind_a_key_without_an_end_a_waiter_asks_no_more_often_than_its_pauses_say() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"k", b"foreign"]);
    let mut request = world.request("k", TTL);
    request.wait = Some(20 * 1000 * MS);
    request.retry = Retry::every(1000 * MS);
    world.obtain(alice, request);
    world.run_for(100 * MS);
    let writes = world.of(alice).writes;
    world.run_for(12_000 * MS);
    let writes = world.of(alice).writes - writes;
    // And a look every three seconds.
    assert!(writes <= 12 + 4, "{writes} questions in twelve seconds");
}

#[test]
fn of_several_keys_the_one_without_an_end_lasts_longest() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"a", b"foreign"]);
    world.command(0, &[b"SET", b"b", b"foreign", b"PX", b"5000"]);
    for keys in ["a+b", "b+a"] {
        let request = world.request(keys, TTL);
        let lock = world.obtain(alice, request);
        world.run_for(10 * MS);
        let (remaining, by) = (None, Holder::Other);
        let reason = NotObtained::Taken { remaining, by };
        assert_eq!(
            world.last(alice, lock),
            Some(Event::NotObtained { lock, reason })
        );
    }
}

#[test]
fn a_pause_ends_with_the_time_of_the_holder() {
    let mut options = quiet_about_expiry();
    options.tracking = without_tracking().tracking;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"k", b"foreign", b"PX", b"1000"]);
    let mut request = world.request("k", TTL);
    request.wait = Some(TTL);
    request.retry = Retry::every(5000 * MS);
    let lock = world.obtain(alice, request);
    assert!(world.run_until(1100 * MS, |world| is_held(world, alice, lock)));
}

#[test]
fn an_attempt_that_was_won_too_late_does_not_use_up_max_hold() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    let mut request = world.request("k", TTL);
    request.wait = Some(TTL);
    request.renewal = Renewal::Automatic {
        max_hold: Some(300 * MS),
    };
    world.pause(0, true);
    let lock = world.obtain(alice, request);
    world.run_for(400 * MS);
    world.pause(0, false);
    assert!(world.run_until(200 * MS, |world| is_held(world, alice, lock)));
}

#[test]
fn a_wait_does_not_end_without_a_last_look() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    world.run_for(100 * MS);
    world.lose_pushes(bob, 0, true);
    let mut request = world.request("k", TTL);
    request.wait = Some(2000 * MS);
    let second = world.obtain(bob, request);
    world.run_for(1000 * MS);
    world.release(alice, first);
    world.run_for(1010 * MS);
    assert!(is_held(&world, bob, second), "{:?}", world.events(bob));
}
