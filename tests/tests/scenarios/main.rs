//! Named scenarios over the engine that ships and the embedded server, in virtual time.

mod behind;
mod connecting;
mod doubts;
mod ends;
mod fences;
mod holding;
mod keys;
mod modes;
mod nodes;
mod parking;
mod permits;
mod siblings;
mod tokens;
mod turns;
mod unknown;
mod unseen;
mod waiting;
mod waits;
mod wakes;
mod words;

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Event, LockId, Loss, NodeError, NotObtained, Obtain, Released};
use tenure_tests::world::{ClientId, World};

const MS: Duration = Duration::from_millis(1);
const TTL: Duration = Duration::from_secs(10);

#[track_caller]
fn obtain(world: &mut World, client: ClientId, key: &str) -> LockId {
    let request = world.request(key, TTL);
    held(world, client, request)
}

/// A lock that is held within 100 ms.
#[track_caller]
fn held(world: &mut World, client: ClientId, request: Obtain) -> LockId {
    let lock = world.obtain(client, request);
    until_held(world, client, lock, 100 * MS);
    lock
}

fn wait_for(world: &mut World, client: ClientId, key: &str) -> LockId {
    let mut request = world.request(key, TTL);
    request.wait = Some(Duration::from_secs(60));
    world.obtain(client, request)
}

/// Lets time pass until there is a last word on a lock, at most `most`.
#[track_caller]
fn ended(world: &mut World, client: ClientId, lock: LockId, most: Duration) -> Event {
    let is_over = |event: Event| !matches!(event, Event::Obtained { .. } | Event::Refreshed { .. });
    let over = |w: &mut World| w.last(client, lock).is_some_and(is_over);
    assert!(world.run_until(most, over), "{:?}", world.events(client));
    world.last(client, lock).expect("an event")
}

/// How long it takes until a lock is held, at most `most`.
#[track_caller]
fn until_held(world: &mut World, client: ClientId, lock: LockId, most: Duration) -> Duration {
    let start = world.now();
    let held = world.run_until(most, |world| is_held(world, client, lock));
    assert!(held, "{:?}", world.events(client));
    world.now().saturating_since(start)
}

fn wait_at_most(world: &mut World, client: ClientId, key: &str, wait: Duration) -> LockId {
    let mut request = world.request(key, TTL);
    request.wait = Some(wait);
    world.obtain(client, request)
}

fn not_obtained(lock: LockId, reason: NotObtained) -> Event {
    Event::NotObtained { lock, reason }
}

fn like_redis() -> Options {
    let mut options = Options::default();
    options.compare = false;
    options
}

fn is_held(world: &World, client: ClientId, lock: LockId) -> bool {
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
        Event::Refreshed {
            requested: true, ..
        } => "refreshed",
        Event::Refreshed {
            requested: false, ..
        } => "renewed",
        Event::Lost { .. } => "lost",
        Event::Released { .. } => "released",
        Event::Inspected { .. } | Event::Node { .. } | _ => "other",
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

fn expired(error: NodeError) -> Loss {
    Loss::Expired { error: Some(error) }
}

fn lost(lock: LockId, reason: Loss) -> Option<Event> {
    Some(Event::Lost { lock, reason })
}

fn cancelled(lock: LockId) -> Event {
    Event::NotObtained {
        lock,
        reason: NotObtained::Cancelled,
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
