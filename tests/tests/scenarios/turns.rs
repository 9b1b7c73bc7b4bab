//! Turns: a lock that has come free goes on to who waits for it, whatever has become of others, and of other nodes.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Event, LockId, NotObtained};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::trials::Contest;
use tenure_tests::world::{ClientId, Weather, World};

use crate::{
    MS, TTL, ended, is_held, like_redis, obtain, quiet_about_expiry, until_held, wait_for,
    without_tracking,
};

/// Three nodes, the last of which has gone silent for everybody.
fn with_a_silent_node(clients: usize) -> (World, Vec<ClientId>) {
    let mut world = World::new(3, Arrangement::Quorum);
    let clients: Vec<ClientId> = (0..clients).map(|_| world.client()).collect();
    world.run_for(100 * MS);
    for client in &clients {
        world.weather(*client, 2, Weather::Silent);
    }
    (world, clients)
}

/// The first waiter cancels at any moment: before, while or after its obtain is in flight.
#[test]
fn the_second_waiter_has_its_turn_though_the_first_is_cancelled_during_its_attempt() {
    for moment in (0..4000).step_by(100) {
        let mut world = World::new(3, Arrangement::Quorum);
        let alice = world.client();
        let held = obtain(&mut world, alice, "k");
        let first = wait_for(&mut world, alice, "k");
        let second = wait_for(&mut world, alice, "k");
        world.run_for(100 * MS);

        world.release(alice, held);
        world.run_for(Duration::from_micros(moment));
        world.release(alice, first);

        let waited = until_held(&mut world, alice, second, TTL);
        assert!(waited <= 8 * world.latency, "{moment} µs: {waited:?}");
    }
}

#[test]
fn the_second_waiter_has_its_turn_though_the_release_came_while_the_first_was_taken_back() {
    for moment in (0..4000).step_by(100) {
        let mut world = World::new(3, Arrangement::Quorum);
        let (alice, bob) = (world.client(), world.client());
        let held = obtain(&mut world, bob, "k");
        world.run_for(10 * MS);
        let first = wait_for(&mut world, alice, "k");
        let second = wait_for(&mut world, alice, "k");
        world.release(alice, first);
        world.run_for(Duration::from_micros(moment));
        world.release(bob, held);

        let waited = until_held(&mut world, alice, second, TTL);
        assert!(waited <= 14 * world.latency, "{moment} µs: {waited:?}");
    }
}

#[test]
fn the_next_waiter_has_its_turn_though_the_server_has_forgotten_its_scripts() {
    for nodes in [1, 3] {
        let arrangement = [Arrangement::Ordered, Arrangement::Quorum][usize::from(nodes > 1)];
        for same_client in [true, false] {
            let mut world = World::with(nodes, arrangement, like_redis(), |_| {});
            let (alice, bob) = (world.client(), world.client());
            let waits = if same_client { alice } else { bob };
            let held = obtain(&mut world, alice, "k");
            let next = wait_for(&mut world, waits, "k");
            world.run_for(100 * MS);
            for node in 0..nodes {
                world.server(node).flush_scripts();
            }

            world.release(alice, held);

            let waited = until_held(&mut world, waits, next, TTL);
            // A round trip for the refusal, one for the script, two for the hand-over, and the spread of a quorum.
            assert!(waited <= 24 * world.latency, "{nodes} nodes: {waited:?}");
        }
    }
}

#[test]
fn contended_hand_overs_take_no_request_timeout_while_one_of_three_nodes_is_silent() {
    let (mut world, clients) = with_a_silent_node(2);
    let mut held = (clients[0], obtain(&mut world, clients[0], "k"));
    let mut waiting = (clients[1], wait_for(&mut world, clients[1], "k"));
    world.run_for(100 * MS);
    for turn in 0..200 {
        world.release(held.0, held.1);
        let again = wait_for(&mut world, held.0, "k");
        let other = held.0;
        let start = world.now();
        let somebody = |w: &mut World| is_held(w, waiting.0, waiting.1) || is_held(w, other, again);
        assert!(world.run_until(TTL, somebody), "turn {turn}");
        let gap = world.now().saturating_since(start);
        assert!(gap <= 50 * MS, "turn {turn}: {gap:?}");
        world.run_for(2 * MS);
        if is_held(&world, waiting.0, waiting.1) {
            held = std::mem::replace(&mut waiting, (other, again));
        } else {
            held = (other, again);
        }
    }
}

/// Stopped for everybody, holder included, with a ttl of ten seconds.
#[test]
fn a_turn_passes_when_a_quorum_has_confirmed_it_though_a_node_is_stopped() {
    for same_client in [true, false] {
        for down in [true, false] {
            let mut world = World::new(3, Arrangement::Quorum);
            let (alice, bob) = (world.client(), world.client());
            let waits = if same_client { alice } else { bob };
            let mut held = (alice, obtain(&mut world, alice, "k"));
            for turn in 0..20 {
                let next = wait_for(&mut world, waits, "k");
                world.run_for(100 * MS);
                if turn == 0 && down {
                    world.down(1, true);
                    world.cut(alice, 1);
                    world.cut(bob, 1);
                } else if turn == 0 {
                    world.pause(1, true);
                }
                world.release(held.0, held.1);
                let waited = until_held(&mut world, waits, next, 2 * TTL);
                assert!(waited <= 50 * MS, "turn {turn}: {waited:?}");
                held = (waits, next);
            }
        }
    }
}

#[test]
fn a_local_waiter_follows_at_once_while_one_of_three_nodes_is_silent() {
    let (mut world, clients) = with_a_silent_node(1);
    let alice = clients[0];
    let mut held = obtain(&mut world, alice, "k");
    for turn in 0..50 {
        let next = wait_for(&mut world, alice, "k");
        world.run_for(MS);
        world.release(alice, held);
        let waited = until_held(&mut world, alice, next, TTL);
        assert!(waited <= 20 * MS, "turn {turn}: {waited:?}");
        held = next;
    }
}

#[test]
fn a_cancelled_contender_is_no_trouble_to_others_while_one_of_three_nodes_is_silent() {
    let (mut world, clients) = with_a_silent_node(2);
    let (alice, bob) = (clients[0], clients[1]);
    let request = world.request("k", TTL);
    let cancelled = world.obtain(alice, request);
    world.run_for(Duration::from_micros(700));
    world.release(alice, cancelled);
    let next = wait_for(&mut world, bob, "k");
    let waited = until_held(&mut world, bob, next, TTL);
    assert!(waited <= 50 * MS, "{waited:?}");
}

/// What is still owed to a node that is down takes no place of a lock.
#[test]
fn a_node_that_is_down_does_not_lead_to_a_limit() {
    for weather in [Weather::Refusing, Weather::Silent] {
        let configure = |config: &mut tenure_core::Config| config.limits.locks = 50;
        let mut world = World::with(3, Arrangement::Quorum, Options::default(), configure);
        let alice = world.client();
        world.run_for(100 * MS);
        world.weather(alice, 2, weather);
        if weather == Weather::Refusing {
            world.cut(alice, 2);
        } else {
            // The node is known to be silent once a request has run into its time.
            let first = obtain(&mut world, alice, "first");
            world.run_for(1100 * MS);
            world.release(alice, first);
            world.run_for(5000 * MS);
        }
        world.run_for(10 * MS);
        for turn in 0..500 {
            let lock = obtain(&mut world, alice, &format!("k{turn}"));
            world.release(alice, lock);
            let end = ended(&mut world, alice, lock, 100 * MS);
            assert!(matches!(end, Event::Released { .. }), "{turn}: {end:?}");
        }
        let limited = world.events(alice).iter().any(|(_, event)| {
            let reason = NotObtained::LimitReached;
            matches!(event, Event::NotObtained { reason: met, .. } if *met == reason)
        });
        assert!(!limited, "{weather:?}");
    }
}

#[test]
fn waiters_at_the_end_of_a_crashed_holder_of_a_quorum_do_not_split_votes_for_long() {
    for waiters in [2, 4, 8] {
        let options = quiet_about_expiry();
        let mut world = World::with(3, Arrangement::Quorum, options, |_| {});
        let alice = world.client();
        obtain(&mut world, alice, "k");
        let waiting: Vec<(ClientId, LockId)> = (0..waiters)
            .map(|_| {
                let client = world.client();
                (client, wait_for(&mut world, client, "k"))
            })
            .collect();
        world.run_for(100 * MS);
        world.suspend(alice, true);
        let free_at = |w: &mut World, node: usize| {
            let now = w.now();
            w.server(node).holding(b"k", now).is_none()
        };
        assert!(world.run_until(2 * TTL, |w| (0..3).filter(|n| free_at(w, *n)).count() >= 2));
        let start = world.now();
        let held = |w: &mut World| waiting.iter().any(|(c, l)| is_held(w, *c, *l));
        assert!(world.run_until(2 * TTL, held), "{waiters} waiters: nobody");
        let waited = world.now().saturating_since(start);
        assert!(waited <= 100 * MS, "{waiters} waiters: {waited:?}");
    }
}

/// The release is never confirmed, so nothing but time can end the turn of its client.
#[test]
fn long_after_a_release_without_a_reply_a_client_obtains_at_once() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::with(nodes, arrangement, without_tracking(), |_| {});
        let alice = world.client();
        let lock = obtain(&mut world, alice, "k");
        // Longer than a turn.
        world.run_for(500 * MS);
        for node in 0..nodes {
            world.down(node, true);
            world.cut(alice, node);
        }
        world.release(alice, lock);
        world.run_for(2 * TTL);
        for node in 0..nodes {
            world.down(node, false);
        }
        world.run_for(TTL);
        let asked = world.now();
        obtain(&mut world, alice, "k");
        let waited = world.now().saturating_since(asked);
        let trips = u32::try_from(2 * nodes).unwrap();
        assert!(waited <= trips * world.latency + MS, "{waited:?}");
    }
}

/// Of clients that request a quorum at the same moment each gets one node, and nobody gets two.
#[test]
fn ten_clients_that_contend_for_a_quorum_seldom_split_votes() {
    let contest = Contest {
        nodes: 3,
        arrangement: Arrangement::Quorum,
        hold: Duration::ZERO,
        ..Contest::new(10, 1)
    };
    let grants: u64 = contest.play().engines.iter().sum();
    // Without splits, 6,100 in ten seconds.
    assert!(grants >= 4500, "{grants} grants");
}

/// It is far from the server, where a turn of somebody who is alone lasts for more than a second.
#[test]
fn a_turn_ends_though_its_engine_has_seen_no_contender_since_it_has_the_key() {
    let mut world = World::single();
    world.latency = 25 * MS;
    let (alice, bob) = (world.client(), world.client());
    let lock = wait_for(&mut world, alice, "k");
    until_held(&mut world, alice, lock, 1000 * MS);
    world.release(alice, lock);
    world.run_for(2000 * MS);

    let held = wait_for(&mut world, bob, "k");
    until_held(&mut world, bob, held, 1000 * MS);
    let [first, second] = [0; 2].map(|_| wait_for(&mut world, alice, "k"));
    world.run_for(200 * MS);
    world.release(bob, held);
    until_held(&mut world, alice, first, 200 * MS);
    let other = wait_for(&mut world, bob, "k");
    world.run_for(900 * MS);
    world.release(alice, first);
    until_held(&mut world, bob, other, 1000 * MS);
    assert!(!is_held(&world, alice, second));
}
