//! The replies to operations that send one command per key, because the server runs no scripts. The table in
//! `core/docs/scripts.md` says what each combination means.

use super::{Decision, ReplyProgress};
use crate::event::NodeError;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply};
use crate::redis::wire::PerKey;

/// What the deciding replies to one request have said.
#[derive(Copy, Clone, Default, Debug)]
pub(super) struct Each {
    /// Keys that were ours, and for which the command was carried out.
    done: u16,
    /// A key was not ours.
    missing: bool,
    /// A command was refused.
    error: Option<NodeError>,
    /// The server does not know a command: to be sent in another way.
    unsupported: bool,
    /// A reply that no server sends.
    odd: bool,
}

/// One reply.
enum Said {
    Yes,
    No,
    Refused(ServerError),
    Odd,
}

impl Said {
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "any other reply that a server may send"
    )]
    fn new(reply: Reply<'_>) -> Self {
        match reply.item() {
            Item::Simple(b"OK") | Item::Integer(1) => Self::Yes,
            Item::Null | Item::Integer(0) => Self::No,
            Item::Error(line) => match ServerError::of(line) {
                ServerError::WrongType => Self::No,
                error => Self::Refused(error),
            },
            _ => Self::Odd,
        }
    }
}

impl ReplyProgress {
    /// One of the replies that decide.
    #[cold]
    pub(in crate::redis::exchange) fn note_each(
        &mut self,
        (command, keys): (PerKey, u16),
        reply: Reply<'_>,
        capability: &mut Capability,
    ) {
        let said = Said::new(reply);
        let obtains = command == PerKey::Settle && self.replies == keys;
        if obtains && matches!(said, Said::Yes) {
            self.decided = Some(Decision::Granted);
            return;
        }
        let each = &mut self.each;
        match said {
            Said::Yes => each.done = each.done.saturating_add(1),
            // The obtain of a key that is ours is denied, too.
            Said::No => each.missing |= !obtains,
            Said::Refused(ServerError::Unsupported) => {
                each.unsupported = true;
                match command {
                    PerKey::Release => capability.refuse_delete(),
                    PerKey::Settle if obtains => capability.refuse_set_several(),
                    PerKey::Settle | PerKey::Refresh => capability.refuse_set(),
                }
            }
            Said::Refused(error) => {
                each.error.get_or_insert_with(|| error.node());
            }
            Said::Odd => each.odd = true,
        }
        let is_last =
            obtains || command != PerKey::Settle && self.replies.saturating_add(1) == keys;
        if is_last {
            self.decided = Some(each.decision(command, keys));
        }
    }
}

impl Each {
    fn decision(self, command: PerKey, keys: u16) -> Decision {
        if self.done == keys {
            return Decision::Granted;
        }
        // One key that is not ours is enough to know that the lock is lost.
        if command == PerKey::Refresh && self.missing {
            return Decision::Denied;
        }
        // When it is sent again, the keys that are gone by then must not look as if they had been lost before.
        let deleted = command == PerKey::Release && self.done > 0;
        match self.error {
            _ if self.odd => Decision::Unknown,
            _ if self.unsupported => Decision::Again,
            Some(_) if deleted => Decision::Unknown,
            Some(error) => Decision::Failed(error),
            None => Decision::Denied,
        }
    }
}
