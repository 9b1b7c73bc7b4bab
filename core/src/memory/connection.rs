//! The connection of one client: its bytes in both directions, and its settings.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use super::client::ClientState;
use super::commands::{self, Call};
use super::options::Options;
use super::request::{NOT_A_REQUEST, RequestLimits, arguments};
use super::state::ServerState;
use super::tracking::Change;
use crate::redis::resp::{
    DecodeError, DecodeLimits, Decoder, write_array, write_bulk, write_error, write_null,
    write_push,
};

/// More bytes are needed before a request is complete.
pub(super) struct Incomplete;

/// The connection of one client.
pub(super) struct Connection {
    pub(super) decoder: Decoder,
    /// The beginning of a request that is not complete and has not been given to the decoder.
    pub(super) partial: Vec<u8>,
    /// How long `partial` must be before it is worth reading again: a large value in small pieces must not be read anew for
    /// each piece.
    pub(super) need: usize,
    pub(super) session: ClientState,
    /// Bytes to be sent.
    pub(super) out: Vec<u8>,
    /// Whether it is in the queue of connections with output.
    pub(super) queued: bool,
    /// Whether it is closed once its bytes are sent.
    pub(super) closing: bool,
    /// The most bytes that may wait to be sent.
    limit: usize,
}

/// Executes a request; an empty one is ignored, as in Redis. Not a method, because `args` may borrow from the decoder.
fn run(
    session: &mut ClientState,
    out: &mut Vec<u8>,
    id: u64,
    args: &[&[u8]],
    state: &mut ServerState,
) {
    if !args.is_empty() {
        let before = state.store.changes();
        commands::execute(&mut Call {
            args,
            id,
            state,
            session,
            out,
            has_written: false,
        });
        let after = state.store.changes();
        if after != before {
            session.wrote = after;
        }
    }
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
            partial: Vec::new(),
            need: 0,
            session: ClientState::new(options),
            out: Vec::new(),
            queued: false,
            closing: false,
            limit: options.reply_bytes,
        }
    }

    /// Appends these bytes to the kept ones and takes them all; `None` if none were kept.
    ///
    /// # Errors
    /// [`Incomplete`] if a request needs more.
    pub(super) fn join(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Incomplete> {
        if self.partial.is_empty() {
            return Ok(None);
        }
        self.partial.extend_from_slice(bytes);
        if self.partial.len() < self.need {
            return Err(Incomplete);
        }
        Ok(Some(mem::take(&mut self.partial)))
    }

    /// Keeps the last `left` bytes of what was read, until more arrive.
    pub(super) fn keep(&mut self, joined: Option<Vec<u8>>, bytes: &[u8], left: usize) {
        if let Some(mut all) = joined {
            all.drain(..all.len().saturating_sub(left));
            self.partial = all;
        } else if left > 0 {
            let from = bytes.len().saturating_sub(left);
            let rest = bytes.get(from..).unwrap_or_default();
            self.partial.extend_from_slice(rest);
        }
    }

    /// Executes one request and appends its reply.
    pub(super) fn execute(&mut self, id: u64, args: &[&[u8]], state: &mut ServerState) {
        run(&mut self.session, &mut self.out, id, args, state);
        self.finish_request();
    }

    /// What follows every request.
    fn finish_request(&mut self) {
        self.closing |= self.session.quits;
        self.limit_output();
    }

    /// Executes the next request of the decoder. Returns whether there was one.
    ///
    /// # Errors
    /// The error line to send before the connection is closed.
    pub(super) fn execute_next(
        &mut self,
        id: u64,
        limits: RequestLimits,
        state: &mut ServerState,
    ) -> Result<bool, &'static [u8]> {
        let request = match self.decoder.next_reply() {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(false),
            Err(DecodeError::Malformed | DecodeError::TooDeep) => return Err(NOT_A_REQUEST),
            Err(DecodeError::TooLarge) => return Err(b"ERR Protocol error: too big request"),
        };
        let args = arguments(request, limits.args)?;
        run(&mut self.session, &mut self.out, id, &args, state);
        self.finish_request();
        Ok(true)
    }

    /// Sends this error and then closes the connection.
    pub(super) fn hang_up(&mut self, id: u64, problem: &[u8], line: &mut VecDeque<u64>) {
        write_error(&mut self.out, problem);
        self.closing = true;
        self.enqueue(id, line);
    }

    /// Sends a push message about a change, if the client has tracking on.
    pub(super) fn notify(&mut self, change: &Change, its_own: bool) {
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

    /// Drops a client that does not read its replies: they must not fill the memory.
    pub(super) fn limit_output(&mut self) {
        if self.out.len() > self.limit {
            self.out = Vec::new();
            self.closing = true;
        }
    }

    /// Joins the queue of connections with output, if it has any.
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
