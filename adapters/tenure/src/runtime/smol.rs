//! smol: its own executor over `async-io`.

use std::future::Future;
use std::io;
use std::task::Context;

use super::{Runtime, async_io};
use crate::address::Endpoint;

/// The global executor of smol.
#[derive(Debug)]
pub(crate) struct Smol;

impl Runtime for Smol {
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
        ::smol::spawn(driver).detach();
    }
}
