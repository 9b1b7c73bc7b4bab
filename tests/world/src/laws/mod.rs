//! Laws that hold for `Engine` and `Locks` alike: a recording is replayed with a small difference, and must give the
//! same outputs.
//!
//! | law | difference |
//! |---|---|
//! | [`Promise::Repeats`] | nothing |
//! | [`Promise::EarlyTimeout`], [`Promise::Sleeping`] | `handle_timeout` is called before it is due, and again |
//! | [`Promise::TimeBack`] | an instant that was passed in before is passed in as an earlier one |
//! | [`Promise::Splitting`] | input comes in pieces, cut anywhere |
//! | [`Promise::Batches`] | inputs from nodes at one instant at which nothing is due: an input that led to no output is not followed by a poll, unless a node is not ready or may be at its limit of requests |
//!
//! [`Promise::Steps`] and [`Promise::Advances`] are checked on the way. [`Promise::Batches`] does not hold in general:
//! a request that is cancelled in the same batch never leaves, though it would have left in between. That a driver may poll
//! after a batch all the same is seen by all other promises, in the schedules in which all clients do. While a node is not
//! ready or at its limit of pending requests, a poll that gives nothing may have asked it, and been refused: that is one more try,
//! after which pauses are longer.

mod engine;
mod locks;
mod nodes;

pub(crate) use engine::{check, check_client};
pub use locks::{History, history};

use tenure_core::{Instant, Rng};

use crate::world::{After, Logged, Outputs, Promise, Violation};

/// How many outputs one drain may give.
pub(crate) const STEPS: usize = 10_000;

/// What the laws are about.
pub(crate) trait Machine {
    type Input;

    /// Does what happened; in pieces, if that is possible and `cuts` are given.
    fn apply(&mut self, input: &Self::Input, at: Instant, cuts: Option<&mut Rng>);

    fn handle_timeout(&mut self, now: Instant);

    /// Whether the input is a call of [`Machine::handle_timeout`].
    fn is_timeout(input: &Self::Input) -> bool;

    /// Whether the input is a request of the user's.
    fn is_user_request(input: &Self::Input) -> bool;

    /// Whether the nodes that a poll sends requests to can reply.
    fn reaches_all(&self) -> bool {
        true
    }

    /// One output; the next timeout, if there is nothing else.
    fn poll(&mut self, outputs: &mut Outputs) -> Option<Option<Instant>>;
}

/// What is done differently.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) struct Twist {
    early: bool,
    back: bool,
    split: bool,
    batch: bool,
}

const NONE: Twist = Twist {
    early: false,
    back: false,
    split: false,
    batch: false,
};

const ALL: Twist = Twist {
    early: true,
    back: true,
    split: true,
    batch: true,
};

#[rustfmt::skip]
const ALONE: [(Promise, Twist); 5] = [
    (Promise::Repeats, NONE),
    (Promise::EarlyTimeout, Twist { early: true, ..NONE }),
    (Promise::TimeBack, Twist { back: true, ..NONE }),
    (Promise::Splitting, Twist { split: true, ..NONE }),
    (Promise::Batches, Twist { batch: true, ..NONE }),
];

/// The laws that are kept when nothing is broken.
const KEPT: [Promise; 7] = [
    Promise::Repeats,
    Promise::EarlyTimeout,
    Promise::Sleeping,
    Promise::TimeBack,
    Promise::Splitting,
    Promise::Batches,
    Promise::Advances,
];

/// What went into a machine, and what came out.
pub(crate) struct Record<'a, I> {
    pub(crate) inputs: &'a [Logged<I>],
    pub(crate) outputs: &'a Outputs,
    pub(crate) born: Instant,
    pub(crate) seed: u64,
}

/// Checks all laws on one machine, which `make` makes anew.
pub(crate) fn hold<M: Machine>(
    record: &Record<'_, M::Input>,
    make: impl Fn() -> M,
) -> Result<&'static [Promise], Violation> {
    let outputs = replay(record, make(), ALL)?;
    if outputs == *record.outputs {
        return Ok(&KEPT);
    }
    let broken = |twist| replay(record, make(), twist).is_ok_and(|o| o != *record.outputs);
    let alone = ALONE.into_iter().find(|(_, twist)| broken(*twist));
    let (was, is) = (&record.outputs.events, &outputs.events);
    let first = was.iter().zip(is).find(|(was, is)| was != is);
    let how = format!("played again, it came to something else: {first:?}");
    // Only together: then splitting is as good a name as any.
    let law = alone.map_or(Promise::Splitting, |(law, _)| law);
    Err(law.broken(how))
}

fn replay<M: Machine>(
    record: &Record<'_, M::Input>,
    mut machine: M,
    twist: Twist,
) -> Result<Outputs, Violation> {
    let mut outputs = Outputs::default();
    let mut rng = Rng::new(record.seed);
    let mut due = drain(&mut machine, &mut outputs)?;
    let mut latest = record.born;
    let mut settled = true;
    for (index, logged) in record.inputs.iter().enumerate() {
        let at = logged.at;
        if twist.early && settled && rng.once_in(4) {
            poll_early(&mut machine, due, (latest, at), &mut rng)?;
        }
        // An instant that it has seen already says the same as any earlier one.
        let passed_in = if twist.back && at == latest && rng.once_in(2) {
            Instant::from_micros(rng.below(at.as_micros() + 1))
        } else {
            at
        };
        latest = latest.max(at);
        machine.apply(&logged.input, passed_in, twist.split.then_some(&mut rng));
        let next = record.inputs.get(index + 1);
        let batched = !M::is_user_request(&logged.input)
            && machine.reaches_all()
            && due.is_none_or(|due| due > at)
            && next.is_some_and(|next| {
                next.at == at && next.after != After::Unpolled && !M::is_user_request(&next.input)
            });
        settled = match logged.after {
            After::Unpolled => false,
            After::Silent => !(twist.batch && batched && rng.once_in(2)),
            After::Spoke => true,
        };
        if settled {
            due = drain(&mut machine, &mut outputs)?;
            if M::is_timeout(&logged.input) && due.is_some_and(|due| due <= latest) {
                let how = format!("after handle_timeout({latest:?}) the next is {due:?}");
                return Err(Promise::Advances.broken(how));
            }
        }
    }
    Ok(outputs)
}

/// Calls `handle_timeout` between two inputs, before it is due.
fn poll_early<M: Machine>(
    machine: &mut M,
    due: Option<Instant>,
    (latest, next): (Instant, Instant),
    rng: &mut Rng,
) -> Result<(), Violation> {
    let gap = next.as_micros().saturating_sub(latest.as_micros());
    let early = latest.as_micros() + rng.below(gap + 1);
    let limit = due.map_or(u64::MAX, |due| due.as_micros().saturating_sub(1));
    if limit < latest.as_micros() {
        return Ok(());
    }
    let early = Instant::from_micros(early.min(limit));
    machine.handle_timeout(early);
    let mut outputs = Outputs::default();
    let now = drain(machine, &mut outputs)?;
    if outputs != Outputs::default() {
        let how = format!(
            "at {early:?}, before {due:?}, there was {:?}",
            outputs.events
        );
        return Err(Promise::Sleeping.broken(how));
    }
    if now != due {
        let how = format!("an early timeout moved the next from {due:?} to {now:?}");
        return Err(Promise::EarlyTimeout.broken(how));
    }
    Ok(())
}

pub(crate) fn drain<M: Machine>(
    machine: &mut M,
    outputs: &mut Outputs,
) -> Result<Option<Instant>, Violation> {
    for _ in 0..STEPS {
        if let Some(due) = machine.poll(outputs) {
            return Ok(due);
        }
    }
    Err(Promise::Steps.broken("poll_output does not reach a timeout"))
}
