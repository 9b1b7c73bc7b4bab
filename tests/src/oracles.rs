//! What our decoder and two others make of the same bytes, in one form.
//!
//! Both others stay oracles: `redis-protocol` has no depth limit and ends the process on 5 kB of nested arrays,
//! `resp-rs` is sound. Where they are known to differ from us is a [`Divergence`].

use bytes::Bytes;
use redis_protocol::resp3::decode::complete::decode;
use redis_protocol::resp3::types::{OwnedFrame, VerbatimStringFormat};
use resp_rs::ParseError;
use resp_rs::resp3::{Frame, parse_frame};
use tenure_core::redis::resp::{DecodeError, DecodeLimits, Decoder, Item, Reply};

/// A reply, in a form that all decoders can be brought to. Sets and maps are put in order, since `redis-protocol` forgets
/// how they came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names of RESP")]
pub enum Value {
    Simple(Vec<u8>),
    Error(Vec<u8>),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Boolean(bool),
    /// The number itself, since spellings differ.
    Double(String),
    BigNumber(Vec<u8>),
    Verbatim(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Set(Vec<Self>),
    Push(Vec<Self>),
}

/// What a decoder makes of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// One reply, and how many bytes it and what is before it took.
    Whole(Value, usize),
    /// There must be more bytes.
    Incomplete,
    /// This is not RESP.
    Wrong,
    /// It does not want so much of it.
    Limit,
    /// Something that we have no word for.
    Foreign,
}

/// A known difference that is not a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// We skip attributes. `resp-rs` hands them out; `redis-protocol` takes one, not two in a row.
    Attribute,
    /// Streamed strings and aggregates, which no server sends, are malformed for us.
    Streamed,
    /// `resp-rs` takes half of a line end within a line.
    HalfLineEnd,
    /// `resp-rs` reads numbers as Rust does: `.5`, `1.`, `Infinity`, `1e400`.
    DoubleSpelling,
    /// `redis-protocol` does not know the nulls of RESP2 in RESP3, though servers send them.
    Resp2Null,
    /// `redis-protocol` wants errors and big numbers to be UTF-8.
    NotUtf8,
    /// `redis-protocol` keeps one of several equal keys, and takes only some types for keys and members.
    KeysOfMaps,
    /// `redis-protocol` knows the formats `txt` and `mkd` only; `resp-rs` wants three bytes without a colon.
    VerbatimFormat,
}

/// What our decoder makes of the bytes.
pub fn ours(bytes: &[u8], limits: DecodeLimits) -> Verdict {
    let mut decoder = Decoder::new(limits);
    decoder.feed(bytes);
    let value = match decoder.next_reply() {
        Ok(Some(reply)) => our_value(reply),
        Ok(None) => return Verdict::Incomplete,
        Err(DecodeError::Malformed) => return Verdict::Wrong,
        Err(DecodeError::TooDeep | DecodeError::TooLarge) => return Verdict::Limit,
    };
    Verdict::Whole(value, bytes.len() - decoder.buffered())
}

/// A reply of our decoder's.
pub fn our_value(reply: Reply<'_>) -> Value {
    let children = || reply.children().map(our_value);
    match reply.item() {
        Item::Simple(text) => Value::Simple(text.to_vec()),
        Item::Error(text) => Value::Error(text.to_vec()),
        Item::Integer(number) => Value::Integer(number),
        Item::Bulk(text) => Value::Bulk(text.to_vec()),
        Item::Null => Value::Null,
        Item::Boolean(truth) => Value::Boolean(truth),
        Item::Double(text) => double(&String::from_utf8_lossy(text)),
        Item::BigNumber(text) => Value::BigNumber(text.to_vec()),
        Item::Verbatim(text) => Value::Verbatim(text.to_vec()),
        Item::Array(_) => Value::Array(children().collect()),
        Item::Map(_) => {
            let all: Vec<Value> = children().collect();
            let pairs = all.chunks_exact(2);
            map(pairs
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect())
        }
        Item::Set(_) => set(children().collect()),
        Item::Push(_) => Value::Push(children().collect()),
    }
}

/// What `resp-rs` makes of the bytes.
pub fn resp_rs(bytes: &[u8]) -> Verdict {
    match parse_frame(Bytes::copy_from_slice(bytes)) {
        Ok((frame, rest)) => match their_value(frame) {
            Some(value) => Verdict::Whole(value, bytes.len() - rest.len()),
            None => Verdict::Foreign,
        },
        Err(ParseError::Incomplete) => Verdict::Incomplete,
        Err(ParseError::DepthExceeded | ParseError::LineTooLong) => Verdict::Limit,
        Err(_) => Verdict::Wrong,
    }
}

/// `None` for what we do not know.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not listed is what we do not know"
)]
fn their_value(frame: Frame) -> Option<Value> {
    let all = |frames: Vec<Frame>| -> Option<Vec<Value>> {
        frames.into_iter().map(their_value).collect()
    };
    Some(match frame {
        Frame::SimpleString(text) => Value::Simple(text.to_vec()),
        Frame::Error(text) | Frame::BlobError(text) => Value::Error(text.to_vec()),
        Frame::Integer(number) => Value::Integer(number),
        Frame::BulkString(Some(text)) => Value::Bulk(text.to_vec()),
        Frame::BulkString(None) | Frame::Array(None) | Frame::Null => Value::Null,
        Frame::Boolean(truth) => Value::Boolean(truth),
        Frame::Double(number) => Value::Double(number.to_string()),
        Frame::SpecialFloat(text) => double(&String::from_utf8_lossy(&text)),
        Frame::BigNumber(text) => Value::BigNumber(text.to_vec()),
        Frame::VerbatimString { payload } => Value::Verbatim(payload.to_vec()),
        Frame::Array(Some(frames)) => Value::Array(all(frames)?),
        Frame::Set(frames) => set(all(frames)?),
        Frame::Push(frames) => Value::Push(all(frames)?),
        Frame::Map(pairs) => map(pairs
            .into_iter()
            .map(|(key, value)| Some((their_value(key)?, their_value(value)?)))
            .collect::<Option<_>>()?),
        _ => return None,
    })
}

/// What `redis-protocol` makes of bytes whose depth we have checked.
pub fn redis_protocol(bytes: &[u8]) -> Verdict {
    match decode(bytes) {
        Ok(Some((frame, used))) => match older_value(frame) {
            Some(value) => Verdict::Whole(value, used),
            None => Verdict::Foreign,
        },
        Ok(None) => Verdict::Incomplete,
        Err(_) => Verdict::Wrong,
    }
}

fn older_value(frame: OwnedFrame) -> Option<Value> {
    let all = |frames: Vec<OwnedFrame>| -> Option<Vec<Value>> {
        frames.into_iter().map(older_value).collect()
    };
    Some(match frame {
        OwnedFrame::SimpleString { data, .. } => Value::Simple(data),
        OwnedFrame::SimpleError { data, .. } => Value::Error(data.into_bytes()),
        OwnedFrame::BlobError { data, .. } => Value::Error(data),
        OwnedFrame::Number { data, .. } => Value::Integer(data),
        OwnedFrame::BlobString { data, .. } => Value::Bulk(data),
        OwnedFrame::Null => Value::Null,
        OwnedFrame::Boolean { data, .. } => Value::Boolean(data),
        OwnedFrame::Double { data, .. } => Value::Double(data.to_string()),
        OwnedFrame::BigNumber { data, .. } => Value::BigNumber(data),
        OwnedFrame::VerbatimString { data, format, .. } => {
            let format: &[u8] = match format {
                VerbatimStringFormat::Text => b"txt:",
                VerbatimStringFormat::Markdown => b"mkd:",
            };
            Value::Verbatim([format, &data].concat())
        }
        OwnedFrame::Array { data, .. } => Value::Array(all(data)?),
        OwnedFrame::Push { data, .. } => Value::Push(all(data)?),
        OwnedFrame::Set { data, .. } => set(all(data.into_iter().collect())?),
        OwnedFrame::Map { data, .. } => map(data
            .into_iter()
            .map(|(key, value)| Some((older_value(key)?, older_value(value)?)))
            .collect::<Option<_>>()?),
        OwnedFrame::Hello { .. } | OwnedFrame::ChunkedString(_) => return None,
    })
}

/// Why `resp-rs` may differ on these bytes.
pub fn excuse_of_resp_rs(bytes: &[u8]) -> Option<Divergence> {
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    if has(b"|") {
        Some(Divergence::Attribute)
    } else if has(b"?\r\n") || has(b".\r\n") || has(b";") {
        Some(Divergence::Streamed)
    } else if has(b",") {
        Some(Divergence::DoubleSpelling)
    } else if has(b"=") {
        Some(Divergence::VerbatimFormat)
    } else {
        has_half_line_end(bytes).then_some(Divergence::HalfLineEnd)
    }
}

fn has_half_line_end(bytes: &[u8]) -> bool {
    let pairs = bytes.windows(2).filter(|pair| *pair == b"\r\n").count();
    let count = |half: u8| bytes.iter().filter(|byte| **byte == half).count();
    count(b'\r') != pairs || count(b'\n') != pairs
}

/// Why `redis-protocol` may differ on these bytes, which hold a reply that we take.
pub fn excuse_of_redis_protocol(value: &Value, bytes: &[u8]) -> Option<Divergence> {
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    if has(b"|") {
        Some(Divergence::Attribute)
    } else if has(b"$-1\r\n") || has(b"*-1\r\n") {
        Some(Divergence::Resp2Null)
    } else {
        inner_excuse(value)
    }
}

fn inner_excuse(value: &Value) -> Option<Divergence> {
    match value {
        Value::Error(text) | Value::BigNumber(text) if std::str::from_utf8(text).is_err() => {
            Some(Divergence::NotUtf8)
        }
        Value::Verbatim(text) if !text.starts_with(b"txt:") && !text.starts_with(b"mkd:") => {
            Some(Divergence::VerbatimFormat)
        }
        Value::Map(pairs) => {
            let keys: Vec<_> = pairs.iter().map(|(key, _)| key).collect();
            let values = pairs.iter().find_map(|(_, value)| inner_excuse(value));
            excuse_of_keys(&keys).or(values)
        }
        Value::Set(all) => excuse_of_keys(&all.iter().collect::<Vec<_>>()),
        Value::Array(all) | Value::Push(all) => all.iter().find_map(inner_excuse),
        Value::Simple(_)
        | Value::Error(_)
        | Value::Integer(_)
        | Value::Bulk(_)
        | Value::Null
        | Value::Boolean(_)
        | Value::Double(_)
        | Value::BigNumber(_)
        | Value::Verbatim(_) => None,
    }
}

/// The keys are in order.
fn excuse_of_keys(keys: &[&Value]) -> Option<Divergence> {
    let twice = keys.windows(2).any(|pair| pair[0] == pair[1]);
    let odd = twice || !keys.iter().all(|key| is_key(key));
    let inner = || keys.iter().find_map(|key| inner_excuse(key));
    odd.then_some(Divergence::KeysOfMaps).or_else(inner)
}

/// What `redis-protocol` can hash.
const fn is_key(value: &Value) -> bool {
    matches!(
        value,
        Value::Simple(_)
            | Value::Integer(_)
            | Value::Bulk(_)
            | Value::Boolean(_)
            | Value::BigNumber(_)
    )
}

fn double(text: &str) -> Value {
    Value::Double(
        text.parse::<f64>()
            .map_or_else(|_| text.to_owned(), |number| number.to_string()),
    )
}

fn set(mut all: Vec<Value>) -> Value {
    all.sort();
    Value::Set(all)
}

fn map(mut pairs: Vec<(Value, Value)>) -> Value {
    pairs.sort();
    Value::Map(pairs)
}
