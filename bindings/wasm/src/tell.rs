//! Events as records.

use alloc::vec::Vec;

use tenure_core::{Engine, Event, Inspection, NodeState, NotObtained};

use crate::record::{Record, millis};
use crate::{micros, names};

/// What `poll` says is to be done; the record has the rest.
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
}

pub(crate) fn tell(engine: &mut Engine, record: &mut Record, event: Event) -> u8 {
    match event {
        Event::Obtained { lock, lease } => {
            record.name(lock.to_bits());
            record.numbers(micros(lease.expires_at()), 0.0);
            let claim = engine.claim(lock);
            record.point_to(claim.map_or(&[], |claim| claim.token().as_bytes()));
            todo::OBTAINED
        }
        Event::NotObtained { lock, reason } => {
            record.name(lock.to_bits());
            record.numbers(-1.0, 0.0);
            if let NotObtained::Taken { remaining } = reason {
                record.numbers(millis(remaining), 0.0);
            }
            let (name, fault) = (names::not_obtained(reason), names::fault(reason));
            record.write([name.as_bytes(), b"\n", fault.as_bytes()].concat());
            todo::NOT_OBTAINED
        }
        Event::Refreshed { lock, lease, asked } => {
            record.name(lock.to_bits());
            record.numbers(micros(lease.expires_at()), f64::from(u8::from(asked)));
            todo::REFRESHED
        }
        Event::Lost { lock, reason } => {
            record.name(lock.to_bits());
            record.point_to(names::loss(reason).as_bytes());
            todo::LOST
        }
        Event::Released { lock, proof } => {
            record.name(lock.to_bits());
            record.point_to(names::released(proof).as_bytes());
            todo::RELEASED
        }
        Event::Inspected { inspection } => {
            record.name(inspection.to_bits());
            let result = engine.take_inspection(inspection);
            inspected(record, result);
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
                    record.point_to(names::node(error).as_bytes());
                    todo::NODE_DOWN
                }
                _ => todo::NOTHING,
            }
        }
        _ => todo::NOTHING,
    }
}

/// Per key: the time it has left as a float (negative: without an end; not a number: free), the length of its value,
/// the value.
fn inspected(record: &mut Record, result: Option<Inspection>) {
    let holdings = match result {
        Some(Ok(holdings)) => holdings,
        Some(Err(error)) => {
            record.numbers(0.0, 0.0);
            record.point_to(names::node(error).as_bytes());
            return;
        }
        None => Vec::new(),
    };
    let mut bytes = Vec::new();
    for holding in &holdings {
        let (remaining, value) = match holding {
            Some(holding) => (millis(holding.remaining), &*holding.value),
            None => (f64::NAN, &[][..]),
        };
        bytes.extend_from_slice(&remaining.to_le_bytes());
        let len = u32::try_from(value.len()).unwrap_or_default();
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(value);
    }
    record.numbers(1.0, 0.0);
    record.write(bytes);
}
