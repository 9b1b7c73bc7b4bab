//! Locks that change from reader to writer and back while they are held.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{
    Arrangement, ChangeError, Event, Holder, Keep, LockId, Loss, Mode, NotChanged, Released, Token,
    Ttl,
};
use tenure_tests::world::{ClientId, World};

use crate::modes::{READ, WRITE, hold, nothing_is_left, permit, refused, request, wait_in};
use crate::{MS, TTL, held, is_held, kinds, lost, released, until_held};

/// Longer than a request may take.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1500);

#[track_caller]
pub(crate) fn changed(world: &mut World, client: ClientId, lock: LockId, mode: Mode) {
    assert_eq!(world.change(client, lock, mode), None);
    let done = |w: &mut World| w.last(client, lock) == Some(Event::Changed { lock, mode });
    assert!(
        world.run_until(20 * MS, done),
        "{:?}",
        world.last(client, lock)
    );
    assert_eq!(world.of(client).engine.mode(lock), Some(mode));
}

/// Why it did not change.
#[track_caller]
pub(crate) fn not_changed(
    world: &mut World,
    client: ClientId,
    lock: LockId,
    mode: Mode,
) -> NotChanged {
    assert_eq!(world.change(client, lock, mode), None);
    world.run_for(TIMEOUT);
    let last = world.last(client, lock);
    let Some(Event::NotChanged { reason, .. }) = last else {
        panic!("{last:?}");
    };
    assert_eq!(world.of(client).engine.mode(lock), Some(READ));
    reason
}

pub(crate) fn value(world: &mut World) -> Vec<u8> {
    world.command(0, &[b"GET", b"k"])
}

pub(crate) const SHARED: &[u8] = b"$7\r\n~shared\r\n";

#[test]
fn two_readers_cannot_both_upgrade() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    for (client, lock) in [(alice, first), (bob, second)] {
        let by = Holder::Sharing;
        let reason = not_changed(&mut world, client, lock, WRITE);
        assert_eq!(reason, NotChanged::Taken { by });
    }
    world.release(bob, second);
    world.run_for(20 * MS);
    changed(&mut world, alice, first, WRITE);
    assert_eq!(refused(&mut world, bob, READ), Holder::Other);
    world.run_for(3 * TTL);
    assert!(is_held(&world, alice, first));
    world.release(alice, first);
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn readers_that_upgrade_at_the_same_moment_do_not_both_get_the_key() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    assert_eq!(world.change(alice, first, WRITE), None);
    assert_eq!(world.change(bob, second, WRITE), None);
    world.release(bob, second);
    world.run_for(TIMEOUT);
    // The release came before or after the other's change, and the change of the one that has left did nothing.
    assert_eq!(
        world.last(bob, second),
        released(second, Released::Confirmed)
    );
    changed_or_not(&world, alice, first);
}

fn changed_or_not(world: &World, client: ClientId, lock: LockId) {
    let last = world.last(client, lock);
    let ended = matches!(
        last,
        Some(Event::Changed { .. } | Event::NotChanged { .. } | Event::Refreshed { .. })
    );
    assert!(ended && is_held(world, client, lock), "{last:?}");
}

#[test]
fn an_upgrade_goes_ahead_of_those_who_wait() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let reader = hold(&mut world, alice, READ);
    let writer = wait_in(&mut world, bob, WRITE);
    world.run_for(100 * MS);
    changed(&mut world, alice, reader, WRITE);
    assert!(!is_held(&world, bob, writer));
    world.release(alice, reader);
    until_held(&mut world, bob, writer, 5 * MS);
}

#[test]
fn a_downgrade_lets_no_writer_between() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, WRITE);
    let writer = wait_in(&mut world, bob, WRITE);
    world.run_for(20 * MS);
    let plain = wait_in(&mut world, carol, Mode::Exclusive);
    world.run_for(20 * MS);
    changed(&mut world, alice, first, READ);
    world.run_for(3 * TTL);
    assert!(is_held(&world, alice, first));
    assert!(!is_held(&world, bob, writer) && !is_held(&world, carol, plain));
    // A reader that comes now waits for the writer first.
    assert_eq!(refused(&mut world, carol, READ), Holder::Queue);
    world.release(alice, first);
    world.run_for(20 * MS);
    assert!(is_held(&world, bob, writer) || is_held(&world, carol, plain));
}

#[test]
fn a_downgrade_lets_waiting_readers_in() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, WRITE);
    let own = wait_in(&mut world, alice, READ);
    let others = wait_in(&mut world, bob, READ);
    let permit_of_two = wait_in(&mut world, bob, permit(9));
    world.run_for(100 * MS);
    assert!(!is_held(&world, alice, own) && !is_held(&world, bob, others));
    changed(&mut world, alice, first, permit(9));
    for (client, lock) in [(alice, own), (bob, others), (bob, permit_of_two)] {
        until_held(&mut world, client, lock, 10 * MS);
    }
    assert!(is_held(&world, alice, first));
}

#[test]
fn a_permit_of_the_same_engine_comes_in_when_a_writer_becomes_one() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let second = wait_in(&mut world, alice, permit(2));
    let third = wait_in(&mut world, alice, permit(2));
    world.run_for(100 * MS);
    changed(&mut world, alice, first, permit(2));
    until_held(&mut world, alice, second, 10 * MS);
    world.run_for(100 * MS);
    assert!(!is_held(&world, alice, third));
    world.release(alice, first);
    until_held(&mut world, alice, third, 10 * MS);
}

/// It asked before the change was sent, and no server notifies an engine of what that did itself.
#[test]
fn a_reader_of_the_same_engine_comes_in_though_the_downgrade_follows_a_refresh() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let second = wait_in(&mut world, alice, READ);
    world.run_for(100 * MS);
    world.refresh(alice, first, None);
    assert_eq!(world.change(alice, first, READ), None);
    until_held(&mut world, alice, second, 20 * MS);
}

/// Its request follows the change in the same write.
#[test]
fn a_reader_of_the_same_engine_comes_in_with_a_downgrade_even_if_its_wait_ends_then() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    // So that the server has the scripts.
    changed(&mut world, alice, first, READ);
    changed(&mut world, alice, first, WRITE);
    let mut waits = request(&mut world, READ);
    waits.wait = Some(Duration::from_secs(5));
    let second = world.obtain(alice, waits);
    let three_trips = 3 * world.latency;
    world.run_for(Duration::from_secs(5) - three_trips);
    assert_eq!(world.change(alice, first, READ), None);
    world.run_for(three_trips);
    assert!(is_held(&world, alice, second), "{:?}", kinds(&world, alice));
}

#[test]
fn a_lock_that_is_released_while_it_changes_leaves_nothing() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        let mut world = World::single();
        let alice = world.client();
        let lock = hold(&mut world, alice, from);
        assert_eq!(world.change(alice, lock, to), None);
        world.release(alice, lock);
        world.run_for(20 * MS);
        let confirmed = released(lock, Released::Confirmed);
        assert_eq!(world.last(alice, lock), confirmed);
        assert_eq!(kinds(&world, alice), ["obtained", "released"]);
        nothing_is_left(&mut world);
    }
}

#[test]
fn a_lock_whose_key_is_gone_is_lost_when_it_changes() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        for foreign in [false, true] {
            let mut world = World::single();
            let alice = world.client();
            let lock = hold(&mut world, alice, from);
            world.lose_pushes(alice, 0, true);
            if foreign {
                world.command(0, &[b"SET", b"k", b"foreign", b"PX", b"700"]);
            } else {
                world.command(0, &[b"DEL", b"k"]);
            }
            assert_eq!(world.change(alice, lock, to), None);
            world.run_for(20 * MS);
            assert_eq!(world.last(alice, lock), lost(lock, Loss::Taken));
        }
    }
}

#[test]
fn a_writer_that_was_a_reader_learns_of_a_deleted_key_at_once() {
    let mut world = World::single();
    let alice = world.client();
    let lock = hold(&mut world, alice, READ);
    changed(&mut world, alice, lock, WRITE);
    world.run_for(20 * MS);
    world.command(0, &[b"DEL", b"k"]);
    world.run_for(5 * MS);
    assert_eq!(world.last(alice, lock), lost(lock, Loss::Taken));
}

#[test]
fn a_refresh_and_a_change_wait_for_each_other() {
    let mut world = World::single();
    let alice = world.client();
    let lock = hold(&mut world, alice, READ);
    let longer = Ttl::new(3 * TTL).expect("a ttl");
    // The change comes while the refresh is under way, and the next refresh while the change is.
    world.refresh(alice, lock, None);
    assert_eq!(world.change(alice, lock, WRITE), None);
    assert_eq!(world.of(alice).engine.mode(lock), Some(READ));
    let answered = |w: &mut World| kinds(w, alice).len() == 2;
    assert!(world.run_until(20 * MS, answered));
    world.refresh(alice, lock, Some(longer));
    world.run_for(20 * MS);
    let kinds = kinds(&world, alice);
    assert_eq!(kinds, ["obtained", "refreshed", "changed", "refreshed"]);
    let lease = world.of(alice).engine.lease(lock).expect("a lease");
    assert_eq!(lease.ttl(), longer);
    assert!(value(&mut world) != SHARED);
}

#[test]
fn a_change_renews_the_lease() {
    for (from, to) in [(READ, WRITE), (WRITE, READ)] {
        let mut world = World::single();
        let alice = world.client();
        let mut manual = request(&mut world, from);
        manual.renewal = tenure_core::Renewal::Manual;
        let lock = held(&mut world, alice, manual);
        world.run_for(TTL / 2);
        changed(&mut world, alice, lock, to);
        world.run_for(TTL * 3 / 4);
        assert!(is_held(&world, alice, lock));
        world.run_for(TTL / 2);
        let expired = Loss::Expired { error: None };
        assert_eq!(world.last(alice, lock), lost(lock, expired));
    }
}

#[test]
fn a_change_is_sent_again_with_its_script() {
    let mut world = World::single();
    let alice = world.client();
    let lock = hold(&mut world, alice, READ);
    changed(&mut world, alice, lock, WRITE);
    for mode in [READ, WRITE, READ] {
        world.server(0).flush_scripts();
        changed(&mut world, alice, lock, mode);
        assert_eq!(value(&mut world) == SHARED, mode == READ);
    }
}

#[test]
fn only_a_writer_has_a_fence_and_an_upgrade_a_larger_one() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut fenced = request(&mut world, WRITE);
    fenced.fence = Some(Keep::default());
    let lock = held(&mut world, alice, fenced.clone());
    let first = world.of(alice).engine.fence(lock).expect("a fence");
    assert_eq!(world.change(alice, lock, READ), None);
    assert_eq!(world.of(alice).engine.fence(lock), None);
    world.run_for(20 * MS);
    assert_eq!(world.of(alice).engine.fence(lock), None);
    changed(&mut world, alice, lock, WRITE);
    let second = world.of(alice).engine.fence(lock).expect("a fence");
    assert!(second > first);
    world.release(alice, lock);
    world.run_for(20 * MS);
    let reader = hold(&mut world, bob, READ);
    changed(&mut world, bob, reader, WRITE);
    assert_eq!(world.of(bob).engine.fence(reader), None);
}

#[test]
fn what_cannot_change_is_refused_before_anything_is_sent() {
    let mut world = World::single();
    let alice = world.client();
    let refusal = |world: &mut World, lock, mode, why| {
        let before = world.of(alice).writes;
        assert_eq!(world.change(alice, lock, mode), Some(why));
        assert_eq!(world.of(alice).writes, before, "{why:?}");
    };
    let plain = hold(&mut world, alice, Mode::Exclusive);
    refusal(&mut world, plain, READ, ChangeError::Exclusive);
    world.release(alice, plain);
    world.run_for(20 * MS);
    refusal(&mut world, plain, WRITE, ChangeError::NotHeld);
    let reader = hold(&mut world, alice, READ);
    refusal(&mut world, reader, Mode::Exclusive, ChangeError::Exclusive);
    refusal(&mut world, reader, permit(2), ChangeError::SameMode);
    let waiting = wait_in(&mut world, alice, WRITE);
    world.run_for(20 * MS);
    refusal(&mut world, waiting, READ, ChangeError::NotHeld);
    world.release(alice, waiting);
    let mut own = request(&mut world, READ);
    own.token = Token::new("mine").expect("a token");
    let own = held(&mut world, alice, own);
    refusal(&mut world, own, WRITE, ChangeError::OwnToken);
}

#[test]
fn a_lock_on_several_nodes_does_not_change() {
    let mut world = World::new(2, Arrangement::Ordered);
    let alice = world.client();
    let reader = hold(&mut world, alice, READ);
    let refused = world.change(alice, reader, WRITE);
    assert_eq!(refused, Some(ChangeError::SeveralNodes));
    assert_eq!(world.of(alice).engine.mode(reader), Some(READ));
}

#[test]
fn a_reader_that_became_a_permit_counts_as_one() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let lock = hold(&mut world, alice, WRITE);
    let limit = NonZeroU32::new(1);
    changed(&mut world, alice, lock, Mode::Shared { limit });
    assert_eq!(refused(&mut world, bob, permit(1)), Holder::Sharing);
    changed(&mut world, alice, lock, WRITE);
    assert_eq!(refused(&mut world, bob, permit(1)), Holder::Other);
}
