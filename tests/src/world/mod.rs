//! A deterministic world: engines, embedded servers and the links between them, in virtual time.
//!
//! It runs the code that ships. After every step the oracle looks whether two clients believe in the same lock.

mod client;
mod link;

use std::time::Duration;

use tenure_core::memory::{self, Options, Server};
use tenure_core::{
    Arrangement, Config, Engine, Event, Instant, Key, Keys, LockId, NodeConfig, NodeId, Obtain,
    Token, Ttl,
};

pub use client::Client;
pub use link::Weather;
use link::{Link, Phase, take_due};

/// Names one client of a world.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ClientId(usize);

/// Everything there is.
pub struct World {
    now: Instant,
    /// One way.
    pub latency: Duration,
    servers: Vec<Node>,
    clients: Vec<Client>,
    /// By client, then by node.
    links: Vec<Vec<Link>>,
    arrangement: Arrangement,
    configure: fn(&mut Config),
    tokens: u64,
}

struct Node {
    server: Server,
    /// A paused server takes in bytes and does nothing.
    paused: bool,
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
    pub fn with(
        nodes: usize,
        arrangement: Arrangement,
        options: Options,
        configure: fn(&mut Config),
    ) -> Self {
        let server = || Node {
            server: Server::new(options.clone()),
            paused: false,
        };
        Self {
            now: Instant::from_micros(1_000_000),
            latency: Duration::from_micros(500),
            servers: (0..nodes).map(|_| server()).collect(),
            clients: Vec::new(),
            links: Vec::new(),
            arrangement,
            configure,
            tokens: 0,
        }
    }

    /// True time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// A new client with an engine of its own.
    pub fn client(&mut self) -> ClientId {
        let nodes = vec![NodeConfig::default(); self.servers.len()];
        let mut config = Config::new(nodes, self.arrangement).expect("the world has nodes");
        (self.configure)(&mut config);
        let seed = self.clients.len() as u64;
        self.clients
            .push(Client::new(Engine::new(config, seed, self.now)));
        self.links.push(vec![Link::default(); self.servers.len()]);
        let id = ClientId(self.clients.len() - 1);
        self.drain(id);
        id
    }

    /// A wish for `key` with a token of its own: automatic renewal, no wait.
    pub fn wish(&mut self, key: &str, ttl: Duration) -> Obtain {
        self.tokens += 1;
        let mut token = [0; 16];
        token[..8].copy_from_slice(&self.tokens.to_be_bytes());
        let keys = key.split('+').map(|key| Key::new(key).expect("a key"));
        Obtain::new(
            Keys::new(keys).expect("keys"),
            Token::random(token),
            Ttl::new(ttl).expect("a ttl"),
        )
    }

    /// Starts to obtain.
    pub fn obtain(&mut self, client: ClientId, wish: Obtain) -> LockId {
        let now = self.now;
        let lock = self.clients[client.0].engine.obtain(wish, now);
        self.drain(client);
        lock
    }

    /// Lets go.
    pub fn release(&mut self, client: ClientId, lock: LockId) {
        let now = self.now;
        self.clients[client.0].engine.release(lock, now);
        self.drain(client);
    }

    /// Does something with the engine of a client, and what follows from it.
    pub fn act<R>(&mut self, client: ClientId, act: impl FnOnce(&mut Engine, Instant) -> R) -> R {
        let now = self.now;
        let result = act(&mut self.clients[client.0].engine, now);
        self.drain(client);
        result
    }

    /// What a client was told of its locks, in order. Events of nodes are left out.
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

    /// A server, to look at or to do things to.
    pub fn server(&mut self, node: usize) -> &mut Server {
        &mut self.servers[node].server
    }

    /// Sends one command from a connection of its own, as an operator would, and gives the answer.
    pub fn command(&mut self, node: usize, args: &[&[u8]]) -> Vec<u8> {
        let server = &mut self.servers[node].server;
        let conn = server.connect();
        let mut bytes = Vec::new();
        let mut command = tenure_core::redis::resp::command(&mut bytes, args.len());
        for arg in args {
            command.arg(arg);
        }
        server.handle_input(conn, &bytes, self.now);
        let mut answer = Vec::new();
        let mut others = Vec::new();
        loop {
            match server.poll_output() {
                memory::Output::Transmit { conn: to, bytes } if to == conn => {
                    answer.extend_from_slice(bytes);
                }
                memory::Output::Transmit { conn, bytes } => others.push((conn, bytes.to_vec())),
                memory::Output::Disconnect(_) => {}
                memory::Output::Timeout(_) => break,
            }
        }
        server.handle_disconnected(conn);
        for (conn, bytes) in others {
            self.deliver(node, conn, &bytes);
        }
        answer
    }

    /// Sets what the link of a client to a node does from now on.
    pub fn weather(&mut self, client: ClientId, node: usize, weather: Weather) {
        self.links[client.0][node].weather = weather;
    }

    /// Breaks the connection of a client to a node: what was on its way is lost.
    pub fn cut(&mut self, client: ClientId, node: usize) {
        let link = &mut self.links[client.0][node];
        if let Phase::Open(conn) = link.phase {
            self.servers[node].server.handle_disconnected(conn);
            link.phase = Phase::Ending(self.now + self.latency);
        }
        link.requests.clear();
        link.answers.clear();
    }

    /// Ends a server and starts it again, empty. Everybody's connection breaks.
    pub fn restart(&mut self, node: usize) {
        for client in 0..self.clients.len() {
            self.cut(ClientId(client), node);
        }
        self.servers[node].server.restart();
    }

    /// Stops a server from doing anything, or lets it go on.
    pub fn pause(&mut self, node: usize, paused: bool) {
        self.servers[node].paused = paused;
    }

    /// Stops a client from doing anything, as if its machine slept; its clock goes on.
    pub fn suspend(&mut self, client: ClientId, suspended: bool) {
        self.clients[client.0].suspended = suspended;
        if !suspended {
            self.wake_client(client.0);
        }
    }

    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.next_instant().filter(|at| *at <= end) {
            self.step(at);
        }
        self.now = end;
        self.look();
    }

    /// Lets time pass until something is so, at most `most`.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + most;
        while !done(self) {
            let Some(at) = self.next_instant().filter(|at| *at <= end) else {
                self.now = end;
                return done(self);
            };
            self.step(at);
        }
        true
    }

    fn next_instant(&mut self) -> Option<Instant> {
        let links = self
            .links
            .iter()
            .zip(&self.clients)
            .flat_map(|(links, client)| {
                let pairs = links.iter().zip(&self.servers);
                pairs.filter_map(|(link, node)| link.next(!client.suspended, !node.paused))
            });
        let clients = self
            .clients
            .iter()
            .filter(|c| !c.suspended)
            .filter_map(|c| c.due);
        let earliest = links.chain(clients).min();
        let servers = self.servers.iter_mut().filter(|node| !node.paused);
        let due = servers.filter_map(|node| match node.server.poll_output() {
            memory::Output::Timeout(at) => at,
            memory::Output::Transmit { .. } | memory::Output::Disconnect(_) => None,
        });
        due.chain(earliest).min()
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        for node in 0..self.servers.len() {
            if !self.servers[node].paused {
                self.servers[node].server.handle_timeout(self.now);
                self.carry_answers(node);
            }
        }
        for client in 0..self.clients.len() {
            for node in 0..self.servers.len() {
                self.step_link(client, node);
            }
            if self.clients[client].due.is_some_and(|due| due <= self.now) {
                self.wake_client(client);
            }
        }
        self.look();
    }

    fn wake_client(&mut self, client: usize) {
        if !self.clients[client].suspended {
            self.clients[client].engine.handle_timeout(self.now);
            self.drain(ClientId(client));
        }
    }

    fn step_link(&mut self, client: usize, node: usize) {
        let (now, id) = (self.now, NodeId::new(node).expect("a node"));
        let suspended = self.clients[client].suspended;
        let link = &mut self.links[client][node];
        match link.phase {
            Phase::Opening(at) if at <= now && !suspended => {
                if link.weather == Weather::Refusing {
                    link.phase = Phase::Closed;
                    self.clients[client].engine.handle_disconnected(id, now);
                } else {
                    link.phase = Phase::Open(self.servers[node].server.connect());
                    self.clients[client].engine.handle_connected(id, now);
                }
                self.drain(ClientId(client));
            }
            Phase::Ending(at) if at <= now && !suspended => {
                link.phase = Phase::Closed;
                self.clients[client].engine.handle_disconnected(id, now);
                self.drain(ClientId(client));
            }
            Phase::Opening(_) | Phase::Ending(_) | Phase::Open(_) | Phase::Closed => {}
        }
        while !self.servers[node].paused
            && let Some(bytes) = take_due(&mut self.links[client][node].requests, now)
        {
            if let Phase::Open(conn) = self.links[client][node].phase {
                self.servers[node].server.handle_input(conn, &bytes, now);
                self.carry_answers(node);
            }
        }
        while !suspended && let Some(bytes) = take_due(&mut self.links[client][node].answers, now) {
            self.clients[client].engine.handle_input(id, &bytes, now);
            self.drain(ClientId(client));
        }
    }

    /// Puts what a server has to say on the links.
    fn carry_answers(&mut self, node: usize) {
        loop {
            match self.servers[node].server.poll_output() {
                memory::Output::Transmit { conn, bytes } => {
                    let bytes = bytes.to_vec();
                    self.deliver(node, conn, &bytes);
                }
                memory::Output::Disconnect(conn) => {
                    let end = Phase::Ending(self.now + self.latency);
                    let links = self.links.iter_mut().map(|links| &mut links[node]);
                    for link in links.filter(|link| link.phase == Phase::Open(conn)) {
                        link.phase = end;
                    }
                }
                memory::Output::Timeout(_) => return,
            }
        }
    }

    fn deliver(&mut self, node: usize, conn: memory::ConnId, bytes: &[u8]) {
        let mut links = self.links.iter_mut().map(|links| &mut links[node]);
        if let Some(link) = links.find(|link| link.phase == Phase::Open(conn)) {
            link.answer(bytes, self.now, self.latency);
        }
    }

    fn drain(&mut self, id: ClientId) {
        let (now, latency) = (self.now, self.latency);
        let client = &mut self.clients[id.0];
        let links = &mut self.links[id.0];
        let servers = &mut self.servers;
        client.drain(now, |effect| match effect {
            client::Effect::Connect(node) => {
                links[node.index()].phase = Phase::Opening(now + latency);
            }
            client::Effect::Disconnect(node) => {
                let link = &mut links[node.index()];
                if let Phase::Open(conn) = link.phase {
                    servers[node.index()].server.handle_disconnected(conn);
                }
                link.phase = Phase::Closed;
                link.requests.clear();
                link.answers.clear();
            }
            client::Effect::Transmit(node, bytes) => {
                links[node.index()].send(bytes, now, latency);
            }
        });
    }

    /// The oracle: at no instant do two clients believe in the same key, unless they came with the same value.
    fn look(&self) {
        let mut held: Vec<(&[u8], &[u8], usize)> = Vec::new();
        for (index, client) in self.clients.iter().enumerate() {
            for (key, value) in client.believes_in(self.now) {
                let rival = held.iter().find(|(k, v, _)| *k == key && *v != value);
                if let Some((_, _, other)) = rival {
                    let key = String::from_utf8_lossy(key);
                    panic!(
                        "{other} and {index} both believe in {key:?} at {:?}",
                        self.now
                    );
                }
                held.push((key, value, index));
            }
        }
    }
}
