//! Repairs and checks that are due some time after a step.

use std::cmp::Reverse;

use tenure_core::LockId;

use super::play::Play;
use super::setup::LONGEST_MS;
use super::spans::{Task, span};
use crate::world::{ClientId, Lasting, Place, TRUE_RATE, Weather};

impl Play {
    pub(super) fn run_task(&mut self, task: Task) {
        if self.check_outcome(task) {
            return;
        }
        self.troubles += 1;
        match task {
            Task::Weather(_, n)
            | Task::Unpause(n)
            | Task::Up(n)
            | Task::Trouble(n)
            | Task::Replica(n) => {
                self.node_troubles[n] += 1;
            }
            Task::Pushes(_, n) | Task::Remove(n, _) | Task::Swap(n) => self.node_troubles[n] += 1,
            Task::Wake(c, _) | Task::Clock(c) | Task::Successor(c) => self.client_troubles[c] += 1,
            // Wherever that comes from.
            Task::Stuck(_) => self.node_troubles.iter_mut().for_each(|times| *times += 1),
            Task::Longer(..) | Task::LossReport(..) | Task::Released(_) | Task::Drained(..) => {}
        }
        match task {
            Task::LossReport(..) | Task::Released(_) | Task::Drained(..) => {}
            Task::Successor(c) => self.kill(c, 1000),
            Task::Pushes(c, n) => self.world.lose_pushes(ClientId(c), n, false),
            Task::Remove(n, key) => self.remove_endless(n, key),
            Task::Swap(n) => self.swap_back(n),
            Task::Weather(c, n) => self.world.weather(ClientId(c), n, Weather::Fair),
            Task::Wake(c, timer) => self.world.suspend_order(ClientId(c), false, timer),
            Task::Unpause(n) => self.world.pause(n, false),
            Task::Up(n) => self.world.down(n, false),
            Task::Replica(n) => self.world.resume_replication(n),
            Task::Trouble(n) => {
                let options = self.world.server(n).options_mut();
                options.trouble = None;
                options.max_keys = 1 << 20;
                if self.wrongtype_nodes.contains(&n) {
                    self.world.sends_wrongtype(n);
                    self.wrongtype_nodes.retain(|node| *node != n);
                }
                self.world.refuses(n, false);
                self.world
                    .set_fault(Place::Node(n), Lasting::Refusing, None);
            }
            Task::Clock(c) => self.world.run_clock(ClientId(c), TRUE_RATE),
            Task::Stuck(conn) => self.world.unstick(conn),
            Task::Longer(c, lock) => {
                self.refresh_for(c, LockId::from_bits(lock), Some(LONGEST_MS));
            }
        }
    }

    /// If the task is a check: checks, unless something went wrong or was repaired since it was planned.
    fn check_outcome(&mut self, task: Task) -> bool {
        match task {
            Task::LossReport(client, lock, troubles) => {
                if troubles == self.troubles {
                    let lock = LockId::from_bits(lock);
                    self.world.check_loss_reported(ClientId(client), lock);
                }
            }
            Task::Released(index) => {
                let (leftover, before) = &self.released[index];
                if *before == self.troubles_of(leftover.client.0, leftover.node) {
                    self.world.check_released(leftover);
                }
            }
            Task::Drained(client, troubles) => {
                if troubles == self.client_troubles[client] {
                    self.world.check_drained(ClientId(client));
                }
            }
            Task::Weather(..)
            | Task::Wake(..)
            | Task::Unpause(_)
            | Task::Up(_)
            | Task::Trouble(_)
            | Task::Clock(_)
            | Task::Stuck(_)
            | Task::Longer(..)
            | Task::Successor(_)
            | Task::Pushes(..)
            | Task::Remove(..)
            | Task::Swap(_)
            | Task::Replica(_) => return false,
        }
        true
    }

    pub(super) fn later(&mut self, byte: u8, task: Task) {
        self.tasks
            .push(Reverse((self.world.now() + span(byte), task)));
    }
}
