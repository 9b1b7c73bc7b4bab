//! Who takes part in a schedule: the header, decoded.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Config, NodeConfig, Rng};

use super::HEADER;
use super::extras::{Extras, Servers, Tokens};
use crate::world::{ClientId, Clock, DRIFT, TRUE_RATE, World};

/// What the header chooses.
pub(crate) struct Setup {
    pub(crate) nodes: usize,
    pub(crate) arrangement: Arrangement,
    pub(crate) clients: usize,
    pub(crate) keys: usize,
    /// Assumptions may be broken: amnesia, failover with loss, clocks out of bounds, keys changed by hand.
    pub(crate) wild: bool,
    /// Nothing goes wrong.
    pub(crate) calm: bool,
    /// Faults delay nothing: a client can still release in time a grant whose reply it never received.
    pub(crate) mild: bool,
    latency: Duration,
    jitter: Duration,
    splits: bool,
    same_clocks: bool,
    /// Drivers ask their engines after each batch of what happens, not after each input.
    lazy: bool,
    options: Options,
    pub(crate) request_timeout: Duration,
    turn: Duration,
    prepare: bool,
    prefix: bool,
    pub(crate) extras: Extras,
    pub(crate) seed: u64,
}

const MS: Duration = Duration::from_millis(1);

impl Setup {
    pub(crate) fn new(header: &[u8; HEADER]) -> Self {
        const NODES: [usize; 16] = [1, 1, 3, 3, 1, 5, 2, 3, 1, 4, 3, 1, 2, 5, 1, 3];
        const CLIENTS: [usize; 16] = [1, 2, 2, 2, 3, 3, 3, 4, 2, 3, 4, 5, 6, 8, 2, 3];
        let pick = |byte: usize, shift: u8, mask: u8| usize::from(header[byte] >> shift & mask);
        let nodes = NODES[pick(0, 0, 15)];
        let quorum = nodes >= 3 && pick(0, 4, 3) != 0;
        let latency = [MS / 5, MS, MS, MS * 10][pick(4, 0, 3)];
        let mild = pick(7, 2, 3) == 2;
        let mut jitter = [Duration::ZERO, latency, latency * 4, latency * 16][pick(4, 2, 3)];
        if mild {
            jitter = jitter.min(latency);
        }
        let mut options = Options::default();
        options.tracking = pick(3, 0, 7) != 0;
        options.compare = pick(3, 3, 1) != 0;
        options.resp3 = pick(3, 4, 7) != 0;
        options.announce_expiry = pick(3, 7, 1) != 0;
        options.scripts_read_all = pick(5, 5, 1) != 0;
        let extras = Extras::new(header);
        extras.restrict(&mut options);
        let mut seed = [0; 8];
        seed.copy_from_slice(&header[8..16]);
        Self {
            nodes,
            arrangement: if quorum {
                Arrangement::Quorum
            } else {
                Arrangement::Ordered
            },
            clients: CLIENTS[pick(1, 0, 15)],
            keys: [1, 1, 2, 3][pick(2, 0, 3)],
            wild: pick(7, 0, 3) == 3 && !mild,
            calm: pick(7, 2, 3) == 3,
            mild,
            latency,
            jitter,
            splits: pick(4, 4, 3) != 0,
            same_clocks: pick(6, 0, 3) == 0,
            lazy: pick(6, 2, 3) == 3,
            options,
            // Answers come in time unless something is wrong.
            request_timeout: [MS * 1000, MS * 1000, MS * 300, MS * 2000][pick(5, 0, 3)]
                .max(4 * (latency + jitter)),
            turn: [MS * 20, Duration::ZERO, MS, MS * 5][pick(5, 2, 3)],
            prepare: pick(5, 4, 1) != 0,
            prefix: pick(5, 6, 1) != 0 && pick(5, 7, 1) != 0,
            extras,
            seed: u64::from_le_bytes(seed),
        }
    }

    /// How long a round takes while nothing goes wrong: one node after the other, and once more for scripts that the servers
    /// do not have.
    pub(crate) fn longest_round(&self) -> Duration {
        let trips = 4 * u32::try_from(self.nodes).unwrap_or(1);
        (self.latency + self.jitter) * trips
    }

    /// Servers run no scripts, and nothing that they do is refused: nobody chooses a token, and no server loses a command.
    pub(crate) fn needs_all_commands(&self) -> bool {
        !self.options.scripts && !self.extras.lacks_commands(&self.options)
    }

    /// Names of what not every schedule has.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.extras.names(&self.options)
    }

    /// Who takes part, and what they have to reckon with.
    pub(crate) fn describe(&self) -> String {
        let of = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let nodes = match (self.nodes, self.arrangement) {
            (1, _) => "1 node".to_owned(),
            (nodes, Arrangement::Quorum) => format!("quorum of {nodes} nodes"),
            (nodes, _) => format!("{nodes} nodes in order"),
        };
        let faults = match (self.calm, self.mild, self.wild) {
            (true, ..) => "nothing goes wrong",
            (_, true, _) => "faults that delay nothing",
            (.., true) => "any faults",
            _ => "faults within the assumptions",
        };
        let (clients, keys) = (of(self.clients, "client"), of(self.keys, "key"));
        let (least, most) = (self.latency, self.latency + self.jitter);
        let mut all =
            format!("{nodes}, {clients}, {keys}, latency {least:?} to {most:?}, {faults}");
        for name in self.names() {
            all += ", ";
            all += name;
        }
        all
    }

    pub(crate) fn world(&self, watched: bool) -> World {
        let (timeout, turn, prefix) = (self.request_timeout, self.turn, self.prefix);
        let extras = self.extras;
        let configure = move |config: &mut Config| {
            config.request_timeout = timeout;
            config.turn = turn;
            extras.limit(config);
            if prefix {
                config.prefix = b"app:".as_slice().into();
            }
        };
        let mut world = World::with(
            self.nodes,
            self.arrangement,
            self.options.clone(),
            configure,
        );
        let node = NodeConfig {
            prepare: self.prepare,
            ..NodeConfig::default()
        };
        world.for_schedule(node, self.prefix, self.seed, self.lazy, watched);
        world.set_longest(Duration::from_millis(LONGEST_MS));
        if extras.lacks_commands(&self.options) {
            world.gives_final_errors();
        }
        if extras.servers == Servers::WithoutPttl || extras.limited {
            world.has_no_wakes();
        }
        if extras.tokens == Tokens::Everybody {
            world.shares_tokens();
        }
        if self.calm && extras.tokens != Tokens::Everybody {
            world.expect_calm(self.longest_round());
        }
        let mut rng = Rng::new(self.seed);
        for node in 0..self.nodes {
            world.server_clock(node, self.clock(&mut rng));
        }
        for _ in 0..self.clients {
            self.client(&mut world, &mut rng);
        }
        if let Some((each, work)) = extras.work() {
            for client in 0..self.clients {
                for _ in 0..each {
                    world.work(ClientId(client), work.clone());
                }
            }
        }
        world
    }

    /// How long it takes at most until a release has been to all nodes that answer, whatever others do.
    pub(crate) fn longest_release(&self) -> Duration {
        let nodes = u32::try_from(self.nodes).unwrap_or(1);
        // And a pause before what was not answered is tried again.
        (self.request_timeout + 4 * (self.latency + self.jitter)) * nodes + MS * 1100
    }

    pub(crate) fn client(&self, world: &mut World, rng: &mut Rng) -> ClientId {
        let clock = self.clock(rng);
        let habits = (self.latency, self.jitter, self.splits);
        world.client_on(clock, habits, rng.next_u64())
    }

    fn clock(&self, rng: &mut Rng) -> Clock {
        if self.same_clocks {
            return Clock::new(0, TRUE_RATE);
        }
        Clock::new(rng.below(1 << 40), allowed_rate(rng))
    }
}

/// The longest ttl that a schedule asks for.
pub(crate) const LONGEST_MS: u64 = 8000;

/// A rate within the bounds, most often at one of their ends.
pub(crate) fn allowed_rate(rng: &mut Rng) -> u64 {
    match rng.below(4) {
        0 => TRUE_RATE - DRIFT,
        1 => TRUE_RATE + DRIFT,
        _ => TRUE_RATE - DRIFT + rng.below(2 * DRIFT + 1),
    }
}
