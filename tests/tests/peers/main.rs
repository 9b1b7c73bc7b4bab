//! Problems of other lock libraries, as tests of this one: each by name, with its report.
//!
//! Where another file tests the same on real servers, the comment has the name of that test.

use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Arrangement, Obtain, Renewal, Token};
use tenure_tests::trials::single_locks::{
    MS, TTL, ended, held, is_held, obtain, pttl, wait_at_most,
};
use tenure_tests::world::World;

mod ownership;
mod release;
mod time;
mod unknown;
mod waiting;

const SECOND: Duration = Duration::from_secs(1);

/// Whether there is a key on a node.
fn exists(world: &mut World, node: usize, key: &str) -> bool {
    world.command(node, &[b"EXISTS", key.as_bytes()]) == b":1\r\n"
}

fn manual(mut request: Obtain) -> Obtain {
    request.renewal = Renewal::Manual;
    request
}

fn with_token(mut request: Obtain, token: &str) -> Obtain {
    request.token = Token::new(token).expect("a token");
    request
}

/// One server that sends no notifications.
fn silent_world() -> World {
    let mut options = Options::default();
    options.tracking = false;
    World::with(1, Arrangement::Ordered, options, |_| {})
}

/// One server like Redis, which needs scripts, and one like Valkey.
fn both_worlds() -> [World; 2] {
    [false, true].map(|compare| {
        let mut options = Options::default();
        options.compare = compare;
        World::with(1, Arrangement::Ordered, options, |_| {})
    })
}
