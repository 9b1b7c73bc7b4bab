//! A thread for each driver, for programs without a runtime.

use std::future::Future;

use super::async_io::{Spawn, Under};

pub(crate) type Threads = Under<OwnThread>;

#[derive(Debug)]
pub(crate) struct OwnThread;

impl Spawn for OwnThread {
    fn spawn(driver: impl Future<Output = ()> + Send + 'static) {
        crate::blocking::run(driver);
    }
}
