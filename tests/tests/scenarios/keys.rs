//! Several keys, and whose value it is.

use tenure_core::{Arrangement, Event, Obtain, Released, Renewal, Token, Ttl};
use tenure_tests::world::World;

use crate::{MS, TTL, is_free, is_held, kinds, obtain, pttl, released, without_tracking};

#[test]
fn many_keys_are_held_all_or_none() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let both = obtain(&mut world, alice, "a+b");
    let request = world.request("b+c", TTL);
    let second = world.obtain(bob, request);
    world.run_for(10 * MS);
    assert_eq!(kinds(&world, bob), ["not obtained"]);
    assert!(is_free(&mut world, "c"), "none of the keys");
    world.release(alice, both);
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, both), released(both, Released::Confirmed));
    assert_ne!(world.last(bob, second), None);
}

#[test]
fn a_release_frees_our_keys_and_reports_a_missing_one() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let alice = world.client();
    let lock = obtain(&mut world, alice, "a+b+c");
    world.command(0, &[b"DEL", b"b"]);
    world.release(alice, lock);
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, lock), released(lock, Released::Missing));
    assert!(is_free(&mut world, "a") && is_free(&mut world, "c"));
}

#[test]
fn a_token_does_not_take_the_lock_of_a_longer_one() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let request = world.request("k", TTL);
    let ten = Obtain {
        token: Token::new("worker-10").unwrap(),
        ..request.clone()
    };
    let one = Obtain {
        token: Token::new("worker-1").unwrap(),
        ..request
    };
    let first = world.obtain(alice, ten);
    world.run_for(10 * MS);
    let second = world.obtain(bob, one);
    world.run_for(10 * MS);
    assert!(is_held(&world, alice, first));
    assert!(matches!(
        world.last(bob, second),
        Some(Event::NotObtained { .. })
    ));
}

#[test]
fn the_same_token_and_value_obtained_again_refreshes_the_ttl() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut request = world.request("k", TTL);
    request.token = Token::new("job-7").unwrap();
    request.renewal = Renewal::Manual;
    let first = world.obtain(alice, request.clone());
    world.run_for(5000 * MS);
    world.suspend(alice, true); // Alice is gone; bob goes on with her lock, for longer.
    request.ttl = Ttl::new(30_000 * MS).unwrap();
    let second = world.act(bob, |engine, now| engine.obtain(request, now));
    world.run_for(10 * MS);
    assert!(matches!(
        world.last(bob, second),
        Some(Event::Obtained { .. })
    ));
    assert!(matches!(
        world.last(alice, first),
        Some(Event::Obtained { .. })
    ));
    let pttl = pttl(&mut world, "k");
    assert!(pttl > 29_900, "{pttl}");
}
