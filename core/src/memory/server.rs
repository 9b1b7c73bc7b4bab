//! The server as a state machine: connections, the time, and the output.
//!
//! A request that arrives whole is read from the caller's bytes, without a copy ([`Request`]); only the rest of a split one
//! is kept. Anything unusual goes through the decoder, which handles every form and is slower.

use alloc::boxed::Box;
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

/// Identifies a connection. An id is never reused during the life of a server.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(u64);

impl ConnId {
    /// The reply to `CLIENT ID` on this connection.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// What to do next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Output<'a> {
    /// Send these bytes.
    Transmit {
        /// Where to.
        conn: ConnId,
        /// One or more complete replies and push messages.
        bytes: &'a [u8],
    },
    /// Close this connection after the bytes before. The server has forgotten it already.
    Disconnect(ConnId),
    /// Nothing else is left: call [`Server::handle_timeout`] at this instant, if there is one.
    Timeout(Option<Instant>),
}

/// A small Redis server without I/O.
pub struct Server {
    state: ServerState,
    connections: BTreeMap<u64, Connection>,
    last_id: u64,
    /// Connections with bytes to send, or to be closed, in order.
    line: VecDeque<u64>,
    /// The bytes that the last [`Output::Transmit`] borrows.
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

    /// A client has connected. Beyond the limit, it gets an error and is closed.
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

    /// The client has disconnected.
    pub fn handle_disconnected(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.remove(&conn.0)
            && connection.session.has_tracked
        {
            self.state.tracking.forget(conn.0);
        }
    }

    /// Bytes have arrived from a client, split anywhere. Bytes for a closed connection are ignored.
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

    /// Executes the requests that these bytes complete, through the decoder.
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

    /// Time has passed. Early or repeated calls do nothing, and a time before the last one is ignored.
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

    /// The number of keys at `now`, over all databases.
    #[must_use]
    pub fn len(&self, now: Instant) -> usize {
        self.state.store.keys_at(millis(now))
    }

    /// The names of all keys at `now`, over all databases.
    pub fn keys(&self, now: Instant) -> impl Iterator<Item = &[u8]> {
        self.state.store.names_at(millis(now))
    }

    /// Whether there is no key at `now`.
    #[must_use]
    pub fn is_empty(&self, now: Instant) -> bool {
        self.len(now) == 0
    }

    /// The value of a key of database 0 at `now`, and its last millisecond; `None` if it does not exist or is no string. Not
    /// a command: no client is notified, and nothing expires through it.
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

    /// The score of a member of a sorted set of database 0 at `now`; `None` if there is none. Not a command either.
    #[must_use]
    pub fn score(&self, key: &[u8], member: &[u8], now: Instant) -> Option<i64> {
        let store = &self.state.store;
        let entry = store
            .entry(0, key)
            .filter(|_| !store.is_expired(0, key, millis(now)))?;
        if let Value::SortedSet(members) = &entry.value {
            members.score(member)
        } else {
            None
        }
    }

    /// The members of a sorted set of database 0 at `now` with their scores, by rising score. Not a command either.
    #[must_use]
    pub fn members(&self, key: &[u8], now: Instant) -> Vec<(Box<[u8]>, i64)> {
        match self.value_at(key, now) {
            Some(Value::SortedSet(members)) => {
                let members = members.iter();
                members
                    .map(|(score, member)| ((**member).into(), score))
                    .collect()
            }
            Some(Value::String(_) | Value::Hash(_) | Value::List(_)) | None => Vec::new(),
        }
    }

    /// A field of a hash of database 0 at `now`; `None` if there is none. Not a command either.
    #[must_use]
    pub fn field(&self, key: &[u8], field: &[u8], now: Instant) -> Option<&[u8]> {
        match self.value_at(key, now)? {
            Value::Hash(fields) => fields.get(field).map(Vec::as_slice),
            Value::String(_) | Value::SortedSet(_) | Value::List(_) => None,
        }
    }

    fn value_at(&self, key: &[u8], now: Instant) -> Option<&Value> {
        let store = &self.state.store;
        let entry = store.entry(0, key);
        let entry = entry.filter(|_| !store.is_expired(0, key, millis(now)));
        entry.map(|entry| &entry.value)
    }

    /// The options, to be changed while the server runs. Clients stay connected.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.state.options
    }

    /// A replica that has copied everything so far: the same keys, without scripts and connections.
    #[must_use]
    pub fn replica(&self) -> Self {
        let mut replica = Self::new(self.state.options.clone());
        replica.state.store = self.state.store.clone();
        replica.state.now = self.state.now;
        replica.last_id = self.last_id;
        replica
    }

    /// Its replicas receive nothing more, or again everything: what `WAIT` and `WAITAOF` report.
    pub fn stop_replicas(&mut self, stop: bool) {
        self.state.replicated = stop.then(|| self.state.store.changes());
    }

    /// Exchanges the keys of two databases, as `SWAPDB` does. As there, nobody is notified. Nothing happens if there is no
    /// such database.
    pub fn swap_databases(&mut self, a: u8, b: u8) {
        self.state.store.swap(a, b);
    }

    /// Drops all scripts, as `SCRIPT FLUSH` does.
    pub fn flush_scripts(&mut self) {
        self.state.loaded.clear();
    }

    /// A crash of a server without persistence: keys, scripts and connections are gone, and so are bytes that wait to be sent.
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

    /// Sends push messages about changes. They follow the reply to the command that made the change, as in Redis: a client
    /// with `NOLOOP` off must not see the message before its own reply.
    fn deliver(&mut self, origin: Option<u64>) {
        if !self.state.tracking.has_changes() {
            return;
        }
        let mut changes = self.state.tracking.take_changes();
        for (reader, change) in changes.drain(..) {
            if let Some(id) = reader {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.notify(&change, origin == Some(id));
                    connection.enqueue(id, &mut self.line);
                }
                continue;
            }
            for (id, connection) in &mut self.connections {
                connection.notify(&change, origin == Some(*id));
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
