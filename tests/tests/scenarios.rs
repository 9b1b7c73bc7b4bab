//! Named scenarios over the engine that ships and the embedded server, in virtual time. Helpers stand below their use.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{
    Arrangement, Event, LockId, Loss, NotObtained, Obtain, Released, Renewal, Retry, Token, Ttl,
};
use tenure_tests::world::{ClientId, Weather, World};

const MS: Duration = Duration::from_millis(1);
const TTL: Duration = Duration::from_secs(10);

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
fn a_try_finds_the_lock_taken_and_says_for_how_long() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");

    let wish = world.wish("k", TTL);
    let try_once = world.obtain(bob, wish);
    world.run_for(10 * MS);

    let Some(Event::NotObtained {
        reason: NotObtained::Taken { remaining },
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
fn a_waiter_is_woken_by_a_release_within_two_round_trips() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, bob, "k");
    world.run_for(1000 * MS);
    assert_eq!(world.last(bob, second), None);

    world.release(alice, first);
    let start = world.now();
    assert!(world.run_until(100 * MS, |world| is_held(world, bob, second)));

    // Release out, wake in, ask out, answer in: four one-way trips.
    assert_eq!(world.now().saturating_since(start), 4 * world.latency);
}

#[test]
fn the_next_holder_comes_when_the_time_of_a_crashed_one_is_over() {
    let options = quiet_about_expiry();
    let mut world = World::with(1, Arrangement::Ordered, options, |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, bob, "k");
    let start = world.now();

    world.suspend(alice, true);
    assert!(world.run_until(11_000 * MS, |world| is_held(world, bob, second)));

    let waited = world.now().saturating_since(start);
    assert!(waited > 9900 * MS && waited < TTL + 50 * MS, "{waited:?}");
}

#[test]
fn a_holder_hears_of_a_deleted_or_overwritten_key_within_five_round_trips() {
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
        (lost(lock, Loss::Expired), end)
    );
}

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
    let wish = world.wish("k", TTL);
    let lock = world.obtain(alice, wish);
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
fn a_withdrawn_obtain_is_released_though_its_answer_is_on_the_way() {
    let mut world = World::single();
    let alice = world.client();
    world.run_for(10 * MS);

    let wish = world.wish("k", TTL);
    let lock = world.obtain(alice, wish);
    world.release(alice, lock);
    world.run_for(10 * MS);

    assert_eq!(kinds(&world, alice), ["not obtained"]);
    assert!(is_free(&mut world, "k"));
    assert!(
        world
            .events(alice)
            .iter()
            .all(|(_, e)| *e == withdrawn(lock))
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
fn waiters_of_one_process_come_in_order_and_only_the_first_asks() {
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let writes = world.of(alice).writes;
    let waiters: Vec<LockId> = (0..50).map(|_| wait_for(&mut world, alice, "k")).collect();
    world.run_for(3000 * MS);
    assert_eq!(
        world.of(alice).writes,
        writes,
        "behind a lock of our own nobody asks"
    );

    world.release(alice, first);
    let mut last = first;
    for lock in waiters {
        assert!(world.run_until(100 * MS, |world| is_held(world, alice, lock)));
        world.release(alice, lock);
        last = lock;
    }
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, last), released(last, Released::Confirmed));
}

#[test]
fn a_release_and_the_next_obtain_leave_in_one_write() {
    let mut world = World::single();
    let alice = world.client();
    let first = obtain(&mut world, alice, "k");
    let second = wait_for(&mut world, alice, "k");
    world.run_for(100 * MS);
    let writes = world.of(alice).writes;

    world.release(alice, first);
    assert!(world.run_until(100 * MS, |world| is_held(world, alice, second)));

    assert_eq!(world.of(alice).writes, writes + 1);
}

#[test]
fn neighbours_do_not_keep_a_lock_from_others_for_ever() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut held = obtain(&mut world, alice, "k");
    let other = wait_for(&mut world, bob, "k");
    world.run_for(100 * MS);
    let mut passed = 0;
    while !is_held(&mut world, bob, other) {
        let next = wait_for(&mut world, alice, "k");
        world.run_for(5 * MS);
        if is_held(&mut world, alice, held) {
            world.release(alice, held);
        }
        let both = |w: &mut World| is_held(w, alice, next) || is_held(w, bob, other);
        assert!(world.run_until(1000 * MS, both));
        held = next;
        passed += 1;
        assert!(passed < 40, "bob never gets his turn");
    }
    assert!(passed >= 16, "neighbours come first for a while: {passed}");
}

#[test]
fn many_keys_are_held_all_or_none() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let both = obtain(&mut world, alice, "a+b");
    let wish = world.wish("b+c", TTL);
    let second = world.obtain(bob, wish);
    world.run_for(10 * MS);
    assert_eq!(kinds(&world, bob), ["not obtained"]);
    assert!(is_free(&mut world, "c"), "none of the keys");
    world.release(alice, both);
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, both), released(both, Released::Confirmed));
    assert_ne!(world.last(bob, second), None);
}

#[test]
fn a_release_frees_what_is_still_ours_and_says_that_something_was_missing() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let alice = world.client();
    let lock = obtain(&mut world, alice, "a+b+c");
    world.command(0, &[b"DEL", b"b"]);
    world.release(alice, lock);
    world.run_for(10 * MS);
    assert_eq!(world.last(alice, lock), released(lock, Released::Missing));
    assert!(is_free(&mut world, "a") && is_free(&mut world, "c"));
}

#[test]
fn a_token_does_not_take_the_lock_of_a_longer_one() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let wish = world.wish("k", TTL);
    let ten = Obtain {
        token: Token::new("worker-10").unwrap(),
        ..wish.clone()
    };
    let one = Obtain {
        token: Token::new("worker-1").unwrap(),
        ..wish
    };
    let first = world.obtain(alice, ten);
    world.run_for(10 * MS);
    let second = world.obtain(bob, one);
    world.run_for(10 * MS);
    assert!(is_held(&mut world, alice, first));
    assert!(matches!(
        world.last(bob, second),
        Some(Event::NotObtained { .. })
    ));
}

#[test]
fn the_same_token_and_value_obtained_again_refreshes_the_ttl() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let mut wish = world.wish("k", TTL);
    wish.token = Token::new("job-7").unwrap();
    wish.renewal = Renewal::Manual;
    let first = world.obtain(alice, wish.clone());
    world.run_for(5000 * MS);
    world.suspend(alice, true); // Alice is gone; bob goes on with her lock, for longer.
    wish.ttl = Ttl::new(30_000 * MS).unwrap();
    let second = world.act(bob, |engine, now| engine.obtain(wish, now));
    world.run_for(10 * MS);
    assert!(matches!(
        world.last(bob, second),
        Some(Event::Obtained { .. })
    ));
    assert!(matches!(
        world.last(alice, first),
        Some(Event::Obtained { .. })
    ));
    let pttl = pttl(&mut world, "k");
    assert!(pttl > 29_900, "{pttl}");
}

#[test]
fn a_manual_lock_lasts_as_long_as_it_is_refreshed() {
    let mut world = World::single();
    let alice = world.client();
    let mut wish = world.wish("k", TTL);
    wish.renewal = Renewal::Manual;
    let lock = world.obtain(alice, wish);
    world.run_for(9000 * MS);
    let ttl = Ttl::new(20_000 * MS).unwrap();
    world
        .act(alice, |engine, now| engine.refresh(lock, Some(ttl), now))
        .expect("held");
    world.run_for(15_000 * MS);
    assert_eq!(kinds(&world, alice), ["obtained", "refreshed"]);
    world.run_for(10_000 * MS);
    assert_eq!(world.last(alice, lock), lost(lock, Loss::Expired));
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
    let mut wish = world.wish("k", TTL);
    wish.renewal = Renewal::Automatic {
        max_hold: Some(25_000 * MS),
    };
    let lock = world.obtain(alice, wish);
    let start = world.now();
    assert!(world.run_until(60_000 * MS, |w| w.last(alice, lock)
        == lost(lock, Loss::MaxHold)));
    let held = world.now().saturating_since(start);
    assert!(held >= 25_000 * MS && held < 25_010 * MS, "{held:?}");
    world.run_for(10 * MS);
    assert!(is_free(&mut world, "k"), "given up, not left to expire");
}

#[test]
fn without_tracking_a_waiter_pauses_and_asks_again() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    let first = obtain(&mut world, alice, "k");
    let mut wish = world.wish("k", TTL);
    wish.wait = Some(5000 * MS);
    wish.retry = Retry::every(100 * MS);
    let second = world.obtain(bob, wish);
    world.run_for(1000 * MS);
    world.release(alice, first);
    let start = world.now();
    assert!(world.run_until(1000 * MS, |world| is_held(world, bob, second)));
    assert!(world.now().saturating_since(start) <= 102 * MS);
}

#[test]
fn a_wait_ends_when_it_is_over_and_a_limit_when_it_is_reached() {
    let mut world = World::with(1, Arrangement::Ordered, without_tracking(), |_| {});
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    let mut wish = world.wish("k", TTL);
    wish.wait = Some(500 * MS);
    let waiting = world.obtain(bob, wish.clone());
    let start = world.now();
    assert!(world.run_until(5000 * MS, |w| w.last(bob, waiting).is_some()));
    assert_eq!(world.now().saturating_since(start), 500 * MS);
    let reason = NotObtained::TimedOut;
    assert_eq!(
        world.last(bob, waiting),
        Some(Event::NotObtained {
            lock: waiting,
            reason
        })
    );

    wish.retry = Retry::every(10 * MS).limit(3);
    let start = world.now();
    let limited = world.obtain(bob, wish);
    assert!(world.run_until(5000 * MS, |w| w.last(bob, limited).is_some()));
    let took = world.now().saturating_since(start);
    assert!(took >= 30 * MS && took < 40 * MS, "{took:?}");
    assert!(matches!(
        world.last(bob, limited),
        Some(Event::NotObtained {
            reason: NotObtained::Taken { .. },
            ..
        })
    ));
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
fn nodes_in_order_are_taken_in_order_and_none_is_kept_after_a_denial() {
    let mut world = World::new(3, Arrangement::Ordered);
    let (alice, bob) = (world.client(), world.client());
    world.command(2, &[b"SET", b"k", b"foreign", b"PX", b"5000"]);
    let wish = world.wish("k", TTL);
    let lock = world.obtain(alice, wish);
    world.run_for(100 * MS);
    assert_eq!(kinds(&world, alice), ["not obtained"]);
    for node in 0..2 {
        assert_eq!(
            world.command(node, &[b"EXISTS", b"k"]),
            b":0\r\n",
            "node {node}"
        );
    }
    assert_ne!(world.last(alice, lock), None);

    let second = wait_for(&mut world, bob, "k");
    assert!(world.run_until(6000 * MS, |world| is_held(world, bob, second)));
}

#[test]
fn a_quorum_survives_two_dead_servers_of_five_but_not_three() {
    let mut world = World::new(5, Arrangement::Quorum);
    let alice = world.client();
    world.run_for(100 * MS);
    for node in 0..2 {
        world.weather(alice, node, Weather::Refusing);
        world.cut(alice, node);
    }
    let lock = obtain(&mut world, alice, "k");
    world.run_for(30_000 * MS);
    assert!(is_held(&mut world, alice, lock), "renewed by three of five");
    world.release(alice, lock);
    world.run_for(100 * MS);
    assert_eq!(world.last(alice, lock), released(lock, Released::Confirmed));

    let lock = obtain(&mut world, alice, "k");
    world.weather(alice, 2, Weather::Refusing);
    world.cut(alice, 2);
    world.run_for(11_000 * MS);
    assert_eq!(world.last(alice, lock), lost(lock, Loss::Expired));
}

#[test]
fn contenders_for_a_quorum_share_nodes_for_a_moment_and_one_wins() {
    let mut world = World::new(5, Arrangement::Quorum);
    let clients: Vec<ClientId> = (0..4).map(|_| world.client()).collect();
    world.run_for(100 * MS);
    let mut locks: Vec<(ClientId, LockId)> = clients
        .iter()
        .map(|client| (*client, wait_for(&mut world, *client, "k")))
        .collect();
    while !locks.is_empty() {
        let winner = |w: &mut World| locks.iter().position(|(c, l)| is_held(w, *c, *l));
        assert!(
            world.run_until(10_000 * MS, |w| winner(w).is_some()),
            "nobody gets it"
        );
        let at = winner(&mut world).expect("somebody");
        let (client, lock) = locks.remove(at);
        world.release(client, lock);
    }
}

#[test]
fn an_inspection_tells_who_holds_and_for_how_long_and_changes_nothing() {
    let mut world = World::new(3, Arrangement::Quorum);
    let (alice, bob) = (world.client(), world.client());
    obtain(&mut world, alice, "k");
    world.run_for(1000 * MS);
    let keys = world.wish("k", TTL).keys;
    let inspection = world.act(bob, |engine, now| engine.inspect(keys.clone(), now));
    world.run_for(10 * MS);
    let found = world.act(bob, |engine, _| engine.take_inspection(inspection));
    let holding = found.expect("over").expect("answered")[0]
        .clone()
        .expect("held");
    let remaining = holding.remaining.expect("a ttl");
    assert!(
        remaining > 8990 * MS && remaining < 9000 * MS,
        "{remaining:?}"
    );
    assert_eq!(holding.value.len(), 22);
    assert!(
        world
            .act(bob, |engine, _| engine.take_inspection(inspection))
            .is_none()
    );
}

#[test]
fn closing_releases_everything_and_comes_to_an_end() {
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

fn obtain(world: &mut World, client: ClientId, key: &str) -> LockId {
    let wish = world.wish(key, TTL);
    let lock = world.obtain(client, wish);
    let held = world.run_until(100 * MS, |world| is_held(world, client, lock));
    assert!(held, "{:?}", world.events(client));
    lock
}

fn wait_for(world: &mut World, client: ClientId, key: &str) -> LockId {
    let mut wish = world.wish(key, TTL);
    wish.wait = Some(Duration::from_secs(60));
    world.obtain(client, wish)
}

fn is_held(world: &mut World, client: ClientId, lock: LockId) -> bool {
    world.of(client).engine.lease(lock).is_some()
}

fn is_free(world: &mut World, key: &str) -> bool {
    world.command(0, &[b"EXISTS", key.as_bytes()]) == b":0\r\n"
}

fn pttl(world: &mut World, key: &str) -> i64 {
    let answer = world.command(0, &[b"PTTL", key.as_bytes()]);
    let text = String::from_utf8(answer).expect("ASCII");
    text.trim()
        .trim_start_matches(':')
        .parse()
        .expect("an integer")
}

fn kinds(world: &World, client: ClientId) -> Vec<&'static str> {
    let kind = |event: &Event| match event {
        Event::Obtained { .. } => "obtained",
        Event::NotObtained { .. } => "not obtained",
        Event::Refreshed { asked: true, .. } => "refreshed",
        Event::Refreshed { asked: false, .. } => "renewed",
        Event::Lost { .. } => "lost",
        Event::Released { .. } => "released",
        _ => "other",
    };
    world
        .events(client)
        .iter()
        .map(|(_, event)| kind(event))
        .collect()
}

fn released(lock: LockId, proof: Released) -> Option<Event> {
    Some(Event::Released { lock, proof })
}

fn lost(lock: LockId, reason: Loss) -> Option<Event> {
    Some(Event::Lost { lock, reason })
}

fn withdrawn(lock: LockId) -> Event {
    Event::NotObtained {
        lock,
        reason: NotObtained::Withdrawn,
    }
}

fn without_tracking() -> Options {
    let mut options = Options::default();
    options.tracking = false;
    options
}

fn quiet_about_expiry() -> Options {
    let mut options = Options::default();
    options.announce_expiry = false;
    options
}
