//! The search itself.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use super::client::Phase;
use super::setup::Setup;
use super::state::{State, Step};

const SAFE: &str = "no promise is broken";
const LIVE: &str = "once trouble ends, somebody gets the lock";
const HELD: &str = "a lock is held";
const SECOND: &str = "one client holds it after another";

struct Search {
    setup: Arc<Setup>,
    /// From one state of so many it is tried whether it goes on well.
    sample: u64,
    /// A fault was found. The checker would go on for a while and keep the last one, but the first is the nearest.
    found: OnceLock<()>,
}

impl Model for Search {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(&self.setup)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        state.steps(steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        next.take(step);
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(SAFE, |search: &Self, state: &State| {
                search.holds(|| state.fault.is_none())
            }),
            Property::always(LIVE, |search: &Self, state: &State| {
                let tried = search.samples(state) && state.fault.is_none();
                search.holds(|| !tried || state.goes_on_well().is_ok())
            }),
            // Without these two the search would prove little.
            Property::sometimes(HELD, |_, state: &State| {
                let mut clients = state.clients.iter();
                clients.any(|client| client.phase() == Some(Phase::Held))
            }),
            Property::sometimes(SECOND, |_, state: &State| {
                let phases = || state.clients.iter().map(|client| client.phase());
                phases().any(|p| p == Some(Phase::Held)) && phases().any(|p| p == Some(Phase::Over))
            }),
        ]
    }
}

impl Search {
    /// Whether a promise is kept, or another was broken before.
    fn holds(&self, promise: impl FnOnce() -> bool) -> bool {
        self.found.get().is_some() || promise() || self.found.set(()).is_err()
    }

    fn samples(&self, state: &State) -> bool {
        let mut hasher = DefaultHasher::new();
        state.hash(&mut hasher);
        hasher.finish().is_multiple_of(self.sample)
    }
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The world.
    pub name: &'static str,
    /// Different states.
    pub states: usize,
    /// Steps that were tried.
    pub steps: usize,
    /// The longest of the shortest ways to a state, in steps.
    pub depth: usize,
    /// Whether there is no state beyond.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// From one state of so many it was tried whether it goes on well.
    pub sample: u64,
    /// The shortest way to a broken promise.
    pub fault: Option<String>,
    /// What never happened, although it should.
    pub missing: Vec<&'static str>,
}

/// Searches the states of `setup` that are at most `depth` steps away, until a promise is broken. From one state of
/// `sample` (1: from all) it is also tried whether it goes on well.
#[must_use]
pub fn search(setup: Setup, depth: usize, sample: u64) -> Report {
    let setup = Arc::new(setup);
    let model = Search {
        setup: setup.clone(),
        sample,
        found: OnceLock::new(),
    };
    let begin = Instant::now();
    // One thread, so that the first fault found is one of the nearest. The first state counts as depth 1, and states
    // at the limit are not looked at.
    let checker = model
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .target_max_depth(depth + 2)
        .spawn_bfs()
        .join();
    let fault = [SAFE, LIVE].into_iter().find_map(|name| {
        let path = checker.discovery(name)?;
        Some(tell(&setup, name, path))
    });
    let missing = [HELD, SECOND].into_iter();
    Report {
        name: setup.name,
        states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth().saturating_sub(1).min(depth),
        complete: checker.max_depth() < depth + 2 && fault.is_none(),
        took: begin.elapsed(),
        sample,
        missing: missing
            .filter(|name| checker.discovery(name).is_none())
            .collect(),
        fault,
    }
}

fn tell(setup: &Arc<Setup>, promise: &str, path: Path<State, Step>) -> String {
    let mut state = State::new(setup);
    state.story = Some(Vec::new());
    let steps = path.into_actions();
    for step in &steps {
        state.take(*step);
    }
    let why = match state.fault {
        Some(fault) => fault,
        None => state.goes_on_well().err().unwrap_or("it goes on well"),
    };
    let story = state.story.unwrap_or_default().join("\n");
    let (name, count) = (setup.name, steps.len());
    format!("{name}: not true that {promise}, after {count} steps:\n{story}\n=> {why}")
}

impl Report {
    /// What stands above the columns of a table of reports.
    #[must_use]
    pub fn header() -> String {
        let (name, states, steps) = ("world", "states", "steps");
        format!(
            "{name:<50} {states:>9} {steps:>10} depth         {:>9}  liveness",
            "time"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.complete { "all" } else { "cut off" };
        write!(
            f,
            "{:<50} {:>9} {:>10} {:>5} {:<7} {:>7.1} s  1 in {}",
            self.name,
            self.states,
            self.steps,
            self.depth,
            end,
            self.took.as_secs_f64(),
            self.sample
        )
    }
}
