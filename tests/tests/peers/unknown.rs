//! No answer is not a refusal, and an error says what it is.

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Event, NodeError, NotObtained};
use tenure_tests::world::{Weather, World};

use super::{MS, SECOND, TTL, both_worlds, ended, exists, is_held, obtain, wait_at_most};

/// go-redis#2985, rueidis#630, rueidislock's retry of its own script: the second try finds the first one's key, and says
/// that somebody else has the lock.
#[test]
fn our_own_key_is_never_reported_as_taken_by_others() {
    for weather in [Weather::Deaf, Weather::Silent] {
        for keys in ["k", "a+b"] {
            for mut world in both_worlds() {
                let alice = world.client();
                world.run_for(10 * MS);
                world.weather(alice, 0, weather);
                let lock = wait_at_most(&mut world, alice, keys, 60 * SECOND);
                world.run_for(3 * SECOND);
                assert_eq!(world.last(alice, lock), None, "{:?}", world.events(alice));
                world.weather(alice, 0, Weather::Fair);
                assert!(world.run_until(5 * SECOND, |world| is_held(world, alice, lock)));
            }
        }
    }
}

/// node-redlock PR #369: what it left on a minority of nodes blocks its own next attempt.
#[test]
fn leftovers_on_a_node_do_not_block_the_next_attempt() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    world.run_for(100 * MS);
    // Two of three refuse. The third grants, and then neither its answer nor the release gets through.
    for node in 0..2 {
        world.command(node, &[b"SET", b"k", b"bob", b"PX", b"3000"]);
    }
    let lock = wait_at_most(&mut world, alice, "k", 60 * SECOND);
    let half_way = world.latency + world.latency / 2;
    world.run_for(half_way);
    world.weather(alice, 2, Weather::Silent);
    world.run_for(2 * SECOND);
    assert!(exists(&mut world, 2, "k"));
    world.weather(alice, 2, Weather::Fair);
    assert!(world.run_until(4 * SECOND, |world| is_held(world, alice, lock)));
}

/// aioredlock#90, node-redlock#168, redsync#81: whether it is taken, or nobody could be asked, looks the same.
#[test]
fn taken_and_unreachable_are_distinguished() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let request = world.request("k", TTL);
    let tried = world.obtain(bob, request.clone());
    let taken = ended(&mut world, bob, tried, SECOND);
    assert!(matches!(
        taken,
        Event::NotObtained {
            reason: NotObtained::Taken { .. },
            ..
        }
    ));

    world.weather(bob, 0, Weather::Refusing);
    world.cut(bob, 0);
    world.run_for(10 * MS);
    let tried = world.obtain(bob, request);
    let unreachable = ended(&mut world, bob, tried, 5 * SECOND);
    assert_eq!(
        unreachable,
        Event::NotObtained {
            lock: tried,
            reason: NotObtained::Unreachable(NodeError::Disconnected)
        }
    );
}

/// node-redlock#168 and #131: "unable to achieve a quorum" hides the cause.
#[test]
fn a_failed_quorum_reports_the_reason() {
    let mut options = Options::default();
    options.max_keys = 0;
    for arrangement in [Arrangement::Quorum, Arrangement::Ordered] {
        let mut world = World::with(3, arrangement, options.clone(), |_| {});
        let alice = world.client();
        world.run_for(100 * MS);
        let request = world.request("k", TTL);
        let lock = world.obtain(alice, request);
        let reason = NotObtained::Unreachable(NodeError::OutOfMemory);
        assert_eq!(
            ended(&mut world, alice, lock, SECOND),
            Event::NotObtained { lock, reason }
        );
    }
}

/// pottery#404: blocks forever when the server is down.
#[test]
fn a_wait_ends_in_time_when_no_server_is_there() {
    for weather in [Weather::Silent, Weather::Refusing] {
        let mut world = World::single();
        let alice = world.client();
        world.run_for(10 * MS);
        world.weather(alice, 0, weather);
        world.cut(alice, 0);
        let start = world.now();
        let lock = wait_at_most(&mut world, alice, "k", 5 * SECOND);
        let end = ended(&mut world, alice, lock, 6 * SECOND);
        assert!(
            matches!(
                end,
                Event::NotObtained {
                    reason: NotObtained::Unreachable(_),
                    ..
                }
            ),
            "{end:?}"
        );
        assert_eq!(
            world.now().saturating_since(start),
            5 * SECOND,
            "{weather:?}"
        );
    }
}

/// etcd#19597: a waiter goes on waiting after its own connection has died.
#[test]
fn a_waiter_whose_connection_dies_retries_on_the_next() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    let second = wait_at_most(&mut world, bob, "k", 60 * SECOND);
    world.run_for(10 * MS);
    world.weather(bob, 0, Weather::Refusing);
    world.cut(bob, 0);
    world.run_for(10 * MS);
    world.release(alice, first);
    world.run_for(SECOND);
    assert!(!is_held(&world, bob, second));
    world.weather(bob, 0, Weather::Fair);
    // Connecting again has its pauses, of at most two seconds.
    assert!(world.run_until(3 * SECOND, |world| is_held(world, bob, second)));
}

/// The same with several keys: what the unanswered attempt took is needed by others while this one waits for the rest.
#[test]
fn a_denied_second_try_releases_the_grant_of_the_first() {
    for mut world in both_worlds() {
        let alice = world.client();
        // Once before, so that the server has the scripts.
        let before = obtain(&mut world, alice, "a+b");
        world.release(alice, before);
        world.run_for(10 * MS);
        world.weather(alice, 0, Weather::Deaf);
        let lock = wait_at_most(&mut world, alice, "a+b", 60 * SECOND);
        world.run_for(10 * MS);
        assert!(exists(&mut world, 0, "b"));
        world.command(0, &[b"SET", b"a", b"bob", b"PX", b"20000"]);
        world.weather(alice, 0, Weather::Fair);
        world.run_for(5 * SECOND);
        assert!(!is_held(&world, alice, lock));
        assert!(!exists(&mut world, 0, "b"), "long before its ttl is over");
        assert!(world.run_until(20 * SECOND, |world| is_held(world, alice, lock)));
    }
}
