//! A TCP proxy between a client and a server, which loses messages as a test demands.
//!
//! It reads RESP on both sides, so faults are counted in commands, never in time or packets: the same test loses the same
//! reply on every machine. Commands and replies are passed on whole. A stream that does not begin with a command (TLS) is
//! passed on as it is; it can be cut, silenced and held, but its commands are not seen.
//!
//! Replies are matched to commands by order, so commands without exactly one reply (RESP2 `SUBSCRIBE`, `CLIENT REPLY`)
//! have no place here.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

mod fault;
mod relay;

use crate::ports::free_port;
use crate::raw::TIMEOUT;
pub use fault::{Fault, On, Then};
use fault::{Loss, Plan};
use relay::Relay;

/// How new connections are treated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Door {
    Open,
    Refusing,
    /// The proxy is going away.
    Closed,
}

/// How a test reaches the listener, which waits for connections: by one more connection, behind those that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Knock {
    None,
    /// It is being made.
    Coming,
    /// It comes from this address.
    From(SocketAddr),
}

/// What a test sets and the threads read.
struct Settings {
    door: Door,
    /// The proxy's own connection, on its way to the listener.
    knock: Knock,
    listening: bool,
    black_hole: bool,
    holding: bool,
    target: u16,
    plan: Option<Plan>,
}

/// What the threads of one proxy share.
struct Shared {
    port: u16,
    settings: Mutex<Settings>,
    knocking: Mutex<()>,
    /// Something in the settings has changed.
    changed: Condvar,
    /// Every command that came from a client, as text.
    commands: Mutex<Vec<String>>,
    /// A command has come.
    arrived: Condvar,
    relays: Mutex<Vec<Weak<Relay>>>,
    /// Connections that got no server, kept so that they stay open.
    stranded: Mutex<Vec<TcpStream>>,
    connections: AtomicU64,
    round_trips: AtomicU64,
    delay_us: AtomicU64,
}

/// A proxy on a port of 127.0.0.1. It ends with its value and cuts what goes through it then.
pub struct Proxy {
    shared: Arc<Shared>,
    door_keeper: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("port", &self.port())
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Starts a proxy to a port of 127.0.0.1, which need not be open yet.
    pub fn start(target: u16) -> Self {
        let (port, listener) = loop {
            let port = free_port();
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
                break (port, listener);
            }
        };
        let shared = Arc::new(Shared {
            port,
            settings: Mutex::new(Settings {
                door: Door::Open,
                knock: Knock::None,
                listening: true,
                black_hole: false,
                holding: false,
                target,
                plan: None,
            }),
            knocking: Mutex::default(),
            changed: Condvar::new(),
            commands: Mutex::default(),
            arrived: Condvar::new(),
            relays: Mutex::default(),
            stranded: Mutex::default(),
            connections: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            delay_us: AtomicU64::new(0),
        });
        let keeper = Arc::clone(&shared);
        let door_keeper = Some(thread::spawn(move || keeper.keep_the_door(listener)));
        Self {
            shared,
            door_keeper,
        }
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// The URL to use instead of the server's, where the server needs no password.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port())
    }

    /// Sends new connections to another port from now on.
    pub fn retarget(&self, target: u16) {
        self.shared.set(|settings| settings.target = target);
    }

    /// Sets the one fault that waits for its command; the count begins now, and is over all connections.
    pub fn fail(&self, on: On, fault: Fault, then: Then) {
        self.shared
            .set(|settings| settings.plan = Some(Plan::new(on, Loss { fault, then })));
    }

    /// Forgets the fault. Connections that are silent stay so: bytes are missing in them.
    pub fn heal(&self) {
        self.shared.set(|settings| settings.plan = None);
    }

    /// Cuts every connection there is.
    pub fn cut(&self) {
        self.shared.knock();
        self.shared.for_each_relay(Relay::cut);
        lock(&self.shared.stranded).drain(..).for_each(|stream| {
            // Fails only if the client has gone.
            let _ = stream.shutdown(Shutdown::Both);
        });
    }

    /// Half-open: every connection there is stays open, and all bytes in it are swallowed from now on.
    pub fn silence(&self) {
        self.shared.knock();
        self.shared.for_each_relay(Relay::silence);
    }

    /// Silences what there is, and while on also every new connection: it is taken, and nobody answers.
    pub fn black_hole(&self, on: bool) {
        self.shared.set(|settings| settings.black_hole = on);
        if on {
            self.silence();
        }
    }

    /// Refuses new connections, as a machine does on which nothing listens; those there are live on.
    pub fn refuse(&self) {
        self.shared.set(|settings| settings.door = Door::Refusing);
        self.shared.knock();
        self.shared.wait_until(|settings| !settings.listening);
    }

    /// Takes connections again after [`refuse`](Self::refuse).
    pub fn accept(&self) {
        self.shared.set(|settings| settings.door = Door::Open);
        self.shared.wait_until(|settings| settings.listening);
    }

    /// Holds all replies back until [`pass`](Self::pass): the server has acted, and the client does not know.
    pub fn hold(&self) {
        self.shared.set(|settings| settings.holding = true);
    }

    /// Lets the held replies go.
    pub fn pass(&self) {
        self.shared.set(|settings| settings.holding = false);
    }

    /// Adds this much to the way of each batch of replies. Prefer [`hold`](Self::hold), which depends on no clock.
    pub fn delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).expect("a short delay");
        self.shared.delay_us.store(micros, Ordering::SeqCst);
    }

    /// How many connections were taken.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How often a client wrote something after it had read the answer to what it wrote before (or for the first time),
    /// summed over all connections: commands that are written together, or before an answer, are one round trip.
    pub fn round_trips(&self) -> u64 {
        self.shared.round_trips.load(Ordering::SeqCst)
    }

    /// How many commands came from clients, lost ones included.
    pub fn command_count(&self) -> usize {
        lock(&self.shared.commands).len()
    }

    /// The commands that came from clients, in order, words joined by spaces; lost ones included.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.shared.commands).clone()
    }

    /// Waits until `count` commands have come since the start.
    ///
    /// # Panics
    /// After [`TIMEOUT`]; with those that came.
    #[track_caller]
    pub fn wait_for_commands(&self, count: usize) {
        let commands = lock(&self.shared.commands);
        let (commands, timeout) = self
            .shared
            .arrived
            .wait_timeout_while(commands, TIMEOUT, |commands| commands.len() < count)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(
            !timeout.timed_out(),
            "{count} commands expected, these came: {commands:?}"
        );
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.pass();
        self.shared.set(|settings| settings.door = Door::Closed);
        self.cut();
        if let Some(thread) = self.door_keeper.take() {
            // It panics only when its port is lost, and then a test has failed already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        lock(&self.settings)
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings());
        self.changed.notify_all();
    }

    #[track_caller]
    fn wait_until(&self, reached: impl FnMut(&Settings) -> bool) {
        // A second panic, in the end of a proxy, would hide the first.
        let in_time = self.reaches(TIMEOUT, reached) || thread::panicking();
        assert!(in_time, "the proxy's listener is stuck");
    }

    fn reaches(&self, within: Duration, mut reached: impl FnMut(&Settings) -> bool) -> bool {
        let (_settings, timeout) = self
            .changed
            .wait_timeout_while(self.settings(), within, |settings| !reached(settings))
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// Waits, for as long as it takes, until replies may pass.
    fn wait_while_holding(&self) {
        drop(
            self.changed
                .wait_while(self.settings(), |settings| settings.holding)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    fn for_each_relay(&self, act: impl Fn(&Relay)) {
        lock(&self.relays).retain(|relay| relay.upgrade().inspect(|relay| act(relay)).is_some());
    }

    /// Returns when all connections are taken that clients take for open: they do so as soon as the operating system
    /// does, before the listener has seen them.
    fn knock(&self) {
        let _one_at_a_time = lock(&self.knocking);
        // A knock is lost if the listener ends just then: after an error, or because its port is given up.
        for _ in 0..TIMEOUT.as_secs() {
            self.set(|settings| settings.knock = Knock::Coming);
            // Fails where nobody listens, and then nothing is to be taken.
            let knock = TcpStream::connect(("127.0.0.1", self.port))
                .and_then(|stream| stream.local_addr())
                .map_or(Knock::None, Knock::From);
            self.set(|settings| settings.knock = knock);
            if self.reaches(Duration::from_secs(1), |now| now.knock == Knock::None) {
                return;
            }
        }
        self.wait_until(|settings| settings.knock == Knock::None);
    }

    /// Whether a connection is that of [`knock`](Self::knock), which then goes on.
    fn is_knock(&self, peer: SocketAddr) -> bool {
        let mut settings = self
            .changed
            .wait_while(self.settings(), |settings| settings.knock == Knock::Coming)
            .unwrap_or_else(PoisonError::into_inner);
        if settings.knock != Knock::From(peer) {
            return false;
        }
        settings.knock = Knock::None;
        self.changed.notify_all();
        true
    }

    /// Takes connections while the door is open, and gives the port up while it is not.
    fn keep_the_door(self: &Arc<Self>, mut listener: TcpListener) {
        loop {
            while let Ok((client, peer)) = listener.accept() {
                if !self.is_knock(peer) {
                    self.connections.fetch_add(1, Ordering::SeqCst);
                    self.connect(client);
                } else if self.settings().door != Door::Open {
                    break;
                }
            }
            drop(listener);
            self.set(|settings| settings.listening = false);
            let settings = self
                .changed
                .wait_while(self.settings(), |settings| settings.door == Door::Refusing)
                .unwrap_or_else(PoisonError::into_inner);
            if settings.door == Door::Closed {
                return;
            }
            drop(settings);
            listener = listen_again(self.port);
            self.set(|settings| settings.listening = true);
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream) {
        let (target, black_hole) = {
            let settings = self.settings();
            (settings.target, settings.black_hole)
        };
        if black_hole {
            lock(&self.stranded).push(client);
        } else if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
            let relay = Relay::start(client, server, Arc::clone(self));
            lock(&self.relays).push(relay);
            // It may have been set before the connection was in the list.
            if self.settings().black_hole {
                self.for_each_relay(Relay::silence);
            }
        }
        // Otherwise the client sees its connection closed: the server is down.
    }

    /// Notes a command that came.
    fn note(&self, command: String) {
        lock(&self.commands).push(command);
        self.arrived.notify_all();
    }

    /// Counts a command; what shall be lost of it, if anything.
    fn loss_of(&self, command: &str) -> Option<Loss> {
        self.settings().plan.as_mut()?.next(command)
    }
}

/// The port was ours a moment ago and lies outside the range of outgoing connections.
fn listen_again(port: u16) -> TcpListener {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(listener) => return listener,
            Err(error) => assert!(Instant::now() < deadline, "port {port} is lost: {error}"),
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// A test that panics while it holds a lock has failed already; the threads need not fail with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
