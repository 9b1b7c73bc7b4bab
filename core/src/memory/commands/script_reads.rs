//! The reads of scripts, and the error that ends one.

use super::Call;

/// The error with which a script ended.
pub(super) type Failed = &'static [u8];

pub(super) const MISSING_ARGUMENT: Failed =
    b"ERR Lua redis lib command arguments must be strings or integers";

/// Registers the client as a reader of a key that the script reads, or of all its keys, as the server does.
pub(super) fn register(call: &mut Call<'_>, keys: &[&[u8]], key: &[u8]) {
    if call.session.tracking {
        let read = if call.state.options.scripts_read_all {
            keys
        } else {
            core::slice::from_ref(&key)
        };
        for key in read {
            call.register(key);
        }
    }
}
