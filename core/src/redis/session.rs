//! One connection to one server: connecting, handshake, requests, replies, wakes, and its end.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::config::Config;
use crate::event::{NodeError, NodeState};
use crate::fifo::Queue;
use crate::id::{NodeId, RequestId};
#[cfg(feature = "modes")]
use crate::lock::Status;
use crate::lock::{Holding, Op, Outcome};
use crate::locks::Locks;
use crate::redis::backoff::Backoff;
use crate::redis::capability::Capability;
use crate::redis::exchange::{Exchange, Finding};
use crate::redis::handshake::Handshake;
use crate::redis::outbox::Outbox;
use crate::redis::resp::{DecodeLimits, Decoder};
use crate::redis::wire::LastTtl;
use crate::time::{Instant, Micros};

mod read;
mod send;

use read::Read;

pub(crate) struct Session {
    setup: SessionSetup,
    handshake: Handshake,
    phase: Phase,
    decoder: Decoder,
    capability: Capability,
    /// How many requests may be open before each further one is checked: none where some requests need a script that the
    /// server does not run, else as many as the limit allows.
    check_from: usize,
    exchange: Exchange,
    /// The key of the last wake, without the prefix.
    woken: Vec<u8>,
    /// Requests to send after the handshake, or to send again with another command.
    waiting: Queue<RequestId>,
    out: Outbox,
    ttl: LastTtl,
    /// Whether the driver still has to connect, or to disconnect.
    connect: bool,
    disconnect: bool,
    backoff: Backoff,
    /// When the last handshake was done.
    ready_at: Instant,
    /// When bytes last arrived.
    received_at: Instant,
    /// Why there is no connection.
    error: NodeError,
    /// A good connection was lost and is being opened again: requests wait for that instead of failing.
    holds_requests: bool,
    /// A change of state that is still to be reported.
    change: Option<NodeState>,
    /// The last unknown error, in the server's words, and when it arrived.
    unknown: Option<(Instant, String)>,
}

#[derive(Clone, Debug)]
struct SessionSetup {
    request_timeout: Micros,
    connect_timeout: Duration,
    pending: usize,
    node: NodeId,
    /// Whether to probe a silent connection. A lent client manages its connection itself.
    probes: bool,
    prefix: Box<[u8]>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Phase {
    Down { retry_at: Instant },
    Connecting { deadline: Instant },
    Greeting { deadline: Instant },
    Ready,
}

/// What a session reports. Keys are without the prefix.
#[derive(Debug)]
pub(crate) enum Report<'a> {
    Outcome(RequestId, Outcome),
    Lost(RequestId, Outcome, NodeError),
    Found(RequestId, Vec<Option<Holding>>),
    #[cfg(feature = "modes")]
    Status(RequestId, Box<Status>),
    /// A key has changed, perhaps between two replies to this request.
    Wake(&'a [u8], Option<RequestId>),
    /// A key with the name of a bell has changed. With the prefix.
    #[cfg(feature = "modes")]
    Bell(&'a [u8], Option<RequestId>),
    WakeAll,
    State(NodeState),
}

impl Session {
    /// A session that wants to connect.
    pub(crate) fn new(config: &Config, node: NodeId, seed: u64, now: Instant) -> Self {
        let limits = DecodeLimits {
            bytes: config.limits.answer_bytes,
            ..DecodeLimits::default()
        };
        Self {
            setup: SessionSetup {
                request_timeout: config.request_timeout.into(),
                connect_timeout: config.connect_timeout,
                pending: config.limits.pending_requests,
                node,
                probes: config
                    .nodes()
                    .get(node.index())
                    .is_none_or(|node| !node.lent),
                prefix: config.prefix.clone(),
            },
            handshake: Handshake::new(config, node),
            phase: Phase::Connecting {
                deadline: now + config.connect_timeout,
            },
            decoder: Decoder::new(limits),
            capability: Capability::BASIC,
            check_from: config.limits.pending_requests,
            #[cfg(feature = "acks")]
            exchange: Exchange::with_acks(config.acks, config.request_timeout),
            #[cfg(not(feature = "acks"))]
            exchange: Exchange::default(),
            woken: Vec::new(),
            waiting: Queue::default(),
            out: Outbox::default(),
            ttl: LastTtl::default(),
            connect: true,
            disconnect: false,
            backoff: Backoff::new(config, seed, node),
            ready_at: now,
            received_at: now,
            error: NodeError::Disconnected,
            holds_requests: false,
            change: None,
            unknown: None,
        }
    }

    /// Sends the request, or keeps it until it can be sent. Returns whether it was sent.
    ///
    /// # Errors
    /// Why it was not sent.
    pub(crate) fn request(
        &mut self,
        request: RequestId,
        op: Op<'_>,
        now: Instant,
    ) -> Result<bool, NodeError> {
        // At least as many as there are requests of locks: those are counted only if it matters.
        if self.exchange.len().saturating_add(self.waiting.len()) >= self.check_from {
            self.check(op, now)?;
        }
        match self.phase {
            Phase::Down { .. } if !self.holds_requests => Err(self.error),
            Phase::Down { .. } | Phase::Connecting { .. } | Phase::Greeting { .. } => {
                self.waiting.push_back(request);
                Ok(false)
            }
            Phase::Ready => {
                self.send(request, op, now);
                Ok(true)
            }
        }
    }

    pub(crate) fn handle_connected(&mut self, now: Instant) {
        if let Phase::Connecting { .. } = self.phase {
            self.phase = Phase::Greeting {
                deadline: now + self.setup.connect_timeout,
            };
            self.capability = self.capability.anew();
            self.handshake.start(self.out.open());
        }
    }

    pub(crate) fn handle_input(&mut self, bytes: &[u8]) {
        if matches!(self.phase, Phase::Greeting { .. } | Phase::Ready) {
            self.decoder.feed(bytes);
        }
    }

    /// The connection is gone, as the driver reports.
    pub(crate) fn handle_disconnected(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Down { .. }) {
            self.hang_up(NodeError::Disconnected, now);
            self.disconnect = false;
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_none_or(|at| at > now) {
            return;
        }
        if let Phase::Down { .. } = self.phase {
            self.phase = Phase::Connecting {
                deadline: now + self.setup.connect_timeout,
            };
            self.connect = true;
        } else {
            self.hang_up(NodeError::TimedOut, now);
        }
    }

    /// Sends a probe if no bytes arrived for `silence` and no reply is due. Returns when to check again.
    pub(crate) fn probe(&mut self, silence: Micros, now: Instant) -> Instant {
        let due = self.received_at + silence;
        if self.phase != Phase::Ready || !self.setup.probes || self.exchange.oldest().is_some() {
            return now + silence;
        }
        if due > now {
            return due;
        }
        self.send_probe(now);
        now + silence
    }

    /// Bytes have arrived.
    #[inline]
    pub(crate) const fn note_received(&mut self, now: Instant) {
        self.received_at = now;
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Down { retry_at } => Some(retry_at),
            Phase::Connecting { deadline } | Phase::Greeting { deadline } => Some(deadline),
            Phase::Ready => self
                .exchange
                .oldest()
                .map(|at| at + self.setup.request_timeout),
        }
    }

    pub(crate) fn reason(&self) -> &'static str {
        match self.phase {
            Phase::Down { .. } => "connecting again",
            Phase::Connecting { .. } => "end of connecting",
            Phase::Greeting { .. } => "end of a handshake",
            Phase::Ready => "end of a request timeout",
        }
    }

    /// The request that the bytes at the start of `input` grant; they are removed. Anything else, and everything after it, is
    /// left for [`Session::handle_input`].
    #[inline]
    pub(crate) fn next_grant(&mut self, input: &mut &[u8]) -> Option<RequestId> {
        if input.is_empty() || !self.decoder.is_idle() {
            return None;
        }
        let (request, rest) = self.exchange.receive_granted(input)?;
        *input = rest;
        self.error = NodeError::Disconnected;
        Some(request)
    }

    /// The next report; `None` when there are no more.
    pub(crate) fn next_report(&mut self, locks: &Locks, now: Instant) -> Option<Report<'_>> {
        loop {
            if let Phase::Down { .. } = self.phase {
                return self.next_lost();
            }
            if let Some(state) = self.change.take() {
                return Some(Report::State(state));
            }
            match self.read(locks, now) {
                Read::Nothing => return None,
                Read::Handled => {}
                Read::Greeted => self.become_ready(now),
                Read::Answer(request, Finding::Outcome(outcome), why) => {
                    return Some(self.answered(request, outcome, why, now));
                }
                Read::Answer(request, Finding::Found(found), _) => {
                    return Some(Report::Found(request, found));
                }
                #[cfg(feature = "modes")]
                Read::Answer(request, Finding::Status(status), _) => {
                    return Some(Report::Status(request, status));
                }
                Read::Answer(request, Finding::Again, _) => {
                    self.waiting.push_back(request);
                    // Only another handshake could show that this has changed. Until then requests are refused.
                    if self.capability.is_useless() {
                        self.hang_up(NodeError::NoScripts, now);
                        self.holds_requests = false;
                    }
                }
                Read::WakeAll => return Some(Report::WakeAll),
                Read::Wake => return Some(self.wake()),
                #[cfg(feature = "modes")]
                Read::Bell => return Some(self.bell()),
                Read::Broken(error) => self.hang_up(error, now),
            }
        }
    }

    pub(crate) fn take_connect(&mut self) -> bool {
        core::mem::take(&mut self.connect)
    }

    pub(crate) fn take_disconnect(&mut self) -> bool {
        core::mem::take(&mut self.disconnect)
    }

    /// The last unknown error, in the server's words, and when it arrived.
    pub(crate) fn unknown_error(&self) -> Option<(Instant, &str)> {
        let (at, words) = self.unknown.as_ref()?;
        Some((*at, words))
    }

    /// The bytes to be sent next, once.
    pub(crate) fn transmit(&mut self) -> Option<&[u8]> {
        self.out.lend()
    }

    /// Whether the driver has something to do for it.
    pub(crate) fn has_output(&self) -> bool {
        // Without a branch for each: it is asked before every wait.
        self.has_bytes() | self.disconnect | self.connect
    }

    pub(crate) fn has_bytes(&self) -> bool {
        !self.out.is_empty()
    }

    fn become_ready(&mut self, now: Instant) {
        self.phase = Phase::Ready;
        self.check_from = if self.capability.scripts {
            self.setup.pending
        } else {
            0
        };
        self.ready_at = now;
        self.change = Some(NodeState::Ready {
            tracking: self.capability.tracking,
        });
    }

    fn hang_up(&mut self, error: NodeError, now: Instant) {
        self.holds_requests = self.phase == Phase::Ready && !error.hangs_up();
        if self.was_useful(error, now) {
            self.backoff.reset();
        }
        self.phase = Phase::Down {
            retry_at: now + self.backoff.pause(),
        };
        self.connect = false;
        self.disconnect = true;
        for script in self.exchange.unanswered_scripts() {
            self.capability.forget(script);
        }
        self.decoder.clear();
        self.out.open().clear();
        self.error = error;
        self.change = Some(NodeState::Down(error));
    }

    /// Whether the connection that ends with this error was of use, so that the next pause is short. A handshake alone does
    /// not count, nor does the reply of a wrong server; but a connection that lasted longer than any pause does.
    fn was_useful(&self, error: NodeError, now: Instant) -> bool {
        if self.phase != Phase::Ready {
            return false;
        }
        let answered = self.capability.sent() > self.exchange.len() && !error.hangs_up();
        answered || now.saturating_since(self.ready_at) > self.backoff.longest()
    }
}

/// Shows no bytes: they hold passwords and tokens.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("phase", &self.phase)
            .field("capability", &self.capability)
            .field("unanswered", &self.exchange.len())
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}
