//! Grants that replicas must have: what a failover keeps then.

use std::num::NonZeroU32;

use tenure_core::memory::Options;
use tenure_core::{
    Acks, Arrangement, ChangeError, Config, Event, LockId, Loss, Mode, NodeError, NotChanged,
    NotObtained, Released, Token, Unsupported,
};
use tenure_tests::world::{ClientId, World};

use crate::{
    MS, TTL, expired, is_free, is_held, lost, not_obtained, obtain, released, wait_at_most,
};

const ONE: Acks = Acks::received(NonZeroU32::MIN);
const NO_REPLICAS: NotObtained = NotObtained::Unreachable(NodeError::NoReplicas);

/// With a replica for each server.
fn world(nodes: usize, arrangement: Arrangement, acks: Acks) -> World {
    let mut options = Options::default();
    options.replicas = 1;
    options.append_only = true;
    let configure = move |config: &mut Config| config.acks = Some(acks);
    World::with(nodes, arrangement, options, configure)
}

fn single() -> World {
    world(1, Arrangement::Ordered, ONE)
}

fn attempt(world: &mut World, client: ClientId) -> LockId {
    let request = world.request("k", TTL);
    world.obtain(client, request)
}

#[test]
fn a_weak_grant_is_taken_back() {
    for acks in [ONE, Acks::persisted(1)] {
        let mut world = world(1, Arrangement::Ordered, acks);
        let alice = world.client();
        world.run_for(20 * MS);
        world.stop_replication(0);
        let lock = attempt(&mut world, alice);
        world.run_for(20 * MS);
        let end = world.last(alice, lock);
        assert_eq!(end, Some(not_obtained(lock, NO_REPLICAS)));
        world.run_for(20 * MS);
        assert!(is_free(&mut world, "k"));
    }
}

#[test]
fn a_request_that_waits_is_granted_once_replicas_follow() {
    let mut world = single();
    let alice = world.client();
    world.run_for(20 * MS);
    world.stop_replication(0);
    let lock = wait_at_most(&mut world, alice, "k", TTL);
    world.run_for(TTL / 2);
    assert_eq!(world.last(alice, lock), None);
    assert!(!is_held(&world, alice, lock));
    world.resume_replication(0);
    world.run_for(TTL / 4);
    assert!(is_held(&world, alice, lock), "{:?}", world.events(alice));
}

#[test]
fn a_wait_without_replicas_ends_with_the_reason_and_leaves_nothing() {
    let mut world = single();
    let alice = world.client();
    world.run_for(20 * MS);
    world.stop_replication(0);
    let lock = wait_at_most(&mut world, alice, "k", 500 * MS);
    world.run_for(550 * MS);
    let end = world.last(alice, lock);
    assert_eq!(end, Some(not_obtained(lock, NO_REPLICAS)));
    assert!(is_free(&mut world, "k"));
}

#[test]
fn a_weak_refresh_does_not_extend() {
    let mut world = single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.run_for(20 * MS);
    let lease = world.of(alice).engine.lease(lock).expect("held");
    world.stop_replication(0);
    world.run_for(TTL * 9 / 10);
    let later = world.of(alice).engine.lease(lock).expect("still held");
    assert_eq!(later.expires_at(), lease.expires_at());
    world.run_for(TTL);
    let reason = expired(NodeError::NoReplicas);
    assert_eq!(world.last(alice, lock), lost(lock, reason));
}

#[test]
fn a_lock_survives_a_refresh_that_was_weak_for_a_while() {
    let mut world = single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.run_for(20 * MS);
    world.stop_replication(0);
    world.run_for(TTL / 2);
    world.resume_replication(0);
    world.run_for(3 * TTL);
    assert!(is_held(&world, alice, lock));
    world.release(alice, lock);
    world.run_for(20 * MS);
    let end = world.last(alice, lock);
    assert_eq!(end, released(lock, Released::Confirmed));
}

/// Without acks the second client gets the key: see `a_failover_may_lose_a_grant_without_acks`.
#[test]
fn a_failover_keeps_what_was_granted() {
    for mode in [Mode::Exclusive, Mode::InTurn, Mode::Shared { limit: None }] {
        let mut world = single();
        let (alice, bob) = (world.client(), world.client());
        let mut request = world.request("k", TTL);
        request.mode = mode;
        let first = world.obtain(alice, request);
        world.run_for(20 * MS);
        assert!(is_held(&world, alice, first), "{mode:?}");
        world.stop_replication(0);
        world.run_for(TTL / 2);
        world.fail_over(0);
        // To connect again.
        world.run_for(500 * MS);
        let second = attempt(&mut world, bob);
        world.run_for(TTL / 4);
        assert!(is_held(&world, alice, first), "{mode:?}");
        let refused = world.last(bob, second);
        let taken = |event: &Event| {
            matches!(
                event,
                Event::NotObtained {
                    reason: NotObtained::Taken { .. },
                    ..
                }
            )
        };
        assert!(refused.as_ref().is_some_and(taken), "{mode:?} {refused:?}");
    }
}

#[test]
fn a_failover_may_lose_a_grant_without_acks() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    world.stop_replication(0);
    let first = obtain(&mut world, alice, "k");
    world.run_for(20 * MS);
    assert!(is_held(&world, alice, first));
    world.fail_over(0);
    let second = wait_at_most(&mut world, bob, "k", TTL / 4);
    world.run_for(TTL / 4);
    assert!(is_held(&world, bob, second));
    let end = world.last(alice, first);
    assert_eq!(end, lost(first, Loss::Taken));
}

#[test]
fn a_quorum_does_without_the_replicas_of_a_minority() {
    for stopped in [1, 2] {
        let mut world = world(3, Arrangement::Quorum, ONE);
        let alice = world.client();
        world.run_for(20 * MS);
        for node in 0..stopped {
            world.stop_replication(node);
        }
        let lock = attempt(&mut world, alice);
        world.run_for(50 * MS);
        assert_eq!(is_held(&world, alice, lock), stopped == 1);
        if stopped == 2 {
            let end = world.last(alice, lock);
            assert_eq!(end, Some(not_obtained(lock, NO_REPLICAS)));
            world.run_for(50 * MS);
            for node in 0..3 {
                assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":0\r\n");
            }
        }
    }
}

#[test]
fn a_weak_change_leaves_the_weaker_mode_and_no_other_change() {
    let mut world = single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.mode = Mode::Shared { limit: None };
    let lock = world.obtain(alice, request);
    world.run_for(20 * MS);
    world.stop_replication(0);
    let change =
        |world: &mut World| world.act(alice, |engine, now| engine.change(lock, Mode::InTurn, now));
    assert_eq!(change(&mut world), Ok(()));
    world.run_for(20 * MS);
    let reason = NotChanged::Unanswered(NodeError::NoReplicas);
    let not_changed = Event::NotChanged { lock, reason };
    let events = world.events(alice);
    assert!(
        events.iter().any(|(_, event)| *event == not_changed),
        "{events:?}"
    );
    assert_eq!(change(&mut world), Err(ChangeError::Unsettled));
    assert!(is_held(&world, alice, lock));
}

#[test]
fn a_server_without_what_is_required_is_refused_before_anything_is_sent() {
    let configure = |config: &mut Config| config.acks = Some(Acks::persisted(0));
    let mut world = World::with(1, Arrangement::Ordered, Options::default(), configure);
    world.refuses_for_good(0);
    let alice = world.client();
    let lock = wait_at_most(&mut world, alice, "k", TTL);
    world.run_for(50 * MS);
    let reason = NotObtained::Refused(NodeError::NoAcks);
    assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));

    let mut world = single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.token = Token::new("my own").expect("a token");
    let lock = world.obtain(alice, request);
    let reason = NotObtained::Unsupported(Unsupported::OwnTokenWithAcks);
    assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));
}

/// A server that loses all its replicas for good keeps nobody from releasing.
#[test]
fn a_release_waits_for_nobody() {
    let mut world = single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.run_for(20 * MS);
    world.stop_replication(0);
    world.release(alice, lock);
    world.run_for(20 * MS);
    let end = world.last(alice, lock);
    assert_eq!(end, released(lock, Released::Confirmed));
    assert!(!matches!(
        end,
        Some(Event::Lost {
            reason: Loss::Taken,
            ..
        })
    ));
}
