//! The walk through the states, breadth first.
//!
//! Of a state 64 bits are remembered, and how it was reached: from which state, by which of its steps. Those in the
//! front line whose turn comes soon are kept as they are; the others are made again from the way to them, which
//! neighbours share for the most part. So a state takes about 16 bytes, and a fault is found on a shortest way.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::FixedState;

use super::client::Client;
use super::setup::Setup;
use super::state::{SearchState, Step};
use super::user::Phase;

/// How many states of the front line are kept as they are.
const KEPT: usize = 100_000;

/// How far to go.
#[derive(Copy, Clone, Debug)]
pub struct Limits {
    /// In steps.
    pub depth: usize,
    /// No depth is begun with more states than this.
    pub states: usize,
    /// From one state of so many it is tried whether it goes on well.
    pub sample: u64,
    /// Whether states are the same in which nodes or clients have changed places.
    pub alike: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 10_000,
            states: 4_000_000_000,
            sample: 1,
            alike: true,
        }
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
    /// All states up to so many steps away were seen.
    pub depth: usize,
    /// Whether there is no state beyond.
    pub complete: bool,
    /// How long it took.
    pub took: Duration,
    /// From so many states it was tried whether it goes on well.
    pub tried: usize,
    /// A shortest way to a broken promise.
    pub fault: Option<String>,
    /// A lock was held.
    pub held: bool,
    /// A client held it after another.
    pub turns: bool,
}

struct Walk {
    setup: Arc<Setup>,
    limits: Limits,
    seen: HashSet<u64, FixedState>,
    /// By number of the state: that from which it was reached.
    parents: Vec<u32>,
    /// Which of the steps that can be taken there led to it.
    choices: Vec<u8>,
    /// The way to the state that was made again last.
    way: Vec<(u32, SearchState)>,
    report: Report,
}

/// Searches the states of `setup`, until a promise is broken or a limit is reached.
#[must_use]
pub fn search(setup: Setup, limits: Limits) -> Report {
    let begin = Instant::now();
    let mut walk = Walk::new(setup, limits);
    let fault = walk.go();
    walk.report.fault = fault.map(|state| walk.describe(state));
    let mut report = walk.report;
    report.took = begin.elapsed();
    report
}

impl Walk {
    fn new(setup: Setup, limits: Limits) -> Self {
        let setup = Arc::new(setup);
        let first = SearchState::new(&setup);
        Self {
            report: Report {
                name: setup.name,
                states: 1,
                steps: 0,
                depth: 0,
                complete: false,
                took: Duration::ZERO,
                tried: 0,
                fault: None,
                held: false,
                turns: false,
            },
            seen: std::iter::once(first.fingerprint(limits.alike)).collect(),
            parents: vec![0],
            choices: vec![0],
            way: vec![(0, first)],
            setup,
            limits,
        }
    }

    /// The number of the first state in which a promise is broken.
    fn go(&mut self) -> Option<u32> {
        let mut line = 0..1;
        let mut kept = VecDeque::from([self.way[0].1.clone()]);
        while self.report.depth < self.limits.depth && self.report.states < self.limits.states {
            let mut next_kept = VecDeque::new();
            for number in line.clone() {
                let state = kept.pop_front().unwrap_or_else(|| self.again(number));
                if let Some(fault) = self.expand(number, &state, &mut next_kept) {
                    return Some(fault);
                }
            }
            kept = next_kept;
            line = line.end..self.count();
            if line.is_empty() {
                self.report.complete = true;
                return None;
            }
            self.report.depth += 1;
        }
        None
    }

    /// Takes every step that can be taken from a state.
    fn expand(
        &mut self,
        number: u32,
        state: &SearchState,
        kept: &mut VecDeque<SearchState>,
    ) -> Option<u32> {
        for (choice, step) in state.steps().into_iter().enumerate() {
            let mut next = state.clone();
            next.take(step);
            self.report.steps += 1;
            let (print, mut above) = next.fingerprints(self.limits.alike);
            let covered = self.limits.alike && above.any(|above| self.seen.contains(&above));
            if covered || !self.seen.insert(print) {
                continue;
            }
            self.parents.push(number);
            self.choices.push(u8::try_from(choice).expect("few steps"));
            self.report.states += 1;
            if self.breaks(&next, print) {
                return Some(self.count() - 1);
            }
            if kept.len() < KEPT {
                kept.push_back(next);
            }
        }
        None
    }

    fn breaks(&mut self, state: &SearchState, print: u64) -> bool {
        let phases = || state.clients.iter().flat_map(Client::phases);
        if phases().any(|phase| phase == Phase::Held) {
            self.report.held = true;
            self.report.turns |= phases().any(|phase| phase == Phase::Over);
        }
        if state.fault().is_some() {
            return true;
        }
        let tries = print.is_multiple_of(self.limits.sample);
        self.report.tried += usize::from(tries);
        tries && state.goes_on_well().is_err()
    }

    fn count(&self) -> u32 {
        u32::try_from(self.parents.len()).expect("fewer states than would fit into memory")
    }

    /// Makes a state again. To be called with growing numbers of one line: then most of the way is still there.
    fn again(&mut self, number: u32) -> SearchState {
        let mut missing = Vec::new();
        let mut at = number;
        while self.way.last().is_none_or(|(last, _)| *last != at) {
            if self.way.last().is_some_and(|(last, _)| *last > at) {
                self.way.pop();
            } else {
                missing.push(at);
                at = self.parents[at as usize];
            }
        }
        for at in missing.into_iter().rev() {
            let before = &self.way.last().expect("the beginning stays").1;
            let mut state = before.clone();
            state.take(before.steps()[usize::from(self.choices[at as usize])]);
            self.way.push((at, state));
        }
        self.way.last().expect("it was just made").1.clone()
    }

    fn way_to(&self, number: u32) -> Vec<Step> {
        let ancestors = std::iter::successors(Some(number), |at| {
            (*at > 0).then(|| self.parents[*at as usize])
        });
        let mut choices: Vec<u8> = ancestors.map(|at| self.choices[at as usize]).collect();
        choices.pop();
        let mut state = SearchState::new(&self.setup);
        let mut steps = Vec::new();
        for choice in choices.into_iter().rev() {
            let step = state.steps()[usize::from(choice)];
            state.take(step);
            steps.push(step);
        }
        steps
    }

    fn describe(&self, number: u32) -> String {
        let mut state = SearchState::new(&self.setup);
        state.trail = Some(Vec::new());
        let steps = self.way_to(number);
        for step in &steps {
            state.take(*step);
        }
        let why = match state.fault() {
            Some(fault) => fault,
            None => state.goes_on_well().err().unwrap_or("it goes on well"),
        };
        let trail = state.trail.unwrap_or_default().join("\n");
        let (name, count) = (self.setup.name, steps.len());
        format!("{name}: after {count} steps:\n{trail}\n=> {why}")
    }
}

impl Report {
    /// What stands above the columns of a table of reports.
    #[must_use]
    pub fn header() -> String {
        let (name, states, steps, tried) = ("world", "states", "steps", "liveness");
        format!(
            "{name:<53} {states:>9} {steps:>11} depth         {:>8} {tried:>9}",
            "time"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.complete { "all" } else { "cut off" };
        write!(
            f,
            "{:<53} {:>9} {:>11} {:>5} {:<7} {:>6.1} s {:>9}",
            self.name,
            self.states,
            self.steps,
            self.depth,
            end,
            self.took.as_secs_f64(),
            self.tried
        )
    }
}
