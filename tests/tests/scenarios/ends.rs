//! How a held lock ends, and what is reported.

use std::time::Duration;

use tenure_core::memory::Trouble;
use tenure_core::{
    Arrangement, Event, Lease, LockId, Loss, NodeError, NotObtained, Released, Renewal, Retry,
};
use tenure_tests::world::{ClientId, Weather, World};

use crate::modes::{READ, permit};
use crate::{
    MS, TTL, ended, expired, is_free, is_held, like_redis, lost, not_obtained, obtain, pttl,
    released, until_held, wait_at_most, wait_for,
};

/// Servers that compare by themselves, and such that need scripts.
fn both_worlds() -> [World; 2] {
    let redis = World::with(1, Arrangement::Ordered, like_redis(), |_| {});
    [World::single(), redis]
}

#[track_caller]
fn lease(world: &World, client: ClientId, lock: LockId) -> Lease {
    world.of(client).engine.lease(lock).expect("held")
}

#[test]
fn a_lock_that_is_released_after_its_lease_was_lost_and_not_released() {
    for renewal in [Renewal::Manual, Renewal::default()] {
        let mut world = World::single();
        let alice = world.client();
        let mut request = world.request("k", TTL);
        request.renewal = renewal;
        let lock = world.obtain(alice, request);
        until_held(&mut world, alice, lock, 100 * MS);

        // The machine sleeps past the lease, and the user comes before the timer.
        world.suspend(alice, true);
        world.run_for(2 * TTL);
        world.release(alice, lock);
        world.suspend(alice, false);
        world.run_for(100 * MS);

        let loss = Loss::Expired { error: None };
        assert_eq!(world.last(alice, lock), lost(lock, loss));
    }
}

#[test]
fn a_lock_that_is_released_after_others_have_obtained_it_was_lost() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let lock = obtain(&mut world, alice, "k");
    let next = wait_for(&mut world, bob, "k");
    world.suspend(alice, true);
    until_held(&mut world, bob, next, 2 * TTL);
    world.release(alice, lock);
    world.suspend(alice, false);
    world.run_for(100 * MS);

    assert!(matches!(world.last(alice, lock), Some(Event::Lost { .. })));
    assert!(is_held(&world, bob, next));
}

#[test]
fn a_refusal_to_renew_ends_a_lock_at_once_with_its_reason() {
    let lines: [(&'static [u8], NodeError); 3] = [
        (
            b"NOPERM this user has no permissions to run the 'set' command",
            NodeError::NoPermission,
        ),
        (b"MOVED 3999 127.0.0.1:6381", NodeError::Moved),
        (b"NOAUTH Authentication required.", NodeError::NoAuth),
    ];
    for (line, error) in lines {
        for mut world in both_worlds() {
            let alice = world.client();
            let lock = obtain(&mut world, alice, "k");
            let start = world.now();
            world.server(0).options_mut().trouble = Some(Trouble::Says(line));
            world.refuses_for_good(0);

            let end = ended(&mut world, alice, lock, 2 * TTL);
            let waited = world.now().saturating_since(start);
            assert_eq!(Some(end), lost(lock, Loss::Refused(error)));
            assert!(waited <= TTL / 3 + 10 * MS, "{waited:?}");
        }
    }
}

#[test]
fn a_refusal_of_a_requested_refresh_ends_a_lock_within_a_few_round_trips() {
    for mut world in both_worlds() {
        let alice = world.client();
        let mut request = world.request("k", TTL);
        request.renewal = Renewal::Manual;
        let lock = world.obtain(alice, request);
        until_held(&mut world, alice, lock, 100 * MS);
        let line = b"NOPERM this user has no permissions to run the 'set' command";
        world.server(0).options_mut().trouble = Some(Trouble::Says(line));
        world.refuses_for_good(0);
        world.refresh(alice, lock, None);

        let end = ended(&mut world, alice, lock, 10 * MS);
        let loss = Loss::Refused(NodeError::NoPermission);
        assert_eq!(Some(end), lost(lock, loss));
    }
}

#[test]
fn a_refusal_by_one_of_three_nodes_ends_no_lock() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    let line = b"NOPERM this user has no permissions to run the 'set' command";
    world.server(1).options_mut().trouble = Some(Trouble::Says(line));
    world.refuses_for_good(1);
    world.run_for(3 * TTL);
    assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
}

#[test]
fn a_lock_that_expires_reports_why_its_renewals_failed() {
    let troubles: [(Trouble, NodeError); 4] = [
        (Trouble::Loading, NodeError::Loading),
        (Trouble::ReadOnly, NodeError::ReadOnly),
        (
            Trouble::Says(b"OOM command not allowed when used memory > 'maxmemory'."),
            NodeError::OutOfMemory,
        ),
        (
            Trouble::Says(b"MISCONF Redis is configured to save RDB snapshots"),
            NodeError::Misconfigured,
        ),
    ];
    for (trouble, error) in troubles {
        for mut world in both_worlds() {
            let alice = world.client();
            let lock = obtain(&mut world, alice, "k");
            let end = lease(&world, alice, lock).expires_at();
            world.server(0).options_mut().trouble = Some(trouble);
            world.refuses(0, true);
            let last = ended(&mut world, alice, lock, 2 * TTL);
            assert_eq!(Some(last), lost(lock, expired(error)));
            assert_eq!(world.now(), end, "{error:?}");
        }
    }
}

#[test]
fn a_lock_that_expires_reports_that_the_server_was_gone() {
    let mut world = World::single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.weather(alice, 0, Weather::Refusing);
    world.cut(alice, 0);
    let last = ended(&mut world, alice, lock, 2 * TTL);
    assert_eq!(Some(last), lost(lock, expired(NodeError::Disconnected)));
}

/// Three request timeouts, whatever the ttl: nobody who calls `release` waits for longer.
#[test]
fn a_release_is_reported_within_three_request_timeouts_and_goes_on_behind_that() {
    for (nodes, silent, arrangement) in [
        (1, 1, Arrangement::Ordered),
        (3, 1, Arrangement::Ordered),
        (3, 2, Arrangement::Quorum),
    ] {
        for weather in [Weather::Silent, Weather::Deaf, Weather::Holding] {
            let mut world = World::new(nodes, arrangement);
            let alice = world.client();
            let request = world.request("k", 6 * TTL);
            let lock = world.obtain(alice, request);
            until_held(&mut world, alice, lock, 100 * MS);
            world.run_for(10 * MS);
            for node in 0..silent {
                world.weather(alice, node, weather);
            }
            world.release(alice, lock);
            let start = world.now();
            let end = ended(&mut world, alice, lock, 6 * TTL);
            let waited = world.now().saturating_since(start);
            assert_eq!(Some(end), released(lock, Released::Unconfirmed));
            assert!(waited <= 3000 * MS, "{nodes} nodes: {waited:?}");

            for node in 0..silent {
                world.weather(alice, node, Weather::Fair);
            }
            world.run_for(8000 * MS);
            for node in 0..nodes {
                let left = world.command(node, &[b"EXISTS", b"k"]);
                assert_eq!(left, b":0\r\n", "node {node} of {nodes}, {weather:?}");
            }
        }
    }
}

#[test]
fn a_quorum_that_confirms_a_release_does_not_wait_for_a_silent_node() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.weather(alice, 0, Weather::Silent);
    world.release(alice, lock);
    let end = ended(&mut world, alice, lock, 10 * MS);
    assert_eq!(Some(end), released(lock, Released::Confirmed));
}

#[test]
fn a_longest_hold_below_a_round_trip_is_too_late() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    for wait in [None, Some(200 * MS)] {
        let mut request = world.request("k", TTL);
        request.wait = wait;
        request.renewal = Renewal::Automatic {
            max_hold: Some(Duration::from_micros(500)),
        };
        let lock = world.obtain(alice, request);
        let end = ended(&mut world, alice, lock, 201 * MS);
        assert_eq!(end, not_obtained(lock, NotObtained::TooLate));
        world.run_for(100 * MS);
        assert!(is_free(&mut world, "k"), "nothing of it is left");
    }
}

#[test]
fn a_ttl_below_a_round_trip_is_too_late() {
    let mut world = World::single();
    world.latency = 20 * MS;
    let alice = world.client();
    world.run_for(500 * MS);
    let request = world.request("k", 30 * MS);
    let lock = world.obtain(alice, request);
    let end = ended(&mut world, alice, lock, 100 * MS);
    assert_eq!(end, not_obtained(lock, NotObtained::TooLate));
}

#[test]
fn a_foreign_expire_that_shortens_a_key_is_answered_by_a_refresh() {
    for mut world in both_worlds() {
        for command in [&b"EXPIRE"[..], b"PEXPIRE"] {
            let (alice, bob) = (world.client(), world.client());
            let lock = obtain(&mut world, alice, "k");
            let waits = wait_for(&mut world, bob, "k");
            world.run_for(1000 * MS);
            let short: &[u8] = if command == b"EXPIRE" { b"1" } else { b"300" };
            world.command(0, &[command, b"k", short]);
            world.run_for(10 * MS);
            let left = pttl(&mut world, "k");
            assert!(left > 9900, "{left} ms");
            world.run_for(2 * TTL);
            assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
            world.release(bob, waits);
            world.release(alice, lock);
            world.run_for(10 * MS);
        }
    }
}

#[test]
fn a_foreign_expire_that_shortens_a_key_cuts_the_lease_of_a_manual_lock() {
    for mut world in both_worlds() {
        let (alice, bob) = (world.client(), world.client());
        let mut request = world.request("k", TTL);
        request.renewal = Renewal::Manual;
        let lock = world.obtain(alice, request);
        until_held(&mut world, alice, lock, 100 * MS);
        let waits = wait_at_most(&mut world, bob, "k", TTL);
        world.run_for(1000 * MS);

        world.command(0, &[b"PEXPIRE", b"k", b"300"]);
        world.run_for(10 * MS);
        let left = lease(&world, alice, lock).remaining(world.now());
        assert!(left <= 290 * MS && left >= 250 * MS, "{left:?}");
        let end = ended(&mut world, alice, lock, left);
        assert_eq!(Some(end), lost(lock, Loss::Expired { error: None }));
        assert!(!is_held(&world, bob, waits), "first one, then the other");
        until_held(&mut world, bob, waits, 50 * MS);
    }
}

/// On one of three nodes somebody meddles: the other two suffice, and the key is mended.
#[test]
fn a_foreign_expire_on_one_of_three_nodes_is_mended() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.run_for(1000 * MS);
    world.command(0, &[b"PEXPIRE", b"k", b"300"]);
    world.run_for(TTL / 3 + 10 * MS);
    assert!(
        !is_free(&mut world, "k"),
        "with the next renewal at the latest"
    );
    world.run_for(2 * TTL);
    assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
}

/// A key that is shared is set over the same connection, which ends the registration for its changes.
#[test]
fn a_reader_that_was_granted_too_late_retries_when_its_key_is_gone() {
    for mode in [READ, permit(1)] {
        let mut world = World::single();
        let alice = world.client();
        world.run_for(100 * MS);
        let mut request = world.request("k", 100 * MS);
        request.mode = mode;
        request.wait = Some(20 * TTL);
        request.retry = Retry::every(5000 * MS);
        world.pause(0, true);
        let lock = world.obtain(alice, request);
        world.run_for(150 * MS);
        world.pause(0, false);
        let is_granted = |world: &mut World| !is_free(world, "k");
        assert!(world.run_until(20 * MS, is_granted) && !is_held(&world, alice, lock));
        until_held(&mut world, alice, lock, 150 * MS);
    }
}
