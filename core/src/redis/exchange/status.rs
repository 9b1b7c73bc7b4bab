//! The reply of the script that reports everything that is known of a key.

use alloc::boxed::Box;
use core::str;
use core::time::Duration;

use super::progress::{Decision, ReplyProgress};
use crate::fence::Fence;
use crate::lock::{Holding, Status};
use crate::redis::Script;
use crate::redis::capability::Capability;
use crate::redis::error::ServerError;
use crate::redis::resp::{Item, Reply};

impl ReplyProgress {
    /// `number` is that of the request.
    pub(super) fn note_status(
        &mut self,
        reply: Reply<'_>,
        number: u32,
        capability: &mut Capability,
    ) {
        if let Item::Error(line) = reply.item() {
            let error = ServerError::of(line);
            self.decided = Some(if error == ServerError::NoScript {
                capability.lacks(Script::Status, number);
                Decision::Again
            } else {
                Decision::Failed(error.node())
            });
            return;
        }
        self.status = read(reply).map(Box::new);
        if self.status.is_none() {
            self.decided = Some(Decision::Unknown);
        }
    }
}

/// `None` if no server replies like that.
fn read(reply: Reply<'_>) -> Option<Status> {
    let Item::Array(6) = reply.item() else {
        return None;
    };
    let mut parts = reply.children();
    let value = parts.next()?.as_bytes();
    let remaining = duration(parts.next()?.as_integer()?);
    let count = u64::try_from(parts.next()?.as_integer()?).ok()?;
    let waiting = u64::try_from(parts.next()?.as_integer()?).ok()?;
    let fence = parts.next()?.as_bytes();
    let fence = fence.and_then(|digits| str::from_utf8(digits).ok()?.parse().ok());
    let mut sharing = parts.next()?.children();
    let held = value.map(|value| Holding {
        value: value.into(),
        remaining,
    });
    let mut status = Status {
        waiting,
        fence: fence.map(Fence),
        ..Status::default()
    };
    if held.as_ref().is_some_and(Holding::is_shared) {
        while let (Some(value), Some(left)) = (sharing.next(), sharing.next()) {
            status.holders.push(Holding {
                value: value.as_bytes()?.into(),
                remaining: duration(left.as_integer()?),
            });
        }
        status.more = count.saturating_sub(status.holders.len() as u64);
    } else {
        status.holders.extend(held.clone());
    }
    status.held = held;
    Some(status)
}

/// `None` without an end.
fn duration(millis: i64) -> Option<Duration> {
    u64::try_from(millis).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::NodeError;
    use crate::redis::resp::{DecodeLimits, Decoder};
    use alloc::format;

    fn received(answer: &str) -> ReplyProgress {
        let mut decoder = Decoder::new(DecodeLimits::default());
        decoder.feed(answer.as_bytes());
        let reply = decoder.next_reply().unwrap().expect("a reply");
        let mut progress = ReplyProgress::default();
        progress.note_status(reply, 0, &mut { Capability::BASIC });
        progress
    }

    fn status(answer: &str) -> Status {
        *received(answer).status.expect(answer)
    }

    fn holding(value: &[u8], ms: Option<u64>) -> Holding {
        Holding {
            value: value.into(),
            remaining: ms.map(Duration::from_millis),
        }
    }

    #[test]
    fn each_kind_of_holder_is_understood() {
        let free = status("*6\r\n_\r\n:-2\r\n:0\r\n:1\r\n$1\r\n7\r\n*0\r\n");
        assert_eq!(
            (free.held, free.waiting, free.fence),
            (None, 1, Some(Fence(7)))
        );
        let alone = status("*6\r\n$1\r\nv\r\n:-1\r\n:0\r\n:0\r\n$-1\r\n*0\r\n");
        assert!(!alone.is_shared());
        assert_eq!(alone.held, Some(holding(b"v", None)));
        assert_eq!(alone.holders, [holding(b"v", None)]);
        // A counter that is none does not hide the rest.
        let two = "$1\r\na\r\n:20\r\n$1\r\nb\r\n:10\r\n";
        let shared = format!("*6\r\n$7\r\n~shared\r\n:25\r\n:5\r\n:0\r\n$1\r\nx\r\n*4\r\n{two}");
        let shared = status(&shared);
        assert!(shared.is_shared());
        let each = [holding(b"a", Some(20)), holding(b"b", Some(10))];
        assert_eq!(
            (&shared.holders[..], shared.more, shared.fence),
            (&each[..], 3, None)
        );
    }

    #[test]
    fn what_no_server_replies_is_unknown() {
        for answer in [
            "+OK\r\n",
            "*1\r\n_\r\n",
            "*6\r\n_\r\n_\r\n:0\r\n:1\r\n_\r\n*0\r\n",
            "*6\r\n_\r\n:-2\r\n:-1\r\n:1\r\n_\r\n*0\r\n",
            "*6\r\n$7\r\n~shared\r\n:1\r\n:1\r\n:1\r\n_\r\n*2\r\n:1\r\n:1\r\n",
        ] {
            let progress = received(answer);
            assert!(progress.status.is_none(), "{answer}");
            assert_eq!(progress.decided, Some(Decision::Unknown), "{answer}");
        }
        let refused = received("-NOPERM No permissions to access a key\r\n");
        let reason = Some(Decision::Failed(NodeError::NoPermission));
        assert_eq!(refused.decided, reason);
        let missing = received("-NOSCRIPT No matching script.\r\n");
        assert_eq!(missing.decided, Some(Decision::Again));
    }
}
