//! The machine: connections, time and what goes out.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;

use super::connection::{Connection, Incomplete};
use super::options::Options;
use super::request::{Request, RequestLimits, RequestRead};
use super::state::{ServerState, millis};
use super::store::Value;
use crate::Instant;
use crate::redis::resp::write_error;

/// One connection, as the server counts them. No two have the same in the life of a server.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(u64);

impl ConnId {
    /// What `CLIENT ID` answers on this connection.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Something to be done.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Output<'a> {
    /// Send these bytes.
    Transmit {
        /// To whom.
        conn: ConnId,
        /// What: one or more whole replies.
        bytes: &'a [u8],
    },
    /// Close this connection, after what was to be transmitted on it. The server has forgotten it already.
    Disconnect(ConnId),
    /// Nothing else. Call [`Server::handle_timeout`] at that instant, if there is one.
    Timeout(Option<Instant>),
}

/// A small Redis server without I/O.
pub struct Server {
    state: ServerState,
    connections: BTreeMap<u64, Connection>,
    last_id: u64,
    /// Who has bytes to send or is to be closed, in order.
    line: VecDeque<u64>,
    /// What the last transmit lent out.
    sent: Vec<u8>,
}

impl Server {
    /// An empty server.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            state: ServerState::new(options),
            connections: BTreeMap::new(),
            last_id: 0,
            line: VecDeque::new(),
            sent: Vec::new(),
        }
    }

    /// Somebody has connected. One too many is told so and closed.
    pub fn connect(&mut self) -> ConnId {
        self.last_id = self.last_id.saturating_add(1);
        let id = self.last_id;
        let mut connection = Connection::new(&self.state.options);
        if self.connections.len() >= self.state.options.max_connections {
            write_error(&mut connection.out, b"ERR max number of clients reached");
            connection.closing = true;
        }
        self.connections.insert(id, connection);
        self.enqueue(id);
        ConnId(id)
    }

    /// The client has gone.
    pub fn handle_disconnected(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.remove(&conn.0)
            && connection.session.has_tracked
        {
            self.state.tracking.forget(conn.0);
        }
    }

    /// Bytes have come from a client, split anywhere. Those of a connection that is closed are ignored.
    pub fn handle_input(&mut self, conn: ConnId, bytes: &[u8], now: Instant) {
        self.handle_timeout(now);
        let limits = self.limits();
        let Some(mut connection) = self.connections.get_mut(&conn.0) else {
            return;
        };
        if connection.closing {
            return;
        }
        if connection.decoder.buffered() > 0 {
            return self.read_on(conn.0, bytes);
        }
        let joined = match connection.join(bytes) {
            Ok(joined) => joined,
            Err(Incomplete) => return,
        };
        let (mut request, mut rest) = (Request::new(), joined.as_deref().unwrap_or(bytes));
        let mut left = 0;
        while !rest.is_empty() && !connection.closing {
            match request.read(rest, limits) {
                RequestRead::Whole(after) => rest = after,
                RequestRead::Part(need) => {
                    connection.need = need;
                    left = rest.len();
                    break;
                }
                RequestRead::Other => return self.read_on(conn.0, rest),
            }
            connection.execute(conn.0, request.args(), &mut self.state);
            if self.state.tracking.has_changes() {
                self.deliver(Some(conn.0));
                connection = match self.connections.get_mut(&conn.0) {
                    Some(connection) => connection,
                    None => return,
                };
            }
        }
        connection.keep(joined, bytes, left);
        connection.enqueue(conn.0, &mut self.line);
    }

    /// Executes what becomes whole with these bytes.
    #[cold]
    fn read_on(&mut self, id: u64, bytes: &[u8]) {
        let limits = self.limits();
        let Some(mut connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.decoder.feed(bytes);
        while !connection.closing {
            match connection.execute_next(id, limits, &mut self.state) {
                Ok(true) => {}
                Ok(false) => break,
                Err(problem) => connection.hang_up(id, problem, &mut self.line),
            }
            self.deliver(Some(id));
            connection = match self.connections.get_mut(&id) {
                Some(connection) => connection,
                None => return,
            };
        }
        connection.enqueue(id, &mut self.line);
    }

    /// Time has passed. Early or repeated calls do nothing; going back is ignored.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.state.now = self.state.now.max(now);
        if self.state.options.announce_expiry {
            self.state.expire_due();
            self.deliver(None);
        }
    }

    /// What is to be done next.
    #[must_use]
    pub fn poll_output(&mut self) -> Output<'_> {
        while let Some(id) = self.line.front().copied() {
            let Some(connection) = self.connections.get_mut(&id) else {
                self.line.pop_front();
                continue;
            };
            if !connection.out.is_empty() {
                mem::swap(&mut self.sent, &mut connection.out);
                connection.out.clear();
                if !connection.closing {
                    connection.queued = false;
                    self.line.pop_front();
                }
                return Output::Transmit {
                    conn: ConnId(id),
                    bytes: &self.sent,
                };
            }
            connection.queued = false;
            self.line.pop_front();
            if connection.closing {
                self.handle_disconnected(ConnId(id));
                return Output::Disconnect(ConnId(id));
            }
        }
        Output::Timeout(self.state.next_timeout())
    }

    /// How many keys are there at that instant, in all databases.
    #[must_use]
    pub fn len(&self, now: Instant) -> usize {
        self.state.store.keys_at(millis(now))
    }

    /// Whether no key is there at that instant.
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        self.len(now) == 0
    }

    /// What a key of the first database holds at that instant, and its last millisecond; `None` if it is not there or
    /// is no string. A look from outside, which nobody is told of.
    #[must_use]
    pub fn holding(&self, key: &[u8], now: Instant) -> Option<(&[u8], Option<u64>)> {
        let store = &self.state.store;
        let entry = store
            .entry(0, key)
            .filter(|_| !store.is_expired(0, key, millis(now)))?;
        let Value::String(value) = &entry.value else {
            return None;
        };
        let last = entry.expires_at.and_then(|at| u64::try_from(at).ok());
        Some((value, last))
    }

    /// What it knows and how much it takes, to be changed while it runs. Whoever is connected stays so.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.state.options
    }

    /// A replica that has read everything so far: the same data, no scripts, nobody connected.
    #[must_use]
    pub fn replica(&self) -> Self {
        let mut replica = Self::new(self.state.options.clone());
        replica.state.store = self.state.store.clone();
        replica.state.now = self.state.now;
        replica.last_id = self.last_id;
        replica
    }

    /// Exchanges the keys of two databases, as `SWAPDB` does. As there, nobody is notified. Nothing happens if there is no
    /// such database.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        self.state.store.swap(a, b);
    }

    /// Forgets the scripts, as `SCRIPT FLUSH` does.
    pub fn flush_scripts(&mut self) {
        self.state.loaded.clear();
    }

    /// A crash without a disk: data, scripts and connections are gone. Bytes that were not sent never will be.
    pub fn restart(&mut self) {
        let now = self.state.now;
        self.state = ServerState::new(self.state.options.clone());
        self.state.now = now;
        let ids: Vec<u64> = self.connections.keys().copied().collect();
        for id in ids {
            self.close(id);
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.out.clear();
            }
        }
    }

    fn limits(&self) -> RequestLimits {
        RequestLimits {
            bytes: self.state.options.request_bytes,
            args: self.state.options.request_args,
        }
    }

    /// Tells everybody of what has changed. It comes after the reply to whoever has changed it.
    fn deliver(&mut self, origin: Option<u64>) {
        if !self.state.tracking.has_changes() {
            return;
        }
        let mut changes = self.state.tracking.take_changes();
        for (reader, change) in changes.drain(..) {
            if let Some(id) = reader {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.tell(&change, origin == Some(id));
                    connection.enqueue(id, &mut self.line);
                }
                continue;
            }
            for (id, connection) in &mut self.connections {
                connection.tell(&change, origin == Some(*id));
                connection.enqueue(*id, &mut self.line);
            }
        }
        self.state.tracking.give_back(changes);
    }

    fn close(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing = true;
        }
        self.enqueue(id);
    }

    fn enqueue(&mut self, id: u64) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.enqueue(id, &mut self.line);
        }
    }
}
