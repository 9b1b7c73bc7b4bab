//! Connections to the embedded server: pipes within the process, for any runtime.

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use tenure_core::memory::ConnId;

use crate::address::Endpoint;
use crate::embedded::{Embedded, Read};
use crate::runtime::{Runtime, Timer};

/// A runtime whose connections lead to embedded servers instead.
#[derive(Debug)]
pub(crate) struct InMemory<R>(PhantomData<R>);

impl<R: Runtime> Runtime for InMemory<R> {
    type Stream = Stream<R::Timer>;
    type Timer = R::Timer;

    async fn connect(to: Endpoint) -> io::Result<Self::Stream> {
        match to {
            Endpoint::Memory(server) => Ok(Stream {
                conn: server.connect(),
                server,
                timer: R::timer(),
            }),
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

/// The client's end of a connection. It sleeps until the next deadline of the server, which has no task of its own.
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
            let deadline = match this.server.poll_read(this.conn, cx, buffer) {
                Read::Ready(count) => return Poll::Ready(Ok(count)),
                Read::Pending(None) => return Poll::Pending,
                Read::Pending(Some(deadline)) => deadline,
            };
            let now = this.server.clock().now();
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
        self.server.write(self.conn, bytes);
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
        self.server.disconnect(self.conn);
    }
}
