//! What must be so after faults have stopped.

use std::time::Duration;

use super::cast::LONGEST_MS;
use super::play::Play;
use crate::world::Promise;

const SECOND: Duration = Duration::from_secs(1);

/// Faults stop; everybody lets go a moment after it has obtained.
pub(crate) fn ending(play: &mut Play) {
    let world = &mut play.world;
    world.say(|| "faults stop".to_owned());
    world.heal();
    play.remove_all_endless();
    let world = &mut play.world;
    world.let_go_of_all();
    // The longest time of a dead holder, then reconnecting and a few trips for everybody who still waits.
    let longest = Duration::from_millis(LONGEST_MS + LONGEST_MS / 50);
    if !world.pass_until(longest + 12 * SECOND, |world| world.all_ended()) {
        let who = world.first_open();
        return world.broken(Promise::Ends, format!("still open: {who}"));
    }
    world.kept(Promise::Ends);
    if play.cast.calm || play.cast.mild {
        // Time to connect again.
        let pause = if play.cast.calm { SECOND } else { 4 * SECOND };
        world.pass(pause + world.longest_round());
        if let Some((node, count)) = world.leftovers() {
            let how = format!("{count} keys stayed behind on node {node} that could be reached");
            return world.broken(Promise::Tidy, how);
        }
        world.kept(Promise::Tidy);
    }

    let stranger = play.cast.client(&mut play.world, &mut play.rng);
    play.locks.push(Vec::new());
    play.clients.push(stranger);
    for key in 0..play.cast.keys {
        let mut wish = play.world.wish(&format!("k{key}"), 2 * SECOND);
        wish.wait = Some(longest + 5 * SECOND);
        let world = &mut play.world;
        let lock = world.obtain_and_hold(stranger, wish, None);
        if !world.pass_until(longest + 5 * SECOND, |world| world.is_held(stranger, lock)) {
            let last = world.last(stranger, lock);
            if world.is_refused_for_good(stranger, lock) {
                world.kept(Promise::Progress);
                continue;
            }
            return world.broken(
                Promise::Progress,
                format!("a stranger does not get k{key}: {last:?}"),
            );
        }
        world.kept(Promise::Progress);
        world.release(stranger, lock);
    }

    let world = &mut play.world;
    world.pass(longest + SECOND);
    if let Some((node, count)) = world.leftovers() {
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
