//! Handles of one holding: several locks of one client with the same token, and what becomes of one of them.

use std::time::Duration;

use tenure_core::{
    Arrangement, Event, Holder, LockId, Loss, Metadata, NotObtained, Obtain, Released, Renewal,
    Retry, Token, Ttl,
};
use tenure_tests::trials::ARRANGEMENTS;
use tenure_tests::world::{ClientId, Weather, World};

use crate::modes::{READ, WRITE};
use crate::{
    MS, TTL, ended, held, is_free, is_held, lost, not_obtained, obtain, pttl, released, until_held,
    wait_at_most, without_tracking,
};

fn own(world: &mut World, keys: &str) -> Obtain {
    let mut request = world.request(keys, TTL);
    request.token = Token::new("job-7").expect("a token");
    request
}

/// Two handles, both held.
fn pair(world: &mut World, client: ClientId, requests: [Obtain; 2]) -> [LockId; 2] {
    requests.map(|request| held(world, client, request))
}

#[test]
fn two_waiters_with_one_token_hold_a_lock_together_when_it_comes_free() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        let held = obtain(&mut world, bob, "k");
        let mut request = own(&mut world, "k");
        request.wait = Some(3 * TTL);
        let locks = [0; 2].map(|_| world.obtain(alice, request.clone()));
        world.run_for(100 * MS);
        world.release(bob, held);
        for lock in locks {
            let waited = until_held(&mut world, alice, lock, TTL);
            assert!(waited <= 40 * MS, "{nodes} {arrangement:?}: {waited:?}");
        }
        world.run_for(2 * TTL);
        assert!(locks.iter().all(|lock| is_held(&world, alice, *lock)));
    }
}

/// The key has the marker of those who share it then, not their common value.
#[test]
fn a_reader_keeps_out_a_lock_with_its_token_that_is_to_have_the_key_alone() {
    let mut world = World::single();
    let alice = world.client();
    let alone = own(&mut world, "k");
    let mut shared = alone.clone();
    shared.mode = READ;
    held(&mut world, alice, shared);
    let lock = world.obtain(alice, alone);
    let end = ended(&mut world, alice, lock, 100 * MS);
    let Event::NotObtained {
        reason: NotObtained::Taken { by, .. },
        ..
    } = end
    else {
        panic!("{end:?}");
    };
    assert_eq!(by, Holder::Ourselves);
}

#[test]
fn two_handles_that_are_released_at_once_leave_no_key() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        let request = own(&mut world, "k");
        let [one, two] = pair(&mut world, alice, [request.clone(), request]);
        world.release(alice, one);
        world.release(alice, two);
        world.run_for(20 * MS);
        assert_eq!(world.last(alice, one), released(one, Released::Shared));
        assert_eq!(world.last(alice, two), released(two, Released::Confirmed));
        assert!(is_free(&mut world, "k"));
    }
}

#[test]
fn a_deleted_key_is_reported_to_both_handles() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        let request = own(&mut world, "k");
        let locks = pair(&mut world, alice, [request.clone(), request]);
        world.run_for(1000 * MS);
        for node in 0..nodes {
            world.command(node, &[b"DEL", b"k"]);
        }
        for lock in locks {
            let end = ended(&mut world, alice, lock, 50 * MS);
            assert_eq!(Some(end), lost(lock, Loss::Taken));
        }
    }
}

#[test]
fn a_handle_that_was_held_for_long_enough_leaves_its_sibling_held() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        let request = own(&mut world, "k");
        let mut short = request.clone();
        short.renewal = Renewal::Automatic {
            max_hold: Some(2000 * MS),
        };
        let [goes, stays] = pair(&mut world, alice, [short, request]);
        let end = ended(&mut world, alice, goes, TTL);
        assert_eq!(Some(end), lost(goes, Loss::MaxHold));
        world.run_for(2 * TTL);
        assert!(is_held(&world, alice, stays), "{:?}", world.events(alice));
        let request = world.request("k", TTL);
        let other = world.obtain(bob, request);
        let end = ended(&mut world, bob, other, 100 * MS);
        assert!(matches!(
            end,
            Event::NotObtained {
                reason: NotObtained::Taken { .. },
                ..
            }
        ));
    }
}

#[test]
fn a_token_with_other_metadata_is_another_holding_of_ours() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        let request = own(&mut world, "k");
        let lock = world.obtain(alice, request.clone());
        until_held(&mut world, alice, lock, 100 * MS);
        let mut other = request;
        other.metadata = Metadata::new("host-8").expect("metadata");
        other.wait = Some(500 * MS);
        let other = world.obtain(alice, other);
        let end = ended(&mut world, alice, other, 501 * MS);
        let by = Holder::Ourselves;
        assert_eq!(end, not_obtained(other, NotObtained::TimedOut { by }));
        assert!(is_held(&world, alice, lock));
    }
}

/// Whatever the sibling does just then: renews, or answers a request to refresh.
#[test]
fn a_release_while_the_sibling_is_refreshed_leaves_it_held() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for moment in (0..6000).step_by(250) {
            let mut world = World::new(nodes, arrangement);
            let alice = world.client();
            let request = own(&mut world, "k");
            let [goes, stays] = pair(&mut world, alice, [request.clone(), request]);
            world.run_for(10 * MS);
            world.refresh(alice, stays, None);
            world.refresh(alice, goes, None);
            world.run_for(Duration::from_micros(moment));
            world.release(alice, goes);
            world.run_for(2 * TTL);
            assert!(is_held(&world, alice, stays), "{:?}", world.events(alice));
            world.release(alice, stays);
            world.run_for(20 * MS);
            let confirmed = released(stays, Released::Confirmed);
            assert_eq!(world.last(alice, stays), confirmed);
            assert!(is_free(&mut world, "k"));
        }
    }
}

/// The key is gone while a handle asks whose sibling is being released at that moment: neither may be left without it.
#[test]
fn a_handle_whose_request_follows_the_release_of_its_sibling_obtains_the_lock() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for moment in (0..6000).step_by(250) {
            let mut world = World::new(nodes, arrangement);
            let alice = world.client();
            let request = own(&mut world, "k");
            let first = world.obtain(alice, request.clone());
            until_held(&mut world, alice, first, 100 * MS);
            world.run_for(10 * MS);
            world.release(alice, first);
            world.run_for(Duration::from_micros(moment));
            let second = world.obtain(alice, request);
            until_held(&mut world, alice, second, 50 * MS);
            world.run_for(2 * TTL);
            assert!(is_held(&world, alice, second), "{:?}", world.events(alice));
            for node in 0..nodes {
                let there = world.command(node, &[b"EXISTS", b"k"]);
                assert_eq!(there, b":1\r\n", "node {node} of {nodes}, {moment} µs");
            }
        }
    }
}

/// A refresh that the user asks for may shorten a lock, but not that of another handle.
#[test]
fn a_refresh_for_a_shorter_time_leaves_the_sibling_its_own() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let alice = world.client();
        let mut request = own(&mut world, "k");
        request.renewal = Renewal::Manual;
        let [short, long] = pair(&mut world, alice, [request.clone(), request]);
        world.refresh(alice, short, Some(Ttl::new(500 * MS).expect("a ttl")));
        world.run_for(20 * MS);
        let left = pttl(&mut world, "k");
        assert!(left > 9900, "{left} ms");

        world.run_for(9500 * MS);
        let loss = Loss::Expired { error: None };
        assert_eq!(world.last(alice, short), lost(short, loss));
        assert!(is_held(&world, alice, long), "{:?}", world.events(alice));
        assert!(!is_free(&mut world, "k"));
    }
}

/// What the first one to end has left on nodes stands before the other one, which has asked nobody itself.
#[test]
fn two_waiters_with_one_token_report_the_same_when_their_waits_end_together() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        obtain(&mut world, alice, "k");
        let mut wish = own(&mut world, "k");
        wish.wait = Some(1000 * MS);
        let locks = [0; 2].map(|_| world.obtain(bob, wish.clone()));
        for lock in locks {
            let end = ended(&mut world, bob, lock, 1001 * MS);
            let by = Holder::Other;
            let reason = NotObtained::TimedOut { by };
            assert_eq!(end, not_obtained(lock, reason), "{nodes} {arrangement:?}");
        }
    }
}

/// The older one has been denied just before, and what that attempt has left stands before the younger one.
#[test]
fn a_waiter_knows_the_last_reply_to_an_older_one_with_the_same_token() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for step in 0..100 {
            let mut world = World::with(nodes, arrangement, without_tracking(), |_| {});
            world.latency = 5 * MS;
            let (alice, bob) = (world.client(), world.client());
            obtain(&mut world, alice, "k");
            let mut wish = own(&mut world, "k");
            wish.wait = Some(3 * TTL);
            wish.retry = Retry::every(100 * MS);
            world.obtain(bob, wish.clone());
            wish.wait = Some(6000 * MS + step * 5 * MS);
            let lock = world.obtain(bob, wish);
            let end = ended(&mut world, bob, lock, TTL);
            let by = Holder::Other;
            let reason = NotObtained::TimedOut { by };
            assert_eq!(
                end,
                not_obtained(lock, reason),
                "{nodes} {arrangement:?} {step}"
            );
        }
    }
}

/// It is the last one that could delete the key, which lasts longer than its own lease.
#[test]
fn a_release_that_is_left_to_a_handle_whose_lease_ends_leaves_no_key() {
    for (nodes, arrangement) in ARRANGEMENTS {
        let mut world = World::new(nodes, arrangement);
        let (alice, bob) = (world.client(), world.client());
        let long = own(&mut world, "k");
        let mut short = own(&mut world, "k");
        (short.ttl, short.renewal) = (Ttl::new(1000 * MS).unwrap(), Renewal::Manual);
        let [long, short] = pair(&mut world, alice, [long, short]);
        world.release(alice, long);
        world.run_for(10 * MS);
        assert_eq!(world.last(alice, long), released(long, Released::Shared));
        let end = ended(&mut world, alice, short, 1000 * MS);
        assert_eq!(
            Some(end),
            lost(short, Loss::Expired { error: None }),
            "{nodes} {arrangement:?}"
        );
        world.run_for(20 * MS);
        assert!(is_free(&mut world, "k"), "{nodes} {arrangement:?}");
        obtain(&mut world, bob, "k");
    }
}

/// The other one asks for a second key, too, which somebody else has: its denial says nothing about the first.
#[test]
fn a_release_that_is_left_to_a_handle_that_is_denied_leaves_no_key() {
    for (nodes, arrangement) in ARRANGEMENTS {
        for moment in (0..4000).step_by(250) {
            let mut world = World::new(nodes, arrangement);
            let (alice, bob) = (world.client(), world.client());
            obtain(&mut world, bob, "other");
            let wish = own(&mut world, "k");
            let first = held(&mut world, alice, wish);
            world.run_for(10 * MS);
            let mut wish = own(&mut world, "k+other");
            wish.wait = Some(TTL);
            world.obtain(alice, wish);
            world.run_for(Duration::from_micros(moment));
            world.release(alice, first);
            world.run_for(20 * MS);
            assert!(is_free(&mut world, "k"), "{nodes} {arrangement:?} {moment}");
        }
    }
}

/// A server that has lost the scripts replies later than the others. A release follows then, which finds nothing.
#[test]
fn a_release_that_finds_nothing_of_a_chosen_token_is_no_reason_for_another_request() {
    let mut world = World::with(3, Arrangement::Quorum, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, bob, "b");
    let mut request = own(&mut world, "a+b");
    request.wait = Some(TTL);
    request.retry = Retry::every(500 * MS);
    world.obtain(alice, request);
    world.run_for(100 * MS);
    world.crash(0);
    world.run_for(100 * MS);
    let before = world.of(alice).writes;
    world.run_for(1000 * MS);
    // Two attempts, each with a write per node, a release, and what a node without a script takes.
    let writes = world.of(alice).writes - before;
    assert!(writes <= 20, "{writes} writes");
}

/// While it waited, the lock in front was replaced by another one of its holder.
#[test]
fn a_wait_that_ends_while_another_handle_is_being_obtained_ends_because_of_this_engine() {
    let mut world = World::single();
    let alice = world.client();
    let request = own(&mut world, "k");
    let first = held(&mut world, alice, request.clone());
    let waiter = wait_at_most(&mut world, alice, "k", 1000 * MS);
    world.run_for(999 * MS);
    world.weather(alice, 0, Weather::Silent);
    world.obtain(alice, request);
    world.release(alice, first);
    assert_eq!(world.last(alice, first), released(first, Released::Shared));
    let end = ended(&mut world, alice, waiter, 2 * MS);
    let by = Holder::Ourselves;
    assert_eq!(end, not_obtained(waiter, NotObtained::TimedOut { by }));
}

#[test]
fn a_shorter_ttl_of_a_second_handle_does_not_shorten_that_of_a_writer() {
    let mut world = World::single();
    let alice = world.client();
    let mut long = own(&mut world, "k");
    long.mode = WRITE;
    let mut short = long.clone();
    short.ttl = Ttl::new(TTL / 10).expect("a ttl");
    pair(&mut world, alice, [long, short]);
    assert!(Duration::from_millis(pttl(&mut world, "k") as u64) > TTL / 2);
}
