//! While a lock is held: renewal, refresh, loss, release.

use tenure_core::{Event, Loss, NodeError, NotObtained, Released, Renewal, Ttl};
use tenure_tests::world::{Weather, World};

use crate::{MS, TTL, expired, is_free, is_held, kinds, lost, obtain, released};

#[test]
fn a_free_lock_is_obtained_renewed_and_released() {
    let mut world = World::single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");

    world.run_for(25 * 1000 * MS);
    world.release(alice, lock);
    world.run_for(10 * MS);

    let kinds = kinds(&world, alice);
    assert_eq!(kinds.first(), Some(&"obtained"));
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "renewed").count(),
        7,
        "{kinds:?}"
    );
    assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));
    assert!(is_free(&mut world, "k"));
}

#[test]
fn a_try_finds_the_lock_taken_and_reports_for_how_long() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");

    let request = world.request("k", TTL);
    let try_once = world.obtain(bob, request);
    world.run_for(10 * MS);

    let Some(Event::NotObtained {
        reason: NotObtained::Taken { remaining, .. },
        ..
    }) = world.last(bob, try_once)
    else {
        panic!("{:?}", world.events(bob));
    };
    let remaining = remaining.expect("the holder's time");
    assert!(
        remaining > 9900 * MS && remaining <= 10_001 * MS,
        "{remaining:?}"
    );
}

#[test]
fn a_deleted_or_overwritten_key_is_reported_within_five_round_trips() {
    for command in [vec![&b"DEL"[..], b"k"], vec![b"SET", b"k", b"mine"]] {
        let mut world = World::single();
        let alice = world.client();
        let lock = obtain(&mut world, alice, "k");
        world.run_for(4000 * MS); // A renewal has passed: interest must be registered anew.

        world.command(0, &command);
        let start = world.now();
        assert!(world.run_until(100 * MS, |w| w.last(alice, lock) == lost(lock, Loss::Taken)));

        assert!(world.now().saturating_since(start) < 10 * world.latency);
    }
}

#[test]
fn a_lock_is_lost_when_its_lease_ends_before_a_renewal_gets_through() {
    let mut world = World::single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    let end = world
        .of(alice)
        .engine
        .lease(lock)
        .expect("held")
        .expires_at();

    world.weather(alice, 0, Weather::Silent);
    world.run_for(11_000 * MS);

    let (at, _) = *world.events(alice).last().expect("an event");
    assert_eq!(
        (world.last(alice, lock), at),
        (lost(lock, expired(NodeError::TimedOut)), end)
    );
}

#[test]
fn no_renewal_follows_a_release() {
    let mut world = World::single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.run_for(3330 * MS);
    world.release(alice, lock); // Just when a renewal would be due.
    world.run_for(5 * MS);
    world.command(0, &[b"SET", b"k", b"other"]);
    world.run_for(60_000 * MS);
    assert_eq!(world.command(0, &[b"GET", b"k"]), b"$5\r\nother\r\n");
    assert_eq!(world.events(alice).len(), 2);
}

#[test]
fn a_manual_lock_lasts_as_long_as_it_is_refreshed() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.renewal = Renewal::Manual;
    let lock = world.obtain(alice, request);
    world.run_for(9000 * MS);
    let ttl = Ttl::new(20_000 * MS).unwrap();
    world
        .act(alice, |engine, now| engine.refresh(lock, Some(ttl), now))
        .expect("held");
    world.run_for(15_000 * MS);
    assert_eq!(kinds(&world, alice), ["obtained", "refreshed"]);
    world.run_for(10_000 * MS);
    assert_eq!(
        world.last(alice, lock),
        lost(lock, Loss::Expired { error: None })
    );
    assert!(
        world
            .act(alice, |engine, now| engine.refresh(lock, None, now))
            .is_err()
    );
}

#[test]
fn renewal_ends_when_a_lock_was_held_for_long_enough() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.renewal = Renewal::Automatic {
        max_hold: Some(25_000 * MS),
    };
    let lock = world.obtain(alice, request);
    let start = world.now();
    assert!(world.run_until(60_000 * MS, |w| w.last(alice, lock)
        == lost(lock, Loss::MaxHold)));
    let held = world.now().saturating_since(start);
    assert!(held >= 25_000 * MS && held < 25_010 * MS, "{held:?}");
    world.run_for(10 * MS);
    assert!(is_free(&mut world, "k"), "given up, not left to expire");
}

#[test]
fn an_old_id_does_nothing_to_the_next_tenant_of_its_slot() {
    let mut world = World::single();
    let alice = world.client();
    let old = obtain(&mut world, alice, "k");
    world.release(alice, old);
    world.run_for(10 * MS);
    let new = obtain(&mut world, alice, "k");

    world.release(alice, old);
    world.act(alice, |engine, now| {
        assert!(engine.refresh(old, None, now).is_err());
        assert!(engine.lease(old).is_none());
    });
    world.run_for(30_000 * MS);

    assert!(is_held(&world, alice, new), "still renewed");
}

/// Refreshes for 60 s, for 5 s and for the current ttl, while an answer is on its way.
#[test]
fn a_refresh_is_answered_by_a_later_request() {
    let secs = |secs| Ttl::new(1000 * MS * secs).expect("a ttl");
    let refresh = |world: &mut World, alice, lock, ttl| {
        world
            .act(alice, |engine, now| engine.refresh(lock, ttl, now))
            .expect("held");
    };
    for last in [Some(secs(5)), None] {
        let mut world = World::single();
        let alice = world.client();
        let lock = obtain(&mut world, alice, "k");
        refresh(&mut world, alice, lock, Some(secs(60)));
        refresh(&mut world, alice, lock, Some(secs(5)));
        refresh(&mut world, alice, lock, last);
        let asked = world.now();
        world.run_for(100 * MS);

        assert_eq!(kinds(&world, alice), ["obtained", "renewed", "refreshed"]);
        let Some(Event::Refreshed { lease, .. }) = world.last(alice, lock) else {
            panic!("it was refreshed last");
        };
        assert_eq!(lease.ttl(), secs(5));
        let held = lease.expires_at().saturating_since(asked);
        assert!(held > 4_900 * MS && held < 5_000 * MS, "{held:?}");
    }
}
