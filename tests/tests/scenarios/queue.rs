//! The order of clients of different processes, which wait in a queue on the server.

use std::time::Duration;

use tenure_core::{Arrangement, Event, Holder, LockId, Mode, NotObtained, Retry, Ttl};
use tenure_tests::world::{ClientId, Weather, World};

use crate::modes::{READ, WRITE, hold, nothing_is_left, permit, refused, request, wait_in};
use crate::{MS, TTL, is_free, is_held, kinds, not_obtained, until_held};

/// For how long a place is kept without another request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Several clients wait one after the other.
fn queue(world: &mut World, count: usize, mode: Mode) -> Vec<(ClientId, LockId)> {
    let mut queue = Vec::new();
    for _ in 0..count {
        let client = world.client();
        world.run_for(20 * MS);
        queue.push((client, wait_in(world, client, mode)));
        world.run_for(20 * MS);
    }
    queue
}

#[test]
fn processes_that_wait_have_a_key_in_the_order_in_which_they_came() {
    let mut world = World::single();
    let alice = world.client();
    let mut last = (alice, hold(&mut world, alice, WRITE));
    let waiting = queue(&mut world, 10, WRITE);
    for (at, next) in waiting.iter().enumerate() {
        world.run_for(100 * MS);
        world.release(last.0, last.1);
        // The release, the notification, and the request with its reply.
        until_held(&mut world, next.0, next.1, 3 * MS);
        let held = |(client, lock): &&(ClientId, LockId)| is_held(&world, *client, *lock);
        assert_eq!(waiting.iter().filter(held).count(), 1, "after {at}");
        last = *next;
    }
    world.release(last.0, last.1);
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn a_writer_of_another_process_stops_later_readers() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, READ);
    let writer = wait_in(&mut world, bob, WRITE);
    world.run_for(20 * MS);
    assert_eq!(refused(&mut world, carol, READ), Holder::Queue);
    let later = wait_in(&mut world, carol, READ);
    // Longer than a place is kept.
    world.run_for(3 * TIMEOUT);
    assert!(!is_held(&world, carol, later) && !is_held(&world, bob, writer));
    world.release(alice, first);
    until_held(&mut world, bob, writer, 5 * MS);
    assert!(!is_held(&world, carol, later));
    world.release(bob, writer);
    until_held(&mut world, carol, later, 5 * MS);
}

#[test]
fn readers_of_several_processes_come_in_together_behind_a_writer() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let writer = queue(&mut world, 1, WRITE)[0];
    let readers = queue(&mut world, 5, READ);
    let last = queue(&mut world, 1, WRITE)[0];
    world.release(alice, first);
    until_held(&mut world, writer.0, writer.1, 5 * MS);
    world.run_for(20 * MS);
    world.release(writer.0, writer.1);
    for (client, lock) in &readers {
        until_held(&mut world, *client, *lock, 5 * MS);
    }
    for (client, lock) in readers {
        world.run_for(20 * MS);
        assert!(!is_held(&world, last.0, last.1));
        world.release(client, lock);
    }
    until_held(&mut world, last.0, last.1, 5 * MS);
}

#[test]
fn a_dead_waiter_is_passed_after_its_timeout() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let waiting = queue(&mut world, 3, WRITE);
    let [dead, next, last] = waiting[..] else {
        panic!("three");
    };
    world.suspend(dead.0, true);
    world.release(alice, first);
    world.run_for(Duration::from_secs(5));
    assert!(!is_held(&world, next.0, next.1));
    until_held(&mut world, next.0, next.1, TIMEOUT);
    world.release(next.0, next.1);
    until_held(&mut world, last.0, last.1, 5 * MS);
}

#[test]
fn a_waiter_that_is_cancelled_rings_the_next() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let waiting = queue(&mut world, 3, WRITE);
    let [gone, next, last] = waiting[..] else {
        panic!("three");
    };
    let before = [next, last].map(|(client, _)| world.of(client).writes);
    world.release(gone.0, gone.1);
    world.run_for(20 * MS);
    // It asks whether it is the first now; nothing has changed for the one behind it.
    let after = [next, last].map(|(client, _)| world.of(client).writes);
    assert_eq!(after, [before[0] + 1, before[1]]);
    world.release(alice, first);
    until_held(&mut world, next.0, next.1, 5 * MS);
}

#[test]
fn a_release_wakes_only_the_head() {
    let mut world = World::single();
    let alice = world.client();
    let mut last = (alice, hold(&mut world, alice, WRITE));
    let waiting = queue(&mut world, 50, WRITE);
    world.run_for(50 * MS);
    let writes = |world: &World| -> Vec<usize> {
        let count = |(client, _): &(ClientId, LockId)| world.of(*client).writes;
        waiting.iter().map(count).collect()
    };
    let mut total = 0;
    for (at, next) in waiting.iter().enumerate() {
        let before = writes(&world);
        world.release(last.0, last.1);
        world.run_for(10 * MS);
        assert!(is_held(&world, next.0, next.1));
        let after = writes(&world);
        for other in at + 2..50 {
            assert_eq!(after[other], before[other], "{other} after {at}");
        }
        total += after.iter().sum::<usize>() - before.iter().sum::<usize>();
        last = *next;
    }
    // One release for each but the last, one request of the first, and one of the next, which is the first from then on.
    assert_eq!(total, 49 + 50 + 49);
}

#[test]
fn a_waiter_behind_a_bell_ignores_the_gate() {
    let mut world = World::single();
    let alice = world.client();
    hold(&mut world, alice, WRITE);
    let waiting = queue(&mut world, 2, WRITE);
    let (first, second) = (waiting[0], waiting[1]);
    let before = [first, second].map(|(client, _)| world.of(client).writes);
    // Its time is set anew, which every client is notified of that has read it.
    world.command(0, &[b"PEXPIRE", b"k", b"9000"]);
    world.run_for(20 * MS);
    let after = [first, second].map(|(client, _)| world.of(client).writes);
    assert!(after[0] > before[0]);
    assert_eq!(after[1], before[1]);
}

#[test]
fn an_older_request_of_a_later_engine_goes_first() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, WRITE);
    world.weather(carol, 0, Weather::Refusing);
    world.cut(carol, 0);
    let older = wait_in(&mut world, carol, WRITE);
    world.run_for(100 * MS);
    let younger = wait_in(&mut world, bob, WRITE);
    world.run_for(100 * MS);
    world.weather(carol, 0, Weather::Fair);
    world.run_for(Duration::from_secs(3));
    world.release(alice, first);
    until_held(&mut world, carol, older, 20 * MS);
    assert!(!is_held(&world, bob, younger));
    world.release(carol, older);
    until_held(&mut world, bob, younger, 20 * MS);
}

#[test]
fn the_next_lock_of_an_engine_does_not_pass_one_that_waited_longer() {
    let mut world = World::single();
    let [alice, bob] = [world.client(), world.client()];
    let first = hold(&mut world, alice, WRITE);
    let older = wait_in(&mut world, bob, WRITE);
    world.run_for(20 * MS);
    let younger = wait_in(&mut world, alice, WRITE);
    world.run_for(20 * MS);
    world.release(alice, first);
    until_held(&mut world, bob, older, 5 * MS);
    assert!(!is_held(&world, alice, younger));
    world.release(bob, older);
    until_held(&mut world, alice, younger, 5 * MS);
}

#[test]
fn a_permit_passes_between_processes_at_once() {
    let mut world = World::single();
    let alice = world.client();
    let three: Vec<LockId> = (0..3).map(|_| hold(&mut world, alice, permit(3))).collect();
    let waiting = queue(&mut world, 4, permit(3));
    world.run_for(Duration::from_secs(1));
    for (lock, next) in three.iter().zip(&waiting) {
        world.release(alice, *lock);
        until_held(&mut world, next.0, next.1, 3 * MS);
    }
    let last = waiting[3];
    assert!(!is_held(&world, last.0, last.1));
    world.release(waiting[1].0, waiting[1].1);
    until_held(&mut world, last.0, last.1, 3 * MS);
}

#[test]
fn permits_that_are_freed_together_go_to_several_processes_together() {
    let mut world = World::single();
    let alice = world.client();
    let three: Vec<LockId> = (0..3).map(|_| hold(&mut world, alice, permit(3))).collect();
    let waiting = queue(&mut world, 4, permit(3));
    for lock in three {
        world.release(alice, lock);
    }
    world.run_for(20 * MS);
    let held = |(client, lock): &(ClientId, LockId)| is_held(&world, *client, *lock);
    let held: Vec<bool> = waiting.iter().map(held).collect();
    assert_eq!(held, [true, true, true, false]);
}

#[test]
fn the_place_of_a_lock_with_a_short_ttl_is_kept() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    hold(&mut world, alice, READ);
    let mut short = request(&mut world, WRITE);
    short.ttl = Ttl::new(Duration::from_secs(1)).expect("a ttl");
    short.wait = Some(6 * TIMEOUT);
    world.obtain(bob, short);
    for _ in 0..40 {
        world.run_for(100 * MS);
        assert_eq!(refused(&mut world, carol, READ), Holder::Queue);
    }
}

#[test]
fn a_bell_wakes_locks_of_the_same_engine() {
    let mut world = World::single();
    let (alice, carol) = (world.client(), world.client());
    let three: Vec<LockId> = (0..3).map(|_| hold(&mut world, carol, permit(3))).collect();
    // The second may come in when the first has.
    let first = wait_in(&mut world, alice, permit(2));
    world.run_for(20 * MS);
    let second = wait_in(&mut world, alice, permit(3));
    world.run_for(100 * MS);
    world.release(carol, three[0]);
    world.run_for(100 * MS);
    assert!(!is_held(&world, alice, first) && !is_held(&world, alice, second));
    world.release(carol, three[1]);
    until_held(&mut world, alice, first, 5 * MS);
    until_held(&mut world, alice, second, 5 * MS);
}

#[test]
fn a_try_beside_a_waiter_of_the_same_engine_says_who_has_the_key() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, bob, WRITE);
    wait_in(&mut world, alice, WRITE);
    world.run_for(100 * MS);
    assert_eq!(refused(&mut world, alice, Mode::Exclusive), Holder::Other);
}

#[test]
fn a_wait_that_ends_leaves_nothing_in_the_queue() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    let first = hold(&mut world, alice, READ);
    let mut short = request(&mut world, WRITE);
    short.wait = Some(Duration::from_secs(1));
    let lock = world.obtain(bob, short);
    world.run_for(500 * MS);
    assert_eq!(refused(&mut world, alice, READ), Holder::Queue);
    world.run_for(600 * MS);
    let by = Holder::Sharing;
    let reason = NotObtained::TimedOut { by };
    assert_eq!(world.last(bob, lock), Some(not_obtained(lock, reason)));
    let second = hold(&mut world, alice, READ);
    world.release(alice, first);
    world.release(alice, second);
    world.run_for(20 * MS);
    nothing_is_left(&mut world);
}

#[test]
fn in_order_the_queue_is_on_the_first_server() {
    let mut world = World::new(3, Arrangement::Ordered);
    let alice = world.client();
    let mut last = (alice, hold(&mut world, alice, WRITE));
    let waiting = queue(&mut world, 4, WRITE);
    let waits = world.command(0, &[b"ZCARD", b"{k}~exclusive"]);
    assert_eq!(waits, b":4\r\n");
    for node in 1..3 {
        assert_eq!(
            world.command(node, &[b"EXISTS", b"{k}~exclusive"]),
            b":0\r\n"
        );
    }
    for next in &waiting {
        world.release(last.0, last.1);
        until_held(&mut world, next.0, next.1, 20 * MS);
        last = *next;
    }
}

/// Another program has the key on the second server only, so the first one grants it each time.
#[test]
fn in_order_a_denial_by_a_later_server_gives_no_place_there() {
    let mut world = World::new(3, Arrangement::Ordered);
    let alice = world.client();
    world.command(1, &[b"SET", b"k", b"other", b"PX", b"60000"]);
    let lock = wait_in(&mut world, alice, WRITE);
    world.run_for(500 * MS);
    assert!(!is_held(&world, alice, lock));
    let now = world.now();
    assert_eq!(world.server(1).members(b"{k}~exclusive", now), []);
    world.command(1, &[b"DEL", b"k"]);
    until_held(&mut world, alice, lock, 2000 * MS);
}

#[test]
fn a_place_survives_a_short_cut() {
    let mut world = World::single();
    let alice = world.client();
    let first = hold(&mut world, alice, WRITE);
    let waiting = queue(&mut world, 2, WRITE);
    world.cut(waiting[0].0, 0);
    world.cut(waiting[1].0, 0);
    world.run_for(Duration::from_secs(2));
    world.release(alice, first);
    until_held(&mut world, waiting[0].0, waiting[0].1, 5 * MS);
    assert!(!is_held(&world, waiting[1].0, waiting[1].1));
    world.release(waiting[0].0, waiting[0].1);
    until_held(&mut world, waiting[1].0, waiting[1].1, 5 * MS);
}

#[test]
fn requests_that_keep_a_place_are_no_attempts() {
    let mut world = World::single();
    let (alice, bob) = (world.client(), world.client());
    hold(&mut world, alice, WRITE);
    queue(&mut world, 1, WRITE);
    let mut once = request(&mut world, WRITE);
    once.wait = Some(6 * TIMEOUT);
    once.retry = Retry::none().limit(1);
    world.obtain(bob, once);
    world.run_for(5 * TIMEOUT);
    assert_eq!(kinds(&world, bob), [""; 0]);
}

#[test]
fn a_plain_lock_does_not_wait_for_the_queue() {
    let mut world = World::single();
    let [alice, bob, carol] = [world.client(), world.client(), world.client()];
    let first = hold(&mut world, alice, READ);
    wait_in(&mut world, bob, WRITE);
    world.run_for(20 * MS);
    world.suspend(bob, true);
    world.release(alice, first);
    world.run_for(20 * MS);
    assert!(is_free(&mut world, "k"));
    let plain = request(&mut world, Mode::Exclusive);
    let plain = world.obtain(carol, plain);
    world.run_for(20 * MS);
    assert!(matches!(
        world.last(carol, plain),
        Some(Event::Obtained { .. })
    ));
    world.run_for(TTL);
}
