//! Operations on their way to a node.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::{Claim, Mode, Op};

use super::node::KEYS;
use super::per_key::Progress;

/// Whose value it is: few enough bytes to be copied, where the real one has 22.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Value {
    pub(super) client: u8,
    /// Of its locks, and of the tokens of that.
    pub(super) number: u16,
}

impl Value {
    /// The marker of a key that others share. No client has it.
    pub(super) const SHARED: Self = Self {
        client: u8::MAX,
        number: u16::MAX,
    };

    /// The bytes that a token is drawn from.
    pub(super) fn token(client: usize, lock: u8) -> [u8; 16] {
        let mut token = [0; 16];
        token[0] = u8::try_from(client).unwrap_or(u8::MAX);
        // The last bits stay free for the successors of the token.
        token[1] = lock;
        token
    }

    /// What it is on the embedded server.
    pub(super) fn text(self) -> String {
        if self == Self::SHARED {
            "~shared".into()
        } else {
            format!("{}-{}", self.client, self.number)
        }
    }

    /// The same, read again.
    pub(super) fn of(text: &str) -> Self {
        let Some((client, number)) = text.split_once('-') else {
            assert_eq!(text, "~shared");
            return Self::SHARED;
        };
        Self {
            client: client.parse().expect("a client"),
            number: number.parse().expect("a number"),
        }
    }

    /// From what the node is sent: base64url of the token and nothing else.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let digit = |at: usize| match bytes[at] {
            upper @ b'A'..=b'Z' => u32::from(upper - b'A'),
            lower @ b'a'..=b'z' => u32::from(lower - b'a') + 26,
            number @ b'0'..=b'9' => u32::from(number - b'0') + 52,
            b'-' => 62,
            _ => 63,
        };
        let first = digit(0) << 12 | digit(1) << 6 | digit(2);
        let last = digit(20) << 2 | digit(21) >> 4;
        let [_, client, lock, _] = (first << 6).to_be_bytes();
        let [.., successor] = last.to_be_bytes();
        Self {
            client,
            number: u16::from_be_bytes([lock, successor]),
        }
    }
}

/// An operation on its way, with all it needs to be carried out at any time.
#[derive(Copy, Clone, Debug)]
pub(super) struct Order {
    pub(super) action: Action,
    /// As bits.
    pub(super) keys: u8,
    pub(super) value: Value,
    pub(super) ttl_ms: u32,
    /// How far it is, where no script runs.
    pub(super) progress: Progress,
}

#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Action {
    Obtain {
        again: bool,
        fence: bool,
    },
    /// Perhaps with a number that the counters shall have at least.
    Refresh {
        keep: bool,
        seal: Option<u64>,
    },
    Check,
    Look,
    Release,
    /// To have the key alone, if nobody shares it; of one who shares it, if nobody else does.
    Enter {
        change: bool,
    },
    /// To share the key with at most so many, or with any number for 0; of one who has it alone, from now on.
    Share {
        limit: u32,
        waits: bool,
        change: bool,
    },
    /// A refresh of one who shares the key.
    Stay {
        keep: bool,
    },
    /// A check of one who shares the key.
    CheckShared,
    /// A release of one of these.
    Leave {
        limit: u32,
    },
}

impl Action {
    /// Whether the node may have the value afterwards.
    pub(super) const fn obtains(self) -> bool {
        matches!(
            self,
            Self::Obtain { .. } | Self::Enter { .. } | Self::Share { .. }
        )
    }

    pub(super) const fn refreshes(self) -> bool {
        matches!(self, Self::Refresh { .. } | Self::Stay { .. })
    }

    pub(super) const fn only_reads(self) -> bool {
        matches!(self, Self::Check | Self::Look | Self::CheckShared)
    }

    /// Whether the client may get a notification of the next change.
    pub(super) const fn watches(self) -> bool {
        match self {
            Self::Obtain { .. }
            | Self::Refresh { .. }
            | Self::Check
            | Self::Look
            | Self::Enter { .. } => true,
            Self::Share { waits, .. } => waits,
            Self::Release | Self::Stay { .. } | Self::CheckShared | Self::Leave { .. } => false,
        }
    }
}

impl Order {
    /// `None` for an operation that changes nothing and that no lock waits for.
    pub(super) fn new(op: Op<'_>) -> Option<Self> {
        let (action, claim, ttl) = match limit(op) {
            Some(limit) => shared(op, limit)?,
            None => alone(op)?,
        };
        let letters = claim.keys().iter().map(|key| key.as_bytes()[0] - b'a');
        Some(Self {
            action,
            keys: letters.fold(0, |keys, letter| keys | 1 << letter),
            value: Value::read(claim.value()),
            ttl_ms: u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX),
            progress: Progress::default(),
        })
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = usize> + use<> {
        let keys = self.keys;
        (0..KEYS.len()).filter(move |key| keys >> key & 1 == 1)
    }
}

/// The operation of a lock that has its keys alone.
fn alone(op: Op<'_>) -> Option<(Action, &Claim, Duration)> {
    Some(match op {
        Op::Obtain {
            claim,
            ttl,
            mode: Mode::InTurn,
            fence: None,
            change,
            ..
        } => (Action::Enter { change }, claim, ttl.as_duration()),
        Op::Obtain {
            claim,
            ttl,
            again,
            mode: Mode::Exclusive,
            fence,
            ..
        } => {
            let fence = fence.is_some();
            (Action::Obtain { again, fence }, claim, ttl.as_duration())
        }
        Op::Refresh {
            claim,
            ttl,
            keep,
            mode: Mode::Exclusive | Mode::InTurn,
            fence,
        } => {
            let seal = fence.map(|(fence, _)| fence.0);
            (Action::Refresh { keep, seal }, claim, ttl.as_duration())
        }
        Op::Check { claim, .. } => (Action::Check, claim, Duration::ZERO),
        Op::Look { claim } => (Action::Look, claim, Duration::ZERO),
        Op::Release {
            claim,
            mode: Mode::Exclusive,
            ..
        } => (Action::Release, claim, Duration::ZERO),
        Op::Release {
            claim,
            ttl,
            mode: Mode::InTurn,
        } => (Action::Leave { limit: 0 }, claim, ttl.as_duration()),
        Op::Inspect { .. } => return None,
        // A new operation or mode.
        Op::Obtain { .. } | Op::Refresh { .. } | Op::Release { .. } | _ => {
            panic!("teach the nodes of the search {op:?}")
        }
    })
}

/// The operation of a lock that shares its key with at most so many.
fn shared(op: Op<'_>, limit: u32) -> Option<(Action, &Claim, Duration)> {
    Some(match op {
        Op::Obtain {
            claim,
            ttl,
            waits,
            change,
            ..
        } => {
            let action = Action::Share {
                limit,
                waits,
                change,
            };
            (action, claim, ttl.as_duration())
        }
        Op::Refresh {
            claim, ttl, keep, ..
        } => (Action::Stay { keep }, claim, ttl.as_duration()),
        Op::Check { claim, .. } => (Action::CheckShared, claim, Duration::ZERO),
        Op::Release { claim, ttl, .. } => (Action::Leave { limit }, claim, ttl.as_duration()),
        Op::Look { .. } | Op::Inspect { .. } | _ => panic!("it has no mode: {op:?}"),
    })
}

/// How many may share the keys with the lock of this operation, 0 for any number; `None` if it has them alone.
fn limit(op: Op<'_>) -> Option<u32> {
    let (Op::Obtain { mode, .. }
    | Op::Refresh { mode, .. }
    | Op::Check { mode, .. }
    | Op::Release { mode, .. }) = op
    else {
        return None;
    };
    match mode {
        Mode::Shared { limit } => Some(limit.map_or(0, NonZeroU32::get)),
        Mode::Exclusive | Mode::InTurn | _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tenure_core::Token;

    use super::*;

    #[test]
    fn a_value_is_read_as_it_was_drawn() {
        for (client, lock, successor) in [(1, 2, 0), (254, 1, 3), (255, 255, 255), (0, 0, 64)] {
            let mut token = Value::token(client, lock);
            token[15] = successor;
            let read = Value::read(Token::random(token).as_bytes());
            let number = u16::from_be_bytes([lock, successor]);
            assert_eq!(usize::from(read.client), client);
            assert_eq!(read.number, number);
        }
    }
}
