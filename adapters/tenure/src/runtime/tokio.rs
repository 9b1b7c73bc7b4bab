//! The runtime tokio.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Instant, Sleep};

use crate::address::Endpoint;
use crate::clock::Clock;
use crate::runtime::{Runtime, Timer, dial, keep_alive};

/// The tokio runtime, with time and net enabled.
#[derive(Debug)]
pub(crate) struct Tokio;

impl Runtime for Tokio {
    type Stream = Stream;
    type Timer = Option<Pin<Box<Sleep>>>;

    async fn connect(to: Endpoint) -> io::Result<Stream> {
        match to {
            Endpoint::Tcp { host, port } => {
                let addresses = tokio::net::lookup_host((host.as_str(), port)).await?;
                let connect = TcpStream::connect::<SocketAddr>;
                let stream = dial::dial(addresses.collect(), None, connect).await?;
                stream.set_nodelay(true)?;
                keep_alive(&stream)?;
                Ok(Stream::Tcp(stream))
            }
            #[cfg(unix)]
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Endpoint::Memory(_) | Endpoint::Lent(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn timer() -> Self::Timer {
        None
    }

    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(driver);
    }

    fn memory_clock() -> Clock {
        let start = Instant::now();
        Clock::from_fn(move || {
            let since = Instant::now().saturating_duration_since(start);
            tenure_core::Instant::from_micros(0) + since
        })
    }

    fn look(cx: &mut Context<'_>) {
        // tokio wakes a task that yields after it has polled the sockets, unlike a task that wakes itself.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
    }
}

impl Timer for Option<Pin<Box<Sleep>>> {
    fn set(&mut self, after: Duration) {
        match self {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + after),
            None => *self = Some(Box::pin(tokio::time::sleep(after))),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

/// A connection of tokio's, with the futures traits.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        })?;
        Poll::Ready(Ok(buffer.filled().len()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    /// Nothing is kept back.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_connection_is_kept_alive() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let host = "127.0.0.1".into();
        let connected = Tokio::connect(Endpoint::Tcp { host, port }).await;
        let Ok(Stream::Tcp(stream)) = connected else {
            panic!("{connected:?}");
        };
        assert!(SockRef::from(&stream).keepalive().expect("an option"));
    }
}
