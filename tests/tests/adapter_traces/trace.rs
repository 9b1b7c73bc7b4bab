//! The events of a client, in the terms of the npm package.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::{Duration, Instant};

use futures_lite::future::yield_now;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Metadata, Subscriber};

use crate::stage::Compared;

/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

/// What the package's tests expect, by scenario and client; nothing of a client whose events depend on time.
pub(crate) fn expected(scenario: &str, client: &str) -> Option<Vec<&'static str>> {
    let text = include_str!("../../../bindings/npm/tests/traces.json");
    let (_, rest) = text
        .split_once(&format!("\"{scenario}\": {{"))
        .expect("the scenario");
    let (clients, _) = rest.split_once('}').expect("its clients");
    let (_, rest) = clients.split_once(&format!("\"{client}\": ["))?;
    let (list, _) = rest.split_once(']').expect("its trace");
    Some(list.split('"').skip(1).step_by(2).collect())
}

/// Notes the events of one driver in the words of the package.
#[derive(Clone, Default)]
pub(crate) struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    fn compared(&self, compared: Compared) -> Vec<String> {
        let mut lines = self.lines();
        if matches!(compared, Compared::OfLocks | Compared::KindsOfLocks) {
            lines.retain(|line| !line.starts_with("node_"));
        }
        if matches!(compared, Compared::Kinds | Compared::KindsOfLocks) {
            let mut seen = HashSet::new();
            lines.retain(|line| seen.insert(line.clone()));
        }
        lines
    }

    /// Waits until these are the events: a thread that drives wakes others before it notes an event.
    pub(crate) async fn becomes(&self, expected: &[&str], compared: Compared) {
        let deadline = Instant::now() + LONG;
        while self.compared(compared).len() < expected.len() && Instant::now() < deadline {
            yield_now().await;
        }
        assert_eq!(self.compared(compared), expected);
    }

    fn note(&self, event: &Event<'_>) {
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
}

/// Gives the events of a thread to a trace.
struct ByThread;

/// The trace of the next driver that has a thread of its own.
static NEXT: Mutex<Option<Trace>> = Mutex::new(None);

thread_local! {
    static OF_THIS_THREAD: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// The next thread that drives a locker has this trace. One at a time: see [`wait_for_thread`].
pub(crate) fn note_next_thread(trace: &Trace) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_global_default(ByThread).expect("the only one"));
    *NEXT.lock().expect("no panic") = Some(trace.clone());
}

/// Waits until that thread has had an event. Each driver reports a server that is ready.
pub(crate) fn wait_for_thread() {
    while NEXT.lock().expect("no panic").is_some() {
        thread::yield_now();
    }
}

impl Subscriber for Trace {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "tenure" && metadata.is_event()
    }

    fn event(&self, event: &Event<'_>) {
        self.note(event);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Subscriber for ByThread {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let is_driver = thread::current().name() == Some("tenure");
        is_driver && metadata.target() == "tenure" && metadata.is_event()
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn event(&self, event: &Event<'_>) {
        OF_THIS_THREAD.with_borrow_mut(|trace| {
            let trace = trace.get_or_insert_with(|| {
                let next = NEXT.lock().expect("no panic").take();
                next.expect("a trace for each driver")
            });
            trace.note(event);
        });
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
        ("still held by another client", "timed_out"),
        ("the lease ended", "expired"),
        ("cancelled", "cancelled"),
        ("too few nodes replied", "unreachable"),
        ("released", "confirmed"),
        ("it was no longer held", "missing"),
        ("not confirmed", "unconfirmed"),
        ("another lock with the same token", "shared"),
    ];
    let found = words.iter().find(|(start, _)| shown.starts_with(start));
    found.unwrap_or_else(|| panic!("no word for {shown:?}")).1
}
