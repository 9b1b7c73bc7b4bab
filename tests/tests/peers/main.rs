//! Problems of other lock libraries, as tests of this one: each by name, with its report.
//!
//! Where another file tests the same on real servers, the comment has the name of that test.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Event, LockId, Obtain, Renewal, Token};
use tenure_tests::world::{ClientId, World};

mod ownership;
mod release;
mod time;
mod unknown;
mod waiting;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const TTL: Duration = Duration::from_secs(10);

/// A lock that is held when this returns.
#[track_caller]
fn obtain(world: &mut World, client: ClientId, key: &str) -> LockId {
    let request = world.request(key, TTL);
    obtain_as(world, client, request)
}

#[track_caller]
fn obtain_as(world: &mut World, client: ClientId, request: Obtain) -> LockId {
    let lock = world.obtain(client, request);
    let held = world.run_until(SECOND, |world| is_held(world, client, lock));
    assert!(held, "{:?}", world.events(client));
    lock
}

fn wait_for(world: &mut World, client: ClientId, key: &str, wait: Duration) -> LockId {
    let mut request = world.request(key, TTL);
    request.wait = Some(wait);
    world.obtain(client, request)
}

/// What came of a lock within a time in which all must be over.
#[track_caller]
fn end(world: &mut World, client: ClientId, lock: LockId, most: Duration) -> Event {
    let over = world.run_until(most, |world| {
        world
            .last(client, lock)
            .is_some_and(|event| !matches!(event, Event::Obtained { .. } | Event::Refreshed { .. }))
    });
    assert!(over, "{:?}", world.events(client));
    world.last(client, lock).expect("an event")
}

fn is_held(world: &World, client: ClientId, lock: LockId) -> bool {
    world.of(client).engine.lease(lock).is_some()
}

/// Whether there is a key on a node.
fn exists(world: &mut World, node: usize, key: &str) -> bool {
    world.command(node, &[b"EXISTS", key.as_bytes()]) == b":1\r\n"
}

fn pttl(world: &mut World, key: &str) -> i64 {
    let answer = world.command(0, &[b"PTTL", key.as_bytes()]);
    let text = String::from_utf8(answer).expect("ASCII");
    text.trim()
        .trim_start_matches(':')
        .parse()
        .expect("an integer")
}

fn manual(mut request: Obtain) -> Obtain {
    request.renewal = Renewal::Manual;
    request
}

fn with_token(mut request: Obtain, token: &str) -> Obtain {
    request.token = Token::new(token).expect("a token");
    request
}

/// One server that sends no notifications.
fn silent_world() -> World {
    let mut options = Options::default();
    options.tracking = false;
    World::with(1, Arrangement::Ordered, options, |_| {})
}

/// One server like Redis, which needs scripts, and one like Valkey.
fn both_worlds() -> [World; 2] {
    [false, true].map(|compare| {
        let mut options = Options::default();
        options.compare = compare;
        World::with(1, Arrangement::Ordered, options, |_| {})
    })
}
