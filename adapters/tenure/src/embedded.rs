//! The embedded server, shared by any number of lockers.
//!
//! It has no thread and no task: its clients drive it. A client that writes carries out the request; a client
//! that reads watches the time for it ([`Read::Pending`]).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use tenure_core::Instant;
use tenure_core::memory::{ConnId, Options, Output, Server};

use crate::clock::Clock;
use crate::wakers::guard;

/// An embedded server that any number of lockers share.
#[derive(Clone)]
pub(crate) struct Embedded(Arc<Hub>);

struct Hub {
    clock: Clock,
    state: Mutex<EmbeddedState>,
}

struct EmbeddedState {
    server: Server,
    pipes: BTreeMap<ConnId, Pipe>,
    /// The time at which the server must be called even without input.
    deadline: Option<Instant>,
}

/// Bytes on their way to one client.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// The server has closed it.
    closed: bool,
    reader: Option<Waker>,
}

impl Embedded {
    pub(crate) fn new(options: Options, clock: Clock) -> Self {
        let state = EmbeddedState {
            server: Server::new(options),
            pipes: BTreeMap::new(),
            deadline: None,
        };
        Self(Arc::new(Hub {
            clock,
            state: Mutex::new(state),
        }))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Calls the server and delivers its output. Tasks are woken without the mutex: they may come back at once.
    fn with<T>(&self, act: impl FnOnce(&mut EmbeddedState, Instant) -> T) -> T {
        let mut wakes = Vec::new();
        let answer = {
            let mut state = guard(&self.0.state);
            let answer = act(&mut state, self.0.clock.now());
            state.deliver(&mut wakes);
            answer
        };
        for waker in wakes {
            waker.wake();
        }
        answer
    }

    /// Connects a client.
    pub(crate) fn connect(&self) -> ConnId {
        self.with(|state, _| {
            let conn = state.server.connect();
            state.pipes.insert(conn, Pipe::default());
            conn
        })
    }

    /// Passes on bytes from a client.
    pub(crate) fn write(&self, conn: ConnId, bytes: &[u8]) {
        self.with(|state, now| state.server.handle_input(conn, bytes, now));
    }

    /// Reads bytes for a client; none if the server has closed the connection. Otherwise `cx` is woken when there are some.
    pub(crate) fn poll_read(&self, conn: ConnId, cx: &Context<'_>, buffer: &mut [u8]) -> Read {
        // The server learns the time first: what that causes is read at once.
        self.with(|state, now| {
            if state.deadline.is_some_and(|deadline| now >= deadline) {
                state.server.handle_timeout(now);
            }
        });
        let mut state = guard(&self.0.state);
        let deadline = state.deadline;
        let Some(pipe) = state.pipes.get_mut(&conn) else {
            return Read::Ready(0);
        };
        if !pipe.bytes.is_empty() || pipe.closed {
            let count = pipe.bytes.len().min(buffer.len());
            buffer[..count].copy_from_slice(&pipe.bytes[..count]);
            pipe.bytes.drain(..count);
            return Read::Ready(count);
        }
        pipe.reader = Some(cx.waker().clone());
        Read::Pending(deadline)
    }

    /// A client has gone.
    pub(crate) fn disconnect(&self, conn: ConnId) {
        self.with(|state, _| {
            state.pipes.remove(&conn);
            state.server.handle_disconnected(conn);
        });
    }
}

/// The result of a read from an embedded server.
pub(crate) enum Read {
    /// So many bytes.
    Ready(usize),
    /// None yet. The server waits for this time, too, which its client has to watch.
    Pending(Option<Instant>),
}

impl EmbeddedState {
    fn deliver(&mut self, wakes: &mut Vec<Waker>) {
        let before = self.deadline;
        loop {
            match self.server.poll_output() {
                Output::Transmit { conn, bytes } => {
                    if let Some(pipe) = self.pipes.get_mut(&conn) {
                        pipe.bytes.extend_from_slice(bytes);
                        wakes.extend(pipe.reader.take());
                    }
                }
                Output::Disconnect(conn) => {
                    if let Some(pipe) = self.pipes.get_mut(&conn) {
                        pipe.closed = true;
                        wakes.extend(pipe.reader.take());
                    }
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        // The client that moved the deadline may disconnect before it, so all clients watch it.
        if self
            .deadline
            .is_some_and(|deadline| before.is_none_or(|before| deadline < before))
        {
            wakes.extend(
                self.pipes
                    .values_mut()
                    .filter_map(|pipe| pipe.reader.take()),
            );
        }
    }
}

impl PartialEq for Embedded {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Embedded {}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
