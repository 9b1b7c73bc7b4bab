//! Laws of the engine: what was recorded is played once more, a little differently, and must come to the same.

use tenure_core::{Engine, Instant, NodeId, Output};

use crate::world::{Client, Input, Outputs, Promise, Rng, Violation, World};

/// What is done differently.
#[derive(Copy, Clone, Debug, Default)]
struct Twist {
    early: bool,
    back: bool,
    split: bool,
}

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
    let all = Twist {
        early: true,
        back: true,
        split: true,
    };
    match replay(client, all) {
        Ok(outputs) if outputs == client.log.outputs => {
            for law in LAWS {
                world.kept(law.0);
            }
        }
        Ok(outputs) => {
            let broken = name(client);
            let (was, is) = (&client.log.outputs.events, &outputs.events);
            let first = was.iter().zip(is).find(|(was, is)| was != is);
            let how =
                format!("played again, with {broken:?}, it came to something else: {first:?}");
            world.broken(broken.unwrap_or(Promise::Splitting), how);
        }
        Err(violation) => world.broken(violation.promise, violation.how),
    }
}

const LAWS: [(Promise, Twist); 4] = {
    let none = Twist {
        early: false,
        back: false,
        split: false,
    };
    [
        (Promise::Repeats, none),
        (
            Promise::EarlyTimeout,
            Twist {
                early: true,
                ..none
            },
        ),
        (Promise::TimeBack, Twist { back: true, ..none }),
        (
            Promise::Splitting,
            Twist {
                split: true,
                ..none
            },
        ),
    ]
};

/// The law that is broken alone.
fn name(client: &Client) -> Option<Promise> {
    let broken = |twist| replay(client, twist).is_ok_and(|outputs| outputs != client.log.outputs);
    LAWS.into_iter()
        .find(|(_, twist)| broken(*twist))
        .map(|(promise, _)| promise)
}

fn replay(client: &Client, twist: Twist) -> Result<Outputs, Violation> {
    let mut engine = Engine::new(client.config.clone(), client.seed, client.born);
    let mut outputs = Outputs::default();
    let mut rng = Rng::new(client.seed);
    let mut due = drain(&mut engine, &mut outputs)?;
    let mut latest = client.born;
    for (at, input) in &client.log.inputs {
        if twist.early && rng.once_in(4) {
            // Between the last input and this one, or the deadline if that is earlier.
            let gap = at.as_micros().saturating_sub(latest.as_micros());
            let early = latest.as_micros() + rng.below(gap + 1);
            let limit = due.map_or(u64::MAX, |due| due.as_micros().saturating_sub(1));
            if limit >= latest.as_micros() {
                engine.handle_timeout(Instant::from_micros(early.min(limit)));
                let now = drain(&mut engine, &mut outputs)?;
                if now != due {
                    return Err(Promise::EarlyTimeout.broken(format!(
                        "an early timeout moved the next from {due:?} to {now:?}"
                    )));
                }
            }
        }
        // An instant that the engine has seen already says the same as any earlier one.
        let told = if twist.back && *at == latest && rng.once_in(2) {
            Instant::from_micros(rng.below(at.as_micros() + 1))
        } else {
            *at
        };
        latest = latest.max(*at);
        apply(&mut engine, input, told, twist, &mut rng);
        due = drain(&mut engine, &mut outputs)?;
    }
    Ok(outputs)
}

fn apply(engine: &mut Engine, input: &Input, at: Instant, twist: Twist, rng: &mut Rng) {
    let node = |node: &usize| NodeId::new(*node).expect("a node");
    match input {
        Input::Obtain(wish) => {
            engine.obtain((**wish).clone(), at);
        }
        Input::Refresh(lock, ttl) => {
            engine.refresh(*lock, *ttl, at).ok();
        }
        Input::Release(lock) => engine.release(*lock, at),
        Input::Inspect(keys) => {
            engine.inspect(keys.clone(), at);
        }
        Input::Close => engine.close(at),
        Input::Connected(n) => engine.handle_connected(node(n), at),
        Input::Disconnected(n) => engine.handle_disconnected(node(n), at),
        Input::Timeout => engine.handle_timeout(at),
        Input::Bytes(n, bytes) => {
            let mut rest = &bytes[..];
            while twist.split && rest.len() > 1 && !rng.once_in(4) {
                let (piece, later) = rest.split_at(1 + rng.below(rest.len() as u64 - 1) as usize);
                engine.handle_input(node(n), piece, at);
                rest = later;
            }
            engine.handle_input(node(n), rest, at);
        }
    }
}

fn drain(engine: &mut Engine, outputs: &mut Outputs) -> Result<Option<Instant>, Violation> {
    for _ in 0..10_000 {
        match engine.poll_output() {
            Output::Connect(_) | Output::Disconnect(_) => {}
            Output::Transmit { node, bytes } => outputs.note_bytes(node.index(), bytes),
            Output::Event(event) => outputs.events.push(event),
            Output::Timeout(due) => return Ok(due),
        }
    }
    Err(Promise::Steps.broken("poll_output does not come to an end"))
}
