//! An engine whose server is a recording: for measuring the core alone.
//!
//! The answers are those that the embedded server gave to the same requests, so nothing but the core runs when they are
//! played again.

use std::time::Duration;

use tenure_core::memory::{self, Options, Server};
use tenure_core::{
    Config, Engine, Event, Instant, Key, LockId, NodeConfig, NodeId, Obtain, Output, Token, Ttl,
};

/// What the node of the recording knows.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NodeKind {
    /// It compares a value itself, as Valkey 9 does.
    Compares,
    /// It needs scripts, as Redis 7 does.
    Scripts,
}

impl NodeKind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Compares, Self::Scripts];
}

/// An engine with one node.
pub struct Canned {
    engine: Engine,
    now: Instant,
    ttl: Ttl,
    token: u64,
    obtained: Vec<u8>,
    refreshed: Vec<u8>,
    released: Vec<u8>,
}

/// There is only one.
fn node() -> NodeId {
    NodeId::new(0).expect("a node")
}

impl Canned {
    /// Records one obtain, refresh and release over a connection that is ready.
    ///
    /// # Panics
    /// If the embedded server does not give the lock.
    #[must_use]
    pub fn new(kind: NodeKind) -> Self {
        let mut options = Options::default();
        options.compare = kind == NodeKind::Compares;
        let mut server = Server::new(options);
        let mut config = Config::single(NodeConfig {
            // So that no script is missing when it is used first.
            prepare: true,
            ..NodeConfig::default()
        });
        // Time goes by without an answer here.
        config.idle_probe = None;
        config.turn = Duration::MAX;
        let now = Instant::from_micros(1);
        let mut canned = Self {
            engine: Engine::new(config, 0, now),
            now,
            ttl: Ttl::new(Duration::from_secs(30)).expect("a ttl"),
            token: 0,
            obtained: Vec::new(),
            refreshed: Vec::new(),
            released: Vec::new(),
        };
        let conn = server.connect();
        canned.engine.handle_connected(node(), now);
        while !canned.talk(&mut server, conn).is_empty() {}

        let request = canned.request("a key of usual length");
        let lock = canned.engine.obtain(request, now);
        canned.obtained = canned.talk(&mut server, conn);
        assert!(canned.engine.lease(lock).is_some(), "not obtained");
        canned.engine.refresh(lock, None, now).expect("held");
        canned.refreshed = canned.talk(&mut server, conn);
        canned.engine.release(lock, now);
        canned.released = canned.talk(&mut server, conn);
        assert!(server.is_empty(now), "not released");
        canned.drain();
        canned
    }

    /// A request for `key` with a token of its own. This allocates for key, token and value.
    ///
    /// # Panics
    /// If it is no key.
    pub fn request(&mut self, key: &str) -> Obtain {
        self.token += 1;
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.token.to_le_bytes());
        Obtain::new(
            Key::new(key).expect("a key"),
            Token::random(token),
            self.ttl,
        )
    }

    /// Obtains until the answer is in. The lock is held then.
    pub fn obtain(&mut self, request: Obtain) -> LockId {
        let lock = self.engine.obtain(request, self.now);
        self.drain();
        self.engine.handle_input(node(), &self.obtained, self.now);
        assert!(matches!(self.drain(), Some(Event::Obtained { .. })));
        lock
    }

    /// Refreshes at the caller's request.
    ///
    /// # Panics
    /// If it is not held.
    pub fn refresh(&mut self, lock: LockId) {
        self.engine.refresh(lock, None, self.now).expect("held");
        self.drain();
        self.engine.handle_input(node(), &self.refreshed, self.now);
        assert!(matches!(
            self.drain(),
            Some(Event::Refreshed {
                requested: true,
                ..
            })
        ));
    }

    /// Lets time pass until the engine renews all that is held, and answers that.
    ///
    /// # Panics
    /// If it does not.
    pub fn renew(&mut self, held: usize) {
        let Output::Timeout(Some(due)) = self.engine.poll_output() else {
            panic!("something is left to do");
        };
        self.now = due;
        self.engine.handle_timeout(due);
        self.drain();
        for _ in 0..held {
            self.engine.handle_input(node(), &self.refreshed, self.now);
            let renewed = self.drain();
            assert!(matches!(
                renewed,
                Some(Event::Refreshed {
                    requested: false,
                    ..
                })
            ));
        }
    }

    /// Releases until the answer is in.
    ///
    /// # Panics
    /// If the release is not confirmed.
    pub fn release(&mut self, lock: LockId) {
        self.engine.release(lock, self.now);
        self.drain();
        self.engine.handle_input(node(), &self.released, self.now);
        assert!(matches!(self.drain(), Some(Event::Released { .. })));
    }

    /// Carries out all outputs of the engine; returns the last event.
    fn drain(&mut self) -> Option<Event> {
        let mut last = None;
        loop {
            match self.engine.poll_output() {
                Output::Event(event) => last = Some(event),
                Output::Timeout(_) => return last,
                Output::Connect(_) | Output::Disconnect(_) | Output::Transmit { .. } => {}
            }
        }
    }

    /// Takes what the engine wants to send to the server, and the answer back; what that was.
    fn talk(&mut self, server: &mut Server, conn: memory::ConnId) -> Vec<u8> {
        loop {
            match self.engine.poll_output() {
                Output::Transmit { bytes, .. } => server.handle_input(conn, bytes, self.now),
                Output::Timeout(_) => break,
                Output::Event(_) | Output::Connect(_) | Output::Disconnect(_) => {}
            }
        }
        let mut answer = Vec::new();
        while let memory::Output::Transmit { bytes, .. } = server.poll_output() {
            answer.extend_from_slice(bytes);
        }
        self.engine.handle_input(node(), &answer, self.now);
        answer
    }
}
