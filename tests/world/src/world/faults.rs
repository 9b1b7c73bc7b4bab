//! What can be done to a world.

use std::time::Duration;

use tenure_core::LockId;
use tenure_core::memory::{self, Server};

use super::client::Client;
use super::log::Input;
use super::net::{Conn, Weather};
use super::{ClientId, Clock, Happening, Lasting, Place, TRUE_RATE, World};

impl World {
    /// A server, for tests that read or change its state.
    pub fn server(&mut self, node: usize) -> &mut Server {
        &mut self.nodes[node].server
    }

    /// Sends one command from a connection of its own, as an operator would, and gives the answer.
    pub fn command(&mut self, node: usize, args: &[&[u8]]) -> Vec<u8> {
        let of = &mut self.nodes[node];
        let own = of.clock.read(self.now);
        let conn = of.server.connect();
        let mut bytes = Vec::new();
        let mut command = tenure_core::redis::resp::command(&mut bytes, args.len());
        for arg in args {
            command.arg(arg);
        }
        of.server.handle_input(conn, &bytes, own);
        let mut answer = Vec::new();
        let mut others = Vec::new();
        loop {
            match of.server.poll_output() {
                memory::Output::Transmit { conn: to, bytes } if to == conn => {
                    answer.extend_from_slice(bytes);
                }
                memory::Output::Transmit { conn, bytes } => others.push((conn, bytes.to_vec())),
                memory::Output::Disconnect(_) | memory::Output::Timeout(_) => break,
            }
        }
        of.server.handle_disconnected(conn);
        for (conn, bytes) in others {
            if let Some((_, index)) = of.open.iter().find(|(id, _)| *id == conn) {
                self.net.answer(*index, &bytes, self.now);
            }
        }
        self.carry_answers(node);
        if !matches!(
            args,
            [b"GET" | b"EXISTS" | b"PTTL" | b"TYPE" | b"DBSIZE", ..]
        ) {
            self.oracle.damage(node, self.now);
            let verb = String::from_utf8_lossy(args[0]);
            self.happens(Place::Node(node), format!("{verb} by hand"));
        }
        answer
    }

    /// Sets what the link of a client to a node does from now on.
    pub fn weather(&mut self, client: ClientId, node: usize, weather: Weather) {
        let what = match weather {
            Weather::Fair => None,
            Weather::Silent => Some("silent"),
            Weather::Deaf => Some("answers lost"),
            Weather::Refusing => Some("refused"),
            Weather::Holding => Some("held back"),
        };
        self.set_fault(Place::Link(client.0, node), Lasting::Weather, what);
        self.net.links[client.0][node].weather = weather;
        self.net.deliver_due(self.now, |conn| {
            conn.client == client.0 && conn.node == node
        });
    }

    /// Breaks the connection of a client to a node: what was on its way is lost.
    pub fn cut(&mut self, client: ClientId, node: usize) {
        self.cut_keeping(client, node, 0, 0);
    }

    /// Breaks a connection in the middle of what was on its way: so much per mille of it still arrives.
    pub fn cut_keeping(&mut self, client: ClientId, node: usize, up: usize, down: usize) {
        if self.net.links[client.0][node].current.is_some() {
            self.happens(Place::Link(client.0, node), "cut");
            self.break_off(client, node, up, down);
        }
    }

    fn break_off(&mut self, client: ClientId, node: usize, up: usize, down: usize) {
        if let Some(index) = self.net.links[client.0][node].current {
            let conn = &self.net.conns[index];
            let keep = (
                conn.up.pending() * up / 1000,
                conn.down.pending() * down / 1000,
            );
            self.net.cut(index, keep, self.now);
        }
    }

    /// What is on its way on the present connection stays there until [`World::unstick`], whatever becomes of the
    /// connection and of later ones. Gives its number.
    pub fn stick(&mut self, client: ClientId, node: usize) -> Option<usize> {
        let conn = self.net.links[client.0][node].current?;
        self.net.conns[conn].stuck = true;
        self.happens(Place::Link(client.0, node), "bytes stuck");
        Some(conn)
    }

    /// What was kept on a connection arrives.
    pub fn unstick(&mut self, conn: usize) {
        let Conn { client, node, .. } = self.net.conns[conn];
        self.note_trouble(Place::Link(client, node));
        self.net.conns[conn].stuck = false;
        self.net.deliver_due_on(conn, self.now);
    }

    /// Ends a server and starts it again, empty. Everybody's connection breaks.
    pub fn restart(&mut self, node: usize) {
        self.happens(Place::Node(node), "restarts empty");
        self.cut_all(node);
        self.nodes[node].server.restart();
        self.carry_answers(node);
        self.oracle.damage(node, self.now);
    }

    /// Ends a server and starts it again with all that it had; only the scripts are gone.
    pub fn crash(&mut self, node: usize) {
        self.happens(Place::Node(node), "crashes");
        self.cut_all(node);
        self.nodes[node].server.flush_scripts();
    }

    /// A server that is down refuses connections.
    pub fn down(&mut self, node: usize, down: bool) {
        self.set_fault(Place::Node(node), Lasting::Down, down.then_some("down"));
        self.nodes[node].down = down;
    }

    pub(super) fn cut_all(&mut self, node: usize) {
        let open: Vec<_> = self.nodes[node].open.drain(..).collect();
        for (id, conn) in open {
            self.net.cut(conn, (0, 0), self.now);
            self.nodes[node].server.handle_disconnected(id);
            self.net.conns[conn].server = None;
        }
    }

    /// Whether a server answers with an error, as its options say: the oracle does not look into them.
    pub fn refuses(&mut self, node: usize, refuses: bool) {
        self.nodes[node].refuses = refuses;
        self.nodes[node].reads = false;
        if !refuses && std::mem::take(&mut self.nodes[node].is_final) {
            self.refused = self.refused.max(Some(self.now));
        }
    }

    /// A server answers writes with an error; with `reads` it still answers reads.
    pub(crate) fn refuses_writes(&mut self, node: usize, reads: bool) {
        self.refuses(node, true);
        self.nodes[node].reads = reads;
    }

    /// The same, and from now on its errors are final.
    pub fn refuses_for_good(&mut self, node: usize) {
        self.refuses(node, true);
        self.nodes[node].is_final = true;
    }

    /// From now on push messages of a server to a client are lost, or no longer.
    pub fn lose_pushes(&mut self, client: ClientId, node: usize, lose: bool) {
        let what = lose.then_some("pushes lost");
        self.set_fault(Place::Link(client.0, node), Lasting::Weather, what);
        self.net.links[client.0][node].loses_pushes = lose;
    }

    /// Renames a key by hand: it keeps its value and its time.
    pub(crate) fn rename(&mut self, node: usize, from: &[u8], to: &[u8]) {
        let of = &self.nodes[node];
        let own = of.clock.read(self.now).as_micros() / 1000;
        let held = of.server.holding(from, of.clock.read(self.now));
        let Some((value, Some(last))) = held else {
            return;
        };
        let (value, left) = (value.to_vec(), (last + 1).saturating_sub(own).max(1));
        self.command(node, &[b"DEL", from]);
        self.command(
            node,
            &[b"SET", to, &value, b"PX", left.to_string().as_bytes()],
        );
    }

    /// Exchanges databases 0 and 1 by hand, which no client is notified of.
    pub(crate) fn swap_databases(&mut self, node: usize) {
        self.nodes[node].server.swap_databases(0, 1);
        self.oracle.damage(node, self.now);
        for links in &mut self.net.links {
            links[node].lost_push = Some(self.now);
        }
        self.happens(Place::Node(node), "SWAPDB by hand");
    }

    /// Deletes what was left in database 1.
    pub(crate) fn flush_swapped(&mut self, node: usize) {
        self.nodes[node].server.swap_databases(0, 1);
        self.command(node, &[b"FLUSHDB"]);
        self.nodes[node].server.swap_databases(0, 1);
    }

    /// A lock begins or ends whose token others may use, too: what stands under its keys may change for all.
    pub(super) fn share(&mut self, client: usize, lock: LockId) {
        if !self.shared {
            return;
        }
        let requests = self.clients[client].requests.iter().rev();
        let request = requests.into_iter().find(|request| request.lock == lock);
        if request.is_some_and(|request| request.has_own_token()) {
            for node in 0..self.nodes.len() {
                self.oracle.damage(node, self.now);
            }
        }
    }

    /// Stops a server from doing anything, or lets it go on.
    pub fn pause(&mut self, node: usize, paused: bool) {
        let what = paused.then_some("paused");
        self.set_fault(Place::Node(node), Lasting::Paused, what);
        self.nodes[node].paused = paused;
        if !paused {
            self.net.agenda.push(self.now, Happening::Server(node));
            self.net.deliver_due(self.now, |conn| conn.node == node);
        }
    }

    /// Stops a client from doing anything, as if its machine slept; its clock goes on.
    pub fn suspend(&mut self, client: ClientId, suspended: bool) {
        self.suspend_order(client, suspended, true);
    }

    /// The same, and chooses whether the client sees its deadline or its bytes first when it goes on.
    pub(crate) fn suspend_order(&mut self, client: ClientId, suspended: bool, timer_first: bool) {
        let what = suspended.then_some("asleep");
        self.set_fault(Place::Client(client.0), Lasting::Asleep, what);
        self.clients[client.0].suspended = suspended;
        if suspended {
            return;
        }
        if self.clients[client.0].undrained {
            // It reads the clock before it carries out what was due.
            let of = &mut self.clients[client.0];
            let own = of.clock.read(self.now);
            of.log(own, || Input::Timeout);
            of.engine.handle_timeout(own);
            self.net.agenda.push(self.now, Happening::Drain(client.0));
        }
        if timer_first {
            self.watch_due(client.0);
        }
        self.net
            .deliver_due(self.now, |conn| conn.client == client.0);
        if !timer_first {
            self.watch_due(client.0);
        }
    }

    /// Ends the process of a client and starts another on the same machine. Of what it had sent, so much per mille of
    /// each connection still arrives.
    pub fn kill(&mut self, client: ClientId, keep: usize) -> Client {
        let index = client.0;
        for node in 0..self.nodes.len() {
            self.break_off(client, node, keep, 0);
            if let Some(conn) = self.net.links[index][node].current.take() {
                self.net.conns[conn].wanted = false;
            }
        }
        let old = &self.clients[index];
        let (clock, clock_in_bounds) = (old.clock, old.clock_in_bounds);
        let now = self.now;
        self.net
            .record(|record| record.ends(index, None, "killed", clock, now));
        let mut new = self.process(old.seed.wrapping_add(1000), clock);
        new.clock_in_bounds = clock_in_bounds;
        let old = std::mem::replace(&mut self.clients[index], new);
        self.forget_watches(index);
        self.killed = true;
        self.workers_end(index);
        self.happens(Place::Client(index), "killed");
        self.drain_now(index);
        old
    }

    /// Lets the clock of a client run at another rate.
    pub fn run_clock(&mut self, client: ClientId, rate: u64) {
        let of = &mut self.clients[client.0];
        of.clock.run_at(rate, self.now);
        of.clock_in_bounds &= is_in_bounds(rate);
        let what = format!("clock ×{}", rate as f64 / TRUE_RATE as f64);
        let what = (!is_in_bounds(rate)).then_some(&*what);
        self.set_fault(Place::Client(client.0), Lasting::Clock, what);
        self.watch_due(client.0);
    }

    /// Sets the clock of a server, which must be new.
    pub(crate) fn server_clock(&mut self, node: usize, clock: Clock) {
        self.nodes[node].clock = clock;
    }

    /// Ends everything that disturbs.
    pub(crate) fn heal(&mut self) {
        for node in 0..self.nodes.len() {
            self.down(node, false);
            let options = self.nodes[node].server.options_mut();
            options.trouble = None;
            options.max_keys = 1 << 20;
            self.refuses(node, false);
            if self.nodes[node].lags {
                self.resume_replication(node);
            }
            self.set_fault(Place::Node(node), Lasting::Refusing, None);
            self.pause(node, false);
        }
        for conn in &mut self.net.conns {
            conn.stuck = false;
        }
        for client in 0..self.clients.len() {
            let client = ClientId(client);
            for node in 0..self.nodes.len() {
                self.weather(client, node, Weather::Fair);
                self.net.links[client.0][node].loses_pushes = false;
                let latency = self.habits.latency_us;
                self.net.links[client.0][node].habits.latency_us = latency;
            }
            self.set_fault(Place::Client(client.0), Lasting::Clock, None);
            let of = &mut self.clients[client.0];
            if !is_in_bounds(of.clock.rate()) {
                of.clock.run_at(TRUE_RATE, self.now);
            }
            self.suspend(client, false);
        }
    }

    /// When the longest lease of a dead client is over, however slow the servers' clocks are.
    pub(crate) fn set_longest(&mut self, ttl: Duration) {
        self.oracle.longest = ttl + ttl / 50 + Duration::from_millis(100);
    }
}

/// Two such clocks differ by no more than one in a hundred.
pub(crate) const fn is_in_bounds(rate: u64) -> bool {
    rate.abs_diff(TRUE_RATE) <= DRIFT
}

/// How far the clocks of honest machines differ from true time, in a million.
pub(crate) const DRIFT: u64 = 4_500;
