//! Any bytes from a server, split anywhere, while locks of all modes are requested, refreshed, changed and released.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{
    Config, Engine, Event, Instant, Keep, Key, Limits, LockId, Mode, NodeConfig, NodeError, NodeId,
    Obtain, Output, Status, Token, Ttl,
};

use super::parts::{MODE_PARTS, PARTS};
use super::pieces;

/// The limit of one answer.
const ANSWER: usize = 2 << 10;
/// More than one engine says in answer to a thousand bytes: past it something does not end.
const MOST_BYTES: usize = 1 << 20;

/// The input is a list of steps: a byte that says what happens, for bytes from the server a length, and then the bytes.
///
/// # Panics
/// If output does not end, a lock has two terminal events, or splitting the bytes changes bytes or events.
pub fn session(input: &[u8]) {
    let (whole, split) = (run(input, false), run(input, true));
    assert_eq!(whole.events, split.events, "splits change events");
    assert_eq!(
        whole.statuses, split.statuses,
        "splits change what is reported"
    );
    assert!(
        whole.bytes == split.bytes,
        "splits change what is said:\n{}\n{}",
        whole.bytes.escape_ascii(),
        split.bytes.escape_ascii()
    );
}

#[derive(Default)]
struct Outcome {
    bytes: Vec<u8>,
    events: Vec<Event>,
    statuses: Vec<Result<Status, NodeError>>,
}

struct Run {
    engine: Engine,
    now: Instant,
    node: NodeId,
    connected: bool,
    wanted: bool,
    locks: Vec<LockId>,
    outcome: Outcome,
}

fn run(input: &[u8], split: bool) -> Outcome {
    let mut config = Config::single(NodeConfig::default());
    config.limits = Limits {
        answer_bytes: ANSWER,
        locks: 8,
        pending_requests: 16,
    };
    let now = Instant::from_micros(1_000_000);
    let mut run = Run {
        engine: Engine::new(config, 7, now),
        now,
        node: NodeId::new(0).expect("a node"),
        connected: false,
        wanted: false,
        locks: Vec::new(),
        outcome: Outcome::default(),
    };
    run.drain();
    let mut rest = input;
    while let Some((step, after)) = rest.split_first() {
        rest = run.step(*step, after, split);
        run.drain();
        assert!(run.outcome.bytes.len() < MOST_BYTES, "it says too much");
    }
    run.outcome
}

impl Run {
    /// Gives what is left of the input.
    fn step<'a>(&mut self, step: u8, rest: &'a [u8], split: bool) -> &'a [u8] {
        let argument = rest.first().copied().unwrap_or_default();
        let lock = self
            .locks
            .get(usize::from(argument) % self.locks.len().max(1));
        match step {
            0x00..=0x0f => self.obtain(step, argument),
            0x10..=0x17 => {
                if let Some(lock) = lock {
                    self.engine.release(*lock, self.now);
                }
            }
            0x18..=0x1f => {
                if let Some(lock) = lock {
                    let ttl = Ttl::new(Duration::from_millis(u64::from(argument) * 50 + 3)).ok();
                    // One that is not held is no matter here.
                    self.engine.refresh(*lock, ttl, self.now).ok();
                }
            }
            0x20..=0x2f => {
                self.now = self.now + Duration::from_millis(u64::from(argument) * 20);
                self.engine.handle_timeout(self.now);
            }
            0x30..=0x37 if self.connected => {
                self.connected = false;
                self.engine.handle_disconnected(self.node, self.now);
            }
            0x38..=0x3f if self.wanted => self.connect(),
            0x40..=0x47 => {
                let key = Key::new([b'a' + argument % 3]).expect("a key");
                self.engine.inspect(key.into(), self.now);
            }
            0x48..=0x4b => {
                let key = Key::new([b'a' + argument % 3]).expect("a key");
                self.engine.status(key, self.now);
            }
            0x4c..=0x4f => {
                if let Some(lock) = lock {
                    let mode = match step {
                        0x4c | 0x4d => Mode::InTurn,
                        _ => Mode::Shared { limit: None },
                    };
                    // One that cannot change is no matter here.
                    self.engine.change(*lock, mode, self.now).ok();
                }
            }
            _ => return self.input(step, rest, split),
        }
        rest.get(1..).unwrap_or_default()
    }

    fn connect(&mut self) {
        self.wanted = false;
        self.connected = true;
        self.engine.handle_connected(self.node, self.now);
    }

    /// Bytes that a fuzzer would hardly find stand for themselves; the rest comes with its length.
    fn input<'a>(&mut self, step: u8, rest: &'a [u8], split: bool) -> &'a [u8] {
        if self.wanted {
            self.connect();
            self.drain();
        }
        let (bytes, rest) = match step {
            0xf0.. => (MODE_PARTS[usize::from(step) % MODE_PARTS.len()], rest),
            0x80.. => (PARTS[usize::from(step) % PARTS.len()], rest),
            _ => {
                let (len, rest) = rest.split_first().unwrap_or((&0, &[]));
                rest.split_at(usize::from(*len).min(rest.len()))
            }
        };
        if self.connected {
            let whole = [bytes];
            let parts = if split {
                pieces(bytes, step)
            } else {
                whole.to_vec()
            };
            for part in parts {
                self.engine.handle_input(self.node, part, self.now);
            }
        }
        rest
    }

    fn obtain(&mut self, step: u8, argument: u8) {
        let keys = Key::new([b'a' + argument % 3]).expect("a key");
        let ttl = Ttl::new(Duration::from_millis(500)).expect("a ttl");
        let token = Token::random([self.locks.len() as u8; 16]);
        let mut request = Obtain::new(keys, token, ttl);
        (request.mode, request.fence) = match step {
            0x08..=0x09 => (Mode::InTurn, None),
            0x0a => (Mode::InTurn, Some(Keep::default())),
            0x0b..=0x0d => (Mode::Shared { limit: None }, None),
            0x0e.. => {
                let limit = NonZeroU32::new(2);
                (Mode::Shared { limit }, None)
            }
            _ => (Mode::Exclusive, None),
        };
        request.wait = (argument & 8 != 0).then(|| Duration::from_secs(3));
        self.locks.push(self.engine.obtain(request, self.now));
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            match self.engine.poll_output() {
                Output::Connect(_) => self.wanted = true,
                Output::Disconnect(_) => {
                    self.connected = false;
                    self.wanted = false;
                }
                Output::Transmit { bytes, .. } => self.outcome.bytes.extend_from_slice(bytes),
                Output::Event(event) => self.note(event),
                Output::Timeout(_) => return,
            }
        }
        panic!("poll_output does not reach a timeout");
    }

    #[allow(clippy::wildcard_enum_match_arm, reason = "what ends no lock")]
    fn note(&mut self, event: Event) {
        let ended = |event: &Event| match event {
            Event::NotObtained { lock, .. }
            | Event::Lost { lock, .. }
            | Event::Released { lock, .. } => Some(*lock),
            _ => None,
        };
        if let Some(lock) = ended(&event) {
            let before = self.outcome.events.iter().filter_map(ended);
            assert!(
                !before.into_iter().any(|other| other == lock),
                "{event:?} twice"
            );
        }
        if let Event::Inspected { inspection, .. } = event {
            self.outcome
                .statuses
                .extend(self.engine.take_status(inspection));
        }
        self.outcome.events.push(event);
    }
}

#[cfg(test)]
mod tests {
    use tenure_core::{Holder, NotObtained};

    use super::*;

    /// What follows a greeting: replies to a request that was made before. The first two are to commands before its script.
    fn played(request: u8, replies: &[u8]) -> Outcome {
        let steps = [&[request, 0, 0x80, 0x81, 0xf0, 0xf0], replies].concat();
        session(&steps);
        run(&steps, false)
    }

    fn last(request: u8, replies: &[u8]) -> Event {
        let outcome = played(request, replies);
        *outcome.events.last().expect("an event")
    }

    #[test]
    fn the_bytes_reach_requests_of_all_modes() {
        for (request, replies, expected) in [
            (0x0b, &[0xf1][..], Holder::Other),
            (0x0b, &[0xf4], Holder::Queue),
            (0x0e, &[0xf3], Holder::Sharing),
            (0x08, &[0xf5, 0x8f], Holder::Queue),
        ] {
            let event = last(request, replies);
            assert!(
                matches!(event, Event::NotObtained { reason: NotObtained::Taken { by, .. }, .. } if by == expected),
                "{event:?}"
            );
        }
        // A fence; a reader that becomes a writer, and one that leaves.
        let event = last(0x0a, &[0xfa, 0x8f]);
        assert!(matches!(event, Event::Obtained { .. }), "{event:?}");
        let event = last(0x0b, &[0x87, 0x4c, 0, 0xf0, 0x87, 0x8f]);
        assert!(matches!(event, Event::Changed { .. }), "{event:?}");
        let event = last(0x0b, &[0x87, 0x10, 0, 0xf0, 0x87]);
        assert!(matches!(event, Event::Released { .. }), "{event:?}");

        let statuses = played(0x48, &[0xff]).statuses;
        let [Ok(status)] = &statuses[..] else {
            panic!("{statuses:?}");
        };
        assert_eq!(status.waiting, 1);
    }
}
