//! What is logged, and what never is.

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tenure::Loss;
use tenure::tokio::memory;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps every event of every level as a line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<String>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).expect("a string takes all");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut lines = self.0.lock().expect("no panic");
        let metadata = event.metadata();
        write!(lines, "{} {}", metadata.target(), metadata.level()).expect("a string");
        event.record(&mut Line(&mut lines));
        lines.push('\n');
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_lock_are_traced_and_no_secret_is() {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let locker = memory();
    let obtain = |key| {
        locker
            .obtain(key)
            .ttl(Duration::from_secs(1))
            .token("hunter2")
            .metadata("private")
    };

    let lock = obtain("nightly").await.unwrap();
    lock.refresh().await.unwrap();
    lock.release().await;
    let held = obtain("nightly").manual().await.unwrap();
    let refused = locker.obtain("nightly").await;
    refused.unwrap_err();
    locker.inspect("nightly").await.unwrap();
    assert_eq!(held.lost().await, Loss::Expired { error: None });
    locker.close().await;

    let lines = lines.0.lock().unwrap();
    for expected in [
        "tenure INFO message=node is ready address=\"memory\" tracking=true",
        "tenure DEBUG message=obtained lock=0v0 ttl=1000ms",
        "tenure TRACE message=refreshed lock=0v0 ttl=1000ms requested=true",
        "tenure DEBUG message=released lock=0v0 proof=released",
        "message=not obtained",
        "tenure WARN message=lost lock=",
    ] {
        assert!(lines.contains(expected), "{expected} is not in\n{lines}");
    }
    for secret in ["hunter2", "private"] {
        assert!(!lines.contains(secret), "{lines}");
    }
}
