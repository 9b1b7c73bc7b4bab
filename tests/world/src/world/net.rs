//! The links between clients and servers: connections, bytes on their way, and what may happen to them.

use std::time::Duration;

use tenure_core::memory::ConnId;
use tenure_core::{Instant, Rng};

use super::agenda::{Agenda, Happening};
use super::pipe::Pipe;
use super::record::Record;
use super::trace::Trace;

/// What a link does with bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Weather {
    /// Delivers after the latency.
    #[default]
    Fair,
    /// Takes bytes and delivers none, in either direction, without an error on either side: half-open.
    Silent,
    /// Carries requests and loses replies, without an error.
    Deaf,
    /// Refuses new connections.
    Refusing,
    /// Keeps bytes, also the last ones of old connections, and delivers them when the weather changes.
    Holding,
}

/// How a link treats bytes in any weather.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Habits {
    /// One way, in microseconds.
    pub(crate) latency_us: u64,
    /// At most so much more, drawn for each piece.
    pub(crate) jitter_us: u64,
    /// Whether bytes are split anywhere.
    pub(crate) splits: bool,
}

/// What one client has with one server.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) weather: Weather,
    pub(crate) habits: Habits,
    /// When something last went wrong with it, or was repaired.
    pub(crate) trouble: Instant,
    /// What servers say without having been asked is lost, and when that last happened.
    pub(crate) loses_pushes: bool,
    pub(crate) lost_push: Option<Instant>,
    /// The connection that the client knows of.
    pub(crate) current: Option<usize>,
}

/// One connection, until nothing of it is left on either side.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) client: usize,
    pub(crate) node: usize,
    /// The server's end, from when it is open until it is closed there.
    pub(crate) server: Option<ConnId>,
    pub(crate) up: Pipe,
    pub(crate) down: Pipe,
    /// The client still listens.
    pub(crate) wanted: bool,
    /// It is not open yet.
    pub(crate) opening: bool,
    /// What is on its way stays there, whatever newer connections do.
    pub(crate) stuck: bool,
}

/// Nobody wants to know most of the time: apart, so that it is not in the way.
#[cold]
fn push_line(lines: &mut Vec<String>, now: Instant, line: impl FnOnce() -> String) {
    lines.push(format!("{now:?}  {}", line()));
}

/// The replies of a server without its push messages; `None` if there are no push messages.
fn without_pushes(bytes: &[u8]) -> Option<Vec<u8>> {
    const PUSH: &[u8] = b">2\r\n$10\r\ninvalidate\r\n";
    let mut rest = bytes;
    let mut left = Vec::new();
    let mut found = false;
    while let Some(at) = rest.windows(PUSH.len()).position(|part| part == PUSH) {
        found = true;
        left.extend_from_slice(&rest[..at]);
        rest = &rest[at + PUSH.len()..];
        // All keys, or an array with one.
        let lines = if rest.starts_with(b"_") { 1 } else { 3 };
        for _ in 0..lines {
            let end = rest.windows(2).position(|part| part == b"\r\n");
            rest = &rest[end.map_or(rest.len(), |end| end + 2)..];
        }
    }
    left.extend_from_slice(rest);
    found.then_some(left)
}

/// All links and connections.
pub(crate) struct Net {
    pub(crate) agenda: Agenda,
    pub(crate) conns: Vec<Conn>,
    /// By client, then by node.
    pub(crate) links: Vec<Vec<Link>>,
    pub(crate) rng: Rng,
    /// What happened, if anybody wants to know.
    pub(crate) lines: Option<Vec<String>>,
    /// What a picture needs, if anybody wants one.
    pub(crate) record: Option<Box<Record>>,
    /// All of it, in one number.
    pub(crate) trace: Trace,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            agenda: Agenda::default(),
            conns: Vec::new(),
            links: Vec::new(),
            rng: Rng::new(seed),
            lines: None,
            record: None,
            trace: Trace::default(),
        }
    }

    pub(crate) fn note_line(&mut self, now: Instant, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            push_line(lines, now, line);
        }
    }

    pub(crate) fn record(&mut self, note: impl FnOnce(&mut Record)) {
        if let Some(record) = &mut self.record {
            note(record);
        }
    }

    /// The client wants a connection.
    pub(crate) fn open(&mut self, client: usize, node: usize, now: Instant) {
        let Habits {
            latency_us,
            jitter_us,
            ..
        } = self.links[client][node].habits;
        let delay = latency_us + self.rng.up_to(jitter_us);
        let at = Instant::from_micros(now.as_micros() + delay);
        self.conns.push(Conn {
            client,
            node,
            server: None,
            up: Pipe::new(),
            down: Pipe::new(),
            wanted: true,
            opening: true,
            stuck: false,
        });
        let conn = self.conns.len() - 1;
        self.links[client][node].current = Some(conn);
        self.agenda.push(at, Happening::Opened(conn));
    }

    /// The client drops its connection: what it has sent may still arrive.
    pub(crate) fn leave(&mut self, client: usize, node: usize, now: Instant) {
        if let Some(conn) = self.links[client][node].current.take() {
            self.conns[conn].wanted = false;
            self.end_up(conn, now);
        }
    }

    /// Breaks a connection: of what is on its way so many bytes still arrive, and both ends notice it.
    pub(crate) fn cut(&mut self, conn: usize, keep: (usize, usize), now: Instant) {
        self.record(|record| {
            record.loses(conn, true, keep.0, now);
            record.loses(conn, false, keep.1, now);
        });
        self.conns[conn].up.truncate(keep.0);
        self.conns[conn].down.truncate(keep.1);
        self.end_up(conn, now);
        self.end_down(conn, now);
    }

    pub(crate) fn send(&mut self, client: usize, node: usize, bytes: &[u8], now: Instant) {
        let Some(conn) = self.links[client][node].current else {
            return;
        };
        if self.links[client][node].weather == Weather::Silent {
            self.conns[conn].up.broken = true;
        }
        self.put(conn, true, bytes, now);
    }

    /// The server says something.
    pub(crate) fn answer(&mut self, conn: usize, bytes: &[u8], now: Instant) {
        let (client, node) = (self.conns[conn].client, self.conns[conn].node);
        let weather = self.links[client][node].weather;
        if matches!(weather, Weather::Silent | Weather::Deaf) {
            self.conns[conn].down.broken = true;
        }
        let link = &mut self.links[client][node];
        if link.loses_pushes
            && let Some(rest) = without_pushes(bytes)
        {
            link.lost_push = Some(now);
            if rest.is_empty() {
                return;
            }
            return self.put(conn, false, &rest, now);
        }
        self.put(conn, false, bytes, now);
    }

    /// The client's end sends no more.
    fn end_up(&mut self, conn: usize, now: Instant) {
        if !std::mem::replace(&mut self.conns[conn].up.ended, true) {
            self.put(conn, true, &[], now);
        }
    }

    /// The server's end sends no more.
    pub(crate) fn end_down(&mut self, conn: usize, now: Instant) {
        if !std::mem::replace(&mut self.conns[conn].down.ended, true) {
            self.put(conn, false, &[], now);
        }
    }

    /// Puts bytes on their way, in order and maybe in pieces; no bytes are the end.
    fn put(&mut self, conn: usize, up: bool, bytes: &[u8], now: Instant) {
        self.trace.happens(u8::from(up), now, conn, bytes);
        let of = &mut self.conns[conn];
        let Habits {
            latency_us,
            jitter_us,
            splits,
        } = self.links[of.client][of.node].habits;
        let (pipe, what) = if up {
            (&mut of.up, Happening::Up(conn))
        } else {
            (&mut of.down, Happening::Down(conn))
        };
        let lost = !bytes.is_empty() && (pipe.broken || pipe.ended);
        if let Some(record) = self.record.as_deref_mut().filter(|_| !bytes.is_empty()) {
            record.sends((conn, up, lost), (of.client, of.node), bytes, now);
        }
        if !lost {
            pipe.load(bytes);
        }
        let mut rest = bytes.len();
        loop {
            let len = if splits && rest > 1 && !self.rng.once_in(3) {
                self.rng.below(rest as u64) as usize + 1
            } else {
                rest
            };
            let delay = latency_us + self.rng.up_to(jitter_us);
            if lost {
                return;
            }
            let at = Instant::from_micros(now.as_micros() + delay);
            if pipe.append(at, len) {
                self.agenda.push(pipe.last, what);
            }
            rest -= len;
            if rest == 0 {
                return;
            }
        }
    }

    /// So many bytes have come to the other end.
    pub(crate) fn arrived(&mut self, conn: usize, up: bool, count: usize, now: Instant) {
        self.trace.happens(3, now, conn, (up, count));
        if let Some(record) = &mut self.record {
            let of = &self.conns[conn];
            let received = if up { of.server.is_some() } else { of.wanted };
            record.arrives((conn, up), count, received, now);
        }
    }

    /// Says what a client has just read, if anybody wants to know.
    pub(crate) fn note_arrived(&mut self, conn: usize, now: Instant) {
        let Self { lines, conns, .. } = self;
        if let Some(lines) = lines {
            let Conn {
                client, node, down, ..
            } = &conns[conn];
            push_line(lines, now, || {
                let text = down.arrived().escape_ascii().to_string();
                let text = &text[..text.len().min(200)];
                format!("client {client} ← node {node}: {text}")
            });
        }
    }

    /// Lets everything of these connections that is due happen now.
    pub(crate) fn deliver_due(&mut self, now: Instant, which: impl Fn(&Conn) -> bool) {
        for index in 0..self.conns.len() {
            if which(&self.conns[index]) {
                self.deliver_due_on(index, now);
            }
        }
    }

    /// Lets everything of this connection that is due happen now.
    pub(crate) fn deliver_due_on(&mut self, index: usize, now: Instant) {
        let conn = &self.conns[index];
        if !conn.up.is_empty() {
            self.agenda.push(now, Happening::Up(index));
        }
        if !conn.down.is_empty() {
            self.agenda.push(now, Happening::Down(index));
        }
        if conn.opening {
            self.agenda.push(now, Happening::Opened(index));
        }
    }

    pub(crate) fn is_held(&self, conn: usize) -> bool {
        let Conn {
            client,
            node,
            stuck,
            ..
        } = self.conns[conn];
        stuck || self.links[client][node].weather == Weather::Holding
    }

    /// Whether a client has an open connection that delivers.
    pub(crate) fn is_fine(&self, client: usize, node: usize) -> bool {
        let link = &self.links[client][node];
        link.weather == Weather::Fair
            && link.current.is_some_and(|conn| {
                let conn = &self.conns[conn];
                conn.server.is_some() && !conn.stuck && !conn.up.broken && !conn.down.broken
            })
    }

    /// Whether nothing comes back to a client from a node for certain.
    pub(crate) fn is_silent(&self, client: usize, node: usize) -> bool {
        let link = &self.links[client][node];
        matches!(link.weather, Weather::Silent | Weather::Deaf) || link.current.is_none()
    }

    /// How long bytes take at most in fair weather.
    pub(crate) fn longest_trip(&self, client: usize, node: usize) -> Duration {
        let habits = self.links[client][node].habits;
        Duration::from_micros(habits.latency_us + habits.jitter_us)
    }

    /// The same, if bytes that were sent in other weather are still ahead on the way.
    pub(crate) fn longest_trip_now(&self, client: usize, node: usize, now: Instant) -> Duration {
        let current = self.links[client][node].current;
        let ahead = current.map_or(now, |conn| {
            let conn = &self.conns[conn];
            conn.up.last.max(conn.down.last)
        });
        self.longest_trip(client, node)
            .max(ahead.saturating_since(now))
    }

    /// Whether every connection of a client is open and nothing is on its way.
    pub(crate) fn is_quiet(&self, client: usize) -> bool {
        self.links[client].iter().all(|link| {
            link.current.is_some_and(|conn| {
                let conn = &self.conns[conn];
                !conn.opening && conn.up.is_empty() && conn.down.is_empty()
            })
        })
    }
}
