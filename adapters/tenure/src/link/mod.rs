//! The connection to one node. It moves bytes and does not interpret them.

mod lent;
#[cfg(feature = "tls")]
pub(crate) mod tls;
#[cfg(not(feature = "tls"))]
#[path = "no_tls.rs"]
pub(crate) mod tls;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead as _, AsyncWrite as _};

use crate::address::Endpoint;
use crate::runtime::Runtime;
use crate::servers::Target;
use lent::LentLink;
use tls::Session;

/// The size of one TLS record, and more than the reply to a few commands needs.
const READ_BYTES: usize = 16 * 1024;
/// A buffer that a burst has made larger than this is freed.
const KEEP_BYTES: usize = 1024 * 1024;

/// What happened on a link.
#[derive(Debug)]
pub(crate) enum News {
    /// Nothing. The task is woken when something does.
    None,
    /// The connection is open.
    Connected,
    /// [`Link::received`] has bytes.
    Received,
    /// The connection has ended, for this reason.
    Gone(Gone),
}

/// Why a connection has ended.
#[derive(Default, Debug)]
pub(crate) struct Gone {
    pub(crate) message: String,
    /// No server listens at the address.
    pub(crate) no_server: bool,
}

impl Gone {
    fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            no_server: false,
        }
    }
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        let no_server = matches!(
            error.kind(),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
        );
        Self {
            message: error.to_string(),
            no_server,
        }
    }
}

pub(crate) struct Link<R: Runtime> {
    target: Target,
    connection: Connection<R>,
    /// Bytes to send, of which the first `sent` have been.
    out: Vec<u8>,
    sent: usize,
    buffer: Box<[u8]>,
    /// The number of bytes of `buffer` that the last read filled.
    filled: usize,
    /// With TLS: these bytes decrypted. With a lent client: what a server would have written.
    plain: Vec<u8>,
}

enum Connection<R: Runtime> {
    Closed,
    Opening(Pin<Box<dyn Future<Output = io::Result<R::Stream>> + Send>>),
    Open {
        stream: R::Stream,
        tls: Option<Session>,
    },
    /// A client that carries out commands.
    Lent(LentLink),
    /// A write failed. The next read reports it.
    Failed(Gone),
}

impl<R: Runtime> Link<R> {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            connection: Connection::Closed,
            out: Vec::new(),
            sent: 0,
            buffer: Box::default(),
            filled: 0,
            plain: Vec::new(),
        }
    }

    pub(crate) fn open(&mut self) {
        self.close();
        self.connection = match &self.target.endpoint {
            Endpoint::Lent(client) => Connection::Lent(LentLink::new(client)),
            address @ (Endpoint::Tcp { .. } | Endpoint::Unix(_) | Endpoint::Memory(_)) => {
                Connection::Opening(Box::pin(R::connect(address.clone())))
            }
        };
    }

    pub(crate) fn close(&mut self) {
        self.connection = Connection::Closed;
        self.out.clear();
        self.sent = 0;
    }

    /// Appends bytes to those that wait to be sent.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        match &mut self.connection {
            Connection::Open { tls: Some(tls), .. } => {
                if let Err(error) = tls.send(bytes, &mut self.out) {
                    self.connection = Connection::Failed(error.into());
                }
            }
            Connection::Open { tls: None, .. } | Connection::Lent(_) => {
                self.out.extend_from_slice(bytes);
            }
            Connection::Closed | Connection::Opening(_) | Connection::Failed(_) => {}
        }
    }

    /// The bytes of the last [`News::Received`].
    pub(crate) fn received(&self) -> &[u8] {
        match &self.connection {
            Connection::Open { tls: None, .. } => &self.buffer[..self.filled],
            Connection::Open { .. }
            | Connection::Closed
            | Connection::Opening(_)
            | Connection::Lent(_)
            | Connection::Failed(_) => &self.plain,
        }
    }

    /// Reads once.
    pub(crate) fn read(&mut self, cx: &mut Context<'_>) -> News {
        let news = self.try_read(cx).unwrap_or_else(News::Gone);
        if let News::Gone(_) = news {
            self.close();
        }
        news
    }

    fn try_read(&mut self, cx: &mut Context<'_>) -> Result<News, Gone> {
        match &mut self.connection {
            Connection::Closed => Ok(News::None),
            Connection::Failed(error) => Ok(News::Gone(std::mem::take(error))),
            Connection::Opening(opening) => {
                let Poll::Ready(stream) = opening.as_mut().poll(cx) else {
                    return Ok(News::None);
                };
                Ok(self.connected(stream?)?)
            }
            Connection::Lent(lent) => {
                self.plain.clear();
                lent.read(&mut self.plain, cx)
            }
            Connection::Open { stream, tls } => {
                let read = Pin::new(stream).poll_read(cx, &mut self.buffer);
                let Poll::Ready(read) = read else {
                    return Ok(News::None);
                };
                self.filled = read?;
                if self.filled == 0 {
                    return Ok(News::Gone(Gone::new("the server closed the connection")));
                }
                if let Some(tls) = tls {
                    self.plain.clear();
                    let wire = &self.buffer[..self.filled];
                    tls.receive(wire, &mut self.plain, &mut self.out)?;
                }
                Ok(News::Received)
            }
        }
    }

    fn connected(&mut self, stream: R::Stream) -> io::Result<News> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; READ_BYTES].into();
        }
        // The TLS handshake continues below the first requests, which wait in the session until it is complete.
        let tls = match &self.target.tls {
            None => None,
            Some(tls) => Some(tls.session(&self.target.endpoint, &mut self.out)?),
        };
        self.connection = Connection::Open { stream, tls };
        Ok(News::Connected)
    }

    /// Writes waiting bytes, as many as the connection takes. True if the next read has something to report: that it failed,
    /// or replies of a lent client.
    pub(crate) fn write(&mut self, cx: &mut Context<'_>) -> bool {
        if let Connection::Lent(lent) = &mut self.connection {
            let tells = !self.out.is_empty() && lent.send(&self.out, cx);
            self.out.clear();
            return tells;
        }
        while let Connection::Open { stream, .. } = &mut self.connection {
            let waiting = &self.out[self.sent..];
            if waiting.is_empty() {
                break;
            }
            let error = match Pin::new(stream).poll_write(cx, waiting) {
                Poll::Pending => return false,
                Poll::Ready(Ok(0)) => Gone::new("the connection takes no more bytes"),
                Poll::Ready(Ok(count)) => {
                    self.sent += count;
                    continue;
                }
                Poll::Ready(Err(error)) => error.into(),
            };
            self.connection = Connection::Failed(error);
        }
        self.out.clear();
        self.sent = 0;
        if self.out.capacity() > KEEP_BYTES {
            self.out = Vec::new();
        }
        matches!(self.connection, Connection::Failed(_))
    }
}
