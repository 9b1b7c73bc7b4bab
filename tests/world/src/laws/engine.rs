//! The laws of `Engine`, on what the clients of a world did.

use tenure_core::{Engine, Event, Instant, Limits, NodeId, NodeState, Output, Rng};

use super::{Machine, Record, hold};
use crate::world::{Client, Input, Outputs, World};

/// Checks all laws on all clients of a world that has come to its end.
pub(crate) fn check(world: &mut World) {
    for client in world.take_clients() {
        check_client(&client, world);
    }
}

/// Checks all laws on what one client did.
pub(crate) fn check_client(client: &Client, world: &mut World) {
    world.add_kept(client.kept);
    if !client.log.on || world.violation().is_some() {
        return;
    }
    let record = Record {
        inputs: &client.log.inputs,
        outputs: &client.log.outputs,
        born: client.born,
        seed: client.seed,
    };
    let anew = || Replayed {
        engine: Engine::new(client.config.clone(), client.seed, client.born),
        bytes: &client.log.bytes,
        down: (1 << client.config.nodes().len()) - 1,
        refuses: client.config.limits.pending_requests < Limits::default().pending_requests,
    };
    match hold(&record, anew) {
        Ok(laws) => {
            for law in laws {
                world.kept(*law);
            }
        }
        Err(violation) => world.broken(violation.promise, violation.how),
    }
}

struct Replayed<'a> {
    engine: Engine,
    /// What is still to come in.
    bytes: &'a [u8],
    /// Which nodes are not ready, as bits.
    down: u32,
    /// Whether a session may be at its limit of pending requests.
    refuses: bool,
}

impl Machine for Replayed<'_> {
    type Input = Input;

    fn apply(&mut self, input: &Input, at: Instant, mut cuts: Option<&mut Rng>) {
        let engine = &mut self.engine;
        let node = |node: &usize| NodeId::new(*node).expect("a node");
        match input {
            Input::Obtain(request) => {
                engine.obtain((**request).clone(), at);
            }
            Input::Refresh(lock, ttl) => {
                engine.refresh(*lock, *ttl, at).ok();
            }
            Input::Change(lock, mode) => {
                engine.change(*lock, *mode, at).ok();
            }
            Input::Release(lock) => engine.release(*lock, at),
            Input::Inspect(keys) => {
                engine.inspect(keys.clone(), at);
            }
            Input::TakeInspection(inspection) => {
                engine.take_inspection(*inspection);
            }
            Input::Close => engine.close(at),
            Input::Connected(n) => engine.handle_connected(node(n), at),
            Input::Disconnected(n) => {
                engine.handle_disconnected(node(n), at);
                self.down |= 1 << n;
            }
            Input::Timeout => engine.handle_timeout(at),
            Input::Bytes(n, len) => {
                let mut rest;
                (rest, self.bytes) = self.bytes.split_at(*len);
                while let Some(rng) = cuts.as_mut()
                    && rest.len() > 1
                    && rng.once_in(2)
                {
                    let cut = 1 + rng.below(rest.len() as u64 - 1) as usize;
                    let (piece, later) = rest.split_at(cut);
                    engine.handle_input(node(n), piece, at);
                    rest = later;
                }
                engine.handle_input(node(n), rest, at);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
    }

    fn is_timeout(input: &Input) -> bool {
        matches!(input, Input::Timeout)
    }

    fn is_user_request(input: &Input) -> bool {
        match input {
            Input::Obtain(_)
            | Input::Refresh(..)
            | Input::Change(..)
            | Input::Release(_)
            | Input::Inspect(_)
            | Input::TakeInspection(_)
            | Input::Close => true,
            Input::Connected(_) | Input::Disconnected(_) | Input::Bytes(..) | Input::Timeout => {
                false
            }
        }
    }

    fn reaches_all(&self) -> bool {
        self.down == 0 && !self.refuses
    }

    fn poll(&mut self, outputs: &mut Outputs) -> Option<Option<Instant>> {
        match self.engine.poll_output() {
            Output::Connect(node) => outputs.note_link(node.index(), true),
            Output::Disconnect(node) => {
                outputs.note_link(node.index(), false);
                self.down |= 1 << node.index();
            }
            Output::Transmit { node, bytes } => outputs.note_bytes(node.index(), bytes),
            Output::Event(event) => {
                if let Event::Node { node, state } = event {
                    let ready = matches!(state, NodeState::Ready { .. });
                    self.down &= !(u32::from(ready) << node.index());
                }
                outputs.events.push(event);
            }
            Output::Timeout(due) => return Some(due),
        }
        None
    }
}
