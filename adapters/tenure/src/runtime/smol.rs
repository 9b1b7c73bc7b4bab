//! smol: its global executor over `async-io`.

use std::future::Future;

use super::async_io::{Spawn, Under};

pub(crate) type Smol = Under<Global>;

#[derive(Debug)]
pub(crate) struct Global;

impl Spawn for Global {
    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        ::smol::spawn(driver).detach();
    }
}
