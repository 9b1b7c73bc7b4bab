//! Which small world is searched, and how much may go wrong in it.

use std::time::Duration;

use tenure_core::{Arrangement, Config, Key, Keys, Mode, NodeConfig, NodeId, Renewal, Ttl};

use super::per_key::Commands;
use super::user::{User, Wants};

/// A small world.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the table calls it.
    pub name: &'static str,
    /// How many clients there are.
    pub clients: usize,
    /// How many nodes there are.
    pub nodes: usize,
    /// What several nodes are to each other.
    pub arrangement: Arrangement,
    /// How many locks each client asks for, one after the other.
    pub requests: u8,
    /// The users of each client; where there are none, each client has one that wants the key a.
    pub users: &'static [&'static [Wants]],
    /// Waits last for so long that none may end before its lock is obtained.
    pub patient: bool,
    /// How long each client waits.
    pub wait: Option<Duration>,
    /// Who keeps a lock alive.
    pub renewal: Renewal,
    /// Who else may hold the key, by client; where there are none, nobody.
    pub modes: &'static [Mode],
    /// Whether every grant gets a fence.
    pub fence: bool,
    /// The last fence of each node at the beginning, as failures have left them.
    pub counters: [u64; NODES],
    /// Whether nodes report changes.
    pub watch: bool,
    /// A node does not report that a key has expired: real servers do so many seconds late.
    pub silent: bool,
    /// The clocks of all nodes are as fast as the drift allows.
    pub early: bool,
    /// Whether two clients must never rely on the lock at once. A node that forgets what it has acknowledged makes
    /// that impossible, but for nodes in order: they would all have to forget.
    pub exclusive: bool,
    /// What is left of a node's keys when it crashes.
    pub memory: Memory,
    /// An answer arrives at once, unless it is one of [`Budget::withheld`]. What a client does next may be late still, so
    /// that little is lost, and much deeper worlds can be searched.
    pub prompt: bool,
    /// Old answers that change nothing do not arrive, where nothing can turn them into something that does.
    pub absorbs: bool,
    /// How nodes carry out what they are asked.
    pub commands: Commands,
    /// What may go wrong.
    pub budget: Budget,
}

/// What is left of a node's keys when it starts again.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Memory {
    /// Everything.
    Kept,
    /// Nothing, and it starts at once.
    Lost,
    /// Nothing, and it starts only when all that it knew has come to its end.
    LostAndLate,
}

/// How often each thing may happen.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Budget {
    /// Time goes on although something is on its way or due.
    pub late: u8,
    /// A connection breaks.
    pub cuts: u8,
    /// A node crashes.
    pub node_crashes: u8,
    /// A client crashes.
    pub client_crashes: u8,
    /// Where answers are prompt: one is not.
    pub withheld: u8,
    /// A client no longer wants what it asks for.
    pub cancels: u8,
    /// A client refreshes with another ttl.
    pub refreshes: u8,
    /// A client changes from one mode to the other.
    pub changes: u8,
}

impl Budget {
    /// What no user asks for.
    pub(super) const fn troubles(&self) -> [u8; 4] {
        [self.late, self.cuts, self.node_crashes, self.client_crashes]
    }

    /// Every budget from `least` up to this one. The number of refreshes stays, because it says which ttl comes next.
    pub(super) fn up_from(self, least: Self) -> impl Iterator<Item = Self> {
        let steps = |least: u8, most: u8| least..=most;
        steps(least.late, self.late).flat_map(move |late| {
            steps(least.cuts, self.cuts).flat_map(move |cuts| {
                steps(least.node_crashes, self.node_crashes).flat_map(move |node_crashes| {
                    steps(least.client_crashes, self.client_crashes).flat_map(
                        move |client_crashes| {
                            steps(least.withheld, self.withheld).flat_map(move |withheld| {
                                steps(least.cancels, self.cancels).map(move |cancels| Self {
                                    late,
                                    cuts,
                                    node_crashes,
                                    client_crashes,
                                    withheld,
                                    cancels,
                                    ..least
                                })
                            })
                        },
                    )
                })
            })
        })
    }
}

impl Setup {
    /// Two clients that wait for one key, without trouble.
    #[must_use]
    pub fn new(name: &'static str, nodes: usize, arrangement: Arrangement) -> Self {
        Self {
            name,
            clients: 2,
            nodes,
            arrangement,
            requests: 1,
            users: &[],
            patient: false,
            wait: Some(ttl().as_duration() * 2),
            renewal: Renewal::Manual,
            modes: &[],
            fence: false,
            counters: [0; NODES],
            watch: false,
            silent: false,
            early: true,
            exclusive: true,
            memory: Memory::Kept,
            prompt: false,
            absorbs: true,
            commands: Commands::Script,
            budget: Budget::default(),
        }
    }

    pub(super) fn config(&self) -> Config {
        let nodes = vec![NodeConfig::default(); self.nodes];
        let mut config = match self.nodes {
            1 => Config::single(NodeConfig::default()),
            _ => Config::new(nodes, self.arrangement).expect("a number of nodes that fits"),
        };
        config.request_timeout = TIMEOUT;
        config.turn = Duration::MAX;
        config
    }

    /// Nodes that are asked all at once are alike, and may change places.
    pub(super) fn has_equal_nodes(&self) -> bool {
        self.arrangement == Arrangement::Quorum
    }

    /// Clients that want the same are alike, and may change places.
    pub(super) fn has_equal_clients(&self) -> bool {
        let equal = |client| self.mode_of(client) == self.mode_of(0);
        self.users.is_empty() && (0..self.clients).all(equal)
    }

    /// A newcomer wants what the first one wants.
    pub(super) fn mode_of(&self, client: usize) -> Mode {
        let mode = self.modes.get(client).or_else(|| self.modes.first());
        mode.copied().unwrap_or_default()
    }

    pub(super) fn users_of(&self, client: usize) -> [User; USERS] {
        let wants = self.users.get(client).copied().unwrap_or(&[&["a"]]);
        let mut users = [User::default(); USERS];
        for (user, wants) in users.iter_mut().zip(wants) {
            *user = User::new(wants, self.requests);
        }
        users
    }
}

/// Keys by their letters.
pub(super) fn keys(letters: &str) -> Keys {
    let key = |letter: char| Key::new(letter.to_string()).expect("a short key");
    Keys::new(letters.chars().map(key)).expect("different keys")
}

/// The ttl of every request.
pub(super) fn ttl() -> Ttl {
    Ttl::new(Duration::from_millis(480)).expect("a ttl")
}

/// What a client refreshes its lock with.
pub(super) fn short_ttl() -> Ttl {
    Ttl::new(Duration::from_millis(240)).expect("a ttl")
}

/// No world has more nodes.
pub(super) const NODES: usize = 3;

/// No client has more users.
pub(super) const USERS: usize = 3;

/// The pause between attempts.
pub(super) const PAUSE: Duration = Duration::from_millis(60);

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_millis(120);

pub(super) fn node_id(index: usize) -> NodeId {
    NodeId::new(index).expect("few nodes")
}
