//! What mistakes would show that no random schedule has noticed: see `tests/mutations.txt`.

use tenure_core::{
    Arrangement, Event, Holder, NodeError, NotObtained, Obtain, Renewal, Retry, Token,
};
use tenure_tests::world::{ClientId, Weather, World};

use crate::{
    MS, TTL, held, is_free, is_held, kinds, like_redis, not_obtained, obtain, quiet_about_expiry,
    until_held, wait_for, without_tracking,
};

#[test]
fn a_node_that_comes_free_while_another_is_pending_gets_a_request_at_once() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    world.run_for(100 * MS);
    for node in [0, 2] {
        world.command(node, &[b"SET", b"k", b"foreign", b"PX", b"60000"]);
    }
    world.pause(2, true);
    let lock = wait_for(&mut world, alice, "k");
    // Node 0 has denied, node 1 has granted, and node 2 is slow.
    world.run_for(4 * MS);
    world.command(0, &[b"DEL", b"k"]);
    world.run_for(4 * MS);
    world.pause(2, false);
    assert!(
        world.run_until(100 * MS, |world| is_held(world, alice, lock)),
        "two of three are free"
    );
}

#[test]
fn nodes_in_order_are_released_from_the_last_to_the_first() {
    let mut world = World::new(3, Arrangement::Ordered);
    let alice = world.client();
    let lock = obtain(&mut world, alice, "k");
    world.pause(2, true);
    world.release(alice, lock);
    world.run_for(10 * MS);
    // A request to nodes in order must not pass the first before the last is free.
    for node in 0..2 {
        assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":1\r\n");
    }
    world.pause(2, false);
    world.run_for(10 * MS);
    for node in 0..3 {
        assert_eq!(world.command(node, &[b"EXISTS", b"k"]), b":0\r\n");
    }
}

#[test]
fn a_requested_refresh_is_reported_though_its_first_reply_was_lost() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = world.request("k", TTL);
    request.renewal = Renewal::Manual;
    let lock = world.obtain(alice, request);
    world.run_for(100 * MS);
    world.refresh(alice, lock, None);
    world.cut(alice, 0);
    world.run_for(2000 * MS);
    assert_eq!(kinds(&world, alice), ["obtained", "refreshed"]);
}

#[test]
fn behind_a_key_without_a_ttl_a_waiter_retries_no_more_often_than_its_pauses() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"k", b"foreign"]);
    let mut request = world.request("k", TTL);
    request.wait = Some(20 * 1000 * MS);
    request.retry = Retry::every(1000 * MS);
    world.obtain(alice, request);
    world.run_for(100 * MS);
    let writes = world.of(alice).writes;
    world.run_for(12_000 * MS);
    let writes = world.of(alice).writes - writes;
    // And a look every three seconds.
    assert!(writes <= 12 + 4, "{writes} questions in twelve seconds");
}

#[test]
fn of_several_keys_the_one_without_an_end_lasts_longest() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"a", b"foreign"]);
    world.command(0, &[b"SET", b"b", b"foreign", b"PX", b"5000"]);
    for keys in ["a+b", "b+a"] {
        let request = world.request(keys, TTL);
        let lock = world.obtain(alice, request);
        world.run_for(10 * MS);
        let (remaining, by) = (None, Holder::Other);
        let reason = NotObtained::Taken { remaining, by };
        assert_eq!(
            world.last(alice, lock),
            Some(Event::NotObtained { lock, reason })
        );
    }
}

#[test]
fn a_pause_ends_with_the_time_of_the_holder() {
    let mut options = quiet_about_expiry();
    options.tracking = without_tracking().tracking;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let alice = world.client();
    world.run_for(100 * MS);
    world.command(0, &[b"SET", b"k", b"foreign", b"PX", b"1000"]);
    let mut request = world.request("k", TTL);
    request.wait = Some(TTL);
    request.retry = Retry::every(5000 * MS);
    let lock = world.obtain(alice, request);
    assert!(world.run_until(1100 * MS, |world| is_held(world, alice, lock)));
}

#[test]
fn an_attempt_that_was_won_too_late_does_not_use_up_max_hold() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(100 * MS);
    let mut request = world.request("k", TTL);
    request.wait = Some(TTL);
    request.renewal = Renewal::Automatic {
        max_hold: Some(300 * MS),
    };
    world.pause(0, true);
    let lock = world.obtain(alice, request);
    world.run_for(400 * MS);
    world.pause(0, false);
    assert!(world.run_until(200 * MS, |world| is_held(world, alice, lock)));
}

#[test]
fn a_wait_does_not_end_without_a_last_look() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    world.run_for(100 * MS);
    world.lose_pushes(bob, 0, true);
    let mut request = world.request("k", TTL);
    request.wait = Some(2000 * MS);
    let second = world.obtain(bob, request);
    world.run_for(1000 * MS);
    world.release(alice, first);
    world.run_for(1010 * MS);
    assert!(is_held(&world, bob, second), "{:?}", world.events(bob));
}

/// A quorum of three that reports no change, where the first release of a client needs its script a second time.
fn without_wakes() -> (World, ClientId) {
    let mut options = like_redis();
    options.tracking = false;
    let mut world = World::with(3, Arrangement::Quorum, options, |_| {});
    let alice = world.client();
    let lock = obtain(&mut world, alice, "other");
    world.release(alice, lock);
    world.run_for(100 * MS);
    (world, alice)
}

fn patient(world: &mut World) -> Obtain {
    let mut request = world.request("k", TTL);
    request.wait = Some(6 * TTL);
    request.retry = Retry::every(5000 * MS);
    request
}

#[test]
fn a_waiter_retries_when_enough_of_the_nodes_that_denied_it_are_free() {
    let (mut world, alice) = without_wakes();
    let first = obtain(&mut world, alice, "k");
    let request = patient(&mut world);
    let next = world.obtain(alice, request);
    world.run_for(100 * MS);
    for node in 0..2 {
        world.server(node).flush_scripts();
    }
    world.release(alice, first);
    // Two nodes lack the script of the release, and deny what is asked behind it. One of them is slow from then on.
    world.run_for(MS + MS / 4);
    world.pause(1, true);
    let waited = until_held(&mut world, alice, next, TTL);
    assert!(waited <= 30 * MS, "{waited:?}");
}

#[test]
fn a_waiter_retries_when_a_node_that_denied_it_comes_free_before_the_others_have_replied() {
    let (mut world, alice) = without_wakes();
    world.command(1, &[b"SET", b"k", b"foreign", b"PX", b"60000"]);
    let first = obtain(&mut world, alice, "k");
    let request = patient(&mut world);
    let next = world.obtain(alice, request);
    world.run_for(100 * MS);
    world.server(0).flush_scripts();
    world.pause(1, true);
    world.release(alice, first);
    world.run_for(4 * MS);
    world.pause(1, false);
    let waited = until_held(&mut world, alice, next, TTL);
    // The denial counts as one of another process, so the engine defers first.
    assert!(waited <= 40 * MS, "{waited:?}");
}

#[test]
fn a_waiter_retries_when_the_release_that_it_crossed_finds_the_key_gone() {
    let mut options = like_redis();
    options.tracking = false;
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let request = patient(&mut world);
    let next = world.obtain(alice, request);
    world.run_for(100 * MS);
    world.server(0).flush_scripts();
    world.release(alice, first);
    // The release needs its script, and what is asked behind it is denied. Somebody is faster.
    world.run_for(MS + MS / 4);
    world.command(0, &[b"DEL", b"k"]);
    let waited = until_held(&mut world, alice, next, TTL);
    assert!(waited <= 10 * MS, "{waited:?}");
}

#[test]
fn a_client_that_slept_through_a_release_does_not_report_the_lock_as_held() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, bob, "k");
    let mut request = world.request("k", TTL);
    request.wait = Some(5000 * MS);
    let lock = world.obtain(alice, request);
    world.run_for(1000 * MS);
    world.suspend(alice, true);
    world.release(bob, first);
    world.run_for(TTL);
    world.suspend(alice, false);
    world.run_for(MS);
    let reason = NotObtained::Unreachable(NodeError::TimedOut);
    assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));
}

fn own(world: &mut World) -> Obtain {
    let mut request = world.request("k", TTL);
    request.token = Token::new("job-7").expect("a token");
    request
}

#[test]
fn the_last_of_two_handles_also_frees_a_node_that_only_the_first_was_granted() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    let request = own(&mut world);
    let first = held(&mut world, alice, request.clone());
    world.down(0, true);
    world.cut(alice, 0);
    world.run_for(500 * MS);
    let second = held(&mut world, alice, request);
    world.release(alice, first);
    world.release(alice, second);
    world.run_for(500 * MS);
    assert!(!is_free(&mut world, "k"), "it could not be asked");
    world.down(0, false);
    world.run_for(3000 * MS);
    assert!(is_free(&mut world, "k"), "it lasts for ten seconds");
}

#[test]
fn a_handle_that_too_few_nodes_answer_takes_nothing_away_from_the_other() {
    let mut world = World::new(3, Arrangement::Quorum);
    let alice = world.client();
    let request = own(&mut world);
    let first = held(&mut world, alice, request.clone());
    for node in 1..3 {
        world.pause(node, true);
    }
    let request = Obtain {
        wait: Some(TTL),
        ..request
    };
    let second = world.obtain(alice, request);
    for _ in 0..25 {
        world.run_for(100 * MS);
        assert!(!is_free(&mut world, "k"), "one of its three nodes");
    }
    for node in 1..3 {
        world.pause(node, false);
    }
    until_held(&mut world, alice, second, TTL);
    assert!(is_held(&world, alice, first), "{:?}", world.events(alice));
}

/// After its turn a client checks whether others come. The value that it finds may have its own token, which another one holds, too.
#[test]
fn a_client_whose_turn_is_over_holds_a_token_together_with_another() {
    let mut world = World::single();
    world.shares_tokens();
    let (alice, bob) = (world.client(), world.client());
    let request = own(&mut world);
    let first = held(&mut world, alice, request.clone());
    world.run_for(400 * MS);
    world.release(alice, first);
    let other = world.obtain(bob, request.clone());
    world.run_for(2 * MS);
    assert!(is_held(&world, bob, other));
    let request = Obtain {
        wait: Some(TTL),
        ..request
    };
    let next = world.obtain(alice, request);
    until_held(&mut world, alice, next, 30 * MS);
    assert!(is_held(&world, bob, other));
}

#[test]
fn leftovers_of_a_waiter_on_a_silent_node_do_not_block_it() {
    // Once it has been released there: what is still on its way has the same value, and is to be waited for.
    for moment in (1200..2800).step_by(200) {
        let mut world = World::new(3, Arrangement::Quorum);
        let (alice, bob) = (world.client(), world.client());
        let first = obtain(&mut world, bob, "k");
        world.weather(alice, 2, Weather::Silent);
        let request = Obtain {
            wait: Some(TTL),
            ..own(&mut world)
        };
        let next = world.obtain(alice, request);
        world.run_for(moment * MS);
        world.release(bob, first);
        let waited = until_held(&mut world, alice, next, TTL);
        assert!(waited <= 60 * MS, "{moment} ms: {waited:?}");
    }
}
