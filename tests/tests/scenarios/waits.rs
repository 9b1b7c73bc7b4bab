//! A wait is a bound, and a pause is one, however it was written.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{
    Arrangement, Config, Engine, Event, Holder, Instant, Jitter, NodeConfig, NodeError,
    NotObtained, Output, Retry, Ttl,
};
use tenure_tests::world::{ClientId, Weather, World};

use crate::modes::{WRITE, hold, request, wait_in};
use crate::{
    MS, TTL, ended, is_free, is_held, not_obtained, obtain, until_held, wait_at_most,
    without_tracking,
};

/// How long a lock waits until its last word, and that word.
#[track_caller]
fn wait_of(world: &mut World, client: ClientId, wait: Duration) -> (Duration, NotObtained) {
    let lock = wait_at_most(world, client, "k", wait);
    let start = world.now();
    let end = ended(world, client, lock, 10 * TTL);
    let Event::NotObtained { reason, .. } = end else {
        panic!("{end:?}");
    };
    (world.now().saturating_since(start), reason)
}

#[test]
fn a_wait_of_fifty_milliseconds_is_one_though_one_of_three_nodes_is_silent() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    world.run_for(100 * MS);
    world.weather(bob, 2, Weather::Silent);
    obtain(&mut world, alice, "k");
    let (waited, reason) = wait_of(&mut world, bob, 50 * MS);
    assert!(waited >= 50 * MS && waited <= 51 * MS, "{waited:?}");
    let by = Holder::Other;
    assert_eq!(reason, NotObtained::TimedOut { by });
}

#[test]
fn a_wait_is_a_bound_whichever_nodes_in_order_are_silent() {
    for silent in 0..3 {
        for held in [true, false] {
            let mut world = World::new(3, Arrangement::Ordered);
            let (alice, bob) = (world.client(), world.client());
            world.run_for(100 * MS);
            if held {
                obtain(&mut world, alice, "k");
            }
            world.weather(bob, silent, Weather::Silent);
            let (waited, _) = wait_of(&mut world, bob, 50 * MS);
            assert!(waited >= 50 * MS && waited <= 51 * MS, "{waited:?}");
        }
    }
}

/// Whether the waiter makes attempts, or is parked behind others of its client.
#[test]
fn a_wait_is_a_bound_for_parked_locks() {
    for weather in [Weather::Fair, Weather::Silent, Weather::Refusing] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        let waits: Vec<_> = [900, 500, 700, 50].map(|ms| ms * MS).to_vec();
        world.run_for(100 * MS);
        let start = world.now();
        let locks: Vec<_> = waits
            .iter()
            .map(|wait| wait_at_most(&mut world, bob, "k", *wait))
            .collect();
        world.run_for(10 * MS);
        world.weather(bob, 0, weather);
        world.run_for(1000 * MS);
        for (lock, wait) in locks.iter().zip(waits) {
            let of_lock = |(_, event): &&(Instant, Event)| matches!(event, Event::NotObtained { lock: of, .. } if of == lock);
            let (at, _) = world.events(bob).iter().find(of_lock).expect("an end");
            assert_eq!(at.saturating_since(start), wait, "{weather:?}");
        }
    }
}

#[test]
fn a_wait_of_fifty_milliseconds_is_one_though_the_only_server_is_silent() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.weather(alice, 0, Weather::Silent);
    let (waited, reason) = wait_of(&mut world, alice, 50 * MS);
    assert!(waited >= 50 * MS && waited <= 51 * MS, "{waited:?}");
    assert!(
        matches!(reason, NotObtained::Unreachable(_)),
        "nobody answered: {reason:?}"
    );
}

#[test]
fn a_wait_of_fifty_milliseconds_is_one_though_the_server_was_never_there() {
    for weather in [Weather::Silent, Weather::Refusing] {
        let mut world = World::single();
        let alice = world.client();
        world.weather(alice, 0, weather);
        world.cut(alice, 0);
        let (waited, reason) = wait_of(&mut world, alice, 50 * MS);
        assert!(waited >= 50 * MS && waited <= 51 * MS, "{waited:?}");
        assert!(matches!(reason, NotObtained::Unreachable(_)), "{reason:?}");
    }
}

/// The first attempt goes out when a neighbour has released, a moment before the end of the wait.
#[test]
fn a_first_question_late_in_a_wait_does_not_make_it_longer() {
    for weather in [Weather::Silent, Weather::Deaf] {
        for before in [Duration::from_micros(100), MS / 2, 2 * MS] {
            let mut world = World::single();
            let alice = world.client();
            let held = obtain(&mut world, alice, "k");
            let lock = wait_at_most(&mut world, alice, "k", 500 * MS);
            let start = world.now();
            world.run_for(500 * MS - before);
            world.weather(alice, 0, weather);
            world.release(alice, held);
            ended(&mut world, alice, lock, TTL);
            let waited = world.now().saturating_since(start);
            assert!(waited >= 500 * MS && waited <= 501 * MS, "{waited:?}");
        }
    }
}

/// Lent clients and servers without RESP3 poll: a wait of theirs often ends while a question is in flight.
#[test]
fn a_wait_that_ends_while_a_question_is_in_flight_has_found_the_lock_taken() {
    for wait in (50..90).map(|wait| wait * MS) {
        let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
        world.latency = 10 * MS;
        let (alice, bob) = (world.client(), world.client());
        world.run_for(200 * MS);
        let mut request = world.request("k", TTL);
        request.wait = Some(TTL);
        let held = world.obtain(alice, request);
        assert!(world.run_until(TTL, |world| is_held(world, alice, held)));
        let (waited, reason) = wait_of(&mut world, bob, wait);
        let by = Holder::Other;
        assert_eq!(reason, NotObtained::TimedOut { by }, "{wait:?}");
        assert!(
            waited >= wait && waited <= wait + MS,
            "{wait:?}: {waited:?}"
        );
    }
}

#[test]
fn leftovers_of_an_ended_wait_are_released_in_the_background() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.weather(alice, 0, Weather::Deaf);
    let lock = wait_at_most(&mut world, alice, "k", 50 * MS);
    ended(&mut world, alice, lock, 51 * MS);
    assert!(!is_free(&mut world, "k"), "the server did it");
    world.weather(alice, 0, Weather::Fair);
    world.run_for(2000 * MS);
    assert!(is_free(&mut world, "k"));
}

/// Every way to write a pause of nothing.
fn pauses_of_nothing() -> Vec<Retry> {
    let zero = Duration::ZERO;
    let percent = 100;
    let factor = 0;
    let mut all = vec![
        Retry::every(zero),
        Retry::every(Duration::from_nanos(1)),
        Retry::exponential(zero, zero),
        Retry::exponential(zero, TTL),
        Retry::sequence(vec![zero; 100_000]),
    ];
    for jitter in [Jitter::Full { percent }, Jitter::Decorrelated { factor }] {
        all.extend(all.clone().into_iter().take(5).map(|r| r.jitter(jitter)));
    }
    all.push(Retry::every(MS).jitter(Jitter::Full { percent }));
    all
}

/// The driver sleeps until exactly the deadline: each sleep is an attempt.
#[test]
fn a_pause_of_nothing_is_no_endless_loop_while_the_server_is_down() {
    for retry in pauses_of_nothing() {
        let mut world = World::single();
        let config = Config::single(NodeConfig::default());
        let mut request = world.request("k", TTL);
        request.wait = Some(1000 * MS);
        request.retry = retry.clone();
        let mut now = world.now();
        let mut engine = Engine::new(config, 1, now);
        let lock = engine.obtain(request, now);
        let mut attempts = 0;
        let reason = loop {
            let mut steps = 0;
            let (due, reason) = loop {
                steps += 1;
                assert!(steps < 10, "{retry:?}: it never comes to a timeout");
                match engine.poll_output() {
                    Output::Timeout(due) => break (due, None),
                    Output::Event(Event::NotObtained { reason, .. }) => break (None, Some(reason)),
                    Output::Connect(node) => {
                        // Refused at once.
                        engine.handle_disconnected(node, now);
                    }
                    Output::Disconnect(_) | Output::Transmit { .. } | Output::Event(_) => {}
                }
            };
            if let Some(reason) = reason {
                break reason;
            }
            attempts += 1;
            assert!(attempts <= 1200, "{retry:?}: too many attempts");
            now = due.expect("a lock waits");
            engine.handle_timeout(now);
        };
        assert_eq!(
            reason,
            NotObtained::Unreachable(NodeError::Disconnected),
            "{retry:?}"
        );
        assert!(engine.lease(lock).is_none());
        // One each millisecond, and the tries to connect.
        assert!(attempts >= 10, "{retry:?}: {attempts} attempts");
        assert_eq!(now.saturating_since(world.now()), 1000 * MS, "{retry:?}");
    }
}

#[test]
fn a_pause_of_zero_retries_a_thousand_times_a_second_at_most() {
    for retry in pauses_of_nothing() {
        let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
        world.latency = Duration::from_micros(10);
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        world.run_for(100 * MS);
        let before = world.of(bob).writes;
        let mut request = world.request("k", TTL);
        request.wait = Some(1000 * MS);
        request.retry = retry.clone();
        let lock = world.obtain(bob, request);
        world.run_for(1010 * MS);
        let asked = world.of(bob).writes - before;
        assert!(asked <= 1010, "{retry:?}: {asked} times");
        let by = Holder::Other;
        let reason = NotObtained::TimedOut { by };
        assert_eq!(world.last(bob, lock), Some(not_obtained(lock, reason)));
    }
}

#[test]
fn a_wait_for_a_server_that_went_away_ends_with_why_it_cannot_be_reached() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let lock = wait_at_most(&mut world, bob, "k", 3000 * MS);
    let neighbour = wait_at_most(&mut world, bob, "k", 3000 * MS);
    world.run_for(100 * MS);
    world.weather(bob, 0, Weather::Refusing);
    world.cut(bob, 0);
    for lock in [lock, neighbour] {
        let end = ended(&mut world, bob, lock, 3000 * MS);
        let reason = NotObtained::Unreachable(NodeError::Disconnected);
        assert_eq!(end, not_obtained(lock, reason));
    }
}

/// A server without `PTTL` registers nobody for a bell, so that nothing would wake the lock.
#[test]
fn a_waiter_that_cannot_register_for_a_bell_asks_after_the_usual_pauses() {
    let mut options = Options::default();
    options.pttl = false;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, WRITE);
    let second = wait_in(&mut world, bob, WRITE);
    world.run_for(100 * MS);
    let third = wait_in(&mut world, carol, WRITE);
    world.run_for(1500 * MS);
    world.release(bob, second);
    world.release(alice, first);
    until_held(&mut world, carol, third, 1100 * MS);
}

#[test]
fn a_place_in_a_queue_is_kept_with_time_for_a_request_that_is_lost() {
    let mut world = World::single();
    let [alice, bob] = [world.client(), world.client()];
    hold(&mut world, alice, WRITE);
    let mut request = request(&mut world, WRITE);
    request.ttl = Ttl::new(1500 * MS).expect("a ttl");
    request.wait = Some(TTL);
    world.obtain(bob, request);
    world.run_for(100 * MS);
    let writes = world.of(bob).writes;
    world.run_for(1500 * MS);
    assert!(world.of(bob).writes >= writes + 2);
}
