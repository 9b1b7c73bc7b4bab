//! One connection between a client and a server: bytes on their way, and what may happen to them.

use std::collections::VecDeque;
use std::time::Duration;

use tenure_core::Instant;
use tenure_core::memory::ConnId;

/// What a link does with bytes.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Weather {
    /// Delivers after the latency.
    #[default]
    Fair,
    /// Takes bytes and delivers none, in either direction, without telling anybody.
    Silent,
    /// Carries requests and loses answers, without telling anybody.
    Deaf,
    /// Refuses new connections.
    Refusing,
}

/// A link in its present life.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) weather: Weather,
    pub(crate) phase: Phase,
    pub(crate) requests: VecDeque<(Instant, Vec<u8>)>,
    pub(crate) answers: VecDeque<(Instant, Vec<u8>)>,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    #[default]
    Closed,
    /// The client wants it; it is open, or refused, at this instant.
    Opening(Instant),
    Open(ConnId),
    /// The server has gone; the client hears of it at this instant.
    Ending(Instant),
}

impl Link {
    /// When something happens here next, if both ends take part.
    pub(crate) fn next(&self, client_awake: bool, server_awake: bool) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Opening(at) | Phase::Ending(at) => Some(at).filter(|_| client_awake),
            Phase::Open(_) | Phase::Closed => None,
        };
        let request = self
            .requests
            .front()
            .map(|(at, _)| *at)
            .filter(|_| server_awake);
        let answer = self
            .answers
            .front()
            .map(|(at, _)| *at)
            .filter(|_| client_awake);
        [phase, request, answer].into_iter().flatten().min()
    }

    pub(crate) fn send(&mut self, bytes: &[u8], now: Instant, latency: Duration) {
        if self.weather != Weather::Silent {
            self.requests.push_back((now + latency, bytes.to_vec()));
        }
    }

    pub(crate) fn answer(&mut self, bytes: &[u8], now: Instant, latency: Duration) {
        if !matches!(self.weather, Weather::Silent | Weather::Deaf) {
            self.answers.push_back((now + latency, bytes.to_vec()));
        }
    }
}

/// Takes what is due by `now` from the front.
pub(crate) fn take_due(queue: &mut VecDeque<(Instant, Vec<u8>)>, now: Instant) -> Option<Vec<u8>> {
    queue.front().filter(|(at, _)| *at <= now)?;
    queue.pop_front().map(|(_, bytes)| bytes)
}
