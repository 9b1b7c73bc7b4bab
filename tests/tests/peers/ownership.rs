//! Whose lock it is.

use tenure_core::{Event, Key, Keys, Loss, Metadata, NodeError, NotObtained};
use tenure_tests::world::World;

use super::{
    MS, SECOND, TTL, both_worlds, ended, exists, held, is_held, manual, obtain, pttl, silent_world,
    with_token,
};

/// bsm/redislock compares only as many bytes as the token has.
#[test]
fn a_token_does_not_steal_the_lock_of_a_token_that_it_begins() {
    for mut world in both_worlds() {
        let (alice, bob) = (world.client(), world.client());
        for key in ["k", "a+b"] {
            let ten = with_token(world.request(key, TTL), "worker-10");
            let lock = held(&mut world, alice, ten);
            let one = with_token(world.request(key, TTL), "worker-1");
            let thief = world.obtain(bob, one);
            let end = ended(&mut world, bob, thief, SECOND);
            assert!(matches!(
                end,
                Event::NotObtained {
                    reason: NotObtained::Taken { .. },
                    ..
                }
            ));
            assert!(is_held(&world, alice, lock));
        }
    }
}

/// bsm/redislock overwrites the metadata, and then the first handle cannot refresh.
#[test]
fn the_same_token_with_other_metadata_overwrites_nothing() {
    for mut world in both_worlds() {
        let (alice, bob) = (world.client(), world.client());
        let mut mine = with_token(world.request("k", TTL), "job");
        mine.metadata = Metadata::new("mine").expect("metadata");
        let lock = held(&mut world, alice, mine.clone());
        let mut other = mine;
        other.metadata = Metadata::new("other").expect("metadata");
        let second = world.obtain(bob, other);
        let end = ended(&mut world, bob, second, SECOND);
        assert!(matches!(
            end,
            Event::NotObtained {
                reason: NotObtained::Taken { .. },
                ..
            }
        ));
        assert_eq!(world.command(0, &[b"GET", b"k"]), b"$7\r\njobmine\r\n");
        let refreshed = world.act(alice, |engine, now| engine.refresh(lock, None, now));
        refreshed.expect("held");
        world.run_for(10 * MS);
        assert!(matches!(
            world.last(alice, lock),
            Some(Event::Refreshed {
                requested: true,
                ..
            })
        ));
    }
}

/// bsm/redislock with our token and other metadata overwrites our value, as it compares the token only: the loss is reported.
#[test]
fn a_value_that_is_overwritten_under_the_same_token_is_a_loss_that_is_reported_at_once() {
    for mut world in both_worlds() {
        let alice = world.client();
        let mut mine = with_token(world.request("k", TTL), "job");
        mine.metadata = Metadata::new("mine").expect("metadata");
        let lock = held(&mut world, alice, mine);
        world.run_for(SECOND);
        world.command(0, &[b"SET", b"k", b"jobother", b"PX", b"10000"]);
        let end = ended(&mut world, alice, lock, 5 * MS);
        let reason = Loss::Taken;
        assert_eq!(end, Event::Lost { lock, reason });
        world.run_for(10 * MS);
        let left = world.command(0, &[b"GET", b"k"]);
        assert_eq!(left, b"$8\r\njobother\r\n");
    }
}

/// bsm/redislock: a hard error instead of "taken".
#[test]
fn a_key_of_another_type_is_taken() {
    for mut world in both_worlds() {
        let alice = world.client();
        world.command(0, &[b"HSET", b"hash", b"field", b"value"]);
        for key in ["hash", "free+hash"] {
            let request = world.request(key, TTL);
            let lock = world.obtain(alice, request);
            let end = ended(&mut world, alice, lock, SECOND);
            let taken = matches!(
                end,
                Event::NotObtained {
                    reason: NotObtained::Taken { .. },
                    ..
                }
            );
            assert!(taken, "{key}: {end:?}");
        }
        assert!(!exists(&mut world, 0, "free"));
    }
}

/// RedLock.net's extend, and redsync's with `WithSetNXOnExtend`: somebody may have held it in between.
#[test]
fn a_refresh_does_not_create_a_lost_lock_again() {
    for keys in ["k", "k+l"] {
        let mut world = silent_world();
        let alice = world.client();
        let request = manual(world.request(keys, TTL));
        let lock = held(&mut world, alice, request);
        world.command(0, &[b"DEL", b"k"]);
        let refreshed = world.act(alice, |engine, now| engine.refresh(lock, None, now));
        refreshed.expect("it does not know yet");
        let end = ended(&mut world, alice, lock, SECOND);
        assert_eq!(
            end,
            Event::Lost {
                lock,
                reason: Loss::Taken
            }
        );
        world.run_for(10 * MS);
        assert!(!exists(&mut world, 0, "k") && !exists(&mut world, 0, "l"));
    }
}

/// redisson#4698 and #3854, RedLock.net#92, curator#985: never reported, or without the reason.
#[test]
fn every_loss_is_reported_with_its_reason() {
    let mut world = World::single();
    let alice = world.client();
    let deleted = obtain(&mut world, alice, "deleted");
    let stolen = obtain(&mut world, alice, "stolen");
    let unreachable = obtain(&mut world, alice, "unreachable");
    world.command(0, &[b"DEL", b"deleted"]);
    world.command(0, &[b"SET", b"stolen", b"by bob"]);
    world.run_for(5 * MS);
    for lock in [deleted, stolen] {
        let last = world.last(alice, lock);
        assert_eq!(
            last,
            Some(Event::Lost {
                lock,
                reason: Loss::Taken
            })
        );
    }
    world.weather(alice, 0, tenure_tests::world::Weather::Silent);
    let end = ended(&mut world, alice, unreachable, TTL);
    assert_eq!(
        end,
        Event::Lost {
            lock: unreachable,
            reason: Loss::Expired {
                error: Some(NodeError::TimedOut)
            }
        }
    );
}

/// redisson#4818, #3484, #5623: the lease time of an earlier call is used again.
#[test]
fn the_ttl_of_an_earlier_lock_is_not_used_again() {
    for mut world in both_worlds() {
        let alice = world.client();
        for (ttl, token) in [(TTL, "one"), (3 * SECOND, "two"), (5 * SECOND, "two")] {
            let request = with_token(world.request("k", ttl), token);
            let lock = held(&mut world, alice, request);
            let left = pttl(&mut world, "k");
            let whole = i64::try_from(ttl.as_millis()).expect("short");
            assert!((whole - 10..=whole).contains(&left), "{left} of {whole}");
            world.release(alice, lock);
            world.run_for(10 * MS);
        }
    }
}

/// node-redlock#64, python-redis-lock#59: known only from the server's error.
#[test]
fn keys_of_different_slots_are_known_before_anything_is_sent() {
    let keys = |names: [&str; 2]| Keys::new(names.map(|name| Key::new(name).expect("a key")));
    assert_eq!(keys(["a", "b"]).expect("keys").same_slot(), None);
    let tagged = keys(["{order}.a", "{order}.b"]).expect("keys");
    assert_eq!(
        tagged.same_slot(),
        keys(["order", "{order}"]).expect("keys").same_slot()
    );
    assert!(tagged.same_slot().is_some());
}
