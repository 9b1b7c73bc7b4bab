//! A node that runs no scripts: it carries out one command of an operation after the other, and others come in between.
//! The table in `core/docs/scripts.md` says which commands these are, and what their replies mean together.

use tenure_core::{Instant, Outcome};

use super::node::{Entry, KEYS, Manner, ModelNode, Watches, lifetime};
use super::order::{Action, Order};

/// How a node carries out an operation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Commands {
    /// At once.
    Script,
    /// A command for each key. What is read comes with the last one.
    PerKey,
    /// The same, but an obtain that is sent again deletes what is ours first: a mistake that must be found.
    ReleaseFirst,
}

/// How far an operation is: keys as bits.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Progress {
    /// Their command was carried out,
    done: u8,
    /// and replied that they are ours.
    ours: u8,
}

impl ModelNode {
    /// Carries out the next command of an order. Its outcome after the last one.
    pub(super) fn advance(
        &mut self,
        order: &mut Order,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Watches,
    ) -> Option<Outcome> {
        let again = match order.action {
            _ if manner.commands == Commands::Script => {
                return Some(self.execute(order, client, now, manner, wakes));
            }
            Action::Obtain { fence: true, .. } => panic!("a fence needs a script"),
            Action::Obtain { again: false, .. } | Action::Check | Action::Look => {
                return Some(self.execute(order, client, now, manner, wakes));
            }
            Action::Obtain { again: true, .. } => true,
            Action::Refresh { keep, seal } => {
                assert!(!keep, "an own token needs a script");
                assert_eq!(seal, None, "a fence needs a script");
                false
            }
            Action::Release => false,
            Action::Enter { .. }
            | Action::Share { .. }
            | Action::Stay { .. }
            | Action::CheckShared
            | Action::Leave { .. } => panic!("a mode needs a script"),
        };
        let left = order.keys & !order.progress.done;
        if left != 0 {
            let key = left.trailing_zeros() as usize;
            self.command(order, key, client, now, manner, wakes);
            order.progress.done |= 1 << key;
            let is_last = order.progress.done == order.keys;
            if again || !is_last {
                return None;
            }
        }
        Some(self.finish(order, client, now, manner, wakes))
    }

    /// The command for one key.
    fn command(
        &mut self,
        order: &mut Order,
        key: usize,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Watches,
    ) {
        let value = order.value;
        if self.entries[key].is_none_or(|entry| entry.value != value) {
            return;
        }
        order.progress.ours |= 1 << key;
        let releases_first = manner.commands == Commands::ReleaseFirst;
        let settles = matches!(order.action, Action::Obtain { .. });
        let deletes = order.action == Action::Release || settles && releases_first;
        self.entries[key] = (!deletes).then(|| Entry {
            value,
            until: now + lifetime(order.ttl_ms, manner),
        });
        self.changed(key, client, wakes);
    }

    /// What is behind the commands for each key.
    fn finish(
        &mut self,
        order: &Order,
        client: Option<usize>,
        now: Instant,
        manner: Manner,
        wakes: &mut Watches,
    ) -> Outcome {
        let Progress { ours, .. } = order.progress;
        let all = ours == order.keys;
        if let Action::Obtain { .. } = order.action {
            let fresh = Order {
                action: Action::Obtain {
                    again: false,
                    fence: false,
                },
                ..*order
            };
            let outcome = self.execute(&fresh, client, now, manner, wakes);
            let kept = all && manner.commands != Commands::ReleaseFirst;
            return if kept { Outcome::GRANTED } else { outcome };
        }
        let releases = order.action == Action::Release;
        if let Some(client) = client.filter(|_| manner.watch && !releases) {
            let keys = (0..KEYS.len()).filter(|key| order.keys >> key & 1 == 1);
            keys.for_each(|key| self.watches[key] |= 1 << client);
        }
        if all {
            return Outcome::GRANTED;
        }
        self.denied(order, now, manner)
    }
}
