//! The settings of one client's connection, which commands read and change.

use alloc::vec::Vec;

use super::options::Options;

/// What a client has set for its connection.
pub(super) struct ClientState {
    pub(super) resp3: bool,
    pub(super) authenticated: bool,
    pub(super) database: u8,
    pub(super) name: Vec<u8>,
    /// Whether `CLIENT TRACKING` is on: it gets a push message when a key that it has read changes.
    pub(super) tracking: bool,
    /// Whether tracking was ever on. Only then can it be registered anywhere, which a disconnect has to undo.
    pub(super) has_tracked: bool,
    /// `OPTOUT`: `CLIENT CACHING NO` keeps the next command from registering it.
    pub(super) opt_out: bool,
    /// What `CLIENT CACHING` said right now.
    pub(super) caching_for_next: Option<bool>,
    /// It is not registered for what the current command reads.
    pub(super) skips_registration: bool,
    /// `NOLOOP`: no push messages about its own changes.
    pub(super) no_loop: bool,
    /// How far the data had changed with its last write.
    pub(super) wrote: u64,
    /// It has sent `QUIT`.
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
            opt_out: false,
            caching_for_next: None,
            skips_registration: false,
            no_loop: false,
            wrote: 0,
            quits: false,
        }
    }
}
