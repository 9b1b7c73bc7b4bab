//! What must be so after faults have stopped.

use std::time::Duration;

use super::play::Play;
use super::setup::LONGEST_MS;
use crate::world::Promise;

const SECOND: Duration = Duration::from_secs(1);

/// Whether every released lock is gone from the nodes.
fn is_released(play: &mut Play) -> bool {
    let world = &mut play.world;
    // Time to connect again.
    let pause = if play.setup.calm { SECOND } else { 4 * SECOND };
    world.pass(pause + play.setup.longest_round());
    // A client that was killed, or has no command left to delete with, leaves keys behind. So does a client that got
    // WRONGTYPE for a key: then the key is not ours, and a real node sends that for no other key.
    let is_kept = |node| world.is_usable(node) && !world.has_sent_wrongtype(node);
    let leftovers = world.leftovers(false).filter(|(node, _)| is_kept(*node));
    if let Some((node, count)) = leftovers {
        let how = format!("{count} keys stayed behind on node {node} that could be reached");
        world.broken(Promise::TimelyRelease, how);
        return false;
    }
    world.kept(Promise::TimelyRelease);
    true
}

/// Faults stop; each lock is released a moment after it was obtained.
pub(crate) fn ending(play: &mut Play) {
    let world = &mut play.world;
    world.note_line(|| "faults stop".to_owned());
    for node in play.wrongtype_nodes.drain(..) {
        world.sends_wrongtype(node);
    }
    world.heal();
    play.swap_all_back();
    play.remove_all_endless();
    let world = &mut play.world;
    world.release_all();
    // For a dead holder, for connecting again, and a second for each that still waits: in bad weather it needs some
    // round trips, and may wait for a pause of its engine to end.
    let longest = Duration::from_millis(LONGEST_MS + LONGEST_MS / 50);
    let timeout = longest + SECOND * (12 + world.open());
    if !world.pass_until(timeout, |world| world.all_ended()) {
        let open = format!("still open: {}", world.first_open());
        return world.broken(Promise::Ends, open);
    }
    world.kept(Promise::Ends);
    if (play.setup.calm || play.setup.mild) && !is_released(play) {
        return;
    }

    let newcomer = play.setup.client(&mut play.world, &mut play.rng);
    play.locks.push(Vec::new());
    play.clients.push(newcomer);
    for key in 0..play.setup.keys {
        let mut request = play.world.request(&format!("k{key}"), 2 * SECOND);
        request.wait = Some(longest + 5 * SECOND);
        let world = &mut play.world;
        let lock = world.obtain_and_hold(newcomer, request, None);
        if !world.pass_until(longest + 5 * SECOND, |world| world.is_held(newcomer, lock)) {
            let last = world.last(newcomer, lock);
            if world.is_refused_for_good(newcomer, lock) {
                world.kept(Promise::Progress);
                continue;
            }
            return world.broken(
                Promise::Progress,
                format!("a new client does not get k{key}: {last:?}"),
            );
        }
        world.kept(Promise::Progress);
        world.release(newcomer, lock);
    }

    let world = &mut play.world;
    world.pass(longest + SECOND);
    if world.leftovers(false).is_none() && world.leftovers(true).is_some() {
        world.pass(61 * SECOND);
    }
    if let Some((node, count)) = world.leftovers(true) {
        let how = format!("{count} keys are left on node {node}");
        return world.broken(Promise::NothingLeft, how);
    }
    world.kept(Promise::NothingLeft);
    for client in &play.clients {
        play.world.close(*client);
    }
    if play
        .world
        .pass_until(5 * SECOND, |world| world.all_drained())
    {
        play.world.kept(Promise::Drains);
    } else {
        play.world
            .broken(Promise::Drains, "an engine is not drained after closing");
    }
}
