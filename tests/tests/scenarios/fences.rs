//! Fences: numbers that grow with each grant.

use std::time::Duration;

use tenure_core::{Arrangement, Fence, Keep, LockId, Obtain, Ttl};
use tenure_tests::world::{ClientId, World};

use crate::{MS, TTL, is_held, kinds, like_redis};

fn fenced(world: &mut World, keys: &str) -> Obtain {
    let mut request = world.request(keys, TTL);
    request.fence = Some(Keep::default());
    request
}

/// Obtains with a fence, and releases.
#[track_caller]
fn number(world: &mut World, client: ClientId, request: Obtain) -> Fence {
    let lock = world.obtain(client, request);
    world.run_for(20 * MS);
    let fence = fence_of(world, client, lock);
    world.release(client, lock);
    world.run_for(20 * MS);
    fence
}

#[track_caller]
fn fence_of(world: &World, client: ClientId, lock: LockId) -> Fence {
    assert!(is_held(world, client, lock), "{:?}", world.events(client));
    let fence = world.of(client).engine.fence(lock);
    fence.expect("a fence")
}

#[test]
fn a_fence_grows_with_each_grant_and_only_on_request() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut last = Fence(0);
    for client in [alice, bob, alice] {
        let request = fenced(&mut world, "k");
        let fence = number(&mut world, client, request);
        assert!(fence > last);
        last = fence;
    }
    let request = world.request("k", TTL);
    let lock = world.obtain(bob, request);
    world.run_for(20 * MS);
    assert!(is_held(&world, bob, lock));
    assert_eq!(world.of(bob).engine.fence(lock), None);
}

#[test]
fn a_fence_grows_over_an_expired_counter_and_over_a_flush() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = fenced(&mut world, "k");
    request.fence = Some(Keep::lasting(Ttl::new(50 * MS).expect("a ttl")));
    let first = number(&mut world, alice, request.clone());
    world.run_for(100 * MS);
    assert_eq!(world.command(0, &[b"EXISTS", b"{k}~fence"]), b":0\r\n");
    let request = fenced(&mut world, "k");
    let second = number(&mut world, alice, request);
    assert!(second > first);
    assert_eq!(world.command(0, &[b"EXISTS", b"{k}~fence"]), b":1\r\n");
    world.command(0, &[b"FLUSHALL"]);
    let request = fenced(&mut world, "k");
    assert!(number(&mut world, alice, request) > second);
}

#[test]
fn a_counter_that_is_ahead_of_the_clock_goes_on_one_by_one() {
    let mut world = World::single();
    let alice = world.client();
    // As after a failover to a server whose clock is behind.
    let ahead = 3_000_000_000_000_000_u64;
    world.command(0, &[b"SET", b"{k}~fence", ahead.to_string().as_bytes()]);
    for step in 1..=3 {
        let request = fenced(&mut world, "k");
        assert_eq!(number(&mut world, alice, request), Fence(ahead + step));
    }
}

#[test]
fn grants_of_overlapping_keys_get_growing_fences() {
    let mut world = World::single();
    let alice = world.client();
    let mut last = Fence(0);
    for keys in ["a+b", "b+c", "a+c", "b", "a+b+c"] {
        let request = fenced(&mut world, keys);
        let fence = number(&mut world, alice, request);
        assert!(fence > last, "{keys}");
        last = fence;
    }
}

#[test]
fn a_value_that_is_no_counter_is_left_alone_and_nothing_is_obtained() {
    let mut world = World::single();
    let alice = world.client();
    world.command(0, &[b"SET", b"{k}~fence", b"seven"]);
    let request = fenced(&mut world, "k");
    world.obtain(alice, request);
    world.run_for(20 * MS);
    assert_eq!(kinds(&world, alice), ["not obtained"]);
    assert_eq!(world.command(0, &[b"EXISTS", b"k"]), b":0\r\n");
    assert_eq!(
        world.command(0, &[b"GET", b"{k}~fence"]),
        b"$5\r\nseven\r\n"
    );
}

#[test]
fn a_counter_lives_beside_its_key() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = fenced(&mut world, "job:{user}");
    request.fence = Some(Keep::FOREVER);
    number(&mut world, alice, request);
    assert_eq!(
        world.command(0, &[b"PTTL", b"job:{user}~~fence"]),
        b":-1\r\n"
    );
}

/// A quorum of three whose nodes have given these numbers.
fn quorum(numbers: [u64; 3]) -> (World, ClientId, ClientId) {
    let mut world = World::with(3, Arrangement::Quorum, like_redis(), |_| {});
    let clients = (world.client(), world.client());
    for client in [clients.0, clients.1] {
        // The nodes know the scripts from now on.
        let request = fenced(&mut world, "other");
        number(&mut world, client, request);
    }
    for (node, number) in numbers.into_iter().enumerate() {
        let number = (4_000_000_000_000_000 + number).to_string();
        world.command(node, &[b"SET", b"{k}~fence", number.as_bytes()]);
    }
    (world, clients.0, clients.1)
}

fn counter(world: &mut World, node: usize) -> u64 {
    let reply = world.command(node, &[b"GET", b"{k}~fence"]);
    let text = String::from_utf8(reply).expect("ASCII");
    let number: u64 = text
        .lines()
        .nth(1)
        .expect("a value")
        .parse()
        .expect("a number");
    number - 4_000_000_000_000_000
}

#[test]
fn the_largest_number_of_a_quorum_is_written_back_before_the_lock_is_held() {
    let (mut world, alice, _) = quorum([1, 5, 3]);
    let request = fenced(&mut world, "k");
    let lock = world.obtain(alice, request);
    world.run_for(20 * MS);
    assert_eq!(fence_of(&world, alice, lock), Fence(4_000_000_000_000_006));
    for node in 0..3 {
        assert_eq!(counter(&mut world, node), 6);
    }
}

#[test]
fn a_fence_that_a_quorum_has_given_needs_no_second_round() {
    let (mut world, alice, _) = quorum([7, 7, 7]);
    let request = fenced(&mut world, "k");
    let lock = world.obtain(alice, request);
    let trip = world.latency * 2;
    world.run_for(trip + trip / 2);
    assert_eq!(fence_of(&world, alice, lock), Fence(4_000_000_000_000_008));
}

/// The plain maximum would be 2 twice: of 1 on A and 2 on B, and then of 2 on A and 2 on C.
#[test]
fn two_holders_of_different_pairs_of_nodes_have_different_fences() {
    let (mut world, alice, bob) = quorum([0, 1, 1]);
    world.pause(2, true);
    let mut request = fenced(&mut world, "k");
    request.wait = Some(Duration::from_secs(1));
    let first = number(&mut world, alice, request.clone());
    world.pause(2, false);
    world.pause(1, true);
    world.run_for(2 * TTL);
    let mut request = fenced(&mut world, "k");
    request.wait = Some(Duration::from_secs(5));
    let lock = world.obtain(bob, request);
    world.run_for(Duration::from_secs(3));
    assert!(fence_of(&world, bob, lock) > first);
}

#[test]
fn a_seal_that_finds_the_key_gone_on_a_quorum_is_a_lost_attempt() {
    let (mut world, alice, _) = quorum([1, 5, 3]);
    let request = fenced(&mut world, "k");
    world.obtain(alice, request);
    let trip = world.latency * 2;
    // The first round has been answered, and the second is on its way.
    world.run_for(trip + trip / 4);
    world.command(0, &[b"DEL", b"k"]);
    world.command(1, &[b"DEL", b"k"]);
    world.run_for(20 * MS);
    assert_eq!(kinds(&world, alice).last(), Some(&"not obtained"));
    assert_eq!(world.command(2, &[b"EXISTS", b"k"]), b":0\r\n");
}
