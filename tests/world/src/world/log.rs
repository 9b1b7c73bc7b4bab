//! What goes into an engine and what comes out.

use tenure_core::{Event, Instant, Keys, LockId, Mode, Obtain, Ttl};

/// What went into an engine and what came out, to be played once more.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) on: bool,
    pub(crate) inputs: Vec<Logged<Input>>,
    /// All that came in, in order.
    pub(crate) bytes: Vec<u8>,
    pub(crate) outputs: Outputs,
}

/// Something that went into a machine.
pub(crate) struct Logged<I> {
    pub(crate) at: Instant,
    pub(crate) input: I,
    pub(crate) after: After,
}

/// What followed upon an input.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum After {
    /// Nobody asked.
    Unpolled,
    /// There was nothing to do.
    Silent,
    /// There was something.
    Spoke,
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outputs {
    /// A hash per node.
    pub(crate) bytes: Vec<u64>,
    /// Which links were to be made and which given up.
    links: Vec<(usize, bool)>,
    pub(crate) events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub(crate) enum Input {
    Obtain(Box<Obtain>),
    Refresh(LockId, Option<Ttl>),
    Change(LockId, Mode),
    Release(LockId),
    Inspect(Keys),
    TakeInspection(LockId),
    Close,
    Connected(usize),
    Disconnected(usize),
    /// From a node, so many of [`Log::bytes`].
    Bytes(usize, usize),
    Timeout,
}

impl Log {
    pub(crate) fn kept() -> Self {
        Self {
            on: true,
            inputs: Vec::with_capacity(1024),
            bytes: Vec::with_capacity(1 << 14),
            outputs: Outputs::default(),
        }
    }

    pub(crate) fn note_bytes(&mut self, own: Instant, node: usize, bytes: &[u8]) {
        if self.on {
            self.bytes.extend_from_slice(bytes);
            self.note(own, Input::Bytes(node, bytes.len()));
        }
    }

    pub(super) fn note_link(&mut self, node: usize, wanted: bool) {
        if self.on {
            self.outputs.note_link(node, wanted);
        }
    }

    pub(super) fn note(&mut self, at: Instant, input: Input) {
        let after = After::Unpolled;
        self.inputs.push(Logged { at, input, after });
    }

    /// The engine was asked until it had nothing more to say.
    pub(super) fn settle(&mut self, spoke: bool) {
        if let Some(last) = self.inputs.last_mut() {
            // A second look finds nothing, and does not change what the first has found.
            if spoke {
                last.after = After::Spoke;
            } else if last.after == After::Unpolled {
                last.after = After::Silent;
            }
        }
    }
}

impl Outputs {
    pub(crate) fn note_link(&mut self, node: usize, wanted: bool) {
        self.links.push((node, wanted));
    }

    pub(crate) fn note_bytes(&mut self, node: usize, bytes: &[u8]) {
        if self.bytes.len() <= node {
            self.bytes.resize(node + 1, 0xcbf2_9ce4_8422_2325);
        }
        self.bytes[node] = hash(self.bytes[node], bytes);
    }
}

/// Takes in one piece, with its length: where pieces end is part of what came out.
fn hash(start: u64, bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<16>();
    let mut last = [0; 16];
    last[..rest.len()].copy_from_slice(rest);
    let whole = pairs.iter().fold(start, step);
    step(whole ^ bytes.len() as u64, &last)
}

/// Two words at once: their product, folded.
fn step(hash: u64, pair: &[u8; 16]) -> u64 {
    let pair = u128::from_le_bytes(*pair);
    let (low, high) = (pair as u64, (pair >> 64) as u64);
    let product = u128::from(hash ^ low) * u128::from(high ^ 0x9e37_79b9_7f4a_7c15);
    (product as u64 ^ (product >> 64) as u64).rotate_left(29)
}
