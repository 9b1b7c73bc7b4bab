//! Schedules: what happens in a world, decoded from bytes, so that seeds, a corpus and a fuzzer share one harness.
//!
//! The first [`HEADER`] bytes choose the world, every following [`STEP`] bytes are one step. Any bytes are a schedule.

mod changes;
mod ending;
mod extras;
mod play;
mod rare;
mod setup;
mod shrink;
mod spans;
mod tasks;

use std::collections::BTreeMap;
use std::time::Duration;

pub use rare::LINES;
pub use shrink::shrink;
use tenure_core::Rng;

use crate::world::{Promise, Record, Violation};

/// How many bytes choose the world.
pub const HEADER: usize = 16;
/// How many bytes are one step.
pub const STEP: usize = 6;

/// Names of what not every schedule does, as in [`Report::used`]. Errors are named by their [`LINES`].
pub const INGREDIENTS: [&str; 33] = [
    "read locks",
    "write locks",
    "permits",
    "changes from reader to writer",
    "changes from writer to reader",
    "changes that cannot be requested",
    "grants that wait for a replica",
    "replicas that stop",
    "metadata",
    "a pause of zero",
    "pauses of less than a millisecond",
    "limit(0)",
    "the same token twice in one engine",
    "the same token in two engines",
    "small limits",
    "servers without PTTL",
    "servers without EVAL",
    "servers without EVAL, with MSETEX",
    "servers without EVAL and DELIFEQ",
    "servers without tracking",
    "workers",
    "workers that do not wait for a release",
    "close in the middle",
    "lost pushes",
    "EXPIRE by hand",
    "PERSIST by hand",
    "RENAME by hand",
    "FLUSHALL by hand",
    "SWAPDB by hand",
    "a key without ttl",
    "a driver that stalls for longer than the request timeout",
    "a silent node",
    "NOSCRIPT with a waiter",
];

/// What is to happen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub(crate) header: [u8; HEADER],
    pub(crate) steps: Vec<[u8; STEP]>,
}

/// What came of a schedule.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// The first promise that was broken.
    pub violation: Option<Violation>,
    /// How much virtual time passed.
    pub time: Duration,
    /// How often each promise was checked and kept.
    pub checks: BTreeMap<Promise, u64>,
    /// How often a promise could not be checked, because an assumption that it rests on was broken on purpose.
    pub excused: BTreeMap<Promise, u64>,
    /// How often it did what not every schedule does, by name.
    pub used: BTreeMap<&'static str, u64>,
    /// A hash of all that engines and servers said, and when, and of this report: the same schedule has the same on every
    /// platform.
    pub trace: u64,
    /// What happened, line by line, if requested.
    pub lines: Vec<String>,
}

impl Schedule {
    /// Any bytes. What is missing of the header is zero, what is left over at the end counts for nothing.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut header = [0; HEADER];
        let known = bytes.len().min(HEADER);
        header[..known].copy_from_slice(&bytes[..known]);
        let (steps, _) = bytes[known..].as_chunks::<STEP>();
        Self {
            header,
            steps: steps.iter().take(400).copied().collect(),
        }
    }

    /// The bytes that it is decoded from.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let steps = self.steps.iter().flatten();
        self.header.iter().chain(steps).copied().collect()
    }

    /// Steps for about 45 seconds, drawn by a seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        let mut rng = Rng::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x7e4e_0f2e);
        let count = 70 + rng.below(60) as usize;
        let bytes: Vec<u8> = (0..HEADER + count * STEP)
            .map(|_| rng.next_u64().to_le_bytes()[3])
            .collect();
        Self::from_bytes(&bytes)
    }

    /// Who takes part, and what they have to reckon with.
    #[must_use]
    pub fn describe(&self) -> String {
        setup::Setup::new(&self.header).describe()
    }

    /// Plays it to its end, or to the first broken promise.
    #[must_use]
    pub fn play(&self) -> Report {
        play::play(self, false).0
    }

    /// Plays it and writes down what happens.
    #[must_use]
    pub fn play_logged(&self) -> Report {
        self.record().0
    }

    /// Plays it, writes down what happens, and keeps what a picture needs.
    #[must_use]
    pub fn record(&self) -> (Report, Record) {
        let (report, record) = play::play(self, true);
        (report, record.unwrap_or_default())
    }
}
