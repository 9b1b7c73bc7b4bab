//! One client's connection: bytes in, bytes out.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenure_core::memory::ConnId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// How much may wait for a client that does not read.
const MOST_UNREAD: usize = 16 << 20;

/// What comes from a client.
pub(crate) enum Arrival {
    Bytes(Vec<u8>),
    End,
}

/// How long a client may take to read what it was sent before the connection was closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection. Dropping it closes it, after what was to be sent, or soon.
pub(crate) struct Link {
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    unread: Arc<AtomicUsize>,
    reader: AbortHandle,
    writer: AbortHandle,
}

impl Link {
    pub(crate) fn new(
        conn: ConnId,
        stream: TcpStream,
        arrivals: mpsc::Sender<(ConnId, Arrival)>,
    ) -> Self {
        let (input, output) = stream.into_split();
        let (outgoing, queue) = mpsc::unbounded_channel();
        let unread = Arc::new(AtomicUsize::new(0));
        let writer = tokio::spawn(write(output, queue, unread.clone())).abort_handle();
        let reader = tokio::spawn(read(conn, input, arrivals)).abort_handle();
        Self {
            outgoing,
            unread,
            reader,
            writer,
        }
    }

    /// Whether the client takes it, now or soon.
    pub(crate) fn send(&self, bytes: &[u8]) -> bool {
        let before = self.unread.fetch_add(bytes.len(), Ordering::Relaxed);
        before.saturating_add(bytes.len()) <= MOST_UNREAD
            && self.outgoing.send(bytes.to_vec()).is_ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        // A client that reads nothing would keep its writer forever.
        let writer = self.writer.clone();
        drop(tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            writer.abort();
        }));
    }
}

async fn read(conn: ConnId, mut input: OwnedReadHalf, arrivals: mpsc::Sender<(ConnId, Arrival)>) {
    loop {
        let mut bytes = Vec::with_capacity(4096);
        let arrival = match input.read_buf(&mut bytes).await {
            Ok(1..) => Arrival::Bytes(bytes),
            Ok(0) | Err(_) => Arrival::End,
        };
        let is_end = matches!(arrival, Arrival::End);
        if arrivals.send((conn, arrival)).await.is_err() || is_end {
            return;
        }
    }
}

async fn write(
    mut output: OwnedWriteHalf,
    mut queue: mpsc::UnboundedReceiver<Vec<u8>>,
    unread: Arc<AtomicUsize>,
) {
    while let Some(bytes) = queue.recv().await {
        if output.write_all(&bytes).await.is_err() {
            return;
        }
        let _ = unread.fetch_sub(bytes.len(), Ordering::Relaxed);
    }
    let _ = output.shutdown().await;
}
