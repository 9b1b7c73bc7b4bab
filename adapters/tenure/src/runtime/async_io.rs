//! Connections and timers of `async-io`, whose reactor has a thread of its own and works under any executor.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

use super::{Runtime, Timer, dial, keep_alive};
use crate::address::Endpoint;

async fn connect(to: Endpoint) -> io::Result<Stream> {
    match to {
        Endpoint::Tcp { host, port } => {
            let addresses: Vec<SocketAddr> = blocking::unblock(move || {
                Ok::<_, io::Error>((host.as_str(), port).to_socket_addrs()?.collect())
            })
            .await?;
            let stream = dial::dial(
                addresses,
                async_io::Timer::never(),
                Async::<TcpStream>::connect,
            )
            .await?;
            stream.get_ref().set_nodelay(true)?;
            keep_alive(stream.get_ref())?;
            Ok(Stream::Tcp(stream))
        }
        #[cfg(unix)]
        Endpoint::Unix(path) => Async::<UnixStream>::connect(path).await.map(Stream::Unix),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        Endpoint::Memory(_) | Endpoint::Lent(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// How an executor runs a driver as a task of its own.
pub(crate) trait Spawn: Send + 'static {
    fn spawn(driver: impl Future<Output = ()> + Send + 'static);
}

/// A runtime: this reactor under any executor.
#[derive(Debug)]
pub(crate) struct Under<S>(PhantomData<S>);

impl<S: Spawn> Runtime for Under<S> {
    type Stream = Stream;
    type Timer = async_io::Timer;

    fn connect(to: Endpoint) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        connect(to)
    }

    fn timer() -> Self::Timer {
        async_io::Timer::never()
    }

    /// A read tries the socket before it waits for the reactor, so another turn of the task is enough.
    fn look(cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        S::spawn(driver);
    }
}

impl Timer for async_io::Timer {
    fn set(&mut self, after: Duration) {
        self.set_after(after);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(self).poll(cx).map(drop)
    }
}

#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Unix(Async<UnixStream>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
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
            Self::Tcp(stream) => Pin::new(stream).poll_close(cx),
            #[cfg(unix)]
            Self::Unix(stream) => Pin::new(stream).poll_close(cx),
        }
    }
}
