//! Commands to the servers of a cluster: those of one slot keep their order, and others do not wait for them.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tenure_core::redis::slot;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::{Command, Reply};
use crate::wakers::guard;

/// Which slots have commands under way.
#[derive(Default)]
pub(super) struct Slots(Mutex<HashMap<u16, Arc<AsyncMutex<()>>>>);

impl Slots {
    /// Carries out commands by `one`, which gets the slot of the command, or none for a command without keys.
    ///
    /// Of one slot there is at most one command under way that may change a key, and those that only read follow it. The client
    /// may find that the slot has moved for one of them and not yet for another, so that their order is not its own.
    pub(super) async fn carry<F, O>(&self, commands: &[Command], one: O) -> Vec<Reply>
    where
        F: Future<Output = Reply> + Send,
        O: Fn(Command, Option<u16>) -> F,
    {
        let groups = by_slot(commands);
        let futures = groups.iter().map(|(slot, indices)| {
            let one = &one;
            async move {
                let _turn = match slot {
                    Place::Slot(slot) => Some(self.turn(*slot).await),
                    Place::Anywhere | Place::Several => None,
                };
                let mut replies = Vec::with_capacity(indices.len());
                for run in runs(commands, indices) {
                    let futures = run.iter().filter_map(|index| {
                        let command = commands.get(*index)?.clone();
                        Some(answer(command, *slot, one))
                    });
                    replies.extend(join(futures).await);
                }
                replies
            }
        });
        let answered = join(futures).await;
        let mut replies = vec![Reply::Unknown; commands.len()];
        for ((_, indices), answers) in groups.iter().zip(answered) {
            for (index, reply) in indices.iter().zip(answers) {
                replies[*index] = reply;
            }
        }
        replies
    }

    /// Waits until no earlier call has commands of this slot under way.
    async fn turn(&self, slot: u16) -> Turn<'_> {
        let mutex = Arc::clone(guard(&self.0).entry(slot).or_default());
        let held = Some(mutex.lock_owned().await);
        Turn {
            slots: self,
            slot,
            held,
        }
    }
}

/// The right to send commands of one slot.
struct Turn<'a> {
    slots: &'a Slots,
    slot: u16,
    held: Option<OwnedMutexGuard<()>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut slots = guard(&self.slots.0);
        // Each task that waits has a share in it.
        if let Some(mutex) = slots.get(&self.slot)
            && Arc::strong_count(mutex) == 1
        {
            slots.remove(&self.slot);
        }
    }
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Place {
    Slot(u16),
    /// Any server can carry it out.
    Anywhere,
    /// No server can carry it out.
    Several,
}

impl Place {
    fn of(command: &Command) -> Self {
        let mut slots = command.keys().map(slot);
        let Some(first) = slots.next() else {
            return Self::Anywhere;
        };
        if slots.all(|other| other == first) {
            Self::Slot(first)
        } else {
            Self::Several
        }
    }
}

/// The indices of the commands of each slot, in order.
fn by_slot(commands: &[Command]) -> Vec<(Place, Vec<usize>)> {
    let mut groups: Vec<(Place, Vec<usize>)> = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let place = Place::of(command);
        let same = groups.iter_mut().find(|(other, _)| *other == place);
        match same {
            Some((_, indices)) => indices.push(index),
            None => groups.push((place, vec![index])),
        }
    }
    groups
}

/// Pieces of which each begins with a command that may change a key, except perhaps the first.
fn runs<'a>(commands: &'a [Command], indices: &'a [usize]) -> impl Iterator<Item = &'a [usize]> {
    indices.chunk_by(|_, next| !commands.get(*next).is_some_and(Command::writes))
}

async fn answer<F: Future<Output = Reply>>(
    command: Command,
    place: Place,
    one: impl Fn(Command, Option<u16>) -> F,
) -> Reply {
    match place {
        Place::Slot(slot) => one(command, Some(slot)).await,
        Place::Anywhere => one(command, None).await,
        Place::Several => Reply::Error("CROSSSLOT the keys are in different slots".into()),
    }
}

/// All of them at once, polled first in their order.
pub(super) async fn join<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(ready) => *output = Some(ready),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    })
    .await;
    futures
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn commands(lines: &[&str]) -> Vec<Command> {
        let mut bytes = String::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            bytes += &format!("*{}\r\n", words.len());
            for word in words {
                bytes += &format!("${}\r\n{word}\r\n", word.len());
            }
        }
        Command::of_bytes(bytes.as_bytes())
    }

    /// What was begun and not ended yet, by name and first key.
    #[derive(Default)]
    struct Log {
        begun: Vec<String>,
        ended: usize,
    }

    /// Carries out as many commands as the test lets it.
    async fn one(log: &Mutex<Log>, command: Command) -> Reply {
        let words: Vec<&[u8]> = command.args().take(2).collect();
        let text = String::from_utf8_lossy(&words.concat()).into_owned();
        let number = {
            let mut log = guard(log);
            log.begun.push(text);
            log.begun.len()
        };
        poll_fn(|_| {
            if guard(log).ended >= number {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        Reply::Integer(i64::try_from(number).expect("a small number"))
    }

    #[test]
    fn commands_of_one_slot_keep_their_order_and_others_do_not_wait() {
        let (slots, log) = (Slots::default(), Mutex::new(Log::default()));
        let first = commands(&["SET a 1", "PTTL a", "DELIFEQ a 1", "SET b 1"]);
        let second = commands(&["SET b 2", "SET c 1"]);
        let mut cx = Context::from_waker(Waker::noop());
        let begun = || guard(&log).begun.clone();
        let carry = |command: Command, _: Option<u16>| one(&log, command);
        let mut first = Box::pin(slots.carry(&first, carry));
        let mut second = Box::pin(slots.carry(&second, carry));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(begun(), ["SETa", "PTTLa", "SETb"]);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(begun().split_off(3), ["SETc"], "b is under way");
        guard(&log).ended = 4;
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert_eq!(begun().split_off(4), ["DELIFEQa"]);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(begun().split_off(5), ["SETb"]);
        guard(&log).ended = 6;
        let numbers = |numbers: &[i64]| -> Vec<Reply> {
            numbers.iter().copied().map(Reply::Integer).collect()
        };
        assert_eq!(
            first.as_mut().poll(&mut cx),
            Poll::Ready(numbers(&[1, 2, 5, 3]))
        );
        assert_eq!(second.as_mut().poll(&mut cx), Poll::Ready(numbers(&[6, 4])));
        drop((first, second));
        assert!(guard(&slots.0).is_empty(), "nothing is kept");
    }

    #[test]
    fn a_call_that_is_dropped_lets_the_next_one_go_on() {
        let (slots, log) = (Slots::default(), Mutex::new(Log::default()));
        let commands = commands(&["SET a 1"]);
        let mut cx = Context::from_waker(Waker::noop());
        let carry = |command: Command, _: Option<u16>| one(&log, command);
        let mut first = Box::pin(slots.carry(&commands, carry));
        let mut second = Box::pin(slots.carry(&commands, carry));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(guard(&log).begun.len(), 1);
        drop(first);
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert_eq!(guard(&log).begun.len(), 2);
        drop(second);
        assert!(guard(&slots.0).is_empty(), "nothing is kept");
    }

    #[test]
    fn keys_of_different_slots_are_refused() {
        let commands = commands(&["EVALSHA s 2 a b v", "EVALSHA s 2 {t}a {t}b v", "EVAL s 0"]);
        let places: Vec<Place> = commands.iter().map(Place::of).collect();
        let tagged = Place::Slot(slot(b"t"));
        assert_eq!(places, [Place::Several, tagged, Place::Anywhere]);
    }
}
