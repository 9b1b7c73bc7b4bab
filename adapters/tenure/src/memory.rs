//! Connections to the embedded server: pipes within the process, for any runtime.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};
use tenure_core::Instant;
use tenure_core::memory::{ConnId, Options, Output, Server};

use crate::address::Endpoint;
use crate::clock::Clock;
use crate::runtime::{Runtime, Timer};
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
    /// When the server wants to be told the time.
    deadline: Option<Instant>,
}

/// What is on its way to one client.
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

    /// Lets the server do something and delivers what comes of it.
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

    fn connect<T: Timer>(&self, timer: T) -> Stream<T> {
        let conn = self.with(|state, _| {
            let conn = state.server.connect();
            state.pipes.insert(conn, Pipe::default());
            conn
        });
        Stream {
            server: self.clone(),
            conn,
            timer,
        }
    }
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
        // The one who moved the deadline may leave before it: everybody watches for it.
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

/// Another runtime whose connections lead to embedded servers.
#[derive(Debug)]
pub(crate) struct InMemory<R>(PhantomData<R>);

impl<R: Runtime> Runtime for InMemory<R> {
    type Stream = Stream<R::Timer>;
    type Timer = R::Timer;

    async fn connect(to: Endpoint) -> io::Result<Self::Stream> {
        match to {
            Endpoint::Memory(server) => Ok(server.connect(R::timer())),
            Endpoint::Tcp { .. } | Endpoint::Unix(_) | Endpoint::Lent(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    fn timer() -> R::Timer {
        R::timer()
    }

    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        R::spawn(driver);
    }

    fn look(cx: &mut Context<'_>) {
        R::look(cx);
    }
}

/// One client's end. The server has nobody who sleeps for it, so its clients do.
pub(crate) struct Stream<T> {
    server: Embedded,
    conn: ConnId,
    timer: T,
}

impl<T: Timer> AsyncRead for Stream<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            // The time is told first, so that what comes of it is there to be read.
            this.server.with(|state, now| {
                if state.deadline.is_some_and(|deadline| now >= deadline) {
                    state.server.handle_timeout(now);
                }
            });
            let deadline = {
                let mut state = guard(&this.server.0.state);
                let deadline = state.deadline;
                let Some(pipe) = state.pipes.get_mut(&this.conn) else {
                    return Poll::Ready(Ok(0));
                };
                if !pipe.bytes.is_empty() || pipe.closed {
                    let count = pipe.bytes.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&pipe.bytes[..count]);
                    pipe.bytes.drain(..count);
                    return Poll::Ready(Ok(count));
                }
                pipe.reader = Some(cx.waker().clone());
                deadline
            };
            let Some(deadline) = deadline else {
                return Poll::Pending;
            };
            let now = this.server.0.clock.now();
            if now < deadline {
                this.timer.set(deadline.saturating_since(now));
                if this.timer.poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        }
    }
}

impl<T: Timer> AsyncWrite for Stream<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let conn = self.conn;
        self.server
            .with(|state, now| state.server.handle_input(conn, bytes, now));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for Stream<T> {
    fn drop(&mut self) {
        let conn = self.conn;
        self.server.with(|state, _| {
            state.pipes.remove(&conn);
            state.server.handle_disconnected(conn);
        });
    }
}
