//! Whether states with the same fingerprint really have the same futures.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::quality::FixedState;

use super::setup::Setup;
use super::state::SearchState;

/// What was seen of the first state with a fingerprint.
struct Known {
    future: u64,
    state: SearchState,
}

/// Walks through at least so many `states` of a world, if there are as many. Each time that a step leads to a state that
/// is taken for a known one, all that can happen next is compared: the same number of steps must lead to states with the
/// same fingerprints. If that holds for all of them, a search that leaves the second one out misses nothing. Returns how
/// often it was compared.
///
/// # Errors
/// Two stories that end in the same fingerprint, and the fingerprints that come next.
pub fn audit(setup: Setup, alike: bool, states: usize) -> Result<usize, String> {
    let mut first = SearchState::new(&Arc::new(setup));
    first.trail = Some(Vec::new());
    let mut known: HashMap<u64, Known, FixedState> = HashMap::default();
    let mut line = VecDeque::from([first]);
    let (mut compared, mut taken) = (0, 0);
    while let Some(state) = line.pop_front() {
        let next: Vec<SearchState> = successors(&state).collect();
        let future = future(&state, alike);
        match known.entry(state.fingerprint(alike)) {
            std::collections::hash_map::Entry::Occupied(seen) => {
                compared += 1;
                let (print, seen) = (seen.key(), seen.get());
                if seen.future != future {
                    let ways = [&seen.state, &state].map(|state| describe(state, alike));
                    return Err(format!("two ways to {print:x}:\n{}", ways.join("\nand\n")));
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Known { future, state });
                if taken < states {
                    taken += next.len();
                    line.extend(next);
                }
            }
        }
    }
    Ok(compared)
}

fn successors(state: &SearchState) -> impl Iterator<Item = SearchState> {
    state.steps().into_iter().map(|step| {
        let mut next = state.clone();
        next.take(step);
        next
    })
}

fn describe(state: &SearchState, alike: bool) -> String {
    let next = state.steps().into_iter().zip(successors(state));
    let next = next.map(|(step, next)| format!("{:x} {step:?}", next.fingerprint(alike)));
    let trail = state.trail.iter().flatten().cloned();
    trail.chain(next).collect::<Vec<_>>().join("\n")
}

/// Whether there is a fault, and the fingerprints that can come next.
fn future(state: &SearchState, alike: bool) -> u64 {
    let mut prints: Vec<u64> = successors(state)
        .map(|next| next.fingerprint(alike))
        .collect();
    prints.sort_unstable();
    FixedState::with_seed(1).hash_one((state.fault(), state.is_over(), prints))
}
