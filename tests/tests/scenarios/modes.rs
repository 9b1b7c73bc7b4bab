//! Read locks, write locks and permits.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{Event, Holder, LockId, Loss, Mode, NotObtained, Obtain, Released, Token, Ttl};
use tenure_tests::world::{ClientId, World};

use crate::{
    MS, TTL, ended, held, is_free, is_held, kinds, lost, not_obtained, pttl, released, until_held,
};

pub(crate) const READ: Mode = Mode::Shared { limit: None };
pub(crate) const WRITE: Mode = Mode::InTurn;

pub(crate) fn permit(limit: u32) -> Mode {
    Mode::Shared {
        limit: NonZeroU32::new(limit),
    }
}

pub(crate) fn request(world: &mut World, mode: Mode) -> Obtain {
    let mut request = world.request("k", TTL);
    request.mode = mode;
    request
}

#[track_caller]
pub(crate) fn hold(world: &mut World, client: ClientId, mode: Mode) -> LockId {
    let request = request(world, mode);
    held(world, client, request)
}

pub(crate) fn wait_in(world: &mut World, client: ClientId, mode: Mode) -> LockId {
    let mut request = request(world, mode);
    request.wait = Some(Duration::from_secs(60));
    world.obtain(client, request)
}

/// Who is in the way of a lock that tries once.
#[track_caller]
pub(crate) fn refused(world: &mut World, client: ClientId, mode: Mode) -> Holder {
    let request = request(world, mode);
    let lock = world.obtain(client, request);
    let end = ended(world, client, lock, 100 * MS);
    if let Event::NotObtained {
        reason: NotObtained::Taken { by, .. },
        ..
    } = end
    {
        return by;
    }
    panic!("{end:?}")
}

/// What a later client would leave in a queue: it waits since then, and counts for so long.
fn joins(world: &mut World, queue: &str, turn: u64, patience: Duration) {
    let now = world.now().as_micros() / 1000;
    let end = now + u64::try_from(patience.as_millis()).expect("a time");
    let (turn, end) = (turn.to_string(), end.to_string());
    let queue = format!("{{k}}~{queue}");
    world.command(
        0,
        &[b"ZADD", queue.as_bytes(), turn.as_bytes(), b"somebody"],
    );
    world.command(0, &[b"HSET", b"{k}~alive", b"somebody", end.as_bytes()]);
}

pub(crate) fn nothing_is_left(world: &mut World) {
    let keys: [&[u8]; 6] = [
        b"EXISTS",
        b"k",
        b"{k}~in",
        b"{k}~exclusive",
        b"{k}~shared",
        b"{k}~alive",
    ];
    assert_eq!(world.command(0, &keys), b":0\r\n");
}

#[test]
fn readers_share_a_key_and_exclude_writers_and_plain_locks() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    let third = hold(&mut world, alice, READ);
    assert_eq!(refused(&mut world, carol, WRITE), Holder::Sharing);
    assert_eq!(refused(&mut world, carol, Mode::Exclusive), Holder::Other);
    world.run_for(3 * TTL);
    for (client, lock) in [(alice, first), (bob, second), (alice, third)] {
        assert!(is_held(&world, client, lock), "{:?}", world.events(client));
        world.release(client, lock);
        world.run_for(20 * MS);
        assert_eq!(
            world.last(client, lock),
            released(lock, Released::Confirmed)
        );
    }
    nothing_is_left(&mut world);
    let writer = hold(&mut world, carol, WRITE);
    assert_eq!(refused(&mut world, alice, READ), Holder::Other);
    assert_eq!(refused(&mut world, alice, WRITE), Holder::Other);
    assert_eq!(refused(&mut world, alice, Mode::Exclusive), Holder::Other);
    assert_eq!(refused(&mut world, carol, READ), Holder::Ourselves);
    world.run_for(3 * TTL);
    world.release(carol, writer);
    world.run_for(20 * MS);
    assert_eq!(
        world.last(carol, writer),
        released(writer, Released::Confirmed)
    );
    nothing_is_left(&mut world);
}

#[test]
fn a_plain_lock_of_another_library_waits_for_the_last_reader() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    let plain: [&[u8]; 6] = [b"SET", b"k", b"plain", b"NX", b"PX", b"5000"];
    for (client, lock) in [(alice, first), (bob, second)] {
        assert_eq!(world.command(0, &plain), b"$-1\r\n");
        assert!(is_held(&world, bob, second));
        world.release(client, lock);
        world.run_for(20 * MS);
    }
    assert_eq!(world.command(0, &plain), b"+OK\r\n");
    assert_eq!(refused(&mut world, alice, READ), Holder::Other);
    assert_eq!(refused(&mut world, alice, WRITE), Holder::Other);
    assert_eq!(pttl(&mut world, "k") / 1000, 4);
}

#[test]
fn readers_that_wait_for_a_writer_come_in_together() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let writer = hold(&mut world, alice, WRITE);
    let readers: Vec<LockId> = (0..5).map(|_| wait_in(&mut world, bob, READ)).collect();
    world.run_for(Duration::from_secs(1));
    let before = world.of(bob).writes;
    world.release(alice, writer);
    let all = |w: &mut World| readers.iter().all(|lock| is_held(w, bob, *lock));
    assert!(world.run_until(20 * MS, all), "{:?}", world.events(bob));
    assert_eq!(world.of(bob).writes, before + 1, "all in one write");
}

#[test]
fn a_writer_of_this_engine_gets_the_key_though_readers_keep_coming() {
    let mut world = World::single();
    let alice = world.client();
    let mut reader = hold(&mut world, alice, READ);
    let writer = wait_in(&mut world, alice, WRITE);
    let mut later = Vec::new();
    for _ in 0..3 {
        later.push(wait_in(&mut world, alice, READ));
        world.run_for(20 * MS);
        assert!(!is_held(&world, alice, later[later.len() - 1]));
    }
    world.release(alice, reader);
    until_held(&mut world, alice, writer, 20 * MS);
    world.release(alice, writer);
    for lock in later {
        until_held(&mut world, alice, lock, 20 * MS);
        reader = lock;
    }
    world.release(alice, reader);
}

#[test]
fn a_reader_behind_a_writer_that_waits_says_so() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, bob, READ);
    let wait = Duration::from_secs(1);
    let mut ask = |mode| {
        let mut request = request(&mut world, mode);
        request.wait = Some(wait);
        world.obtain(alice, request)
    };
    let (writer, reader) = (ask(WRITE), ask(READ));
    world.run_for(2 * wait);
    let by = Holder::Sharing;
    let end = world.last(alice, writer);
    assert_eq!(
        end,
        Some(not_obtained(writer, NotObtained::TimedOut { by }))
    );
    // The writer has gone first, and left the key to the reader.
    let end = world.last(alice, reader);
    let by = Holder::Queue;
    let timed_out = not_obtained(reader, NotObtained::TimedOut { by });
    assert!(
        end == Some(timed_out) || is_held(&world, alice, reader),
        "{end:?}"
    );
}

#[test]
fn a_waiting_writer_stops_later_readers() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let reader = hold(&mut world, alice, READ);
    joins(&mut world, "exclusive", 1, Duration::from_secs(5));
    assert_eq!(refused(&mut world, bob, READ), Holder::Queue);
    assert_eq!(refused(&mut world, bob, permit(9)), Holder::Queue);
    assert_eq!(refused(&mut world, bob, WRITE), Holder::Queue);
    // One that is inside stays, and the key is not given to another that waits in order.
    world.refresh(alice, reader, None);
    world.run_for(20 * MS);
    assert!(is_held(&world, alice, reader));
    world.release(alice, reader);
    world.run_for(20 * MS);
    assert!(is_free(&mut world, "k"));
    assert_eq!(refused(&mut world, bob, WRITE), Holder::Queue);
}

#[test]
fn readers_that_waited_longer_go_before_the_next_writer() {
    let mut world = World::single();
    let bob = world.client();
    joins(&mut world, "shared", 1, Duration::from_secs(5));
    assert_eq!(refused(&mut world, bob, WRITE), Holder::Queue);
    // Readers do not wait for each other.
    hold(&mut world, bob, READ);
}

#[test]
fn a_dead_waiter_is_passed_when_its_time_is_over() {
    let mut world = World::single();
    let bob = world.client();
    joins(&mut world, "exclusive", 1, Duration::from_secs(2));
    let writer = wait_in(&mut world, bob, WRITE);
    let reader = wait_in(&mut world, bob, READ);
    world.run_for(Duration::from_millis(1900));
    assert!(!is_held(&world, bob, writer));
    until_held(&mut world, bob, writer, 200 * MS);
    world.release(bob, writer);
    until_held(&mut world, bob, reader, 200 * MS);
    world.release(bob, reader);
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn a_crashed_reader_leaves_at_its_own_time() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    hold(&mut world, alice, READ);
    let other = hold(&mut world, bob, READ);
    world.suspend(alice, true);
    let writer = wait_in(&mut world, carol, WRITE);
    world.run_for(TTL / 2);
    world.release(bob, other);
    let left = until_held(&mut world, carol, writer, TTL);
    assert!(
        left > TTL / 2 - 100 * MS && left < TTL / 2 + 100 * MS,
        "{left:?}"
    );
}

#[test]
fn a_deleted_marker_voids_every_reader() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    world.command(0, &[b"DEL", b"k"]);
    let third = hold(&mut world, carol, READ);
    world.run_for(TTL);
    for (client, lock) in [(alice, first), (bob, second)] {
        assert_eq!(world.last(client, lock), lost(lock, Loss::Taken));
    }
    assert!(is_held(&world, carol, third));
}

#[test]
fn a_reader_refreshed_after_the_marker_was_deleted_is_lost() {
    let mut world = World::single();
    let alice = world.client();
    let reader = hold(&mut world, alice, READ);
    world.command(0, &[b"DEL", b"k"]);
    world.refresh(alice, reader, None);
    world.run_for(20 * MS);
    assert_eq!(world.last(alice, reader), lost(reader, Loss::Taken));
    assert_eq!(kinds(&world, alice), ["obtained", "lost"]);
}

#[test]
fn a_reader_learns_after_a_reconnect_that_it_was_voided() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, READ);
    let second = hold(&mut world, bob, READ);
    world.command(0, &[b"DEL", b"k"]);
    for client in [alice, bob] {
        world.cut(client, 0);
    }
    world.run_for(Duration::from_secs(3));
    assert_eq!(world.last(alice, first), lost(first, Loss::Taken));
    assert_eq!(world.last(bob, second), lost(second, Loss::Taken));
}

#[test]
fn readers_that_come_and_go_cost_a_reader_nothing() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, bob, READ);
    // It has watched the key before it got it.
    let reader = wait_in(&mut world, alice, READ);
    until_held(&mut world, alice, reader, 20 * MS);
    world.run_for(100 * MS);
    let before = world.of(alice).writes;
    for n in 2..20 {
        let mut longer = request(&mut world, READ);
        longer.ttl = Ttl::new(TTL * n).expect("a ttl");
        let lock = held(&mut world, bob, longer);
        world.release(bob, lock);
        world.run_for(20 * MS);
    }
    assert_eq!(world.of(alice).writes, before);
}

#[test]
fn an_unanswered_attempt_to_share_leaves_nothing() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, bob, READ);
    let request = request(&mut world, READ);
    world.obtain(alice, request);
    world.run_for(MS / 2);
    world.cut(alice, 0);
    world.run_for(5 * MS);
    world.run_for(Duration::from_secs(5));
    let inside = world.command(0, &[b"ZCARD", b"{k}~in"]);
    let own = usize::from(kinds(&world, alice) == ["obtained"]);
    assert_eq!(inside, format!(":{}\r\n", 1 + own).into_bytes());
}

#[test]
fn two_readers_with_one_token_are_one_until_the_last_is_released() {
    let mut world = World::single();
    let alice = world.client();
    let mut request = request(&mut world, READ);
    request.token = Token::new("mine").expect("a token");
    let first = held(&mut world, alice, request.clone());
    request.ttl = Ttl::new(TTL / 10).expect("a ttl");
    let second = held(&mut world, alice, request);
    world.run_for(TTL);
    assert!(is_held(&world, alice, first) && is_held(&world, alice, second));
    world.release(alice, first);
    world.run_for(TTL);
    assert_eq!(world.last(alice, first), released(first, Released::Shared));
    assert!(is_held(&world, alice, second));
    world.release(alice, second);
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn a_reader_whose_wait_ends_before_its_reply_says_what_the_one_before_it_has_met() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, bob, WRITE);
    let mut older = request(&mut world, READ);
    older.wait = Some(100 * MS);
    world.obtain(alice, older);
    world.run_for(100 * MS - MS / 20);
    // Readers do not wait for one another, so this one asks at once. Its wait is over before the reply, and after the other's.
    let mut younger = request(&mut world, READ);
    younger.wait = Some(MS / 10);
    let lock = world.obtain(alice, younger);
    world.run_for(MS);
    let by = Holder::Other;
    let reason = NotObtained::TimedOut { by };
    assert_eq!(world.last(alice, lock), Some(not_obtained(lock, reason)));
}
