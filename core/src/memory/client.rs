//! The settings of one client's connection, which commands read and change.

use alloc::vec::Vec;

use super::options::Options;

/// What a client has set for its connection.
pub(super) struct ClientState {
    pub(super) resp3: bool,
    pub(super) authenticated: bool,
    pub(super) database: u8,
    pub(super) name: Vec<u8>,
    /// Whether it wants to be told of changes to what it reads.
    pub(super) tracking: bool,
    /// Whether it ever wanted to.
    pub(super) has_tracked: bool,
    /// Whether it does not want to be told of its own changes.
    pub(super) no_loop: bool,
    /// Whether it has said that it goes.
    pub(super) quits: bool,
}

impl ClientState {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            resp3: false,
            authenticated: options.is_open(),
            database: 0,
            name: Vec::new(),
            tracking: false,
            has_tracked: false,
            no_loop: false,
            quits: false,
        }
    }
}
