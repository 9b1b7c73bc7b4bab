//! Releases, and messages that may still be on their way then.

use tenure_core::{Arrangement, Event, Loss, Released};
use tenure_tests::world::{Weather, World};

use super::{
    MS, SECOND, TTL, both_worlds, ended, exists, held, manual, obtain, silent_world, wait_at_most,
};

/// redisson#7272 and #5698, dynamodb-lock-client#1, spring-integration#10513: the renewal outlives the lock.
#[test]
fn a_renewal_on_its_way_does_not_outlive_the_release() {
    for mut world in both_worlds() {
        let (alice, bob) = (world.client(), world.client());
        // Once before, so that the server has the scripts.
        let before = obtain(&mut world, alice, "k");
        world.release(alice, before);
        world.run_for(10 * MS);
        let lock = obtain(&mut world, alice, "k");
        let lease = world.of(alice).engine.lease(lock).expect("held");
        // A renewal goes out a third of the ttl after the obtain did: now it is on its way.
        let whole = lease.remaining(world.now());
        let drift = TTL / 100 + 2 * MS;
        let until = TTL / 3 + whole + drift - TTL;
        world.run_for(until);
        world.release(alice, lock);
        let writes = world.of(alice).writes;

        let next = wait_at_most(&mut world, bob, "k", SECOND);
        assert!(world.run_until(SECOND, |world| super::is_held(world, bob, next)));
        world.run_for(3 * TTL);

        assert_eq!(
            world.last(alice, lock),
            Some(Event::Released {
                lock,
                proof: Released::Confirmed
            })
        );
        assert_eq!(
            world.of(alice).writes,
            writes,
            "nothing was sent after the release"
        );
        assert!(super::is_held(&world, bob, next));
    }
}

/// redis-py#3847 and PR #4258, curator#1193, open-match#1576: the token is forgotten before the answer is there.
#[test]
fn a_release_whose_answer_is_lost_is_sent_again() {
    for weather in [Weather::Deaf, Weather::Silent] {
        for mut world in both_worlds() {
            let alice = world.client();
            let lock = obtain(&mut world, alice, "k");
            world.weather(alice, 0, weather);
            world.release(alice, lock);
            world.run_for(2 * SECOND);
            assert!(
                world
                    .last(alice, lock)
                    .is_some_and(|e| matches!(e, Event::Obtained { .. }))
            );

            world.weather(alice, 0, Weather::Fair);
            let Event::Released { proof, .. } = ended(&mut world, alice, lock, 5 * SECOND) else {
                panic!("{:?}", world.events(alice));
            };
            // Perhaps the first one was carried out, and only its answer was lost.
            assert_ne!(proof, Released::Missing);
            // It may have been reported before: a caller does not wait for long.
            world.run_for(5 * SECOND);
            assert!(!exists(&mut world, 0, "k"));
        }
    }
}

/// bsm/redislock's release deletes nothing if one key of several was lost: the others stay until their ttl.
#[test]
fn a_release_deletes_all_that_is_still_ours() {
    for mut world in both_worlds() {
        let alice = world.client();
        let request = manual(world.request("a+b+c", TTL));
        let lock = held(&mut world, alice, request);
        // Overwritten in the moment in which it is released.
        world.release(alice, lock);
        world.command(0, &[b"SET", b"b", b"bob"]);
        let end = ended(&mut world, alice, lock, SECOND);
        assert_eq!(
            end,
            Event::Released {
                lock,
                proof: Released::Missing
            }
        );
        let left = ["a", "b", "c"].map(|key| exists(&mut world, 0, key));
        assert_eq!(left, [false, true, false]);
        assert_eq!(world.command(0, &[b"GET", b"b"]), b"$3\r\nbob\r\n");
    }
}

/// redis-py#3532, node-redlock#65 and #309, redisson#4869: an error that hides the result of the work, or tries without
/// end.
#[test]
fn releasing_an_ended_lock_is_no_error() {
    let mut world = silent_world();
    let alice = world.client();
    let request = manual(world.request("k", SECOND));
    let expired = held(&mut world, alice, request);
    assert_eq!(
        ended(&mut world, alice, expired, 2 * SECOND),
        Event::Lost {
            lock: expired,
            reason: Loss::Expired { error: None }
        }
    );
    world.run_for(SECOND);
    let (writes, events) = (world.of(alice).writes, world.events(alice).len());
    world.release(alice, expired);
    world.run_for(SECOND);
    assert_eq!(world.of(alice).writes, writes, "nothing is sent for it");
    assert_eq!(
        world.events(alice).len(),
        events,
        "nothing is reported of it"
    );

    let deleted = obtain(&mut world, alice, "k");
    world.command(0, &[b"DEL", b"k"]);
    world.release(alice, deleted);
    assert_eq!(
        ended(&mut world, alice, deleted, SECOND),
        Event::Released {
            lock: deleted,
            proof: Released::Missing
        }
    );
}

/// redislock-go's `TryAcquire` (replicate/go) releases only the nodes before the one with the error, which may have set
/// the key all the same.
#[test]
fn the_node_that_gave_no_answer_is_released_too() {
    for failing in 0..3 {
        let mut world = World::new(3, Arrangement::Ordered);
        let alice = world.client();
        world.run_for(100 * MS);
        world.weather(alice, failing, Weather::Deaf);
        let request = world.request("k", TTL);
        let lock = world.obtain(alice, request);
        assert!(matches!(
            ended(&mut world, alice, lock, 10 * SECOND),
            Event::NotObtained { .. }
        ));
        assert!(exists(&mut world, failing, "k"), "it did set the key");
        world.weather(alice, failing, Weather::Fair);
        world.run_for(4 * SECOND);
        for node in 0..3 {
            assert!(
                !exists(&mut world, node, "k"),
                "node {node} of a failure at {failing}"
            );
        }
    }
}

/// redlock-rb#27 and #148: a release that finds its script gone fails, and the key stays.
#[test]
fn a_script_that_is_gone_does_not_keep_the_key() {
    for mut world in both_worlds() {
        let alice = world.client();
        for keys in ["k", "a+b"] {
            let lock = obtain(&mut world, alice, keys);
            world.server(0).flush_scripts();
            world.release(alice, lock);
            let end = ended(&mut world, alice, lock, SECOND);
            assert_eq!(
                end,
                Event::Released {
                    lock,
                    proof: Released::Confirmed
                }
            );
        }
        assert!(!exists(&mut world, 0, "k") && !exists(&mut world, 0, "a"));
    }
}
