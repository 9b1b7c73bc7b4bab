//! Any bytes from the clients of the embedded server.

use tenure_core::Instant;
use tenure_core::memory::{ConnId, Options, Output, Server};
use tenure_core::redis::Script;

use super::pieces;

const CLIENTS: usize = 3;
const MOST_KEYS: usize = 16;
/// What one client may be sent before it is drained: the limit, and the error that says why it is closed.
const MOST_SENT: usize = (16 << 10) + 128;

/// The input is a list of steps. The first byte of each says who sends, what time it is, and how much of the rest.
///
/// # Panics
/// If a limit is passed, output does not end, or the same input gives another output when it is split differently.
pub fn memory(input: &[u8]) {
    let whole = run(input, false);
    assert_eq!(whole, run(input, true), "splits change what is sent");
}

/// What each client was sent, and whether it was closed.
type Sent = Vec<(Vec<u8>, bool)>;

fn run(input: &[u8], split: bool) -> Sent {
    let mut options = Options::default();
    options.max_connections = CLIENTS;
    options.max_keys = MOST_KEYS;
    options.max_bytes = 4 << 10;
    options.max_tracked_bytes = 1 << 10;
    options.request_bytes = 4 << 10;
    options.request_args = 16;
    options.reply_bytes = 16 << 10;
    let mut server = Server::new(options);
    let clients: Vec<ConnId> = (0..CLIENTS).map(|_| server.connect()).collect();
    let mut sent: Sent = vec![(Vec::new(), false); CLIENTS];
    let mut now = 0;
    let mut rest = input;
    while let Some((step, after)) = rest.split_first() {
        let client = usize::from(step % 4);
        now += u64::from(step >> 4) * 500;
        let at = Instant::from_micros(now);
        server.handle_timeout(at);
        let Some(conn) = clients.get(client) else {
            drain(&mut server, &clients, &mut sent, at);
            rest = after;
            continue;
        };
        let length = after.first().map_or(0, |length| usize::from(*length));
        let after = after.get(1..).unwrap_or_default();
        let (bytes, next) = after.split_at(length.min(after.len()));
        rest = next;
        let bytes = expand(bytes);
        // Not drained in between: what may wait to be sent is limited.
        let whole = [bytes.as_slice()];
        let pieces = if split {
            pieces(&bytes, *step)
        } else {
            whole.to_vec()
        };
        for piece in pieces {
            server.handle_input(*conn, piece, at);
        }
        drain(&mut server, &clients, &mut sent, at);
    }
    sent
}

/// A byte from 0x80 on is a part that a fuzzer would hardly find: a whole command, or a hash.
fn expand(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in bytes {
        match byte.checked_sub(0x80) {
            None => out.push(*byte),
            Some(index) => match PARTS.get(usize::from(index)) {
                Some(part) => out.extend_from_slice(part),
                None => {
                    let script = Script::ALL[usize::from(index) % Script::ALL.len()];
                    out.extend_from_slice(b"$40\r\n");
                    out.extend_from_slice(script.sha().as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
            },
        }
    }
    out
}

const PARTS: &[&[u8]] = &[
    b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    b"*3\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n",
    b"*4\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$6\r\nNOLOOP\r\n",
    b"*6\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nNX\r\n$2\r\nPX\r\n$1\r\n5\r\n",
    b"*2\r\n$4\r\nPTTL\r\n$1\r\nk\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"*3\r\n$7\r\nDELIFEQ\r\n$1\r\nk\r\n$1\r\nv\r\n",
    b"*1\r\n$8\r\nFLUSHALL\r\n",
    b"$3\r\nSET\r\n",
    b"$1\r\nk\r\n",
    b"$1\r\nj\r\n",
    b"$1\r\nv\r\n",
    b"$1\r\n2\r\n",
    b"$7\r\nEVALSHA\r\n",
    b"*6\r\n",
    b"*7\r\n",
    b"$7\r\nPEXPIRE\r\n",
    b"*3\r\n",
    b"*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$1\r\nv\r\n",
    b"*2\r\n$4\r\nINFO\r\n$1\r\nk\r\n",
    b"*1\r\n$7\r\nCOMMAND\r\n",
    b"*1\r\n$5\r\nRESET\r\n",
    b"*1\r\n$4\r\nQUIT\r\n",
];

fn drain(server: &mut Server, clients: &[ConnId], sent: &mut Sent, now: Instant) {
    let index = |conn| {
        clients
            .iter()
            .position(|each| *each == conn)
            .expect("one of ours")
    };
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds <= 2 * CLIENTS + 1, "output does not end");
        match server.poll_output() {
            Output::Transmit { conn, bytes } => {
                assert!(
                    !bytes.is_empty() && bytes.len() <= MOST_SENT,
                    "{}",
                    bytes.len()
                );
                assert!(!sent[index(conn)].1, "sent after it was closed");
                sent[index(conn)].0.extend_from_slice(bytes);
            }
            Output::Disconnect(conn) => sent[index(conn)].1 = true,
            Output::Timeout(at) => {
                assert!(at.is_none_or(|at| at > now), "a timeout that is over");
                break;
            }
        }
    }
    assert!(server.len(now) <= MOST_KEYS);
}
