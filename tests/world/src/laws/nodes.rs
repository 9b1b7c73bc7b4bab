//! Nodes that know nothing but keys.

use std::collections::BTreeMap;
use std::time::Duration;

use tenure_core::{Holding, Instant, Key, KeySet, Keys, Op, Outcome, RequestId};

/// A request on its way.
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) deed: Deed,
    pub(super) keys: Keys,
    pub(super) value: Vec<u8>,
}

#[derive(Copy, Clone)]
pub(super) enum Deed {
    Obtain(Duration, bool),
    Refresh(Duration, bool),
    Check,
    Look,
    Release,
    Inspect,
}

impl Request {
    pub(super) fn new(id: RequestId, op: Op<'_>) -> Option<Self> {
        let (deed, claim) = match op {
            Op::Obtain { claim, ttl, again } => (Deed::Obtain(ttl.as_duration(), again), claim),
            Op::Refresh { claim, ttl, keep } => (Deed::Refresh(ttl.as_duration(), keep), claim),
            Op::Check { claim } => (Deed::Check, claim),
            Op::Look { claim } => (Deed::Look, claim),
            Op::Release { claim } => (Deed::Release, claim),
            Op::Inspect { keys } => {
                let (deed, keys, value) = (Deed::Inspect, keys.clone(), Vec::new());
                return Some(Self {
                    id,
                    deed,
                    keys,
                    value,
                });
            }
            _ => return None,
        };
        let (keys, value) = (claim.keys().clone(), claim.value().to_vec());
        Some(Self {
            id,
            deed,
            keys,
            value,
        })
    }
}

/// Keys with a value and an end.
#[derive(Clone, Default)]
pub(super) struct Node {
    keys: BTreeMap<Key, (Vec<u8>, Instant)>,
}

impl Node {
    pub(super) fn find(&self, keys: &Keys, now: Instant) -> Vec<Option<Holding>> {
        let holding = |key| {
            let (value, until) = self.keys.get(key).filter(|(_, until)| *until > now)?;
            Some(Holding {
                value: value.clone().into(),
                remaining: Some(until.saturating_since(now)),
            })
        };
        keys.iter().map(holding).collect()
    }

    pub(super) fn carry_out(&mut self, request: &Request, now: Instant, watched: bool) -> Outcome {
        let keys = &request.keys;
        let of = &mut self.keys;
        of.retain(|_, (_, until)| *until > now);
        let ours = |key: &Key| of.get(key).map(|(value, _)| *value == request.value);
        let all_ours = keys.iter().all(|key| ours(key) == Some(true));
        let done = match request.deed {
            Deed::Obtain(_, again) => keys.iter().all(|key| match ours(key) {
                None => true,
                Some(ours) => ours && again,
            }),
            Deed::Refresh(..) | Deed::Check | Deed::Release | Deed::Inspect => all_ours,
            Deed::Look => keys.iter().all(|key| !of.contains_key(key)),
        };
        match request.deed {
            Deed::Obtain(ttl, _) | Deed::Refresh(ttl, _) if done => {
                let keep = !matches!(request.deed, Deed::Refresh(_, false));
                for key in keys.iter() {
                    if keep && of.get(key).is_some_and(|(_, until)| *until > now + ttl) {
                        continue;
                    }
                    of.insert(key.clone(), (request.value.clone(), now + ttl));
                }
            }
            Deed::Release => of.retain(|_, (value, _)| *value != request.value),
            Deed::Obtain(_, _) | Deed::Refresh(..) | Deed::Check | Deed::Look | Deed::Inspect => {}
        }
        let left = keys.iter().filter_map(|key| of.get(key));
        let left = left.map(|(_, until)| until.saturating_since(now));
        if done {
            let remaining = match request.deed {
                Deed::Check => left.min(),
                Deed::Obtain(..)
                | Deed::Refresh(..)
                | Deed::Look
                | Deed::Release
                | Deed::Inspect => None,
            };
            let fence = None;
            return Outcome::Granted { fence, remaining };
        }
        let mut held = KeySet::NONE;
        let places = keys.iter().enumerate();
        let there = places.filter(|(_, key)| of.contains_key(key));
        there.for_each(|(place, _)| held.insert(place));
        Outcome::Denied {
            retry_after: left.max(),
            watched,
            held: Some(held),
        }
    }
}
