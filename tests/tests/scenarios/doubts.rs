//! What is known of some of several nodes, and not of the others.

use tenure_core::memory::{Options, Trouble};
use tenure_core::{Arrangement, Loss, Retry};
use tenure_tests::world::{Weather, World};

use crate::{MS, TTL, ended, is_held, lost, wait_for};

/// One node has granted and then lost the key, before the others have answered.
#[test]
fn a_lock_is_lost_at_once_if_a_node_forgot_it_during_the_request_to_the_next() {
    let mut world = World::new(3, Arrangement::Ordered);
    let alice = world.client();
    world.run_for(100 * MS);
    let request = world.request("k", TTL);
    let lock = world.obtain(alice, request);
    world.run_for(MS + MS / 4);
    world.command(0, &[b"DEL", b"k"]);
    let end = ended(&mut world, alice, lock, 20 * MS);
    assert_eq!(Some(end), lost(lock, Loss::Taken));
}

/// One of three nodes is silent, and on another one `a` is held.
#[test]
fn a_request_for_two_keys_comes_first_though_a_node_does_not_report_which_one_is_taken() {
    for others in 0..8 {
        let mut world = World::new(3, Arrangement::Quorum);
        // Each client has a chance of its own.
        for _ in 0..others {
            world.client();
        }
        let alice = world.client();
        world.run_for(100 * MS);
        world.weather(alice, 2, Weather::Silent);
        world.command(0, &[b"SET", b"a", b"foreign", b"PX", b"60000"]);
        let both = wait_for(&mut world, alice, "a+b");
        world.run_for(500 * MS);
        let younger = wait_for(&mut world, alice, "a");
        world.run_for(500 * MS);
        world.command(0, &[b"DEL", b"a"]);
        let held = |w: &mut World| is_held(w, alice, both) || is_held(w, alice, younger);
        assert!(world.run_until(100 * MS, held), "{:?}", world.events(alice));
        assert!(is_held(&world, alice, both), "it came first");
    }
}

/// Servers without `PTTL` refuse a look for good, but not an obtain.
#[test]
fn a_refused_look_ends_no_wait() {
    let mut options = Options::default();
    options.pttl = false;
    let mut world = World::with(3, Arrangement::Quorum, options, |_| {});
    let alice = world.client();
    world.run_for(100 * MS);
    for node in 0..2 {
        world.command(node, &[b"SET", b"k", b"foreign", b"PX", b"60000"]);
    }
    let mut request = world.request("k", TTL);
    request.wait = Some(6 * TTL);
    request.retry = Retry::every(5000 * MS);
    let start = world.now();
    let lock = world.obtain(alice, request);
    // It checks the key after three seconds, and then makes an attempt.
    let writes = world.of(alice).writes;
    world.run_for(100 * MS);
    let asked = world.of(alice).writes;
    let looks = |w: &mut World| w.of(alice).writes > asked;
    assert!(asked > writes && world.run_until(4000 * MS, looks));
    assert!(world.now().saturating_since(start) >= 2900 * MS);
    world.run_for(MS * 3 / 4);
    let line = b"NOPERM this user has no permissions to run the 'set' command";
    world.server(0).options_mut().trouble = Some(Trouble::Says(line));
    world.refuses_for_good(0);
    world.pause(1, true);
    world.run_for(1500 * MS);
    assert_eq!(world.last(alice, lock), None, "only one of three refuses");
}
