//! A deterministic world: engines, embedded servers and the links between them, in virtual time.
//!
//! It runs the code that ships. After every step the oracle checks whether every promise was kept.
//!
//! What a change here must keep:
//! - **Everything repeats.** All chance comes from the seed, all time from the agenda, and nothing iterates over a map in the
//!   order of hashes. The trace of a schedule is compared over runs and platforms.
//! - **The oracle knows true time and all states**; clients only know their clocks and what servers sent. A promise is judged by
//!   the truth, and only while the assumptions on which it rests hold: each fault is noted with the promises that it suspends.
//! - **A fault is allowed, or it is a promise.** If a schedule breaks a promise because of a fault that no client can handle,
//!   the assumption has to be written down (`core/docs/guarantees.md`), not only left out here.

mod agenda;
mod checks;
mod client;
mod clock;
mod commands;
mod deadlines;
mod exclusion;
mod fair;
mod faults;
mod fences;
mod held_lock;
mod inspected;
mod log;
mod net;
mod oracle;
mod pipe;
mod prompt;
mod queued;
mod quiet;
mod reach;
mod record;
mod replicas;
mod request;
mod script;
mod steps;
mod trace;
mod truth;
mod wire;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use tenure_core::memory::{ConnId, Options, Server};
use tenure_core::{
    Arrangement, Config, Engine, Event, Fence, Instant, Key, Keys, LockId, NodeConfig, Obtain,
    Token, Ttl,
};

use agenda::Happening;
pub use client::Client;
pub use clock::{Clock, TRUE_RATE};
pub(crate) use deadlines::Leftover;
use fair::Turns;
pub(crate) use faults::DRIFT;
use log::Log;
pub(crate) use log::{After, Input, Logged, Outputs};
pub use net::Weather;
use net::{Habits, Link, Net};
use oracle::Oracle;
pub use oracle::{Promise, Violation};
use prompt::Waiters;
pub(crate) use record::Lasting;
pub use record::{Claim, Fault, Kind, Message, Place, Record, Stored};
pub use work::{Work, Worker};

/// Names one client of a world.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ClientId(pub(crate) usize);

impl ClientId {
    /// Its number: clients are counted from zero.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Everything there is.
pub struct World {
    now: Instant,
    /// One way.
    pub latency: Duration,
    nodes: Vec<ServerNode>,
    clients: Vec<Client>,
    net: Net,
    arrangement: Arrangement,
    configure: Box<dyn Fn(&mut Config)>,
    tokens: u64,
    request_counts: BTreeMap<Key, request::RequestCount>,
    oracle: Oracle,
    waiters: Waiters,
    /// Whose turn it is with each key.
    turns: Vec<Turns>,
    /// The largest fence of each key that was reported.
    fences: Vec<(Key, Fence)>,
    workers: Vec<Worker>,
    /// When a node last replied with a final error, or may do so endlessly.
    refused: Option<Instant>,
    /// Whether nodes wake clients that wait.
    wakes: bool,
    /// Several engines use the same token.
    shared: bool,
    /// A process was killed, or closed while a node did not take what it sent: it may have left keys behind.
    killed: bool,
    /// When what is held of which keys last changed for some client.
    changed: Vec<(Instant, Keys)>,
    /// Servers can set several keys or none.
    sets_several: bool,
    /// Servers report a key that has expired at once.
    announces: bool,
    /// How nodes are spoken to.
    node: NodeConfig,
    /// What is in front of every key on the wire.
    prefix: &'static [u8],
    /// For the next client.
    seed: u64,
    habits: Habits,
    /// Every lock is released a moment after it was obtained.
    release_soon: bool,
    /// How many clients had come when that began.
    releasing_count: usize,
    /// Clients do not ask their engines what to do after each thing that happens, but after all that happen at one
    /// instant.
    lazy: bool,
    /// Whether inputs of engines are kept, to be played once more.
    recording: bool,
}

struct ServerNode {
    server: Server,
    clock: Clock,
    /// A paused server takes in bytes and does nothing.
    paused: bool,
    /// A server that is down refuses connections.
    down: bool,
    /// It answers with an error to some or all of what it is asked.
    refuses: bool,
    /// It does so only where something is to be written.
    reads: bool,
    /// That error is one that asking again does not mend.
    is_final: bool,
    /// When it last said that keys are not what they were.
    wrongtype_at: Option<Instant>,
    /// When something last went wrong with it, or was repaired.
    trouble: Instant,
    /// On its own clock.
    due: Option<Instant>,
    /// Which connection is which.
    open: Vec<(ConnId, usize)>,
    /// What a replica had received when it stopped.
    replica: Option<Server>,
    /// Grants wait for that replica.
    lags: bool,
}

impl ServerNode {
    fn is_well(&self) -> bool {
        !self.paused && !self.down && !self.refuses && !self.lags
    }
}

impl World {
    /// Servers as [`Options::default`] makes them: one is one, several are an arrangement.
    #[must_use]
    pub fn new(nodes: usize, arrangement: Arrangement) -> Self {
        Self::with(nodes, arrangement, Options::default(), |_| {})
    }

    /// One server.
    #[must_use]
    pub fn single() -> Self {
        Self::new(1, Arrangement::Ordered)
    }

    /// Chooses what servers can do and how clients are set up.
    #[must_use]
    #[allow(
        clippy::needless_pass_by_value,
        reason = "a world takes over its options"
    )]
    pub fn with(
        nodes: usize,
        arrangement: Arrangement,
        options: Options,
        configure: impl Fn(&mut Config) + 'static,
    ) -> Self {
        let server = || ServerNode {
            server: Server::new(options.clone()),
            clock: Clock::new(0, TRUE_RATE),
            paused: false,
            down: false,
            refuses: false,
            reads: false,
            is_final: false,
            wrongtype_at: None,
            trouble: Instant::default(),
            due: None,
            open: Vec::new(),
            replica: None,
            lags: false,
        };
        Self {
            now: Instant::from_micros(1_000_000),
            latency: Duration::from_micros(500),
            nodes: (0..nodes).map(|_| server()).collect(),
            clients: Vec::new(),
            net: Net::new(0),
            arrangement,
            configure: Box::new(configure),
            tokens: 0,
            request_counts: BTreeMap::new(),
            oracle: Oracle::new(nodes, arrangement == Arrangement::Ordered),
            waiters: Waiters::default(),
            turns: Vec::new(),
            fences: Vec::new(),
            workers: Vec::new(),
            refused: None,
            wakes: true,
            shared: false,
            killed: false,
            changed: Vec::new(),
            sets_several: options.scripts || options.set_several,
            announces: options.announce_expiry,
            node: NodeConfig::default(),
            prefix: b"",
            seed: 0,
            habits: Habits {
                latency_us: 0,
                jitter_us: 0,
                splits: false,
            },
            release_soon: false,
            releasing_count: usize::MAX,
            lazy: false,
            recording: false,
        }
    }

    /// True time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// A new client with an engine of its own.
    pub fn client(&mut self) -> ClientId {
        self.client_with(Clock::new(0, TRUE_RATE))
    }

    /// A new client whose machine has this clock.
    pub fn client_with(&mut self, clock: Clock) -> ClientId {
        let index = self.clients.len();
        let client = self.process(self.seed.wrapping_add(index as u64), clock);
        self.clients.push(client);
        let mut habits = self.habits;
        if !self.recording {
            habits.latency_us = micros(self.latency);
        }
        let link = Link {
            weather: Weather::Fair,
            habits,
            trouble: Instant::default(),
            loses_pushes: false,
            lost_push: None,
            current: None,
        };
        self.net.links.push(vec![link; self.nodes.len()]);
        let now = self.now;
        self.net.record(|record| record.joins(now));
        self.drain_now(index);
        ClientId(index)
    }

    fn process(&self, seed: u64, clock: Clock) -> Client {
        let nodes = vec![self.node.clone(); self.nodes.len()];
        let mut config = Config::new(nodes, self.arrangement).expect("the world has nodes");
        (self.configure)(&mut config);
        let mut client = Client::new(config, seed, clock, self.now);
        if self.recording {
            client.log = Log::kept();
        }
        client
    }

    /// A request for `key` with a token of its own: automatic renewal, no wait.
    pub fn request(&mut self, key: &str, ttl: Duration) -> Obtain {
        self.tokens += 1;
        let mut token = [0; 16];
        // The first bytes name its bell.
        token[..6].copy_from_slice(&self.tokens.to_be_bytes()[2..]);
        let keys = key.split('+').map(|key| Key::new(key).expect("a key"));
        Obtain::new(
            Keys::new(keys).expect("keys"),
            Token::random(token),
            Ttl::new(ttl).expect("a ttl"),
        )
    }

    /// Starts to obtain.
    pub fn obtain(&mut self, client: ClientId, request: Obtain) -> LockId {
        let own = self.own_time(client);
        let of = &mut self.clients[client.0];
        of.log(own, || Input::Obtain(Box::new(request.clone())));
        let mut noted = request::LockRequest::new(&request, own);
        for key in request.keys.iter() {
            let count = self.request_counts.entry(key.clone()).or_default();
            count.all += 1;
            count.in_order += u32::from(noted.mode != tenure_core::Mode::Exclusive);
        }
        let lock = of.engine.obtain(request, own);
        let now = self.now;
        self.net
            .record(|record| record.requests(client.0, lock, &noted.keys, now));
        noted.lock = lock;
        let (keys, waits) = (noted.keys.clone(), noted.wait.is_some());
        of.open.push((lock, of.requests.len()));
        of.requests.push(noted);
        self.share(client.0, lock);
        self.watch(client.0, lock, keys, waits);
        self.drain(client.0);
        lock
    }

    /// Does something with the engine of a client, and what follows from it. Not for recorded worlds.
    pub fn act<R>(&mut self, client: ClientId, act: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let own = self.own_time(client);
        let result = act(&mut self.clients[client.0].engine, own);
        self.drain(client.0);
        self.check();
        result
    }

    fn own_time(&self, client: ClientId) -> Instant {
        self.clients[client.0].clock.read(self.now)
    }

    /// The events that a client got for its locks, in order. Events of nodes are left out.
    #[must_use]
    pub fn events(&self, client: ClientId) -> &[(Instant, Event)] {
        &self.clients[client.0].events
    }

    /// The last event of one lock, if there was any.
    #[must_use]
    pub fn last(&self, client: ClientId, lock: LockId) -> Option<Event> {
        let mine = |event: &&(Instant, Event)| client::lock_of(&event.1) == Some(lock);
        self.clients[client.0]
            .events
            .iter()
            .rev()
            .find(mine)
            .map(|(_, event)| *event)
    }

    /// One client.
    #[must_use]
    pub fn of(&self, client: ClientId) -> &Client {
        &self.clients[client.0]
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.pass(duration);
        self.check();
    }

    /// Lets time pass until something is so, at most `most`.
    pub fn run_until(&mut self, most: Duration, done: impl FnMut(&mut Self) -> bool) -> bool {
        let reached = self.pass_until(most, done);
        self.check();
        reached
    }

    /// Fails a test whose world has broken a promise.
    fn check(&self) {
        if let Some(violation) = &self.oracle.violation {
            panic!("{violation}");
        }
    }
}

/// How links count time.
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("a time that ends")
}
