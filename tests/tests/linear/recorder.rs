//! Random moves of clients in a simulated world, and what they observe.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use tenure_core::{Arrangement, Event, LockId, Mode, NotChanged, NotObtained, Released};
use tenure_tests::history::{Answer, Attempt, Change};
use tenure_tests::world::{ClientId, World};

const CLIENTS: usize = 4;
const MS: Duration = Duration::from_millis(1);
const READ: Mode = Mode::Shared { limit: None };

/// What one client does next, and how long nobody does anything after that.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    client: usize,
    kind: MoveKind,
    pause_ms: u64,
}

#[derive(Copy, Clone, Debug)]
enum MoveKind {
    Try(Mode),
    Wait(Mode),
    Refresh,
    /// From one that shares the lock to one that has it alone, or the reverse.
    Change,
    Release,
    Cut,
    /// A node ends and starts again, with all that it had.
    Crash,
    /// A node ends and starts again, empty.
    Forget,
}

/// What happens.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kinds {
    /// Exclusive locks only.
    Exclusive,
    /// The same, and nodes may do what makes a lock impossible.
    Forgetful,
    /// Locks of all modes, which change while they are held.
    Modes,
    /// The same on such nodes.
    ForgetfulModes,
}

fn modes(kinds: Kinds) -> BoxedStrategy<Mode> {
    match kinds {
        Kinds::Exclusive | Kinds::Forgetful => Just(Mode::Exclusive).boxed(),
        Kinds::Modes | Kinds::ForgetfulModes => prop_oneof![
            1 => Just(Mode::Exclusive),
            3 => Just(Mode::InTurn),
            4 => Just(READ),
            3 => (1_u32..3).prop_map(|limit| Mode::Shared { limit: NonZeroU32::new(limit) }),
        ]
        .boxed(),
    }
}

pub(crate) fn moves(kinds: Kinds) -> impl Strategy<Value = Vec<Move>> {
    let forgets = matches!(kinds, Kinds::Forgetful | Kinds::ForgetfulModes);
    let changes = u32::from(matches!(kinds, Kinds::Modes | Kinds::ForgetfulModes));
    let kind = prop_oneof![
        3 => modes(kinds).prop_map(MoveKind::Try),
        3 => modes(kinds).prop_map(MoveKind::Wait),
        2 => Just(MoveKind::Refresh),
        3 * changes => Just(MoveKind::Change),
        4 => Just(MoveKind::Release),
        1 => Just(MoveKind::Cut),
        1 => Just(if forgets { MoveKind::Forget } else { MoveKind::Crash }),
    ];
    let one = (0..CLIENTS, kind, 0_u64..60).prop_map(|(client, kind, pause_ms)| Move {
        client,
        kind,
        pause_ms,
    });
    prop::collection::vec(one, 1..40)
}

/// A world that does moves and notes when.
pub(crate) struct Recorder {
    world: World,
    nodes: usize,
    clients: Vec<ClientId>,
    /// The latest lock of each client.
    locks: Vec<Option<LockId>>,
    attempts: HashMap<(usize, LockId), Attempt>,
    refreshing: HashMap<(usize, LockId), u64>,
    /// How many events of each client were read.
    read: Vec<usize>,
}

impl Recorder {
    pub(crate) fn new(nodes: usize, arrangement: Arrangement) -> Self {
        let mut world = World::new(nodes, arrangement);
        Self {
            clients: (0..CLIENTS).map(|_| world.client()).collect(),
            nodes,
            locks: vec![None; CLIENTS],
            attempts: HashMap::new(),
            refreshing: HashMap::new(),
            read: vec![0; CLIENTS],
            world,
        }
    }

    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.values().cloned().collect()
    }

    /// Two readers at one time, then a writer, and nobody crosses another's way.
    pub(crate) fn share_and_then_have_it_alone(&mut self) {
        for (client, kind) in [
            (0, MoveKind::Try(READ)),
            (1, MoveKind::Try(READ)),
            (2, MoveKind::Try(Mode::InTurn)),
            (0, MoveKind::Release),
            (1, MoveKind::Release),
            (2, MoveKind::Try(Mode::InTurn)),
            (3, MoveKind::Try(READ)),
        ] {
            let pause_ms = 10;
            self.go(&Move {
                client,
                kind,
                pause_ms,
            });
        }
    }

    pub(crate) fn go(&mut self, step: &Move) {
        let (client, c) = (self.clients[step.client], step.client);
        match (step.kind, self.locks[c]) {
            (MoveKind::Try(mode), None) => self.obtain(c, mode, None),
            (MoveKind::Wait(mode), None) => self.obtain(c, mode, Some(400 * MS)),
            (MoveKind::Cut, _) => self.world.cut(client, c % self.nodes),
            (MoveKind::Crash, _) => self.world.crash(c % self.nodes),
            (MoveKind::Forget, _) => self.world.restart(c % self.nodes),
            (kind, Some(lock)) => self.act(c, lock, kind),
            (MoveKind::Refresh | MoveKind::Change | MoveKind::Release, None) => {}
        }
        self.world
            .run_for(MS * u32::try_from(step.pause_ms).expect("short"));
        self.listen();
    }

    fn obtain(&mut self, c: usize, mode: Mode, wait: Option<Duration>) {
        let asked_at = self.world.now().as_micros();
        let mut request = self.world.request("k", 150 * MS);
        (request.mode, request.wait) = (mode, wait);
        let lock = self.world.obtain(self.clients[c], request);
        self.locks[c] = Some(lock);
        let attempt = Attempt {
            mode,
            asked_at,
            ..Attempt::default()
        };
        self.attempts.insert((c, lock), attempt);
    }

    /// Something about a lock that was requested.
    #[allow(clippy::wildcard_enum_match_arm, reason = "what needs a held lock")]
    fn act(&mut self, c: usize, lock: LockId, kind: MoveKind) {
        let (client, now) = (self.clients[c], self.world.now().as_micros());
        let is_held = self.world.of(client).engine.lease(lock).is_some();
        match kind {
            MoveKind::Refresh if is_held => {
                let refreshed = self
                    .world
                    .act(client, |engine, now| engine.refresh(lock, None, now));
                if refreshed.is_ok() {
                    let first = self.refreshing.entry((c, lock));
                    first.or_insert(now);
                }
            }
            MoveKind::Change if is_held => {
                let mode = self.world.of(client).engine.mode(lock);
                let up = matches!(mode, Some(Mode::Shared { .. }));
                let to = if up { Mode::InTurn } else { READ };
                if self.world.change(client, lock, to).is_none() {
                    let attempt = self.attempts.get_mut(&(c, lock)).expect("known");
                    attempt.changes.push(Change {
                        up,
                        asked_at: now,
                        answer: None,
                    });
                }
            }
            MoveKind::Release => {
                if is_held {
                    let attempt = self.attempts.get_mut(&(c, lock)).expect("known");
                    attempt.released_at = Some(now);
                    self.refreshing.remove(&(c, lock));
                }
                self.world.release(client, lock);
            }
            _ => {}
        }
    }

    /// Notes the events of clients.
    fn listen(&mut self) {
        for c in 0..CLIENTS {
            let events = self.world.events(self.clients[c]);
            let news: Vec<_> = events[self.read[c]..].to_vec();
            self.read[c] = events.len();
            for (at, event) in news {
                self.note(c, at.as_micros(), event);
            }
        }
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what says nothing new")]
    fn note(&mut self, c: usize, at: u64, event: Event) {
        let (Event::Obtained { lock, .. }
        | Event::NotObtained { lock, .. }
        | Event::Refreshed { lock, .. }
        | Event::Changed { lock, .. }
        | Event::NotChanged { lock, .. }
        | Event::Lost { lock, .. }
        | Event::Released { lock, .. }) = event
        else {
            return;
        };
        let attempt = self.attempts.get_mut(&(c, lock)).expect("a requested lock");
        if let Event::Obtained { lease, .. } | Event::Refreshed { lease, .. } = event {
            attempt.lease_end = lease.expires_at().as_micros();
        }
        match event {
            Event::Obtained { .. } => attempt.answer = Some((at, Answer::Held)),
            Event::NotObtained { reason, .. } => attempt.answer = Some((at, answer(reason))),
            Event::Refreshed {
                requested: true, ..
            } => {
                if let Some(begin) = self.refreshing.remove(&(c, lock)) {
                    attempt.refreshed.push((begin, at));
                }
            }
            Event::Changed { .. } => {
                settle(attempt, Some((at, true)));
                // It was renewed, too; if it is over already, that was its last time.
                if let Some(lease) = self.world.of(self.clients[c]).engine.lease(lock) {
                    attempt.lease_end = lease.expires_at().as_micros();
                }
            }
            Event::NotChanged { reason, .. } => {
                let taken = matches!(reason, NotChanged::Taken { .. });
                settle(attempt, taken.then_some((at, false)));
            }
            Event::Released { proof, .. } if proof != Released::Unconfirmed => {
                attempt.released = Some((at, proof == Released::Confirmed));
            }
            _ => {}
        }
        let is_over = matches!(
            event,
            Event::NotObtained { .. } | Event::Lost { .. } | Event::Released { .. }
        );
        if is_over {
            self.locks[c] = None;
        }
    }
}

/// What an attempt has found that got no lock.
#[allow(clippy::wildcard_enum_match_arm, reason = "what is not about the lock")]
fn answer(reason: NotObtained) -> Answer {
    match reason {
        NotObtained::Taken { by, .. } | NotObtained::TimedOut { by } => Answer::Denied(by),
        _ => Answer::Unknown,
    }
}

/// The last change has its answer.
fn settle(attempt: &mut Attempt, answer: Option<(u64, bool)>) {
    let change = attempt.changes.last_mut().expect("a requested change");
    change.answer = answer;
}
