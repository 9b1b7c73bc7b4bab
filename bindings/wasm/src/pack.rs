//! What comes from TypeScript: bytes in one packed form. Numbers are little-endian, times are milliseconds, a negative
//! number or a length of all ones stands for "not given".

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use tenure_core::{
    Arrangement, ClaimError, Config, Jitter, Keep, Key, Keys, Limits, Metadata, Mode, NodeConfig,
    Obtain, Renewal, Retry, Secret, Token, Ttl,
};

#[cfg(feature = "modes")]
use tenure_core::Acks;

use crate::codes;

/// Reads the bytes from front to back. What is missing reads as zeros, and makes the whole malformed.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    short: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            short: false,
        }
    }

    /// What was read, unless it was not all there. Why it is no good, as a code.
    fn checked<T>(&self, read: Result<T, u8>) -> Result<T, u8> {
        if self.short {
            return Err(codes::MALFORMED);
        }
        read
    }

    fn missing(&mut self) {
        self.short = true;
        self.rest = &[];
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            self.missing();
            return [0; N];
        };
        self.rest = rest;
        *taken
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn flag(&mut self) -> bool {
        self.byte() != 0
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    /// A number that may be left out.
    fn limit(&mut self) -> Option<usize> {
        let word = self.word();
        (word != u32::MAX).then_some(word as usize)
    }

    fn given_bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.limit()?;
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            self.missing();
            return None;
        };
        self.rest = rest;
        Some(taken)
    }

    fn bytes(&mut self) -> &'a [u8] {
        self.given_bytes().unwrap_or_default()
    }

    fn text(&mut self) -> Option<Box<str>> {
        let text = core::str::from_utf8(self.given_bytes()?).ok();
        self.short |= text.is_none();
        text.map(Into::into)
    }

    fn given_duration(&mut self) -> Option<Duration> {
        duration(f64::from_le_bytes(self.array()))
    }

    fn duration(&mut self) -> Duration {
        self.given_duration().unwrap_or_default()
    }

    /// The keys stand last, so their number is known by where the bytes end.
    fn any_keys(&mut self) -> Result<Keys, ClaimError> {
        let mut keys = Vec::new();
        while !self.rest.is_empty() {
            keys.push(Key::new(self.bytes())?);
        }
        Keys::new(keys)
    }

    pub(crate) fn keys(&mut self) -> Result<Keys, u8> {
        let keys = self.any_keys();
        self.checked(keys.map_err(codes::claim))
    }

    pub(crate) fn obtain(&mut self) -> Result<Obtain, u8> {
        let obtain = self.any_obtain();
        self.checked(obtain.map_err(codes::claim))
    }

    fn any_obtain(&mut self) -> Result<Obtain, ClaimError> {
        let ttl = Ttl::new(self.duration())?;
        let wait = self.given_duration();
        let max_hold = self.given_duration();
        let renewal = if self.flag() {
            Renewal::Automatic { max_hold }
        } else {
            Renewal::Manual
        };
        let token = if self.flag() {
            Token::new(self.bytes())?
        } else {
            Token::random(self.array())
        };
        let metadata = Metadata::new(self.bytes())?;
        let retry = self.retry();
        let fence = self.flag().then(Keep::default);
        #[cfg(feature = "modes")]
        let mode = self.mode();
        #[cfg(not(feature = "modes"))]
        let mode = Mode::Exclusive;
        Ok(Obtain {
            keys: self.any_keys()?,
            token,
            metadata,
            ttl,
            wait,
            retry,
            renewal,
            mode,
            fence,
        })
    }

    /// A program for an engine with modes says which, and its limit. What is none is malformed.
    #[cfg(feature = "modes")]
    fn mode(&mut self) -> Mode {
        match (self.byte(), core::num::NonZeroU32::new(self.word())) {
            (0, None) => Mode::Exclusive,
            (1, None) => Mode::InTurn,
            (2, None) => Mode::Shared { limit: None },
            (3, limit @ Some(_)) => Mode::Shared { limit },
            _ => {
                self.short = true;
                Mode::Exclusive
            }
        }
    }

    fn retry(&mut self) -> Retry {
        let retry = match self.byte() {
            0 => Retry::default(),
            1 => Retry::none(),
            2 => Retry::every(self.duration()),
            3 => Retry::exponential(self.duration(), self.duration()),
            _ => {
                let mut pauses = Vec::new();
                for _ in 0..self.word() {
                    pauses.push(self.duration());
                    if self.short {
                        break;
                    }
                }
                Retry::sequence(pauses)
            }
        };
        let retry = match (self.byte(), self.byte()) {
            (0, _) => retry,
            (1, _) => retry.jitter(Jitter::None),
            (2, percent) => retry.jitter(Jitter::Full { percent }),
            (_, factor) => retry.jitter(Jitter::Decorrelated { factor }),
        };
        match self.limit() {
            Some(asks) => retry.limit(u32::try_from(asks).unwrap_or(u32::MAX)),
            None => retry,
        }
    }

    /// The seed and the configuration of an engine.
    pub(crate) fn setup(&mut self) -> Result<(u64, Config), u8> {
        let seed = u64::from_le_bytes(self.array());
        let config = self.config();
        self.checked(config).map(|config| (seed, config))
    }

    fn config(&mut self) -> Result<Config, u8> {
        let arrangement = if self.flag() {
            Arrangement::Quorum
        } else {
            Arrangement::Ordered
        };
        let [request, connect, reconnect_min, reconnect_max] =
            core::array::from_fn(|_| self.given_duration());
        let prefix = self.bytes();
        let client_name = self.text();
        let limits = self.limits();
        #[cfg(feature = "modes")]
        let acks = self.acks();
        let mut nodes = Vec::new();
        while !self.rest.is_empty() {
            nodes.push(self.node());
        }
        let mut config = Config::new(nodes, arrangement).map_err(codes::config)?;
        config.request_timeout = request.unwrap_or(config.request_timeout);
        config.connect_timeout = connect.unwrap_or(config.connect_timeout);
        config.reconnect_min = reconnect_min.unwrap_or(config.reconnect_min);
        config.reconnect_max = reconnect_max.unwrap_or(config.reconnect_max);
        config.prefix = prefix.into();
        config.client_name = client_name.unwrap_or(config.client_name);
        config.limits = limits;
        #[cfg(feature = "modes")]
        {
            config.acks = acks;
        }
        Ok(config)
    }

    /// Who must have a grant besides its server: nobody, replicas, or their disks; how many, and within what time. What is none
    /// is malformed.
    #[cfg(feature = "modes")]
    fn acks(&mut self) -> Option<Acks> {
        let (kind, replicas, within) = (self.byte(), self.word(), self.given_duration());
        let acks = match (kind, core::num::NonZeroU32::new(replicas)) {
            (0, None) => return None,
            (1, Some(replicas)) => Acks::received(replicas),
            (2, _) => Acks::persisted(replicas),
            _ => {
                self.short = true;
                return None;
            }
        };
        Some(within.map_or(acks, |within| acks.within(within)))
    }

    fn limits(&mut self) -> Limits {
        let default = Limits::default();
        Limits {
            locks: self.limit().unwrap_or(default.locks),
            answer_bytes: self.limit().unwrap_or(default.answer_bytes),
            pending_requests: self.limit().unwrap_or(default.pending_requests),
        }
    }

    fn node(&mut self) -> NodeConfig {
        NodeConfig {
            username: self.text(),
            password: self.given_bytes().map(Secret::new),
            database: self.word(),
            tracking: self.flag(),
            prepare: self.flag(),
            lent: self.flag(),
            resp2: self.flag(),
        }
    }
}

/// Negative: none. Infinite: as long as can be said.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sign was checked, and a cast from a float saturates"
)]
pub(crate) fn duration(ms: f64) -> Option<Duration> {
    (ms >= 0.0).then(|| Duration::from_nanos((ms * 1e6) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_milliseconds_and_negative_is_none() {
        assert_eq!(duration(-1.0), None);
        assert_eq!(duration(f64::NAN), None);
        assert_eq!(duration(0.0), Some(Duration::ZERO));
        assert_eq!(duration(30_000.0), Some(Duration::from_secs(30)));
        assert_eq!(duration(0.5), Some(Duration::from_micros(500)));
        assert!(duration(f64::INFINITY) > Some(Duration::from_secs(500 * 365 * 24 * 60 * 60)));
    }

    #[test]
    fn bytes_that_end_too_early_are_malformed() {
        let whole = [
            3_000_f64.to_le_bytes().as_slice(),
            &(-1_f64).to_le_bytes(),
            &(-1_f64).to_le_bytes(),
            &[1, 0],
            &[7; 16],
            &u32::MAX.to_le_bytes(),
            &[0, 0, 0],
            &u32::MAX.to_le_bytes(),
            // A fence.
            &[1],
            #[cfg(feature = "modes")]
            &[1, 0, 0, 0, 0],
        ]
        .concat();
        let key = [1_u32.to_le_bytes().as_slice(), b"k"].concat();
        let read = |bytes: &[u8]| Reader::new(bytes).obtain();
        let request = [whole.as_slice(), &key].concat();
        assert!(matches!(read(&request), Ok(obtain)
            if obtain.ttl.as_millis() == 3_000 && obtain.fence == Some(Keep::default())));
        for len in 0..whole.len() {
            assert!(
                read(&request[..len]).err() == Some(codes::MALFORMED),
                "{len}"
            );
        }
        assert_eq!(read(&whole).err(), Some(codes::claim(ClaimError::NoKey)));
    }

    #[cfg(feature = "modes")]
    #[test]
    fn a_mode_has_a_limit_if_it_is_a_permit_and_only_then() {
        let mode = |mode: u8, limit: u32| {
            let bytes = [[mode].as_slice(), &limit.to_le_bytes()].concat();
            let mut reader = Reader::new(&bytes);
            let mode = reader.mode();
            (!reader.short).then_some(mode)
        };
        let shared = |limit| {
            Some(Mode::Shared {
                limit: core::num::NonZeroU32::new(limit),
            })
        };
        assert_eq!(mode(0, 0), Some(Mode::Exclusive));
        assert_eq!(mode(1, 0), Some(Mode::InTurn));
        assert_eq!(mode(2, 0), shared(0));
        assert_eq!(mode(3, u32::MAX), shared(u32::MAX));
        for (kind, limit) in [(0, 1), (1, 1), (2, 1), (3, 0), (4, 0)] {
            assert_eq!(mode(kind, limit), None, "{kind} {limit}");
        }
    }

    #[cfg(feature = "modes")]
    #[test]
    fn replicas_confirm_by_memory_or_by_disk_and_in_a_time_that_may_be_left_out() {
        let acks = |kind: u8, replicas: u32, within: f64| {
            let mut bytes = [kind].to_vec();
            bytes.extend(replicas.to_le_bytes());
            bytes.extend(within.to_le_bytes());
            let mut reader = Reader::new(&bytes);
            let acks = reader.acks();
            (!reader.short).then_some(acks)
        };
        let two = core::num::NonZeroU32::new(2).unwrap();
        assert_eq!(acks(0, 0, -1.0), Some(None));
        assert_eq!(acks(1, 2, -1.0), Some(Some(Acks::received(two))));
        assert_eq!(acks(2, 2, -1.0), Some(Some(Acks::persisted(2))));
        let own = Acks::persisted(0).within(Duration::from_millis(50));
        assert_eq!(acks(2, 0, 50.0), Some(Some(own)));
        for (kind, replicas) in [(0, 1), (1, 0), (3, 1)] {
            assert_eq!(acks(kind, replicas, -1.0), None, "{kind} {replicas}");
        }
    }
}
