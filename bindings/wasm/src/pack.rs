//! What comes from TypeScript: bytes in one packed form. Numbers are little-endian, times are milliseconds, a negative
//! number or a length of all ones stands for "not given".

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use tenure_core::{
    Arrangement, ClaimError, Config, ConfigError, Jitter, Key, Keys, Limits, Metadata, Mode,
    NodeConfig, Obtain, Renewal, Retry, Secret, Token, Ttl,
};

/// Why a request cannot be carried out.
pub(crate) enum Refusal {
    /// A value is out of its limits.
    Claim(ClaimError),
    /// The bytes are not what this version reads: glue and module do not belong together.
    Malformed,
}

impl From<ClaimError> for Refusal {
    fn from(error: ClaimError) -> Self {
        Self::Claim(error)
    }
}

/// Reads the bytes from front to back. What is missing is malformed.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Refusal> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Refusal::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Refusal::Malformed)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        self.array().map(|[byte]| byte)
    }

    fn word(&mut self) -> Result<u32, Refusal> {
        self.array().map(u32::from_le_bytes)
    }

    /// A number that may be left out.
    fn limit(&mut self) -> Result<Option<usize>, Refusal> {
        let word = self.word()?;
        Ok((word != u32::MAX).then_some(word as usize))
    }

    fn bytes(&mut self) -> Result<Option<&'a [u8]>, Refusal> {
        match self.limit()? {
            Some(len) => self.take(len).map(Some),
            None => Ok(None),
        }
    }

    fn text(&mut self) -> Result<Option<Box<str>>, Refusal> {
        let bytes = self.bytes()?;
        let text = bytes.map(core::str::from_utf8).transpose();
        Ok(text.map_err(|_| Refusal::Malformed)?.map(Into::into))
    }

    fn duration(&mut self) -> Result<Option<Duration>, Refusal> {
        self.array()
            .map(|bytes| duration(f64::from_le_bytes(bytes)))
    }

    fn required_duration(&mut self) -> Result<Duration, Refusal> {
        self.duration()?.ok_or(Refusal::Malformed)
    }

    /// The keys stand last, so their number is known by where the bytes end.
    pub(crate) fn keys(&mut self) -> Result<Keys, Refusal> {
        let mut keys = Vec::new();
        while !self.0.is_empty() {
            keys.push(Key::new(self.bytes()?.unwrap_or_default())?);
        }
        Ok(Keys::new(keys)?)
    }

    pub(crate) fn obtain(&mut self) -> Result<Obtain, Refusal> {
        let ttl = Ttl::new(self.required_duration()?)?;
        let wait = self.duration()?;
        let max_hold = self.duration()?;
        let renewal = match self.byte()? {
            0 => Renewal::Manual,
            _ => Renewal::Automatic { max_hold },
        };
        let retry = self.retry()?;
        let token = match self.byte()? {
            0 => Token::random(self.array()?),
            _ => Token::new(self.bytes()?.unwrap_or_default())?,
        };
        let metadata = Metadata::new(self.bytes()?.unwrap_or_default())?;
        Ok(Obtain {
            keys: self.keys()?,
            token,
            metadata,
            ttl,
            wait,
            retry,
            renewal,
            mode: Mode::Exclusive,
        })
    }

    fn retry(&mut self) -> Result<Retry, Refusal> {
        let mut retry = match self.byte()? {
            0 => Retry::default(),
            1 => Retry::none(),
            2 => Retry::every(self.required_duration()?),
            3 => Retry::exponential(self.required_duration()?, self.required_duration()?),
            4 => {
                let count = self.word()?;
                let pauses: Result<Vec<_>, _> =
                    (0..count).map(|_| self.required_duration()).collect();
                Retry::sequence(pauses?)
            }
            _ => return Err(Refusal::Malformed),
        };
        retry = match (self.byte()?, self.byte()?) {
            (0, _) => retry,
            (1, _) => retry.jitter(Jitter::None),
            (2, percent) => retry.jitter(Jitter::Full { percent }),
            (3, factor) => retry.jitter(Jitter::Decorrelated { factor }),
            _ => return Err(Refusal::Malformed),
        };
        Ok(match self.limit()? {
            Some(asks) => retry.limit(u32::try_from(asks).unwrap_or(u32::MAX)),
            None => retry,
        })
    }

    /// The seed and the configuration of an engine.
    ///
    /// # Errors
    /// The outer one if the bytes cannot be read, the inner one if what they say does not fit.
    #[allow(clippy::type_complexity, reason = "two kinds of errors")]
    pub(crate) fn setup(&mut self) -> Result<(u64, Result<Config, ConfigError>), Refusal> {
        let seed = u64::from_le_bytes(self.array()?);
        Ok((seed, self.config()?))
    }

    fn config(&mut self) -> Result<Result<Config, ConfigError>, Refusal> {
        let arrangement = match self.byte()? {
            0 => Arrangement::Ordered,
            _ => Arrangement::Quorum,
        };
        let times = [
            self.duration()?,
            self.duration()?,
            self.duration()?,
            self.duration()?,
        ];
        let prefix = self.bytes()?;
        let client_name = self.text()?;
        let limits = self.limits()?;
        let mut nodes = Vec::new();
        while !self.0.is_empty() {
            nodes.push(self.node()?);
        }
        Ok(Config::new(nodes, arrangement).map(|mut config| {
            let [request, connect, reconnect_min, reconnect_max] = times;
            config.request_timeout = request.unwrap_or(config.request_timeout);
            config.connect_timeout = connect.unwrap_or(config.connect_timeout);
            config.reconnect_min = reconnect_min.unwrap_or(config.reconnect_min);
            config.reconnect_max = reconnect_max.unwrap_or(config.reconnect_max);
            config.prefix = prefix.unwrap_or_default().into();
            config.client_name = client_name.unwrap_or(config.client_name);
            config.limits = limits;
            config
        }))
    }

    fn limits(&mut self) -> Result<Limits, Refusal> {
        let default = Limits::default();
        Ok(Limits {
            locks: self.limit()?.unwrap_or(default.locks),
            answer_bytes: self.limit()?.unwrap_or(default.answer_bytes),
            pending_requests: self.limit()?.unwrap_or(default.pending_requests),
        })
    }

    fn node(&mut self) -> Result<NodeConfig, Refusal> {
        Ok(NodeConfig {
            username: self.text()?,
            password: self.bytes()?.map(Secret::new),
            database: self.word()?,
            tracking: self.byte()? != 0,
            prepare: self.byte()? != 0,
            // Read by whoever lends a client.
            lent: false,
        })
    }
}

/// Negative: none. Infinite: as long as can be said.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sign was looked at, and a cast from a float saturates"
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
            &[1, 0, 0, 0],
            &u32::MAX.to_le_bytes(),
            &[0],
            &[7; 16],
            &u32::MAX.to_le_bytes(),
        ]
        .concat();
        let key = [1_u32.to_le_bytes().as_slice(), b"k"].concat();
        let read = |bytes: &[u8]| Reader(bytes).obtain();
        let request = [whole.as_slice(), &key].concat();
        assert!(matches!(read(&request), Ok(obtain) if obtain.ttl.as_millis() == 3_000));
        for len in 0..whole.len() {
            assert!(
                matches!(read(&request[..len]), Err(Refusal::Malformed)),
                "{len}"
            );
        }
        assert!(matches!(
            read(&whole),
            Err(Refusal::Claim(ClaimError::NoKey))
        ));
    }
}
