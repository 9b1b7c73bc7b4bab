//! How time passes: one happening after the other.

use std::time::Duration;

use tenure_core::memory;
use tenure_core::{Instant, LockId, NodeId};

use super::log::Input;
use super::net::{Conn, Weather};
use super::{ClientId, Happening, Promise, World};

impl World {
    /// Lets time pass, also over a broken promise.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some((at, what)) = self.net.agenda.pop_until(end) {
            self.step(at, what);
        }
        self.now = end;
        if self.waiters.due <= end {
            self.check_waiters();
        }
    }

    /// Lets time pass until something is so, at most `most`.
    pub(crate) fn pass_until(
        &mut self,
        most: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.now + most;
        while !done(self) {
            let Some((at, what)) = self.net.agenda.pop_until(end) else {
                self.now = end;
                return done(self);
            };
            self.step(at, what);
        }
        true
    }

    fn step(&mut self, at: Instant, what: Happening) {
        self.now = self.now.max(at);
        if self.waiters.due <= self.now {
            self.check_waiters();
        }
        match what {
            Happening::Client(client) => self.client_due(client),
            Happening::Server(node) => self.server_due(node),
            Happening::Opened(conn) => self.opened(conn),
            Happening::Up(conn) => self.deliver_up(conn),
            Happening::Down(conn) => self.deliver_down(conn),
            Happening::Drain(client) => {
                let of = &self.clients[client];
                if of.undrained && !of.suspended {
                    self.drain_now(client);
                }
            }
            Happening::Work(worker) => self.start_worker_request(worker),
            Happening::Release(client, lock) => {
                if client < self.clients.len() && !self.clients[client].suspended {
                    let lock = LockId::from_bits(lock);
                    self.release(ClientId(client), lock);
                    self.worker_released(client, lock);
                }
            }
        }
    }

    fn client_due(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let own = client.clock.read(self.now);
        if client.suspended || client.due.is_none_or(|due| due > own) {
            return;
        }
        client.log(own, || Input::Timeout);
        client.engine.handle_timeout(own);
        client.timed_out = Some(own);
        self.drain(index);
    }

    fn server_due(&mut self, node: usize) {
        let of = &mut self.nodes[node];
        let own = of.clock.read(self.now);
        if of.paused || of.due.is_none_or(|due| due > own) {
            return;
        }
        of.server.handle_timeout(own);
        self.carry_answers(node);
    }

    fn opened(&mut self, index: usize) {
        let conn = &self.net.conns[index];
        let (client, node) = (conn.client, conn.node);
        let weather = self.net.links[client][node].weather;
        if !conn.opening || weather == Weather::Silent || self.net.is_held(index) {
            return;
        }
        if !conn.wanted {
            self.net.conns[index].opening = false;
            return;
        }
        if self.clients[client].suspended {
            return;
        }
        let id = NodeId::new(node).expect("a node");
        let own = self.clients[client].clock.read(self.now);
        self.net.conns[index].opening = false;
        if weather == Weather::Refusing || self.nodes[node].down {
            self.net.conns[index].wanted = false;
            self.net.links[client][node].current = None;
            self.clients[client].log(own, || Input::Disconnected(node));
            self.clients[client].engine.handle_disconnected(id, own);
        } else {
            let server = self.nodes[node].server.connect();
            self.nodes[node].open.push((server, index));
            self.net.conns[index].server = Some(server);
            self.clients[client].log(own, || Input::Connected(node));
            self.clients[client].engine.handle_connected(id, own);
        }
        self.drain(client);
    }

    fn deliver_up(&mut self, index: usize) {
        let node = self.net.conns[index].node;
        if self.nodes[node].paused || self.net.is_held(index) {
            return;
        }
        let arrived = self.net.conns[index].up.take(self.now);
        if arrived.is_nothing() {
            return;
        }
        self.net.arrived(index, true, arrived.count, self.now);
        let Some(server) = self.net.conns[index].server else {
            return;
        };
        if arrived.count > 0 {
            let before = self.queues_of(node);
            let of = &mut self.nodes[node];
            let own = of.clock.read(self.now);
            of.server
                .handle_input(server, self.net.conns[index].up.arrived(), own);
            self.check_order(node, &before);
            self.check_quiet(index);
        }
        let conn = &mut self.net.conns[index];
        let of = &mut self.nodes[node];
        if arrived.ended {
            of.server.handle_disconnected(server);
            of.open.retain(|(id, _)| *id != server);
            conn.server = None;
        }
        if self.waiters.running > 0 {
            self.check_watches(node);
        }
        self.carry_answers(node);
        let Conn { client, wanted, .. } = self.net.conns[index];
        if !wanted && arrived.count > 0 {
            self.check_late_arrival(client);
        }
    }

    fn deliver_down(&mut self, index: usize) {
        let conn = &self.net.conns[index];
        let (client, node) = (conn.client, conn.node);
        if self.clients[client].suspended || self.net.is_held(index) {
            return;
        }
        let arrived = self.net.conns[index].down.take(self.now);
        if arrived.is_nothing() {
            return;
        }
        self.net.arrived(index, false, arrived.count, self.now);
        let conn = &self.net.conns[index];
        if !conn.wanted {
            return;
        }
        let of = &mut self.clients[client];
        let id = NodeId::new(node).expect("a node");
        let own = of.clock.read(self.now);
        if arrived.count > 0 {
            let bytes = conn.down.arrived();
            of.log.note_bytes(own, node, bytes);
            of.engine.handle_input(id, bytes, own);
            self.net.note_arrived(index, self.now);
            self.drain(client);
        }
        // The engine may have hung up upon what it read.
        if arrived.ended && self.net.conns[index].wanted {
            self.net.conns[index].wanted = false;
            self.net.links[client][node].current = None;
            let of = &mut self.clients[client];
            of.log(own, || Input::Disconnected(node));
            of.engine.handle_disconnected(id, own);
            self.drain(client);
        }
    }

    /// Puts what a server has to say on the links.
    pub(super) fn carry_answers(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        loop {
            match node.server.poll_output() {
                memory::Output::Transmit { conn, bytes } => {
                    if let Some((_, conn)) = node.open.iter().find(|(id, _)| *id == conn) {
                        self.net.answer(*conn, bytes, self.now);
                    }
                }
                memory::Output::Disconnect(gone) => {
                    let at = node.open.iter().position(|(id, _)| *id == gone);
                    if let Some((_, conn)) = at.map(|at| node.open.swap_remove(at)) {
                        self.net.conns[conn].server = None;
                        self.net.end_down(conn, self.now);
                    }
                }
                memory::Output::Timeout(due) => {
                    if due != node.due {
                        node.due = due;
                        let at = due.and_then(|due| node.clock.when(due));
                        if let Some(at) = at {
                            self.net.agenda.set(at, Happening::Server(index));
                        }
                    }
                    self.note_keys(index);
                    return;
                }
            }
        }
    }

    /// Something happened to a client: does all that it wants, now or when all has happened that happens now.
    pub(super) fn drain(&mut self, index: usize) {
        if !self.lazy {
            return self.drain_now(index);
        }
        if !std::mem::replace(&mut self.clients[index].undrained, true) {
            self.net.agenda.push(self.now, Happening::Drain(index));
        }
    }

    /// Carries out all output of a client, and checks its events.
    pub(super) fn drain_now(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let before = client.due;
        if let Err(violation) = client.drain(index, self.now, &mut self.net) {
            if matches!(violation.promise, Promise::Advances | Promise::Steps) {
                // Otherwise it would never end.
                client.suspended = true;
            }
            self.oracle.report(violation, self.now);
        }
        let client = &self.clients[index];
        if client.due != before {
            self.watch_due(index);
        }
        if !self.clients[index].unchecked_events.is_empty() {
            self.check_events(index);
        }
        self.check_partial_holds(index);
    }

    /// Notes when a client is due, on whatever clock it has now.
    pub(super) fn watch_due(&mut self, index: usize) {
        let client = &self.clients[index];
        if let Some(at) = client.due.and_then(|due| client.clock.when(due)) {
            let at = at.max(self.now);
            self.net.agenda.set(at, Happening::Client(index));
        }
    }
}
