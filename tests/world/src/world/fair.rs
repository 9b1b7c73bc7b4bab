//! [`Promise::Fair`]: of several engines that contend for a key, none is passed over forever.
//!
//! A turn is an unbroken series of grants of one key to one client. A client waits for a key if it requested that key alone
//! and is connected to a quorum of nodes that report changes. Two things are counted for it: how many turns of others have
//! begun since it waits ([`World::most_turns`]) and how long that took ([`World::longest_queue`]), and how long a turn of
//! another client goes on ([`World::longest_turn`]). Counting begins anew when anything goes wrong anywhere.

use std::time::Duration;

use tenure_core::{Arrangement, Instant, Key};

use super::World;
use super::oracle::{Promise, Violation};

/// The turns on one key.
#[derive(Debug)]
pub(crate) struct Turns {
    key: Key,
    /// Whose turn it is, when it began, and when its last grant was.
    client: usize,
    began: Instant,
    last: Instant,
    /// The longest time between two grants of this turn: it was held for no longer.
    longest: Duration,
    waiting: Vec<Waiting>,
}

/// How one client fares with a key.
#[derive(Debug, Default)]
struct Waiting {
    client: usize,
    /// How many turns of others have begun since it waits, and since when that is counted.
    passed: u32,
    since: Instant,
    /// When it last obtained the key, and when somebody else did after that.
    granted: Instant,
    ended: Instant,
    /// When somebody else last obtained the key while it waited.
    saw: Option<Instant>,
}

/// How long a turn lasts while nobody else is known to wait, and three pauses at least: each is nine times what a release
/// takes, up to a second. Otherwise it is [`tenure_core::Config::turn`].
const ALONE: Duration = Duration::from_millis(250);
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// An engine that has seen nobody else for this long takes itself to be alone. It is a second; clocks differ.
const FORGETS: Duration = Duration::from_millis(900);
/// An engine that has had its share of a key lets others go first for up to so many of its turns, within these bounds.
const TURNS_PER_DEFERRAL: u32 = 40;
/// How many times as far away as the nearest one a client may be, for turns to serve it: `DISTANCE_FACTOR` in the core.
const FARTHEST: u128 = 8;
const LEAST_DEFERRAL: Duration = Duration::from_millis(25);
const MOST_DEFERRAL: Duration = Duration::from_millis(250);
const MS: Duration = Duration::from_millis(1);

impl World {
    /// A client has obtained a key.
    pub(super) fn check_turn(&mut self, client: usize, key: &Key) -> Result<(), Violation> {
        let now = self.now;
        let place = self.turns.iter().position(|turns| turns.key == *key);
        let mut turns = match place {
            Some(place) => self.turns.swap_remove(place),
            None => Turns {
                key: key.clone(),
                client: usize::MAX,
                began: now,
                last: now,
                longest: Duration::ZERO,
                waiting: Vec::new(),
            },
        };
        let is_new = turns.client != client;
        if is_new {
            if turns.client != usize::MAX {
                waiting(&mut turns.waiting, turns.client).ended = now;
            }
            (turns.client, turns.began, turns.longest) = (client, now, Duration::ZERO);
        } else {
            turns.longest = turns.longest.max(now.saturating_since(turns.last));
        }
        turns.last = now;
        let result = self.check_turns_of_others(&mut turns, is_new);
        let mine = waiting(&mut turns.waiting, client);
        (mine.passed, mine.since, mine.granted) = (0, now, now);
        self.turns.push(turns);
        result
    }

    /// Counts for each client that waits, and checks the bounds.
    fn check_turns_of_others(&mut self, turns: &mut Turns, is_new: bool) -> Result<(), Violation> {
        let now = self.now;
        let contenders = self.contenders(&turns.key, turns.client);
        for (client, _) in &contenders {
            waiting(&mut turns.waiting, *client);
        }
        // Also those that do not wait just now, because it is their turn or they are about to ask.
        let count = u32::try_from(turns.waiting.len()).unwrap_or(u32::MAX);
        for (client, requested_at) in contenders {
            let settled = self.settled(client, self.waiters.trouble);
            let one = waiting(&mut turns.waiting, client);
            // After its share it may defer.
            let turn = self.clients[client].config.turn.min(ALONE);
            let deferral = (turn * TURNS_PER_DEFERRAL).clamp(LEAST_DEFERRAL, MOST_DEFERRAL);
            let begin = if one.granted == Instant::default() {
                requested_at
            } else {
                requested_at.max(one.granted.max(one.ended) + deferral)
            };
            if one.since < begin.max(settled) {
                (one.since, one.passed) = (begin.max(settled), 0);
            }
            one.saw = Some(now);
            if one.since > now {
                continue;
            }
            let (since, passed) = (one.since, one.passed + u32::from(is_new));
            one.passed = passed;
            if is_new {
                let most = self.most_turns(client, turns.client, count);
                // Many turns may be short: a share is a time, not a number.
                if passed > most && now.saturating_since(since) > self.longest_queue(count) {
                    let how = format!(
                        "{client} waits for {:?} since {since:?}, and {passed} turns of others have begun",
                        turns.key
                    );
                    return Err(Promise::Fair.broken(how));
                }
            } else {
                let lasted = now.saturating_since(turns.began.max(since));
                let saw = waiting(&mut turns.waiting, turns.client).saw;
                let alone = saw.is_none_or(|at| at + FORGETS < turns.began);
                // A distant client may send its request while the key is held, and learns the outcome a round trip later.
                let missed = if self.arrangement == Arrangement::Quorum {
                    32
                } else {
                    8
                };
                let far = self.trip(client) * missed;
                if self.distance(client, turns.client) > FARTHEST {
                    // Only a queue could do that.
                    self.oracle.excuse(Promise::Fair);
                    continue;
                }
                if lasted > self.longest_turn(turns.client, alone, turns.longest) + far {
                    let how = format!(
                        "{client} waits for {:?}, and the turn of {} goes on after {lasted:?}",
                        turns.key, turns.client
                    );
                    return Err(Promise::Fair.broken(how));
                }
            }
            self.oracle.kept(Promise::Fair);
        }
        Ok(())
    }

    /// Who else waits for a key and nothing else, and since when.
    fn contenders(&self, key: &Key, but: usize) -> Vec<(usize, Instant)> {
        let mut all: Vec<(usize, Instant)> = Vec::new();
        for watch in &self.waiters.watches {
            let other = watch.waits && watch.client != but;
            let about = other && watch.keys.iter().any(|other| other == key);
            if about && all.iter().all(|(client, _)| *client != watch.client) {
                all.push((watch.client, watch.requested_at));
            }
        }
        // The oldest lock of an engine asks: one with several keys may be waiting for another of them.
        all.retain(|(client, _)| {
            let of = |watch: &&super::prompt::Watch| {
                watch.waits && watch.client == *client && watch.keys.iter().any(|k| k == key)
            };
            let first = self.waiters.watches.iter().find(of);
            // Behind a lock of its own it has no place in the queue.
            let mut held = self.clients[*client].valid_locks(self.now);
            let holds = held.any(|held_lock| held_lock.keys.iter().any(|k| k == key));
            !holds && first.is_some_and(|watch| watch.keys.len() == 1) && self.is_notified(*client)
        });
        all
    }

    /// Whether a client receives notifications from a quorum of nodes.
    fn is_notified(&self, client: usize) -> bool {
        let of = &self.clients[client];
        let notified = (0..self.nodes.len())
            .filter(|node| self.reaches(client, *node) && of.is_ready(*node) == Some(true));
        self.wakes && !of.suspended && of.clock_in_bounds && notified.count() >= self.quorum()
    }

    /// How many times as far away a client is as the nearest one.
    fn distance(&self, client: usize, nearest: usize) -> u128 {
        let mine = self.trip(client);
        let near = (0..self.clients.len())
            .filter(|other| self.is_notified(*other))
            .map(|other| self.trip(other))
            .min()
            .unwrap_or(mine)
            .min(self.trip(nearest))
            .max(Duration::from_micros(1));
        mine.as_micros().div_ceil(near.as_micros())
    }

    /// How many turns of others may begin while a client waits.
    ///
    /// Eight for each of the `count` clients that contend, times the ratio of its distance to that of the nearest one, up
    /// to 8: a distant client comes second more often. With a quorum contenders spread at random, and 16 more for
    /// each make it less likely than one in a million that chance alone gets there.
    fn most_turns(&self, client: usize, nearest: usize, count: u32) -> u32 {
        let ratio = self.distance(client, nearest).clamp(1, FARTHEST);
        let ratio = u32::try_from(ratio).unwrap_or(8);
        let chance = if self.arrangement == Arrangement::Quorum {
            16
        } else {
            0
        };
        // Without any turns at all, or where all are equally far and nothing ever varies, order is a matter of who is woken
        // first.
        let fixed = self.net.links[client]
            .iter()
            .all(|link| link.habits.jitter_us == 0);
        let none = if fixed || self.clients[client].config.turn.is_zero() {
            8
        } else {
            0
        };
        count.saturating_mul(8 * ratio + chance + none)
    }

    /// How long a client may wait until each of `count` clients has had its share twice, and then deferred: two turns, or
    /// three times as long as it leaves the key alone.
    fn longest_queue(&self, count: u32) -> Duration {
        let spread = if self.arrangement == Arrangement::Quorum {
            10 * MS
        } else {
            Duration::ZERO
        };
        let shares = (0..self.clients.len()).map(|client| {
            let pause = (self.trip(client) * 2 * 9).clamp(MS, MOST_PAUSE);
            let turn = self.clients[client].config.turn.min(ALONE);
            (turn * 2).max((pause + spread) * 3)
        });
        shares.max().unwrap_or_default() * count * 2 + MOST_DEFERRAL
    }

    /// How long a turn may last while others wait: its time, then the lock that is held just then, the yield and the round
    /// trips of pending requests. With a quorum the spread of contenders is added, and as long a rest.
    fn longest_turn(&self, client: usize, alone: bool, hold: Duration) -> Duration {
        let round = self.trip(client) * 2;
        let count = u32::try_from(self.nodes.len()).unwrap_or(1);
        let (rounds, spread) = if self.arrangement == Arrangement::Ordered {
            (4 * count, Duration::ZERO)
        } else {
            (4, 20 * MS)
        };
        let turn = self.clients[client].config.turn;
        let pause = (round * rounds * 9).min(MOST_PAUSE);
        let turn = if alone {
            turn.max(ALONE).max(pause * 3)
        } else {
            turn
        };
        let bound = turn + hold + round * rounds + (round * 8).max(MS) + spread;
        bound + bound / 50
    }

    fn trip(&self, client: usize) -> Duration {
        let trips = (0..self.nodes.len()).map(|node| self.net.longest_trip(client, node));
        trips.max().unwrap_or_default()
    }
}

fn waiting(all: &mut Vec<Waiting>, client: usize) -> &mut Waiting {
    let place = all.iter().position(|one| one.client == client);
    let place = place.unwrap_or_else(|| {
        all.push(Waiting {
            client,
            ..Waiting::default()
        });
        all.len() - 1
    });
    &mut all[place]
}
