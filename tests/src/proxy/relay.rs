//! One connection through the proxy: a thread for each direction.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use resp_rs::ParseError;
use resp_rs::resp3::{Frame, parse_frame};

use super::fault::{Fault, Loss, Then};
use super::{Shared, lock};

/// What the server owes the client next.
#[derive(Clone, Copy)]
enum Due {
    /// A reply that passes.
    Reply,
    /// A reply that is lost, or after a lost command none at all.
    Loss(Loss),
}

/// What the two directions know of each other.
#[derive(Default)]
struct RelayState {
    due: VecDeque<Due>,
    /// A fault is on its way: what the client writes goes nowhere.
    deaf: bool,
    /// Nothing passes in either direction.
    silent: bool,
    /// The client has received an answer since it last wrote.
    answered: bool,
    /// Replies have been taken from the queue and are not yet with the client.
    delivering: bool,
    /// Not RESP: bytes pass as they are.
    opaque: bool,
}

pub(super) struct Relay {
    client: TcpStream,
    server: TcpStream,
    state: Mutex<RelayState>,
    shared: Arc<Shared>,
}

impl Relay {
    pub(super) fn start(client: TcpStream, server: TcpStream, shared: Arc<Shared>) -> Weak<Self> {
        // Fails only on a socket that is closed already.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let state = Mutex::new(RelayState {
            answered: true,
            ..RelayState::default()
        });
        let relay = Arc::new(Self {
            client,
            server,
            state,
            shared,
        });
        let (up, down) = (Arc::clone(&relay), Arc::clone(&relay));
        thread::spawn(move || up.pump_commands());
        thread::spawn(move || down.pump_replies());
        Arc::downgrade(&relay)
    }

    pub(super) fn cut(&self) {
        // Fails only where the other side was faster.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
    }

    pub(super) fn silence(&self) {
        lock(&self.state).silent = true;
    }

    fn end(&self, then: Then) {
        match then {
            Then::Cut => self.cut(),
            Then::Silence => self.silence(),
        }
    }

    /// From the client to the server.
    fn pump_commands(&self) {
        let mut pending = BytesMut::new();
        let mut begun = false;
        while let Some(chunk) = read(&self.client) {
            pending.extend_from_slice(&chunk);
            if !begun {
                begun = true;
                lock(&self.state).opaque = !matches!(pending.first(), Some(b'*' | b'H'));
            }
            let bytes = self.take_commands(&mut pending);
            if !bytes.is_empty() && (&self.server).write_all(&bytes).is_err() {
                break;
            }
        }
        // A half-open connection is one of which the server does not learn.
        if !lock(&self.state).silent {
            let _ = self.server.shutdown(Shutdown::Write);
        }
    }

    /// Takes all whole commands; returns those that reach the server.
    fn take_commands(&self, pending: &mut BytesMut) -> BytesMut {
        let mut passing = BytesMut::new();
        let mut state = lock(&self.state);
        let mut lost = state.deaf || state.silent;
        while let Some((command, bytes)) = state.take_command(pending, &mut passing) {
            // One fault is enough for a connection.
            let loss = if state.deaf || lost {
                None
            } else {
                self.shared.loss_of(&command)
            };
            self.shared.note(command);
            if let Some(loss) = loss {
                state.deaf = true;
                lost = loss.fault == Fault::Command;
                state.due.push_back(Due::Loss(loss));
            } else if !lost {
                state.due.push_back(Due::Reply);
            }
            if !lost {
                passing.extend_from_slice(&bytes);
            }
        }
        if state.silent {
            passing.clear();
        }
        if !passing.is_empty() && state.answered {
            state.answered = false;
            self.shared.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        if !state.delivering
            && let Some(then) = state.end_without_reply()
        {
            drop(state);
            self.end(then);
        }
        passing
    }

    /// From the server to the client.
    fn pump_replies(&self) {
        let mut pending = BytesMut::new();
        while let Some(chunk) = read(&self.server) {
            pending.extend_from_slice(&chunk);
            let (bytes, loss) = self.take_replies(&mut pending);
            self.shared.wait_while_holding();
            thread::sleep(Duration::from_micros(
                self.shared.delay_us.load(Ordering::SeqCst),
            ));
            let silent = lock(&self.state).silent;
            if !silent && (&self.client).write_all(&bytes).is_err() {
                break;
            }
            let mut state = lock(&self.state);
            state.delivering = false;
            let then = loss
                .map(|loss| loss.then)
                .or_else(|| state.end_without_reply());
            drop(state);
            if let Some(then) = then {
                self.end(then);
            }
        }
        if !lock(&self.state).silent {
            self.cut();
        }
    }

    /// Takes all whole replies; returns what reaches the client, and the loss of the reply behind it.
    fn take_replies(&self, pending: &mut BytesMut) -> (BytesMut, Option<Loss>) {
        let mut passing = BytesMut::new();
        let mut state = lock(&self.state);
        state.delivering = true;
        while let Some((frame, bytes)) = state.take_frame(pending, &mut passing) {
            if matches!(frame, Frame::Push(_)) {
                passing.extend_from_slice(&bytes);
                continue;
            }
            state.answered = true;
            if let Some(Due::Loss(loss)) = state.due.pop_front() {
                if let Fault::Reply { kept } = loss.fault {
                    passing.extend_from_slice(&bytes[..kept.min(bytes.len())]);
                }
                return (passing, Some(loss));
            }
            passing.extend_from_slice(&bytes);
        }
        (passing, None)
    }
}

impl RelayState {
    /// Takes one whole command, as text, and its bytes from the front. A client may greet in a line of words.
    fn take_command(
        &mut self,
        pending: &mut BytesMut,
        passing: &mut BytesMut,
    ) -> Option<(String, Bytes)> {
        if !pending.starts_with(b"HELLO ") {
            let (frame, bytes) = self.take_frame(pending, passing)?;
            return Some((text(&frame), bytes));
        }
        let end = pending.windows(2).position(|two| two == b"\r\n")?;
        let bytes = pending.split_to(end + 2).freeze();
        let words = String::from_utf8_lossy(&bytes[..end]).into_owned();
        Some((words, bytes))
    }

    /// Takes one whole frame and its bytes from the front. What is not RESP passes as it is.
    fn take_frame(
        &mut self,
        pending: &mut BytesMut,
        passing: &mut BytesMut,
    ) -> Option<(Frame, Bytes)> {
        let parsed = if self.opaque {
            Err(ParseError::InvalidFormat)
        } else {
            parse_frame(Bytes::copy_from_slice(pending))
        };
        match parsed {
            Ok((frame, rest)) => {
                let length = pending.len() - rest.len();
                Some((frame, pending.split_to(length).freeze()))
            }
            Err(ParseError::Incomplete) => None,
            Err(_) => {
                self.opaque = true;
                passing.unsplit(pending.split());
                None
            }
        }
    }

    /// How the connection goes on when its next command has been lost: no reply will come that could carry that out.
    fn end_without_reply(&self) -> Option<Then> {
        match self.due.front() {
            Some(Due::Loss(loss)) if loss.fault == Fault::Command => Some(loss.then),
            _ => None,
        }
    }
}

/// The next bytes; none at the end of the connection, however it came.
fn read(mut stream: &TcpStream) -> Option<Bytes> {
    let mut chunk = vec![0; 64 * 1024];
    let n = stream.read(&mut chunk).ok().filter(|&n| n > 0)?;
    chunk.truncate(n);
    Some(chunk.into())
}

/// A command as words.
fn text(frame: &Frame) -> String {
    let words = frame.as_array().unwrap_or_default().iter();
    let words: Vec<_> = words
        .filter_map(Frame::as_bytes)
        .map(|word| String::from_utf8_lossy(word))
        .collect();
    words.join(" ")
}
