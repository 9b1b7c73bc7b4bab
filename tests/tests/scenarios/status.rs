//! What the status of a key says.

use std::time::Duration;

use tenure_core::{Arrangement, Fence, Holding, Key, LockId, Mode, NodeError, Status};
use tenure_tests::world::{ClientId, Weather, World};

use crate::modes::{READ, WRITE, hold, permit, wait_in};
use crate::{MS, TTL, held, is_held};

/// What a client gets to know of the key `k`.
fn asked(world: &mut World, client: ClientId) -> Result<Status, NodeError> {
    let key = Key::new("k").expect("a key");
    let inspection = world.act(client, |engine, now| engine.status(key, now));
    world.run_for(20 * MS);
    let known = world.act(client, |engine, _| engine.take_status(inspection));
    let again = world.act(client, |engine, _| engine.take_status(inspection));
    assert_eq!(again, None);
    known.expect("over")
}

#[track_caller]
fn known(world: &mut World, client: ClientId) -> Status {
    asked(world, client).expect("the server replies")
}

fn value(world: &mut World, client: ClientId, lock: LockId) -> Box<[u8]> {
    world.act(client, |engine, _| {
        engine.claim(lock).expect("it is held").value().into()
    })
}

#[track_caller]
fn lasts(holding: &Holding, about: Duration) {
    let left = holding.remaining.expect("an end");
    assert!(left <= about && left + 100 * MS > about, "{left:?}");
}

#[test]
fn the_status_of_a_shared_key_has_each_holder_and_the_queue() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    assert_eq!(known(&mut world, alice), Status::default());
    let first = hold(&mut world, alice, READ);
    world.run_for(1000 * MS);
    let second = hold(&mut world, bob, READ);
    let values = [
        value(&mut world, bob, second),
        value(&mut world, alice, first),
    ];
    wait_in(&mut world, carol, WRITE);
    world.run_for(20 * MS);
    let status = known(&mut world, carol);
    assert!(status.is_shared());
    let found: Vec<_> = status.holders.iter().map(|one| one.value.clone()).collect();
    assert_eq!((found, status.more), (values.to_vec(), 0));
    lasts(&status.holders[0], TTL);
    lasts(&status.holders[1], TTL - 1000 * MS);
    assert_eq!((status.waiting, status.fence), (1, None));
    for (client, lock) in [(alice, first), (bob, second)] {
        assert!(is_held(&world, client, lock), "it has changed nothing");
    }
}

#[test]
fn the_status_leaves_out_who_is_gone() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    hold(&mut world, alice, READ);
    world.run_for(2000 * MS);
    world.suspend(alice, true);
    world.run_for(1000 * MS);
    let last = hold(&mut world, bob, READ);
    let writer = world.client();
    wait_in(&mut world, writer, WRITE);
    world.run_for(20 * MS);
    world.suspend(writer, true);
    world.run_for(3 * TTL);
    let status = known(&mut world, carol);
    let own = value(&mut world, bob, last);
    assert_eq!(status.holders.len(), 1, "{status:?}");
    assert_eq!((&status.holders[0].value, status.waiting), (&own, 0));
}

#[test]
fn the_status_lists_a_hundred_holders_and_counts_the_rest() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    for _ in 0..103 {
        hold(&mut world, alice, permit(200));
    }
    let status = known(&mut world, bob);
    assert_eq!((status.holders.len(), status.more), (100, 3));
}

#[test]
fn the_status_of_one_holder_has_its_fence() {
    for mode in [Mode::Exclusive, WRITE] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        let mut request = world.request("k", TTL);
        request.mode = mode;
        request.fence = Some(tenure_core::Keep::default());
        let lock = held(&mut world, alice, request);
        let fence: Option<Fence> = world.act(alice, |engine, _| engine.fence(lock));
        let own = value(&mut world, alice, lock);
        let status = known(&mut world, bob);
        assert!(fence.is_some() && !status.is_shared());
        assert_eq!((status.fence, status.more, status.waiting), (fence, 0, 0));
        let [holder] = &status.holders[..] else {
            panic!("{status:?}");
        };
        assert_eq!((&holder.value, status.held.as_ref()), (&own, Some(holder)));
    }
}

#[test]
fn the_status_in_order_and_of_a_quorum_is_that_of_all_or_most_servers() {
    for (arrangement, mode) in [
        (Arrangement::Ordered, READ),
        (Arrangement::Ordered, WRITE),
        (Arrangement::Quorum, Mode::Exclusive),
    ] {
        let mut world = World::new(3, arrangement);
        let (alice, bob) = (world.client(), world.client());
        let lock = hold(&mut world, alice, mode);
        let own = value(&mut world, alice, lock);
        let status = known(&mut world, bob);
        assert_eq!(status.holders.len(), 1, "{arrangement:?} {mode:?}");
        assert_eq!(status.holders[0].value, own);
        for node in 1..3 {
            world.weather(bob, node, Weather::Silent);
        }
        world.run_for(20 * MS);
        let key = Key::new("k").expect("a key");
        let inspection = world.act(bob, |engine, now| engine.status(key, now));
        world.run_for(2000 * MS);
        let known = world.act(bob, |engine, _| engine.take_status(inspection));
        assert!(matches!(known, Some(Err(_))), "{known:?}");
    }
}
