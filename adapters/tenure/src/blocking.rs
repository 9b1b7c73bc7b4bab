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

pub use lock::Lock;
pub use locker::{Locker, Memory, Obtaining, connect, memory};
