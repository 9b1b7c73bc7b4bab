//! Several nodes: in order, and as a quorum.

use tenure_core::{Arrangement, LockId, NodeError, Released};
use tenure_tests::world::{ClientId, Weather, World};

use crate::{MS, TTL, expired, is_held, kinds, lost, obtain, released, wait_for};

#[test]
fn nodes_in_order_are_taken_in_order_and_none_is_kept_after_a_denial() {
    let mut world = World::new(3, Arrangement::Ordered);
    let (alice, bob) = (world.client(), world.client());
    world.command(2, &[b"SET", b"k", b"foreign", b"PX", b"5000"]);
    let request = world.request("k", TTL);
    let lock = world.obtain(alice, request);
    world.run_for(100 * MS);
    assert_eq!(kinds(&world, alice), ["not obtained"]);
    for node in 0..2 {
        assert_eq!(
            world.command(node, &[b"EXISTS", b"k"]),
            b":0\r\n",
            "node {node}"
        );
    }
    assert_ne!(world.last(alice, lock), None);

    let second = wait_for(&mut world, bob, "k");
    assert!(world.run_until(6000 * MS, |world| is_held(world, bob, second)));
}

#[test]
fn a_quorum_survives_two_dead_servers_of_five_but_not_three() {
    let mut world = World::new(5, Arrangement::Quorum);
    let alice = world.client();
    world.run_for(100 * MS);
    for node in 0..2 {
        world.weather(alice, node, Weather::Refusing);
        world.cut(alice, node);
    }
    let lock = obtain(&mut world, alice, "k");
    world.run_for(30_000 * MS);
    assert!(is_held(&world, alice, lock), "renewed by three of five");
    world.release(alice, lock);
    world.run_for(100 * MS);
    assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));

    let lock = obtain(&mut world, alice, "k");
    world.weather(alice, 2, Weather::Refusing);
    world.cut(alice, 2);
    world.run_for(11_000 * MS);
    assert_eq!(
        world.last(alice, lock),
        lost(lock, expired(NodeError::Disconnected))
    );
}

#[test]
fn contenders_for_a_quorum_share_nodes_for_a_moment_and_one_wins() {
    let mut world = World::new(5, Arrangement::Quorum);
    let clients: Vec<ClientId> = (0..4).map(|_| world.client()).collect();
    world.run_for(100 * MS);
    let mut locks: Vec<(ClientId, LockId)> = clients
        .iter()
        .map(|client| (*client, wait_for(&mut world, *client, "k")))
        .collect();
    while !locks.is_empty() {
        let winner = |w: &mut World| locks.iter().position(|(c, l)| is_held(w, *c, *l));
        assert!(
            world.run_until(10_000 * MS, |w| winner(w).is_some()),
            "nobody gets it"
        );
        let at = winner(&mut world).expect("somebody");
        let (client, lock) = locks.remove(at);
        world.release(client, lock);
    }
}

#[test]
fn an_inspection_reports_the_holder_and_the_remaining_time_and_changes_nothing() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    world.run_for(1000 * MS);
    let keys = world.request("k", TTL).keys;
    let inspection = world.act(bob, |engine, now| engine.inspect(keys.clone(), now));
    world.run_for(10 * MS);
    let found = world.act(bob, |engine, _| engine.take_inspection(inspection));
    let holding = found.expect("over").expect("answered")[0]
        .clone()
        .expect("held");
    let remaining = holding.remaining.expect("a ttl");
    assert!(
        remaining > 8990 * MS && remaining < 9000 * MS,
        "{remaining:?}"
    );
    assert_eq!(holding.value.len(), 22);
    assert!(
        world
            .act(bob, |engine, _| engine.take_inspection(inspection))
            .is_none()
    );
}

#[test]
fn a_node_that_connects_late_gets_the_lock_too() {
    let mut world = World::new(5, Arrangement::Quorum);
    let alice = world.client();
    for node in 3..5 {
        world.weather(alice, node, Weather::Silent);
    }
    let lock = obtain(&mut world, alice, "k");
    for node in 3..5 {
        assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":0\r\n");
        world.weather(alice, node, Weather::Fair);
    }
    // Connecting takes at most its timeout, then the next try.
    world.run_for(4000 * MS);

    for node in 0..2 {
        world.weather(alice, node, Weather::Refusing);
        world.cut(alice, node);
    }
    world.run_for(30_000 * MS);
    assert!(is_held(&world, alice, lock), "three of five have it");
}

#[test]
fn a_connection_that_is_cut_twice_is_cut() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    let before = world.of(alice).nodes.len();

    world.cut(alice, 0);
    world.cut(alice, 0);
    world.run_for(10 * MS);

    assert!(world.of(alice).nodes.len() > before, "nothing was reported");
}
