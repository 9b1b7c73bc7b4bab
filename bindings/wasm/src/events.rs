//! Events as records.

use alloc::vec::Vec;

use tenure_core::{Engine, Event, Holding, LockId, NodeError, NodeState, NotObtained};

use crate::record::{Record, millis};
use crate::{codes, micros};

#[cfg(feature = "modes")]
mod modes;

/// What `poll` returns: what to do. The record has the details.
pub(crate) mod todo {
    pub(crate) const TIMEOUT: u8 = 0;
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const DISCONNECT: u8 = 2;
    pub(crate) const TRANSMIT: u8 = 3;
    pub(crate) const OBTAINED: u8 = 4;
    pub(crate) const NOT_OBTAINED: u8 = 5;
    pub(crate) const REFRESHED: u8 = 6;
    pub(crate) const LOST: u8 = 7;
    pub(crate) const RELEASED: u8 = 8;
    pub(crate) const INSPECTED: u8 = 9;
    pub(crate) const NODE_READY: u8 = 10;
    pub(crate) const NODE_DOWN: u8 = 11;
    pub(crate) const NOTHING: u8 = 12;
    #[cfg(feature = "modes")]
    pub(crate) const CHANGED: u8 = 13;
    #[cfg(feature = "modes")]
    pub(crate) const NOT_CHANGED: u8 = 14;
}

/// Writes an event into the record. If a server may be at fault, its bytes are the text of the last unknown server error, which
/// only belongs to the event if the reason is an unknown error.
pub(crate) fn write(engine: &mut Engine, record: &mut Record, event: Event) -> u8 {
    match event {
        Event::Obtained { lock, lease } => {
            record.name(lock.to_bits());
            // A fence stays below 2⁵³ until the year 2255.
            let fence = engine.fence(lock).map_or(0.0, |fence| fence.0 as f64);
            record.numbers(micros(lease.expires_at()), fence);
            todo::OBTAINED
        }
        Event::NotObtained { lock, reason } => {
            record.name(lock.to_bits());
            let (code, mut more) = codes::not_obtained(reason);
            if let NotObtained::Taken { remaining, .. } = reason {
                more = millis(remaining);
            }
            record.numbers(f64::from(code), more);
            record.point_to(engine.unknown_error().unwrap_or_default().as_bytes());
            todo::NOT_OBTAINED
        }
        Event::Refreshed {
            lock,
            lease,
            requested,
        } => {
            record.name(lock.to_bits());
            record.numbers(micros(lease.expires_at()), f64::from(u8::from(requested)));
            todo::REFRESHED
        }
        Event::Lost { lock, reason } => {
            record.name(lock.to_bits());
            let (code, fault) = codes::loss(reason);
            record.numbers(f64::from(code), fault);
            record.point_to(engine.unknown_error().unwrap_or_default().as_bytes());
            todo::LOST
        }
        Event::Released { lock, proof } => {
            record.name(lock.to_bits());
            record.code(codes::released(proof));
            todo::RELEASED
        }
        Event::Inspected { inspection } => {
            record.name(inspection.to_bits());
            inspected(engine, record, inspection);
            todo::INSPECTED
        }
        Event::Node { node, state } => {
            record.node(node);
            match state {
                NodeState::Ready { tracking } => {
                    record.numbers(f64::from(u8::from(tracking)), 0.0);
                    todo::NODE_READY
                }
                NodeState::Down(error) => {
                    record.code(codes::node(error));
                    let words = engine.unknown_error_of(node);
                    record.point_to(words.unwrap_or_default().as_bytes());
                    todo::NODE_DOWN
                }
                _ => nothing(record),
            }
        }
        #[cfg(feature = "modes")]
        Event::Changed { lock, .. } => modes::changed(engine, record, lock),
        #[cfg(feature = "modes")]
        Event::NotChanged { lock, reason } => modes::not_changed(engine, record, lock, reason),
        _ => nothing(record),
    }
}

/// An event that is not known here. The record must not go on about the last lock.
fn nothing(record: &mut Record) -> u8 {
    record.name(u64::MAX);
    todo::NOTHING
}

/// One entry per key. If the code is not negative, it says why there is nothing.
fn inspected(engine: &mut Engine, record: &mut Record, inspection: LockId) {
    #[cfg(feature = "modes")]
    if let Some(result) = engine.take_status(inspection) {
        return modes::status(engine, record, result);
    }
    let result = engine.take_inspection(inspection);
    let holdings = match result.unwrap_or(Err(NodeError::Other)) {
        Ok(holdings) => holdings,
        Err(error) => return not_inspected(engine, record, error),
    };
    let mut bytes = Vec::new();
    for holding in &holdings {
        push(&mut bytes, holding.as_ref());
    }
    record.numbers(-1.0, 0.0);
    record.write(bytes);
}

fn not_inspected(engine: &Engine, record: &mut Record, error: NodeError) {
    record.code(codes::node(error));
    record.point_to(engine.unknown_error().unwrap_or_default().as_bytes());
}

/// The time it has left as a float (negative: without an end; not a number: free), the length of its value, the value.
fn push(bytes: &mut Vec<u8>, holding: Option<&Holding>) {
    let (remaining, value) = match holding {
        Some(holding) => (millis(holding.remaining), &*holding.value),
        None => (f64::NAN, &[][..]),
    };
    bytes.extend_from_slice(&remaining.to_le_bytes());
    let len = u32::try_from(value.len()).unwrap_or_default();
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(value);
}
