//! A way through the states as something to read.

use std::fmt::Display;

use tenure_core::{Event, Outcome};

use super::order::Action;
use super::state::{SearchState, Step};

/// Clients have letters, nodes have numbers.
fn letter(client: usize) -> char {
    char::from(b'A' + u8::try_from(client % 26).unwrap_or(0))
}

impl SearchState {
    fn describe(&mut self, what: impl Display) {
        let micros = self.now.as_micros() % 1_000_000_000;
        if let Some(trail) = &mut self.trail {
            trail.push(format!("{:>9.3} ms  {what}", micros as f64 / 1e3));
        }
    }

    pub(super) fn describe_step(&mut self, step: Step) {
        if self.trail.is_none() {
            return;
        }
        let what = match step {
            Step::Obtain(c, u) => format!("user {u} of {} asks for a lock", letter(c)),
            Step::Release(c, u) => format!("user {u} of {} releases", letter(c)),
            Step::Change(c, u) => format!("user {u} of {} changes the mode", letter(c)),
            Step::Refresh(c, u) => format!("user {u} of {} refreshes with another ttl", letter(c)),
            Step::Request(c, n) | Step::Withhold(c, n) => {
                format!("a request of {} reaches node {n}", letter(c))
            }
            Step::Answer(c, n) => format!("an answer of node {n} reaches {}", letter(c)),
            Step::Stray(c, n) => {
                format!("a late request of {} reaches node {n}", letter(c))
            }
            Step::Timer(c) => format!("the timer of {} goes off", letter(c)),
            Step::Time => "time goes on".into(),
            Step::Cut(c, n) => format!("the connection of {} to node {n} breaks", letter(c)),
            Step::NodeCrash(n) => format!("node {n} crashes"),
            Step::ClientCrash(c) => format!("{} crashes", letter(c)),
        };
        self.describe(what);
    }

    pub(super) fn describe_outcome(&mut self, node: usize, action: Action, outcome: Outcome) {
        if self.trail.is_some() {
            self.describe(format_args!("    node {node}: {action:?} is {outcome:?}"));
        }
    }

    pub(super) fn describe_event(&mut self, client: usize, event: &Event) {
        if self.trail.is_some() {
            self.describe(format_args!("    {} gets {event:?}", letter(client)));
        }
    }
}
