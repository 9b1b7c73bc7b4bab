//! A thread for each driver, for programs without a runtime.

use std::future::Future;
use std::io;
use std::task::Context;

use super::{Runtime, async_io};
use crate::address::Endpoint;

/// Threads of their own, over `async-io`.
#[derive(Debug)]
pub(crate) struct Threads;

impl Runtime for Threads {
    type Stream = async_io::Stream;
    type Timer = ::async_io::Timer;

    fn connect(to: Endpoint) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static {
        async_io::connect(to)
    }

    fn timer() -> Self::Timer {
        async_io::timer()
    }

    fn look(cx: &mut Context<'_>) {
        async_io::look(cx);
    }

    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        crate::blocking::run(driver);
    }
}
