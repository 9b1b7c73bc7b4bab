//! Coming to a server, and coming back: what passes, what does not, and how often it is tried.

use std::collections::BTreeSet;

use tenure_core::memory::{Options, Trouble};
use tenure_core::{Arrangement, Event, Instant, NodeError, NodeState, NotObtained};
use tenure_tests::world::{ClientId, Weather, World};

use crate::{MS, TTL, ended, is_free, not_obtained, obtain, until_held, wait_at_most, wait_for};

#[test]
fn a_server_that_still_loads_is_waited_for() {
    let mut options = Options::default();
    options.trouble = Some(Trouble::Loading);
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    world.refuses(0, true);
    let alice = world.client();
    let lock = wait_for(&mut world, alice, "k");
    world.run_for(10_000 * MS);
    assert_eq!(world.last(alice, lock), None);
    world.server(0).options_mut().trouble = None;
    world.refuses(0, false);
    until_held(&mut world, alice, lock, 3000 * MS);
}

#[test]
fn a_server_that_has_no_room_for_connections_is_waited_for() {
    let mut options = Options::default();
    options.max_connections = 1;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "other");
    let lock = wait_for(&mut world, bob, "k");
    world.run_for(5000 * MS);
    assert_eq!(world.last(bob, lock), None);
    world.server(0).options_mut().max_connections = 2;
    until_held(&mut world, bob, lock, 3000 * MS);
}

/// What refresh and release will need is proven before the first grant.
#[test]
fn a_server_without_scripts_and_without_a_way_to_compare_is_refused_before_anything_is_held() {
    for wait in [None, Some(60_000 * MS)] {
        let mut options = Options::default();
        (options.compare, options.scripts) = (false, false);
        let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
        world.refuses_for_good(0);
        let alice = world.client();
        let mut request = world.request("k", TTL);
        request.wait = wait;
        let lock = world.obtain(alice, request);
        let end = ended(&mut world, alice, lock, 1000 * MS);
        let reason = NotObtained::Refused(NodeError::NoScripts);
        assert_eq!(end, not_obtained(lock, reason));
        assert!(is_free(&mut world, "k"), "nothing of it is left");
        let held = world.events(alice).iter();
        let mut held = held.filter(|(_, event)| matches!(event, Event::Obtained { .. }));
        assert_eq!(held.next(), None);
    }
}

#[test]
fn an_unknown_error_is_reported_in_the_servers_own_words() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    let line = b"ERR the moon is \x07 full";
    world.server(0).options_mut().trouble = Some(Trouble::Says(line));
    world.refuses(0, true);
    let lock = wait_at_most(&mut world, alice, "k", 1000 * MS);
    let end = ended(&mut world, alice, lock, 1001 * MS);
    let reason = NotObtained::Unreachable(NodeError::Other);
    assert_eq!(end, not_obtained(lock, reason));
    let words = world.of(alice).engine.unknown_error();
    assert_eq!(words, Some("ERR the moon is \\x07 full"));
}

/// When a client reported that its connection is gone or could not be made.
fn downs(world: &World, client: ClientId) -> Vec<Instant> {
    let is_down = |event: &Event| {
        let down = |state: &NodeState| matches!(state, NodeState::Down(_));
        matches!(event, Event::Node { state, .. } if down(state))
    };
    let all = world.of(client).nodes.iter();
    all.filter(|(_, event)| is_down(event))
        .map(|(at, _)| *at)
        .collect()
}

#[test]
fn clients_do_not_come_back_to_a_server_all_at_once() {
    const CLIENTS: usize = 32;
    let mut world = World::single();
    let clients: Vec<ClientId> = (0..CLIENTS).map(|_| world.client()).collect();
    world.run_for(100 * MS);
    for client in &clients {
        wait_for(&mut world, *client, "k");
    }
    world.run_for(100 * MS);
    for client in &clients {
        world.weather(*client, 0, Weather::Refusing);
        world.cut(*client, 0);
    }
    world.run_for(5000 * MS);
    for client in &clients {
        world.weather(*client, 0, Weather::Fair);
    }
    let mut ready: BTreeSet<u64> = BTreeSet::new();
    world.run_for(3000 * MS);
    for client in &clients {
        let of = world.of(*client);
        let last = of.nodes.iter().rev();
        let mut last = last.filter(|(_, event)| {
            let is_ready = |state: &NodeState| matches!(state, NodeState::Ready { .. });
            matches!(event, Event::Node { state, .. } if is_ready(state))
        });
        let (at, _) = last.next().expect("connected");
        ready.insert(at.as_micros() / 1000);
    }
    assert!(ready.len() > CLIENTS / 2, "{ready:?}");
}

/// A connection that is made and ends before it was of any use proves nothing.
#[test]
fn a_server_that_hangs_up_at_once_is_tried_ever_less_often() {
    let mut world = World::single();
    let alice = world.client();
    wait_for(&mut world, alice, "k");
    let end = world.now() + 20_000 * MS;
    let mut before = 0;
    while world.now() < end {
        let is_ready = |world: &mut World| {
            let last = world.of(alice).nodes.last();
            matches!(
                last,
                Some((
                    _,
                    Event::Node {
                        state: NodeState::Ready { .. },
                        ..
                    }
                ))
            ) && world.of(alice).nodes.len() > before
        };
        if !world.run_until(5000 * MS, is_ready) {
            break;
        }
        world.cut(alice, 0);
        before = world.of(alice).nodes.len();
    }
    let downs = downs(&world, alice);
    assert!(downs.len() >= 5, "{downs:?}");
    assert!(downs.len() <= 40, "{} times in 20 s", downs.len());
}
