//! Lockers for programs that use threads: the feature `blocking`.
//!
//! A thread per [`Locker`] moves bytes and renews locks. Everything else is done by the threads that call, and any number
//! of them may share a locker. It may be used inside an async program too, but its calls block the thread they are made on:
//! there, prefer the module of the runtime.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # fn work() {}
//! use std::time::Duration;
//!
//! let locker = tenure::blocking::connect("redis://127.0.0.1:6379")?;
//! let lock = locker.obtain("nightly").wait(Duration::from_secs(10)).block()?;
//! lock.on_lost(|loss| eprintln!("the lock is lost: {loss}"));
//! work();
//! lock.release();
//! # Ok(())
//! # }
//! ```

mod lock;
mod locker;

use std::future::Future;
use std::sync::OnceLock;
use std::thread;

use async_executor::Executor;

pub use lock::Lock;
pub use locker::{Locker, Memory, Obtaining, connect, memory};

/// Runs a driver on a thread of its own, and callbacks of its locks beside it.
pub(crate) fn run(driver: impl Future<Output = ()> + Send + 'static) {
    #[allow(
        clippy::expect_used,
        reason = "a program that can start no thread cannot go on"
    )]
    thread::Builder::new()
        .name("tenure".to_owned())
        .spawn(move || {
            async_io::block_on(tasks().run(driver));
            // The last thing that a driver does may be to report a loss.
            while tasks().try_tick() {}
        })
        .expect("a thread for the driver");
}

/// The tasks that wait for the ends of locks, for callbacks. Every driver's thread runs them.
fn tasks() -> &'static Executor<'static> {
    static TASKS: OnceLock<Executor<'static>> = OnceLock::new();
    TASKS.get_or_init(Executor::new)
}
