//! One client.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::options::Options;
use super::tracking::Change;
use crate::redis::resp::{DecodeLimits, Decoder, write_array, write_bulk, write_null, write_push};

/// One client: bytes that came, bytes that go, and what it has said about itself.
pub(super) struct Connection {
    pub(super) decoder: Decoder,
    pub(super) session: Session,
    /// Bytes to be sent.
    pub(super) out: Vec<u8>,
    /// Whether it waits in line to send.
    pub(super) queued: bool,
    /// Whether it ends when its bytes are sent.
    pub(super) closing: bool,
    /// How many bytes may wait to be sent.
    limit: usize,
}

impl Connection {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            decoder: Decoder::new(DecodeLimits {
                bytes: options.request_bytes,
                // A request is one array of strings.
                depth: 1,
                line: 64,
            }),
            session: Session::new(options),
            out: Vec::new(),
            queued: false,
            closing: false,
            limit: options.reply_bytes,
        }
    }

    /// Tells of a change, if it wants to hear of it.
    pub(super) fn tell(&mut self, change: &Change, its_own: bool) {
        let session = &self.session;
        if !session.tracking || !session.resp3 || self.closing {
            return;
        }
        match change {
            Change::Key(_) if its_own && session.no_loop => {}
            Change::Key(key) => {
                begin_push(&mut self.out);
                write_array(&mut self.out, 1);
                write_bulk(&mut self.out, key);
            }
            Change::All => {
                begin_push(&mut self.out);
                write_null(&mut self.out, true);
            }
        }
        self.limit_output();
    }

    /// Whoever does not read what it asked for must not fill the memory.
    pub(super) fn limit_output(&mut self) {
        if self.out.len() > self.limit {
            self.out = Vec::new();
            self.closing = true;
        }
    }

    /// Stands in line if there is something to be done.
    pub(super) fn enqueue(&mut self, id: u64, line: &mut VecDeque<u64>) {
        if !self.queued && (self.closing || !self.out.is_empty()) {
            self.queued = true;
            line.push_back(id);
        }
    }
}

fn begin_push(out: &mut Vec<u8>) {
    write_push(out, 2);
    write_bulk(out, b"invalidate");
}

/// What a client has said about itself.
pub(super) struct Session {
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

impl Session {
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
