//! One session, literally: the commands that the engine sends to a server, and the effect of each reply. The server is a
//! script here, so that it can say what real ones say only in bad times.

mod acks;
mod answers;
mod greeting;
mod limits;
mod seldom;
mod silence;
mod without_scripts;

use std::time::Duration;

use tenure_core::redis::resp::{DecodeLimits, Decoder};
use tenure_core::{
    Config, Engine, Event, Instant, Key, LockId, NodeConfig, NodeId, NodeState, Obtain, Output,
    Token, Ttl,
};

const HELLO_REDIS_7: &[u8] =
    b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:3\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
const HELLO_VALKEY_9: &[u8] =
    b"%2\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n";
const OK: &[u8] = b"+OK\r\n";
/// `COMMAND INFO DELIFEQ DELEX MSETEX` where none is known, and behind it `EVAL`, which is there.
const NEITHER: &[u8] = b"*3\r\n*-1\r\n*-1\r\n*-1\r\n:1\r\n";

/// `COMMAND INFO DELIFEQ DELEX MSETEX` where `DELIFEQ` is known, and behind it `EVAL`.
const DELIFEQ: &[u8] = b"*3\r\n*1\r\n$7\r\ndelifeq\r\n*-1\r\n*-1\r\n:1\r\n";

/// An engine with one node, and somebody who answers by hand.
struct Talk {
    engine: Engine,
    now: Instant,
    node: NodeId,
    events: Vec<Event>,
    /// Commands that the engine sent and no test has checked.
    said: Vec<Vec<String>>,
    connects: usize,
    disconnects: usize,
    due: Option<Instant>,
}

impl Talk {
    /// Connected, and nothing answered yet.
    fn new(config: Config) -> Self {
        let now = Instant::from_micros(5_000_000);
        let mut talk = Self {
            engine: Engine::new(config, 1, now),
            now,
            node: NodeId::new(0).expect("a node"),
            events: Vec::new(),
            said: Vec::new(),
            connects: 0,
            disconnects: 0,
            due: None,
        };
        talk.drain();
        talk.connect();
        talk
    }

    /// Greeted by a Redis 7 with tracking.
    fn greeted(config: Config) -> Self {
        let mut talk = Self::new(config);
        talk.greet();
        talk
    }

    /// Greeted by a Valkey 9 with tracking, which compares without scripts.
    fn greeted_by_valkey(config: Config) -> Self {
        let mut talk = Self::new(config);
        talk.answer(HELLO_VALKEY_9);
        talk.answer(&[OK, OK, OK, OK, DELIFEQ].concat());
        talk.said.clear();
        talk
    }

    fn greet(&mut self) {
        self.answer(HELLO_REDIS_7);
        self.answer(&[OK, OK, OK, OK, NEITHER].concat());
        let ready = Event::Node {
            node: self.node,
            state: NodeState::Ready { tracking: true },
        };
        assert_eq!(self.events.last(), Some(&ready));
        self.said.clear();
    }

    fn connect(&mut self) {
        self.engine.handle_connected(self.node, self.now);
        self.drain();
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.engine.handle_input(self.node, bytes, self.now);
        self.drain();
    }

    /// Sleeps exactly until the next timeout.
    fn sleep(&mut self) {
        self.now = self.due.expect("something is due");
        self.engine.handle_timeout(self.now);
        self.drain();
        assert!(
            self.due.is_none_or(|due| due > self.now),
            "the next timeout is later"
        );
    }

    /// Sleeps until it connects again, and that must be after the upper half of so many milliseconds.
    fn pauses_up_to(&mut self, millis: u64) {
        let (start, connects) = (self.now, self.connects);
        while self.connects == connects {
            self.sleep();
        }
        let (whole, pause) = (
            Duration::from_millis(millis),
            self.now.saturating_since(start),
        );
        assert!(
            pause >= whole / 2 && pause <= whole,
            "{pause:?} of {whole:?}"
        );
    }

    fn obtain(&mut self, request: Obtain) -> LockId {
        let lock = self.engine.obtain(request, self.now);
        self.drain();
        lock
    }

    /// A lock that Redis has granted.
    fn hold(&mut self) -> LockId {
        let lock = self.obtain(request());
        self.answer(b"+OK\r\n:30000\r\n");
        assert!(matches!(self.events.last(), Some(Event::Obtained { .. })));
        self.said.clear();
        lock
    }

    /// The names of the commands said since the last look.
    fn names(&mut self) -> Vec<String> {
        self.said
            .drain(..)
            .map(|command| command[0].clone())
            .collect()
    }

    fn drain(&mut self) {
        let mut decoder = Decoder::new(DecodeLimits::default());
        loop {
            match self.engine.poll_output() {
                Output::Connect(_) => self.connects += 1,
                Output::Disconnect(_) => self.disconnects += 1,
                Output::Transmit { bytes, .. } => decoder.feed(bytes),
                Output::Event(event) => self.events.push(event),
                Output::Timeout(at) => {
                    self.due = at;
                    break;
                }
            }
        }
        while let Some(command) = decoder.next_reply().expect("commands are RESP") {
            let words = command.children().filter_map(|word| word.as_bytes());
            self.said.push(
                words
                    .map(|word| String::from_utf8_lossy(word).into_owned())
                    .collect(),
            );
        }
    }
}

fn plain() -> Config {
    Config::single(NodeConfig::default())
}

fn request() -> Obtain {
    let ttl = Ttl::new(Duration::from_secs(30)).expect("a ttl");
    Obtain::new(Key::new("k").expect("a key"), Token::random([9; 16]), ttl)
}

fn patient() -> Obtain {
    Obtain {
        wait: Some(Duration::from_secs(20)),
        ..request()
    }
}
