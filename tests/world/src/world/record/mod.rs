//! What a picture of a world needs, if somebody wants one: who said what to whom, who believed in what, and what went
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
    /// What clients asked for, in the order in which they did.
    pub claims: Vec<Claim>,
    /// What stood on servers.
    pub stored: Vec<Stored>,
    /// What went wrong, or was put right.
    pub faults: Vec<Fault>,
    /// When each client came.
    pub clients: Vec<Instant>,
    /// How many nodes there are.
    pub nodes: usize,
    /// The keys that were asked for, sorted.
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
    /// A server tells of a change without having been asked.
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
    /// When it was asked for.
    pub asked: Instant,
    /// When the client began to believe that it is its own.
    pub since: Option<Instant>,
    /// When it was told that the lease is longer.
    pub refreshed: Vec<Instant>,
    /// When it stopped to want it, or to believe in it.
    pub end: Option<Instant>,
    /// How that came; empty if the client had let go of it.
    pub how: String,
    /// Until when it may believe, on its own clock.
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
