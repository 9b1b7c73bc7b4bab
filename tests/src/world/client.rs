//! One process that uses locks.

use tenure_core::{Engine, Event, Instant, LockId, NodeId, Output};

/// An engine and what it has told so far.
pub struct Client {
    /// The code that ships.
    pub engine: Engine,
    pub(crate) events: Vec<(Instant, Event)>,
    /// What nodes went through.
    pub nodes: Vec<(Instant, Event)>,
    pub(crate) due: Option<Instant>,
    pub(crate) suspended: bool,
    /// How many writes went out.
    pub writes: usize,
    obtained: Vec<LockId>,
}

pub(crate) enum Effect<'a> {
    Connect(NodeId),
    Disconnect(NodeId),
    Transmit(NodeId, &'a [u8]),
}

impl Client {
    pub(crate) fn new(engine: Engine) -> Self {
        Self {
            engine,
            events: Vec::new(),
            nodes: Vec::new(),
            due: None,
            suspended: false,
            writes: 0,
            obtained: Vec::new(),
        }
    }

    /// Does all that the engine wants, in a bounded number of steps.
    pub(crate) fn drain(&mut self, now: Instant, mut effect: impl FnMut(Effect<'_>)) {
        for _ in 0..100_000 {
            match self.engine.poll_output() {
                Output::Connect(node) => effect(Effect::Connect(node)),
                Output::Disconnect(node) => effect(Effect::Disconnect(node)),
                Output::Transmit { node, bytes } => {
                    self.writes += 1;
                    effect(Effect::Transmit(node, bytes));
                }
                Output::Event(event) => self.note(now, event),
                Output::Timeout(at) => {
                    self.due = at;
                    return;
                }
            }
        }
        panic!(
            "poll_output does not come to an end: {:?}",
            self.events.last()
        );
    }

    fn note(&mut self, now: Instant, event: Event) {
        let Some(lock) = lock_of(&event) else {
            self.nodes.push((now, event));
            return;
        };
        let ended = self
            .events
            .iter()
            .any(|(_, e)| lock_of(e) == Some(lock) && is_terminal(e));
        assert!(!ended, "{event:?} after the terminal event of its lock");
        if let Event::Obtained { lock, .. } = event {
            self.obtained.push(lock);
        } else if is_terminal(&event) {
            self.obtained.retain(|held| *held != lock);
        }
        self.events.push((now, event));
    }

    /// The keys that this client would say are its own, and the value that makes them so.
    pub(crate) fn believes_in(&self, now: Instant) -> impl Iterator<Item = (&[u8], &[u8])> {
        let held = self.obtained.iter().filter(move |lock| {
            self.engine
                .lease(**lock)
                .is_some_and(|lease| lease.is_valid(now))
        });
        held.filter_map(|lock| self.engine.claim(*lock))
            .flat_map(|claim| {
                claim
                    .keys()
                    .iter()
                    .map(|key| (key.as_bytes(), claim.value()))
            })
    }
}

pub(crate) fn is_terminal(event: &Event) -> bool {
    matches!(
        event,
        Event::NotObtained { .. } | Event::Lost { .. } | Event::Released { .. }
    )
}

pub(crate) fn lock_of(event: &Event) -> Option<LockId> {
    match event {
        Event::Obtained { lock, .. }
        | Event::NotObtained { lock, .. }
        | Event::Refreshed { lock, .. }
        | Event::Lost { lock, .. }
        | Event::Released { lock, .. } => Some(*lock),
        Event::Inspected { .. } | Event::Node { .. } | _ => None,
    }
}
