//! The servers of one kind, and the ways to them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tenure_tests::servers::{Kind, Server};

use crate::commands::Commands;
use crate::distance::relay;

/// One way to a server that is not on this machine; others are a multiple of it farther away.
const NEAR: Duration = Duration::from_micros(500);
const PINGS: usize = 50;

/// Three independent servers.
pub(crate) struct Site {
    servers: Vec<Server>,
    /// Ports of what stands between, by node and multiple of [`NEAR`].
    relays: BTreeMap<(usize, u32), u16>,
    keys: u32,
}

impl Site {
    pub(crate) fn start(kind: Kind) -> Self {
        Self {
            servers: (0..3).map(|_| Server::start(kind)).collect(),
            relays: BTreeMap::new(),
            keys: 0,
        }
    }

    /// A key that no case has used yet.
    pub(crate) fn fresh_key(&mut self) -> String {
        self.keys += 1;
        format!("k{}", self.keys)
    }

    /// So many servers for a client at this distance: 0 is this machine.
    pub(crate) fn urls(&mut self, nodes: usize, distance: u32) -> Vec<String> {
        let ports = (0..nodes).map(|node| self.port(node, distance));
        ports
            .map(|port| format!("redis://127.0.0.1:{port}"))
            .collect()
    }

    fn port(&mut self, node: usize, distance: u32) -> u16 {
        let direct = self.servers[node].port();
        match distance {
            0 => direct,
            _ => *self
                .relays
                .entry((node, distance))
                .or_insert_with(|| relay(direct, NEAR * distance)),
        }
    }

    /// What so many servers have executed so far.
    pub(crate) fn commands(&self, nodes: usize) -> Commands {
        Commands::of(&self.servers[..nodes])
    }

    /// Says how far away "far" really was.
    pub(crate) fn print_round_trips(&self) {
        let first = self.relays.iter().filter(|((node, _), _)| *node == 0);
        let trips: Vec<_> = first
            .map(|((_, distance), port)| format!("{distance}: {:.2} ms", round_trip(*port)))
            .collect();
        if !trips.is_empty() {
            println!("round trips by distance: {}", trips.join(", "));
        }
    }
}

/// The median of some, in milliseconds.
fn round_trip(port: u16) -> f64 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("open");
    stream.set_nodelay(true).expect("a TCP stream");
    let mut answer = [0; 7];
    let mut times = [0.0; PINGS];
    for time in &mut times {
        let start = Instant::now();
        stream.write_all(b"*1\r\n$4\r\nPING\r\n").expect("sent");
        stream.read_exact(&mut answer).expect("answered");
        *time = start.elapsed().as_secs_f64() * 1e3;
    }
    times.sort_by(f64::total_cmp);
    times[PINGS / 2]
}
