//! Repairs and checks that are due some time after a step.

use std::cmp::Reverse;

use tenure_core::LockId;

use super::cast::LONGEST_MS;
use super::play::Play;
use super::spans::{Chore, span};
use crate::world::{ClientId, Lasting, Place, TRUE_RATE, Weather};

impl Play {
    pub(super) fn repair(&mut self, chore: Chore) {
        if let Chore::Hear(client, lock, troubles) = chore {
            if troubles == self.troubles {
                let lock = LockId::from_bits(lock);
                self.world.look_who_heard(ClientId(client), lock);
            }
            return;
        }
        if let Chore::LetGo(index) = chore {
            let (leftover, before) = &self.to_go[index];
            if *before == self.troubles_of(leftover.client.0, leftover.node) {
                self.world.look_what_is_left(leftover);
            }
            return;
        }
        if let Chore::Drained(client, troubles) = chore {
            if troubles == self.client_troubles[client] {
                self.world.look_whether_drained(ClientId(client));
            }
            return;
        }
        self.troubles += 1;
        match chore {
            Chore::Weather(_, n) | Chore::Unpause(n) | Chore::Up(n) | Chore::Trouble(n) => {
                self.node_troubles[n] += 1;
            }
            Chore::Pushes(_, n) | Chore::Remove(n, _) | Chore::Swap(n) => {
                self.node_troubles[n] += 1
            }
            Chore::Wake(c, _) | Chore::Clock(c) | Chore::Successor(c) => {
                self.client_troubles[c] += 1
            }
            // Wherever that comes from.
            Chore::Stuck(_) => self.node_troubles.iter_mut().for_each(|times| *times += 1),
            Chore::Longer(..) | Chore::Hear(..) | Chore::LetGo(_) | Chore::Drained(..) => {}
        }
        match chore {
            Chore::Hear(..) | Chore::LetGo(_) | Chore::Drained(..) => {}
            Chore::Successor(c) => self.kill(c, 1000),
            Chore::Pushes(c, n) => self.world.lose_pushes(ClientId(c), n, false),
            Chore::Remove(n, key) => self.remove_endless(n, key),
            Chore::Swap(n) => self.swap_back(n),
            Chore::Weather(c, n) => self.world.weather(ClientId(c), n, Weather::Fair),
            Chore::Wake(c, timer) => self.world.suspend_order(ClientId(c), false, timer),
            Chore::Unpause(n) => self.world.pause(n, false),
            Chore::Up(n) => self.world.down(n, false),
            Chore::Trouble(n) => {
                let options = self.world.server(n).options_mut();
                options.trouble = None;
                options.max_keys = 1 << 20;
                if self.lying.contains(&n) {
                    self.world.lies(n);
                    self.lying.retain(|node| *node != n);
                }
                self.world.refuses(n, false);
                self.world.turns(Place::Node(n), Lasting::Refusing, None);
            }
            Chore::Clock(c) => self.world.run_clock(ClientId(c), TRUE_RATE),
            Chore::Stuck(conn) => self.world.unstick(conn),
            Chore::Longer(c, lock) => {
                self.refresh_for(c, LockId::from_bits(lock), Some(LONGEST_MS));
            }
        }
    }

    pub(super) fn later(&mut self, byte: u8, chore: Chore) {
        self.chores
            .push(Reverse((self.world.now() + span(byte), chore)));
    }
}
