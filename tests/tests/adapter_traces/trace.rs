//! The events of a client, in the terms of the npm package.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What the package's tests expect, by scenario and client.
pub(crate) fn expected(scenario: &str, client: &str) -> Vec<&'static str> {
    let text = include_str!("../../../bindings/npm/tests/traces.json");
    let (_, rest) = text
        .split_once(&format!("\"{scenario}\": {{"))
        .expect("the scenario");
    let (_, rest) = rest
        .split_once(&format!("\"{client}\": ["))
        .expect("the client");
    let (list, _) = rest.split_once(']').expect("its trace");
    list.split('"').skip(1).step_by(2).collect()
}

/// Notes the events of one driver in the words of the package.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    /// Without those about nodes: in which order several come and go is theirs.
    pub(crate) fn lines_of_locks(&self) -> Vec<String> {
        let is_of_lock = |line: &String| !line.starts_with("node_");
        self.lines().into_iter().filter(is_of_lock).collect()
    }
}

impl Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tenure" && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        let line = match words.message.as_str() {
            "inspected" | "" => return,
            "node is ready" => "node_ready".to_owned() + &words.detail,
            "node is down" => return,
            other => other.replace(' ', "_") + &words.detail,
        };
        self.0.lock().expect("no panic").push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Words {
    message: String,
    detail: String,
}

impl Visit for Words {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "tracking" && value {
            self.detail = " tracking".into();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let shown = format!("{value:?}");
        match field.name() {
            "message" => self.message = shown,
            "reason" | "proof" => write!(self.detail, " {}", word(&shown)).expect("a string"),
            _ => {}
        }
    }
}

/// The package's word for a text of the core.
fn word(shown: &str) -> &'static str {
    let words = [
        ("held by another client", "taken"),
        ("the key was deleted", "taken"),
        ("cancelled", "cancelled"),
        ("too few nodes replied", "unreachable"),
        ("released", "confirmed"),
        ("it was no longer held", "missing"),
    ];
    let found = words.iter().find(|(start, _)| shown.starts_with(start));
    found.unwrap_or_else(|| panic!("no word for {shown:?}")).1
}
