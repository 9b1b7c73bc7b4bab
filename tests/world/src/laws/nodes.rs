//! Nodes that know nothing but keys.

use std::collections::BTreeMap;
use std::time::Duration;

use tenure_core::{Holding, Instant, Key, KeySet, Keys, Mode, Obstacle, Op, Outcome, RequestId};

/// A request on its way.
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) kind: RequestKind,
    pub(super) keys: Keys,
    pub(super) value: Vec<u8>,
}

#[derive(Copy, Clone)]
pub(super) enum RequestKind {
    Obtain(Duration, bool),
    Refresh(Duration, bool),
    Check,
    Look,
    Release,
    Inspect,
}

impl Request {
    pub(super) fn new(id: RequestId, op: Op<'_>) -> Option<Self> {
        let (kind, claim) = match op {
            Op::Obtain {
                claim,
                ttl,
                again,
                mode: Mode::Exclusive,
                fence: None,
                ..
            } => (RequestKind::Obtain(ttl.as_duration(), again), claim),
            Op::Refresh {
                claim,
                ttl,
                keep,
                mode: Mode::Exclusive,
                fence: None,
            } => (RequestKind::Refresh(ttl.as_duration(), keep), claim),
            Op::Check { claim, .. } => (RequestKind::Check, claim),
            Op::Look { claim } => (RequestKind::Look, claim),
            Op::Release {
                claim,
                mode: Mode::Exclusive,
                ..
            } => (RequestKind::Release, claim),
            Op::Inspect { keys } => {
                let (kind, keys, value) = (RequestKind::Inspect, keys.clone(), Vec::new());
                return Some(Self {
                    id,
                    kind,
                    keys,
                    value,
                });
            }
            // A new operation or mode.
            Op::Obtain { .. } | Op::Refresh { .. } | Op::Release { .. } | _ => {
                panic!("teach the nodes of the laws {op:?}")
            }
        };
        let (keys, value) = (claim.keys().clone(), claim.value().to_vec());
        Some(Self {
            id,
            kind,
            keys,
            value,
        })
    }
}

/// Keys with a value and an end.
#[derive(Clone, Default)]
pub(super) struct PlainNode {
    keys: BTreeMap<Key, (Vec<u8>, Instant)>,
}

impl PlainNode {
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
        let done = match request.kind {
            RequestKind::Obtain(_, again) => keys.iter().all(|key| match ours(key) {
                None => true,
                Some(ours) => ours && again,
            }),
            RequestKind::Refresh(..)
            | RequestKind::Check
            | RequestKind::Release
            | RequestKind::Inspect => all_ours,
            RequestKind::Look => keys.iter().all(|key| !of.contains_key(key)),
        };
        match request.kind {
            RequestKind::Obtain(ttl, _) | RequestKind::Refresh(ttl, _) if done => {
                let keep = !matches!(request.kind, RequestKind::Refresh(_, false));
                for key in keys.iter() {
                    if keep && of.get(key).is_some_and(|(_, until)| *until > now + ttl) {
                        continue;
                    }
                    of.insert(key.clone(), (request.value.clone(), now + ttl));
                }
            }
            RequestKind::Release => of.retain(|_, (value, _)| *value != request.value),
            RequestKind::Obtain(_, _)
            | RequestKind::Refresh(..)
            | RequestKind::Check
            | RequestKind::Look
            | RequestKind::Inspect => {}
        }
        let left = keys.iter().filter_map(|key| of.get(key));
        let left = left.map(|(_, until)| until.saturating_since(now));
        if done {
            let remaining = match request.kind {
                RequestKind::Check => left.min(),
                RequestKind::Obtain(..)
                | RequestKind::Refresh(..)
                | RequestKind::Look
                | RequestKind::Release
                | RequestKind::Inspect => None,
            };
            let fence = None;
            return Outcome::Granted { fence, remaining };
        }
        let mut held = KeySet::NONE;
        let places = keys.iter().enumerate();
        let there = places.filter(|(_, key)| of.contains_key(key));
        there.for_each(|(place, _)| held.insert(place));
        let longest = left.clone().max();
        Outcome::Denied {
            retry_after: longest,
            first_free: left.min().filter(|first| Some(*first) < longest),
            watched,
            held: Some(held),
            by: Obstacle::Holder,
        }
    }
}
