//! What the driver needs from an async runtime: one file per runtime.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use crate::address::Endpoint;
use crate::clock::Clock;

#[cfg(any(feature = "async-std", feature = "smol", feature = "blocking"))]
mod async_io;
#[cfg(feature = "async-std")]
pub(crate) mod async_std;
#[cfg(feature = "blocking")]
pub(crate) mod blocking;
#[cfg(any(
    feature = "tokio",
    feature = "async-std",
    feature = "smol",
    feature = "blocking"
))]
mod dial;
#[cfg(feature = "smol")]
pub(crate) mod smol;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;

/// An async runtime. Everything is called in its context: from within the driver's `poll`.
///
/// It does not provide the time, because the clocks of runtimes stand still while the machine is suspended: see
/// [`crate::clock::Clock`].
pub(crate) trait Runtime: Send + 'static {
    /// A connection. It has the traits of `futures-io`, because every runtime has them or can adapt to them in a few lines,
    /// and they read straight into the driver's buffer.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// A timer.
    type Timer: Timer;

    /// Opens a connection, with Nagle's algorithm off.
    fn connect(to: Endpoint) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// A timer that is not set.
    fn timer() -> Self::Timer;

    /// Runs a driver as a task of its own.
    fn spawn(driver: impl Future<Output = ()> + Send + 'static);

    /// The clock of an embedded server. A runtime whose clock can be paused in tests returns that one.
    fn memory_clock() -> Clock {
        Clock::real()
    }

    /// Wakes the task after the runtime has polled its sockets, as far as it can promise that.
    fn look(cx: &mut Context<'_>);
}

/// A timer that is set many times.
pub(crate) trait Timer: Send + Unpin + 'static {
    /// Fires once after this time, and not at the time set before.
    fn set(&mut self, after: Duration);

    /// Ready when it has fired; until then the task is woken when it does. The driver asks the clock whether a
    /// deadline has passed: a timer may be late or early.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Turns on TCP keepalive, so that middleboxes keep an idle connection and a dead one is noticed. While there are locks, the
/// core probes connections by itself, and sooner.
#[cfg(any(
    feature = "tokio",
    feature = "async-std",
    feature = "smol",
    feature = "blocking"
))]
fn keep_alive<'a, S>(stream: &'a S) -> io::Result<()>
where
    socket2::SockRef<'a>: From<&'a S>,
{
    let probes = socket2::TcpKeepalive::new().with_time(Duration::from_secs(30));
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "linux",
        target_os = "macos",
        windows
    ))]
    let probes = probes.with_interval(Duration::from_secs(10));
    socket2::SockRef::from(stream).set_tcp_keepalive(&probes)
}
