//! A thread for each driver, for programs without a runtime.

use std::future::Future;
use std::sync::OnceLock;
use std::thread;

use async_executor::Executor;

use super::async_io::{Spawn, Under};

pub(crate) type Threads = Under<OwnThread>;

#[derive(Debug)]
pub(crate) struct OwnThread;

impl Spawn for OwnThread {
    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        run(driver);
    }
}

/// Runs a driver on a thread of its own, and callbacks of locks between its steps.
fn run(driver: impl Future<Output = ()> + Send + 'static) {
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

/// Tasks that wait for the end of a lock, to call back. The thread of every driver runs them.
pub(crate) fn tasks() -> &'static Executor<'static> {
    static TASKS: OnceLock<Executor<'static>> = OnceLock::new();
    TASKS.get_or_init(Executor::new)
}
