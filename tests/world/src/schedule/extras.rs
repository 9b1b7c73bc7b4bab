//! What only some schedules have, by bits of the header that all others leave alone.

use std::num::NonZeroU32;
use std::time::Duration;

use tenure_core::memory::Options;
use tenure_core::{Acks, Config, Keep, Metadata, Mode, Obtain, Retry, Token, Ttl};

use super::HEADER;
use crate::world::Work;

/// What only some schedules have.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Extras {
    /// Some locks carry metadata.
    metadata: bool,
    /// Some locks have a pause of zero, or of less than a millisecond.
    hasty: bool,
    /// Some locks may not ask a second time.
    once: bool,
    pub(crate) tokens: Tokens,
    pub(crate) servers: Servers,
    /// Engines may have few locks and few requests at a time.
    pub(crate) limited: bool,
    /// Each client has workers.
    workers: Option<Workers>,
    /// Some locks share their key, or know of others that do.
    pub(crate) modes: bool,
    /// Grants count once a replica has them.
    pub(crate) acks: bool,
    /// Some steps do what is in `rare.rs`.
    pub(crate) rare: bool,
}

/// Whose token is the same.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Tokens {
    Unique,
    /// That of several locks of one engine.
    Engine,
    /// That of several locks of all engines.
    Everybody,
}

/// What servers cannot do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Servers {
    Able,
    WithoutPttl,
    WithoutEval,
}

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
struct Workers {
    each: u32,
    drop: bool,
}

const MICROS: Duration = Duration::from_micros(1);

impl Extras {
    pub(crate) fn new(header: &[u8; HEADER]) -> Self {
        let habit = header[6] >> 4;
        let server = header[2] >> 2 & 7;
        let tokens = match header[4] >> 6 {
            2 => Tokens::Engine,
            3 if header[7] >> 6 == 0 => Tokens::Everybody,
            _ => Tokens::Unique,
        };
        let workers = (header[1] >> 4 == 15).then_some(Workers {
            each: 1 + u32::from(header[7] >> 6 & 1),
            drop: header[7] >> 7 != 0,
        });
        Self {
            metadata: matches!(habit, 1..=3),
            once: matches!(habit, 4..=5),
            hasty: habit == 15,
            tokens,
            servers: match server {
                4 => Servers::WithoutPttl,
                5 => Servers::WithoutEval,
                _ => Servers::Able,
            },
            limited: server == 6,
            modes: matches!(habit, 8..=11),
            acks: matches!(habit, 9 | 13) && tokens == Tokens::Unique,
            workers,
            rare: header[7] >> 4 & 3 == 3,
        }
    }

    pub(crate) fn restrict(self, options: &mut Options) {
        options.replicas = u32::from(self.acks);
        options.pttl = self.servers != Servers::WithoutPttl;
        options.scripts = self.servers != Servers::WithoutEval;
        if !options.scripts {
            // What scripts register makes no difference there.
            options.set_several = options.scripts_read_all;
        }
    }

    /// Whether servers cannot do what some requests need: they run no scripts, and lack commands that would do.
    pub(crate) fn lacks_commands(self, options: &Options) -> bool {
        let enough = options.compare && options.set_several && self.tokens == Tokens::Unique;
        self.servers == Servers::WithoutEval && !enough
    }

    /// Whether a request wants a fence, which needs scripts. Its counters vanish between two grants.
    pub(crate) fn fence(self, c: u8) -> Option<Keep> {
        let wanted = c & 0x30 == 0x10 && self.servers != Servers::WithoutEval;
        wanted.then_some(Keep::lasting(Ttl::MIN))
    }

    pub(crate) fn limit(self, config: &mut Config) {
        if self.limited {
            config.limits.locks = 8;
            config.limits.pending_requests = 6;
        }
        if self.acks {
            config.acks = Some(Acks::received(NonZeroU32::MIN));
        }
    }

    /// Changes a request; gives what it has now that others have not.
    pub(crate) fn adjust(
        self,
        request: &mut Obtain,
        client: usize,
        (a, c): (u8, u8),
    ) -> Vec<&'static str> {
        let mut used = Vec::new();
        if self.metadata && c & 1 == 0 {
            let text = format!("host-{}", c >> 4);
            request.metadata = Metadata::new(text).expect("metadata");
            used.push("metadata");
        }
        match c & 7 {
            5 if self.hasty => {
                request.retry = Retry::every(Duration::ZERO);
                used.push("a pause of zero");
            }
            6 if self.hasty => {
                request.retry = Retry::exponential(50 * MICROS, 900 * MICROS);
                used.push("pauses of less than a millisecond");
            }
            5 | 7 if self.once => {
                request.retry = Retry::default().limit(0);
                used.push("limit(0)");
            }
            _ => {}
        }
        let token = match self.tokens {
            Tokens::Engine if a & 7 == 5 => {
                used.push("the same token twice in one engine");
                Some(format!("same-{client}"))
            }
            Tokens::Everybody if a & 7 == 5 => {
                used.push("the same token in two engines");
                Some("same".to_owned())
            }
            Tokens::Unique | Tokens::Engine | Tokens::Everybody => None,
        };
        if let Some(token) = token {
            request.token = Token::new(token).expect("a token");
        } else if self.modes && self.servers != Servers::WithoutEval && request.keys.len() == 1 {
            // Locks with one token have one mode.
            let limit = NonZeroU32::new(1 + u32::from(a >> 5 & 1));
            (request.mode, request.fence) = match c >> 6 {
                0 => return used,
                1 => (Mode::InTurn, request.fence),
                2 => (Mode::Shared { limit: None }, None),
                _ => (Mode::Shared { limit }, None),
            };
            used.push(match request.mode {
                Mode::Shared { limit: None } => "read locks",
                Mode::Shared { .. } => "permits",
                Mode::Exclusive | Mode::InTurn | _ => "write locks",
            });
        }
        used
    }

    /// What the workers of each client do, if it has any, and how many they are.
    pub(crate) fn work(self) -> Option<(u32, Work)> {
        let Workers { each, drop } = self.workers?;
        let work = Work {
            keys: "k0".to_owned(),
            ttl: Duration::from_secs(2),
            hold: Duration::from_millis(5),
            drops: drop,
            rounds: 8,
        };
        Some((each, work))
    }

    /// Names of what it has from the beginning.
    pub(crate) fn names(self, options: &Options) -> Vec<&'static str> {
        let no_eval = self.servers == Servers::WithoutEval;
        let all = [
            (self.limited, "small limits"),
            (self.servers == Servers::WithoutPttl, "servers without PTTL"),
            (
                no_eval && options.compare && !options.set_several,
                "servers without EVAL",
            ),
            (
                no_eval && options.compare && options.set_several,
                "servers without EVAL, with MSETEX",
            ),
            (
                no_eval && !options.compare,
                "servers without EVAL and DELIFEQ",
            ),
            (!options.tracking, "servers without tracking"),
            (self.acks, "grants that wait for a replica"),
            (self.workers.is_some_and(|workers| !workers.drop), "workers"),
            (
                self.workers.is_some_and(|workers| workers.drop),
                "workers that do not wait for a release",
            ),
        ];
        let used = all.into_iter().filter(|(used, _)| *used);
        used.map(|(_, name)| name).collect()
    }
}
