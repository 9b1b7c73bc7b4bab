//! Waiting until servers have come to a state.

use std::thread;
use std::time::{Duration, Instant};

use super::Server;

/// Servers greet or elect each other within some seconds; past this they never will.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Waits until this is there. Otherwise it panics with what is there instead.
#[track_caller]
pub(super) fn until(is: impl FnMut() -> Result<(), String>) {
    let mut is = is;
    let deadline = Instant::now() + LONGEST_WAIT;
    while let Err(instead) = is() {
        assert!(Instant::now() < deadline, "still: {instead}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until this is true of each server.
#[track_caller]
pub(super) fn wait<'a>(
    servers: impl IntoIterator<Item = &'a Server>,
    is: impl Fn(&Server) -> Result<(), String>,
) {
    for server in servers {
        until(|| is(server));
    }
}

/// Whether the reply to a command contains a line. A server that becomes a replica closes its connections.
pub(super) fn has_line(server: &Server, words: &[&str], line: &str) -> Result<(), String> {
    let reply = server.raw().try_command(words);
    let text = reply.map_err(|error| error.to_string())?.text();
    let found = text.lines().any(|other| other.trim_end() == line);
    found.then_some(()).ok_or(text)
}

/// Sends a command that is answered with `OK`.
#[track_caller]
pub(super) fn ok(server: &Server, words: &[&str]) {
    let reply = server.raw().command(words);
    assert_eq!(reply.text(), "OK", "{words:?}");
}
