//! Named scenarios over the engine that ships and the embedded server, in virtual time.

mod acks;
mod behind;
mod changes;
mod companions;
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
mod queue;
mod siblings;
mod status;
mod tokens;
mod turns;
mod unknown;
mod unseen;
mod unsettled;
mod waiting;
mod waits;
mod wakes;
mod words;

use tenure_core::memory::Options;
use tenure_core::{Event, LockId, Loss, NodeError, NotObtained, Released};
use tenure_tests::trials::single_locks::{
    MS, TTL, ended, held, is_held, obtain, pttl, until_held, wait_at_most, wait_for,
};
use tenure_tests::world::{ClientId, World};

fn not_obtained(lock: LockId, reason: NotObtained) -> Event {
    Event::NotObtained { lock, reason }
}

fn like_redis() -> Options {
    let mut options = Options::default();
    options.compare = false;
    options
}

fn is_free(world: &mut World, key: &str) -> bool {
    world.command(0, &[b"EXISTS", key.as_bytes()]) == b":0\r\n"
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
        Event::Changed { .. } => "changed",
        Event::NotChanged { .. } => "not changed",
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
