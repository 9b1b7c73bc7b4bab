//! Times to live, leases and clocks.

use std::time::Duration;

use tenure_core::{Event, Loss, Renewal, Ttl};
use tenure_tests::world::World;

use super::{
    MS, SECOND, TTL, both_worlds, ended, exists, held, is_held, manual, obtain, pttl, wait_at_most,
};

/// sherlock and redisync set the key first, and then fail with a ttl that is not a whole number: it stays forever.
/// sherlock's `expire=None` deletes the key at once.
#[test]
fn no_key_is_ever_without_a_ttl() {
    for mut world in both_worlds() {
        let alice = world.client();
        for ttl in [
            Duration::from_micros(10_001),
            Duration::from_nanos(1_500_000_001),
        ] {
            for keys in ["k", "k+l"] {
                let request = manual(world.request(keys, ttl));
                let lock = held(&mut world, alice, request);
                let left = pttl(&mut world, "k");
                let most = i64::try_from(ttl.as_millis()).expect("short") + 1;
                assert!(left > 0 && left <= most, "{left}");
                world.release(alice, lock);
                world.run_for(10 * MS);
                assert!(!exists(&mut world, 0, "k"));
            }
        }
    }
    for none in [Duration::ZERO, Duration::MAX] {
        assert!(Ttl::new(none).is_err(), "refused before anything is sent");
    }
}

/// node-redlock#299, #283 and #169: the end is counted from the first attempt, or from the arrival of the answer.
#[test]
fn a_lease_counts_from_the_attempt_that_won() {
    for latency in [MS, 100 * MS] {
        let mut world = World::single();
        world.latency = latency;
        let (alice, bob) = (world.client(), world.client());
        let first = obtain(&mut world, alice, "k");
        let second = wait_at_most(&mut world, bob, "k", 60 * SECOND);
        world.run_for(7 * SECOND);
        world.release(alice, first);
        assert!(world.run_until(SECOND, |world| is_held(world, bob, second)));
        let check = |world: &World| {
            let lease = world.of(bob).engine.lease(second).expect("held");
            let drift = TTL / 100 + 2 * MS;
            let left = lease.expires_at().saturating_since(world.now());
            // Sent one round trip ago, and not when it began to wait, nor now.
            assert_eq!(left, TTL - drift - 2 * latency, "{latency:?}");
        };
        check(&world);
        let before = world.of(bob).engine.lease(second);
        assert!(world.run_until(TTL, |world| world.of(bob).engine.lease(second) != before));
        check(&world);
    }
}

/// librespot#1626, valkey#2651: a clock that stands still during suspend keeps a lease that is over.
#[test]
fn a_holder_that_slept_through_its_lease_knows_when_it_wakes() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let lock = obtain(&mut world, alice, "k");
    let next = wait_at_most(&mut world, bob, "k", 60 * SECOND);
    world.run_for(10 * MS);
    world.suspend(alice, true);
    assert!(world.run_until(2 * TTL, |world| is_held(world, bob, next)));
    world.run_for(SECOND);

    world.suspend(alice, false);
    world.run_for(Duration::ZERO);

    let lost = Event::Lost {
        lock,
        reason: Loss::Expired { error: None },
    };
    assert_eq!(world.last(alice, lock), Some(lost), "before anything else");
    world.run_for(2 * TTL);
    assert!(
        is_held(&world, bob, next),
        "the late renewal and release hit nobody"
    );
}

/// RedLock.net#68, python-redis-lock#106, redisson#1626: a holder that hangs renews forever.
#[test]
fn renewal_has_an_end_if_one_is_wanted() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut request = world.request("k", TTL);
    request.renewal = Renewal::Automatic {
        max_hold: Some(15 * SECOND),
    };
    let hung = held(&mut world, alice, request);
    let next = wait_at_most(&mut world, bob, "k", 60 * SECOND);
    let end = ended(&mut world, alice, hung, 16 * SECOND);
    assert_eq!(
        end,
        Event::Lost {
            lock: hung,
            reason: Loss::MaxHold
        }
    );
    assert!(world.run_until(10 * MS, |world| is_held(world, bob, next)));
}

/// dynamolock#280: the heartbeat got through, and the lock was said to be lost.
#[test]
fn a_renewal_without_an_answer_is_no_loss() {
    for mut world in both_worlds() {
        let alice = world.client();
        let lock = obtain(&mut world, alice, "k");
        world.run_for(3 * SECOND);
        world.weather(alice, 0, tenure_tests::world::Weather::Deaf);
        world.run_for(3 * SECOND);
        world.weather(alice, 0, tenure_tests::world::Weather::Fair);
        world.run_for(20 * SECOND);
        assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
    }
}
