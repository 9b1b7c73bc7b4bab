//! The pictures of the documentation, drawn from runs of this code.
//!
//! `TENURE_PICTURES=write cargo test -p tenure-tests --test pictures` draws them anew.

use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use tenure_core::{LockId, Mode};
use tenure_tests::world::{ClientId, World};
use tenure_world::picture::draw;
use tenure_world::schedule::Report;

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const READ: Mode = Mode::Shared { limit: None };
const WRITE: Mode = Mode::InTurn;

#[track_caller]
fn until_held(world: &mut World, client: ClientId, lock: LockId, most: Duration) {
    let held = |world: &mut World| world.of(client).engine.lease(lock).is_some();
    assert!(world.run_until(most, held));
}

/// A picture is the same each time, so it is compared with what the documentation shows.
#[track_caller]
fn check(name: &str, title: &str, world: &mut World, time: Duration) {
    let record = world.take_record().expect("a record");
    let report = Report {
        time,
        ..Report::default()
    };
    let drawn = draw(title, &report, &record, None);
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/docs");
    let path = docs.join(name);
    if std::env::var("TENURE_PICTURES").is_ok_and(|what| what == "write") {
        std::fs::write(&path, &drawn).expect("written");
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == drawn, "{name} is not what this code does now");
}

fn wait_in(world: &mut World, client: ClientId, mode: Mode) -> LockId {
    let mut request = world.request("k", S);
    request.mode = mode;
    request.wait = Some(20 * S);
    world.obtain(client, request)
}

/// Two readers share the key, a writer waits for them, and a reader that comes later waits for the writer. One of the readers
/// crashes: the writer comes when that lease ends.
#[test]
fn readers_a_writer_and_a_crash() {
    let mut world = World::single();
    world.start_record();
    let clients: [_; 4] = std::array::from_fn(|_| world.client());
    let [one, other, writer, late] = clients;
    let begun = world.now();
    let first = wait_in(&mut world, one, READ);
    world.run_for(100 * MS);
    wait_in(&mut world, other, READ);
    world.run_for(150 * MS);
    let write = wait_in(&mut world, writer, WRITE);
    world.run_for(100 * MS);
    let last = wait_in(&mut world, late, READ);
    world.run_for(150 * MS);
    world.kill(other, 0);
    world.run_for(200 * MS);
    world.release(one, first);
    until_held(&mut world, writer, write, S);
    world.run_for(250 * MS);
    world.release(writer, write);
    until_held(&mut world, late, last, 100 * MS);
    world.run_for(150 * MS);
    world.release(late, last);
    world.run_for(100 * MS);
    let time = world.now().saturating_since(begun);
    check(
        "modes.svg",
        "Readers, a writer and a crash",
        &mut world,
        time,
    );
}

/// Two of three clients have a permit, and the third waits. One of the two crashes: its permit comes back when its lease ends.
/// The other one gives its permit back, and the next client has it at once.
#[test]
fn two_permits_and_a_crash() {
    let mut world = World::single();
    world.start_record();
    let clients: [_; 4] = std::array::from_fn(|_| world.client());
    let [one, other, third, fourth] = clients;
    let begun = world.now();
    let permit = Mode::Shared {
        limit: NonZeroU32::new(2),
    };
    let first = wait_in(&mut world, one, permit);
    world.run_for(100 * MS);
    wait_in(&mut world, other, permit);
    world.run_for(100 * MS);
    let next = wait_in(&mut world, third, permit);
    world.run_for(100 * MS);
    let last = wait_in(&mut world, fourth, permit);
    world.run_for(100 * MS);
    world.kill(other, 0);
    until_held(&mut world, third, next, 2 * S);
    world.run_for(200 * MS);
    world.release(one, first);
    until_held(&mut world, fourth, last, 100 * MS);
    world.run_for(200 * MS);
    world.release(third, next);
    world.release(fourth, last);
    world.run_for(100 * MS);
    let time = world.now().saturating_since(begun);
    check("permits.svg", "Two permits and a crash", &mut world, time);
}

/// Three clients wait behind a holder. The first of them crashes while it waits: it is passed when its place ends.
#[test]
fn locks_in_turn_and_a_crash() {
    let mut world = World::single();
    world.start_record();
    let clients: [_; 4] = std::array::from_fn(|_| world.client());
    let [holder, dead, second, third] = clients;
    let begun = world.now();
    let first = wait_in(&mut world, holder, WRITE);
    world.run_for(100 * MS);
    wait_in(&mut world, dead, WRITE);
    world.run_for(100 * MS);
    let next = wait_in(&mut world, second, WRITE);
    world.run_for(100 * MS);
    let last = wait_in(&mut world, third, WRITE);
    world.run_for(100 * MS);
    world.kill(dead, 0);
    world.run_for(100 * MS);
    world.release(holder, first);
    until_held(&mut world, second, next, 2 * S);
    world.run_for(200 * MS);
    world.release(second, next);
    until_held(&mut world, third, last, 100 * MS);
    world.run_for(200 * MS);
    world.release(third, last);
    world.run_for(100 * MS);
    let time = world.now().saturating_since(begun);
    check("in-turn.svg", "In turn, and a crash", &mut world, time);
}
