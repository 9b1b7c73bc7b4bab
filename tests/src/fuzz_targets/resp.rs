//! Any bytes for the decoder.

use tenure_core::redis::resp::{DecodeError, DecodeLimits, Decoder};

use super::pieces;
use crate::oracles::{
    Value, Verdict, excuse_of_redis_protocol, excuse_of_resp_rs, our_value, ours, redis_protocol,
    resp_rs,
};

/// Small, so that a short input reaches them.
const LIMITS: DecodeLimits = DecodeLimits {
    bytes: 1 << 12,
    depth: 8,
    line: 1 << 10,
};

/// The first byte says how the others are split.
///
/// # Panics
/// If splits change the result, or if the decoder disagrees with the others in a way that is not a known
/// [`Divergence`](crate::oracles::Divergence).
pub fn resp(input: &[u8]) {
    let Some((seed, bytes)) = input.split_first() else {
        return;
    };
    let whole = all(&[bytes]);
    assert_eq!(all(&pieces(bytes, *seed)), whole, "split by {seed}");
    compare(bytes);
}

/// All replies, and the error after them.
fn all(pieces: &[&[u8]]) -> (Vec<Value>, Option<DecodeError>) {
    let mut decoder = Decoder::new(LIMITS);
    let mut replies = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_reply() {
                Ok(Some(reply)) => {
                    let end = reply.raw().as_ptr_range().end;
                    if let Some(last) = reply.children().last() {
                        assert_eq!(last.raw().as_ptr_range().end, end, "children end too early");
                    }
                    replies.push(our_value(reply));
                }
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
        assert!(
            decoder.buffered() <= LIMITS.bytes,
            "more than an answer is kept"
        );
    }
    (replies, None)
}

fn compare(bytes: &[u8]) {
    let our_verdict = ours(bytes, LIMITS);
    if our_verdict == Verdict::Limit {
        return;
    }
    let theirs = resp_rs(bytes);
    let agree = match (&our_verdict, &theirs) {
        // One may see before the other that no more bytes can help.
        (Verdict::Incomplete, Verdict::Wrong) | (Verdict::Wrong, Verdict::Incomplete) => true,
        (_, Verdict::Limit) => true,
        (ours, theirs) => ours == theirs,
    };
    assert!(
        agree || excuse_of_resp_rs(bytes).is_some(),
        "we say {our_verdict:?}, resp-rs {theirs:?}"
    );
    if let Verdict::Whole(value, used) = &our_verdict
        && excuse_of_redis_protocol(value, &bytes[..*used]).is_none()
    {
        assert_eq!(
            redis_protocol(&bytes[..*used]),
            our_verdict,
            "redis-protocol"
        );
    }
}
