//! Steps of tests about single locks: obtain one, wait for one, and see what became of it.

use std::time::Duration;

use tenure_core::{Event, LockId, Obtain};

use crate::world::{ClientId, World};

/// A millisecond.
pub const MS: Duration = Duration::from_millis(1);
/// The ttl of locks for which a test chooses none.
pub const TTL: Duration = Duration::from_secs(10);

/// A lock that is held soon, for [`TTL`].
#[track_caller]
pub fn obtain(world: &mut World, client: ClientId, key: &str) -> LockId {
    let request = world.request(key, TTL);
    held(world, client, request)
}

/// A lock that is held within 100 ms and ten one-way trips.
#[track_caller]
pub fn held(world: &mut World, client: ClientId, request: Obtain) -> LockId {
    let lock = world.obtain(client, request);
    let most = 100 * MS + 10 * world.latency;
    until_held(world, client, lock, most);
    lock
}

/// A request that waits for a minute.
pub fn wait_for(world: &mut World, client: ClientId, key: &str) -> LockId {
    wait_at_most(world, client, key, Duration::from_secs(60))
}

/// A request that waits for this long.
pub fn wait_at_most(world: &mut World, client: ClientId, key: &str, wait: Duration) -> LockId {
    let mut request = world.request(key, TTL);
    request.wait = Some(wait);
    world.obtain(client, request)
}

/// How long it takes until a lock is held, at most `most`.
#[track_caller]
pub fn until_held(world: &mut World, client: ClientId, lock: LockId, most: Duration) -> Duration {
    let start = world.now();
    let held = world.run_until(most, |world| is_held(world, client, lock));
    assert!(held, "{:?}", world.events(client));
    world.now().saturating_since(start)
}

/// Lets time pass until the terminal event of a lock, at most `most`.
#[track_caller]
pub fn ended(world: &mut World, client: ClientId, lock: LockId, most: Duration) -> Event {
    let is_over = |event: Event| !matches!(event, Event::Obtained { .. } | Event::Refreshed { .. });
    let over = |world: &mut World| world.last(client, lock).is_some_and(is_over);
    assert!(world.run_until(most, over), "{:?}", world.events(client));
    world.last(client, lock).expect("an event")
}

/// Whether a client holds this lock.
#[must_use]
pub fn is_held(world: &World, client: ClientId, lock: LockId) -> bool {
    world.of(client).engine.lease(lock).is_some()
}

/// The remaining time of a key on the first node, as `PTTL` reports it.
#[track_caller]
pub fn pttl(world: &mut World, key: &str) -> i64 {
    let answer = world.command(0, &[b"PTTL", key.as_bytes()]);
    let text = String::from_utf8(answer).expect("ASCII");
    text.trim()
        .trim_start_matches(':')
        .parse()
        .expect("an integer")
}
