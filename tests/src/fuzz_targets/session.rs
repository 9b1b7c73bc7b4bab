//! Any bytes from a server, split anywhere, while locks are requested, refreshed and released.

use std::time::Duration;

use tenure_core::{
    Config, Engine, Event, Instant, Key, Limits, LockId, NodeConfig, NodeId, Obtain, Output, Token,
    Ttl,
};

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
            0x00..=0x0f => self.obtain(argument),
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

    fn obtain(&mut self, argument: u8) {
        let keys = Key::new([b'a' + argument % 3]).expect("a key");
        let ttl = Ttl::new(Duration::from_millis(500)).expect("a ttl");
        let token = Token::random([self.locks.len() as u8; 16]);
        let mut request = Obtain::new(keys, token, ttl);
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
        self.outcome.events.push(event);
    }
}

const PARTS: [&[u8]; 16] = [
    b"%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.1\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n*2\r\n*-1\r\n*-1\r\n:1\r\n",
    b"+OK\r\n+OK\r\n+OK\r\n+OK\r\n*2\r\n*1\r\n$7\r\ndelifeq\r\n_\r\n:1\r\n",
    b"-ERR unknown command 'HELLO'\r\n",
    b"+OK\r\n:500\r\n",
    b"_\r\n:77\r\n",
    b"$-1\r\n:-2\r\n",
    b":1\r\n",
    b":0\r\n",
    b"-NOSCRIPT No matching script.\r\n",
    b"-LOADING it loads\r\n",
    b"-READONLY it is a replica\r\n",
    b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n",
    b">2\r\n$10\r\ninvalidate\r\n_\r\n",
    b"$22\r\nAAAAAAAAAAAAAAAAAAAAAA\r\n",
    b":500\r\n",
];
