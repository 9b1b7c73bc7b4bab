//! Who is inside what a lock protects, for tests with readers and writers on real servers.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_lite::future::yield_now;

use crate::raw::Value;
use crate::servers::Server;

/// How many read at this moment; −1: somebody writes. Panics if a writer is not alone.
#[derive(Clone, Default, Debug)]
pub struct Inside(Arc<AtomicI64>);

impl Inside {
    /// Somebody comes in to read.
    pub fn begin_to_read(&self) {
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        assert!(before >= 0, "while it is written");
    }

    /// One who reads leaves.
    pub fn end_to_read(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Reads for a moment.
    pub async fn read(&self) {
        self.begin_to_read();
        yield_now().await;
        self.end_to_read();
    }

    /// Writes for a moment.
    pub async fn write(&self) {
        self.write_beside(0).await;
    }

    /// The same, by one who reads before and after it.
    pub async fn write_as_reader(&self) {
        self.write_beside(1).await;
    }

    async fn write_beside(&self, readers: i64) {
        let before = self.0.swap(-1, Ordering::SeqCst);
        assert_eq!(before, readers, "while others are inside");
        yield_now().await;
        let after = self.0.swap(readers, Ordering::SeqCst);
        assert_eq!(after, -1, "somebody came in");
    }

    /// Writes under a plain lock on `k`, as every library for one server has it, again and again. `sleep` is that of the
    /// runtime.
    pub async fn write_with_plain_locks<F: Future>(
        &self,
        server: &Server,
        rounds: usize,
        sleep: impl Fn(Duration) -> F,
    ) {
        let mut raw = server.raw();
        for _ in 0..rounds {
            while raw.command(&["SET", "k", "plain", "NX", "PX", "600000"]) != Value::ok() {
                sleep(Duration::from_millis(1)).await;
            }
            self.write().await;
            assert_eq!(raw.command(&["DEL", "k"]), Value::Int(1));
            // The others have to get in, too.
            sleep(Duration::from_millis(2)).await;
        }
    }
}
