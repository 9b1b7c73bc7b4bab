//! Answers that never come, servers that forget, and the end of everything.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Event, Loss, NotObtained, Released};
use tenure_tests::world::{Weather, World};

use crate::{
    MS, TTL, cancelled, is_free, is_held, kinds, lost, obtain, released, until_held, wait_for,
};

#[test]
fn an_answer_that_never_comes_is_settled_by_token() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(10 * MS);

    world.weather(alice, 0, Weather::Deaf);
    let lock = wait_for(&mut world, alice, "k");
    world.run_for(900 * MS);
    assert!(!is_free(&mut world, "k"), "the server did it");
    world.cut(alice, 0);
    world.weather(alice, 0, Weather::Fair);

    assert!(world.run_until(1000 * MS, |world| is_held(world, alice, lock)));
    assert_eq!(kinds(&world, alice), ["obtained"]);
}

#[test]
fn an_unanswered_try_leaves_no_key() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(10 * MS);

    world.weather(alice, 0, Weather::Deaf);
    let request = world.request("k", TTL);
    let lock = world.obtain(alice, request);
    world.run_for(500 * MS);
    world.cut(alice, 0);
    world.weather(alice, 0, Weather::Fair);
    world.run_for(100 * MS);

    let Some(Event::NotObtained { reason, .. }) = world.last(alice, lock) else {
        panic!()
    };
    assert!(matches!(reason, NotObtained::Unreachable(_)), "{reason:?}");
    assert!(is_free(&mut world, "k"), "released on the new connection");
}

#[test]
fn a_cancelled_obtain_is_released_though_its_answer_is_on_the_way() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(10 * MS);

    let request = world.request("k", TTL);
    let lock = world.obtain(alice, request);
    world.release(alice, lock);
    world.run_for(10 * MS);

    assert_eq!(kinds(&world, alice), ["not obtained"]);
    assert!(is_free(&mut world, "k"));
    assert!(
        world
            .events(alice)
            .iter()
            .all(|(_, e)| *e == cancelled(lock))
    );
}

#[test]
fn a_restarted_server_means_the_lock_is_lost_at_once() {
    let mut world = World::single();
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.restart(0);
    assert!(world.run_until(100 * MS, |w| w.last(alice, lock) == lost(lock, Loss::Taken)));
}

#[test]
fn scripts_may_be_flushed_at_any_time() {
    let mut options = Options::default();
    options.compare = false;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let alice = world.client();
    for _ in 0..3 {
        let lock = obtain(&mut world, alice, "k");
        world.server(0).flush_scripts();
        world
            .act(alice, |engine, now| engine.refresh(lock, None, now))
            .expect("held");
        world.run_for(10 * MS);
        world.server(0).flush_scripts();
        world.release(alice, lock);
        world.run_for(10 * MS);
        assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));
    }
}

#[test]
fn closing_releases_everything_and_ends() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "a");
    obtain(&mut world, alice, "b");
    obtain(&mut world, bob, "c");
    wait_for(&mut world, alice, "c");
    world.act(alice, |engine, now| engine.close(now));
    world.run_for(10 * MS);
    assert!(world.of(alice).engine.is_drained());
    assert!(is_free(&mut world, "a") && is_free(&mut world, "b"));

    world.weather(bob, 0, Weather::Silent);
    world.act(bob, |engine, now| engine.close(now));
    world.run_for(1500 * MS);
    assert!(
        world.of(bob).engine.is_drained(),
        "also when no server answers"
    );
}

/// A lock that has something on a node already needs a script to obtain it again, and this server has none.
#[test]
fn an_unanswered_look_leaves_nothing_on_a_node() {
    for moment in (0..3000).step_by(250) {
        let mut options = Options::default();
        options.scripts = false;
        let mut world = World::with(3, Arrangement::Quorum, options, |_| {});
        let alice = world.client();
        let first = obtain(&mut world, alice, "k");
        let second = wait_for(&mut world, alice, "k");
        // So long that others go first, and it checks whether they come.
        world.run_for(300 * MS);
        world.release(alice, first);
        world.run_for(Duration::from_micros(moment));
        world.weather(alice, 0, Weather::Refusing);
        world.cut(alice, 0);
        let waited = until_held(&mut world, alice, second, TTL);
        assert!(waited <= 40 * MS, "{moment} µs: {waited:?}");
    }
}
