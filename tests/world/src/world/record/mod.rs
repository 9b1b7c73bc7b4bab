//! The data of a picture, recorded if requested: who sent what to whom, who held which lock, and what went
//! wrong. All instants are true time.

mod keys;
mod note;

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use tenure_core::{Instant, LockId};

/// Everything that happened, as long as it lasted.
#[derive(Default, Debug)]
pub struct Record {
    /// In the order in which they were sent.
    pub messages: Vec<Message>,
    /// What clients requested, in order.
    pub claims: Vec<Claim>,
    /// What stood on servers.
    pub stored: Vec<Stored>,
    /// What went wrong, or was put right.
    pub faults: Vec<Fault>,
    /// When each client came.
    pub clients: Vec<Instant>,
    /// How many nodes there are.
    pub nodes: usize,
    /// The requested keys, sorted.
    pub keys: Vec<String>,
    /// When it was over.
    pub end: Instant,
    /// Per connection and direction.
    pipes: BTreeMap<(usize, bool), Pipe>,
    /// Who wrote which value.
    writers: BTreeMap<Box<[u8]>, usize>,
}

/// Bytes that were sent in one go.
#[derive(Clone, Debug)]
pub struct Message {
    /// Whose connection it is.
    pub client: usize,
    /// The node at its other end.
    pub node: usize,
    /// What it is.
    pub kind: Kind,
    /// From the client to the node.
    pub up: bool,
    /// When it was sent.
    pub sent: Instant,
    /// When all of it had arrived, or was lost; `None` if it was still under way at the end.
    pub done: Option<Instant>,
    /// Not all of it arrived.
    pub lost: bool,
    /// What it says, in short.
    pub text: String,
}

/// What a message is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A client introduces itself on a new connection, or is answered to that.
    Introduction,
    /// A client asks.
    Request,
    /// A server answers.
    Answer,
    /// A server reports a change in a push message.
    Wake,
}

/// What a client wanted and perhaps had.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Whose it is.
    pub client: usize,
    /// Which lock.
    pub lock: LockId,
    /// The keys, in order.
    pub keys: Vec<String>,
    /// When it was requested.
    pub requested_at: Instant,
    /// When it was obtained.
    pub since: Option<Instant>,
    /// When the lease was reported to be longer.
    pub refreshed: Vec<Instant>,
    /// When the client no longer wanted or held it.
    pub end: Option<Instant>,
    /// Why it ended; empty if the client released it.
    pub how: String,
    /// The end of the lease, on the clock of the client.
    until: Instant,
}

/// A value that stood on a server.
#[derive(Clone, Debug)]
pub struct Stored {
    /// On which node.
    pub node: usize,
    /// Under which key.
    pub key: String,
    /// Who wrote it; `None` if it was no client.
    pub client: Option<usize>,
    /// From when.
    pub since: Instant,
    /// Until when; before that it may have been prolonged.
    pub end: Instant,
    value: Box<[u8]>,
    open: bool,
}

/// Something that went wrong, for a moment or for a while.
#[derive(Clone, Debug)]
pub struct Fault {
    /// To whom.
    pub place: Place,
    /// What, in a word or two.
    pub what: String,
    /// From when.
    pub since: Instant,
    /// Until when: the same instant if it had no duration.
    pub end: Instant,
    open: Option<Lasting>,
}

/// Where something went wrong.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// A client.
    Client(usize),
    /// A node.
    Node(usize),
    /// The link of a client to a node.
    Link(usize, usize),
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client) => write!(f, "client {client}"),
            Self::Node(node) => write!(f, "node {node}"),
            Self::Link(client, node) => write!(f, "client {client} to node {node}"),
        }
    }
}

/// What may go wrong for a while. Of each kind there is one at a time and place.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Lasting {
    Weather,
    Asleep,
    Paused,
    Down,
    Refusing,
    Clock,
}

impl Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Weather => "bad weather",
            Self::Asleep => "asleep",
            Self::Paused => "paused",
            Self::Down => "down",
            Self::Refusing => "refusing",
            Self::Clock => "a wrong clock",
        })
    }
}

/// What is on its way in one direction of a connection.
#[derive(Default, Debug)]
struct Pipe {
    sent: usize,
    arrived: usize,
    /// Up to which byte a message goes, and which one it is.
    under_way: Vec<(usize, usize)>,
    introducing: bool,
}
