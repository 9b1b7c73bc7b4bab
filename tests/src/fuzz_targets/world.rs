//! Any schedule of a whole world.

use crate::schedule::Schedule;
use crate::world::Promise;

/// New inputs still break these now and then: see *What is next* in ARCHITECTURE.md. Seeds and scenarios look at them.
const KNOWN: [Promise; 3] = [Promise::Prompt, Promise::Fair, Promise::Truth];

/// Every byte string is a schedule: see [`Schedule::from_bytes`].
///
/// # Panics
/// If a promise is broken, with the story.
pub fn world(input: &[u8]) {
    let schedule = Schedule::from_bytes(input);
    let broken = schedule.play().violation.map(|violation| violation.promise);
    if broken.is_some_and(|promise| !KNOWN.contains(&promise)) {
        let told = schedule.tell();
        panic!("{}\n{:?}", told.story.join("\n"), told.violation);
    }
}
