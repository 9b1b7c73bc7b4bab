//! Changes of mode without a reply, with a late one, or with an error.

use std::time::Duration;

use tenure_core::memory::Trouble;
use tenure_core::{
    ChangeError, Engine, Event, Holder, Loss, NodeError, NotChanged, NotObtained, Released, Ttl,
};
use tenure_tests::world::{Weather, World};

use crate::changes::{SHARED, TIMEOUT, changed, not_changed, value};
use crate::modes::{READ, WRITE, hold, nothing_is_left, permit, refused, request, wait_in};
use crate::{MS, TTL, ended, held, is_held, lost, not_obtained, released, until_held};

#[test]
fn a_late_obtain_does_not_convert() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let warm = hold(&mut world, alice, READ);
    world.release(alice, warm);
    world.run_for(20 * MS);
    let conn = world.stick(alice, 0).expect("a connection");
    let reader = wait_in(&mut world, alice, READ);
    world.run_for(MS);
    world.cut_keeping(alice, 0, 1000, 1000);
    until_held(&mut world, alice, reader, 5 * TIMEOUT);
    changed(&mut world, alice, reader, WRITE);
    let before = value(&mut world);
    world.unstick(conn);
    world.run_for(20 * MS);
    assert_eq!(value(&mut world), before);
    assert_eq!(refused(&mut world, bob, READ), Holder::Other);
    assert!(is_held(&world, alice, reader));
}

#[test]
fn an_unanswered_change_relies_on_the_weaker() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        // So that the server has all scripts.
        for mode in [READ, WRITE] {
            let before = hold(&mut world, bob, mode);
            world.release(bob, before);
            world.run_for(20 * MS);
        }
        let lock = hold(&mut world, alice, from);
        world.weather(alice, 0, Weather::Deaf);
        assert_eq!(world.change(alice, lock, to), None);
        assert_eq!(world.of(alice).engine.mode(lock), Some(READ));
        assert_eq!(world.change(alice, lock, to), Some(ChangeError::UnderWay));
        world.run_for(MS);
        assert_eq!(world.of(alice).engine.mode(lock), Some(READ));
        world.run_for(TIMEOUT);
        let last = world.last(alice, lock);
        let Some(Event::NotChanged { reason, .. }) = last else {
            panic!("{last:?}");
        };
        assert!(matches!(reason, NotChanged::Unanswered(_)), "{reason:?}");
        // The server carried it out. From then on the lock is renewed, checked and released in that state.
        assert_eq!(value(&mut world) == SHARED, to == READ);
        world.weather(alice, 0, Weather::Fair);
        for mode in [READ, WRITE] {
            let refused = world.change(alice, lock, mode);
            assert_eq!(refused, Some(ChangeError::Unsettled));
        }
        world.run_for(3 * TTL);
        world.cut(alice, 0);
        world.run_for(3 * TTL);
        assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
        assert_eq!(value(&mut world) == SHARED, to == READ);
        world.release(alice, lock);
        world.run_for(20 * MS);
        let confirmed = released(lock, Released::Confirmed);
        assert_eq!(world.last(alice, lock), confirmed);
        nothing_is_left(&mut world);
        hold(&mut world, bob, WRITE);
    }
}

#[test]
fn a_change_that_comes_after_the_release_changes_nothing() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        let mut world = World::single();
        let (alice, bob) = (world.client(), world.client());
        let lock = hold(&mut world, alice, from);
        let conn = world.stick(alice, 0).expect("a connection");
        assert_eq!(world.change(alice, lock, to), None);
        world.run_for(MS);
        world.cut_keeping(alice, 0, 1000, 1000);
        world.run_for(TIMEOUT);
        world.release(alice, lock);
        world.run_for(20 * MS);
        let confirmed = released(lock, Released::Confirmed);
        assert_eq!(world.last(alice, lock), confirmed);
        let other = hold(&mut world, bob, WRITE);
        let before = value(&mut world);
        world.unstick(conn);
        world.run_for(20 * MS);
        assert_eq!(value(&mut world), before);
        world.release(bob, other);
        world.run_for(20 * MS);
        nothing_is_left(&mut world);
    }
}

#[test]
fn an_upgrade_that_has_failed_may_be_tried_again_and_a_downgrade_not() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        let mut world = World::single();
        let alice = world.client();
        let lock = hold(&mut world, alice, from);
        world.server(0).options_mut().trouble = Some(Trouble::Loading);
        let reason = not_changed(&mut world, alice, lock, to);
        assert_eq!(reason, NotChanged::Failed(NodeError::Loading));
        world.server(0).options_mut().trouble = None;
        if to == WRITE {
            changed(&mut world, alice, lock, WRITE);
        } else {
            let refused = world.change(alice, lock, WRITE);
            assert_eq!(refused, Some(ChangeError::Unsettled));
        }
    }
}

/// Its engine has asked the server nothing for seconds: the lock that it waits for needs no renewal yet.
#[test]
fn a_wait_behind_an_unanswered_change_does_not_end_with_an_error_of_long_ago() {
    let mut world = World::single();
    let alice = world.client();
    let mut long = request(&mut world, WRITE);
    long.ttl = Ttl::new(Duration::from_secs(30)).expect("a valid ttl");
    let lock = held(&mut world, alice, long);
    // The first one asks, the second one waits for the lock, and the third one waits behind the second.
    let waiters = [(permit(1), 1), (WRITE, 6), (permit(1), 6)].map(|(mode, seconds)| {
        let mut request = request(&mut world, mode);
        request.wait = Some(Duration::from_secs(seconds));
        world.obtain(alice, request)
    });
    world.weather(alice, 0, Weather::Silent);
    let reason = not_changed(&mut world, alice, lock, READ);
    assert!(matches!(reason, NotChanged::Unanswered(_)), "{reason:?}");
    world.weather(alice, 0, Weather::Fair);
    world.cut(alice, 0);
    let timed_out = |by| NotObtained::TimedOut { by };
    for (waiter, reason) in waiters.into_iter().zip([
        NotObtained::Unreachable(NodeError::TimedOut),
        timed_out(Holder::Sharing),
        timed_out(Holder::Ourselves),
    ]) {
        let end = ended(&mut world, alice, waiter, TIMEOUT * 5);
        assert_eq!(end, not_obtained(waiter, reason));
    }
}

/// Others still share the key, so it is not free: but they are not in the way of a lock that is none of them.
#[test]
fn a_reader_that_the_server_has_forgotten_is_lost_when_it_asks_to_write() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let reader = hold(&mut world, alice, READ);
    hold(&mut world, bob, READ);
    world.run_for(20 * MS);
    let own = |engine: &mut Engine, _| engine.claim(reader).map(|claim| claim.value().to_vec());
    let own = world.act(alice, own).expect("a lock");
    world.command(0, &[b"ZADD", b"{k}~in", b"1", &own]);
    assert_eq!(world.change(alice, reader, WRITE), None);
    world.run_for(20 * MS);
    assert_eq!(world.last(alice, reader), lost(reader, Loss::Taken));
}
