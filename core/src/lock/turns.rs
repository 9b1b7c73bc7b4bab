//! Turns: how long this engine has had a key without a break, so that other processes get a chance.
//!
//! The holder of a plain key cannot know whether other processes wait for it. So an engine that passes a key from one of its
//! locks to the next, or takes it again at once, yields now and then: after [`UNCONTENDED_TURN`], or after the shorter
//! [`Config::turn`](crate::Config::turn) once another process was seen there. It then leaves the key alone for as long as a
//! process that is eight times farther away needs to be woken and to ask, but not for more than [`MOST_PAUSE`]. While no
//! other process is seen, a turn lasts at least [`PAUSES_PER_TURN`] pauses, so that far from the server a key is not unused
//! most of the time.

use alloc::vec::Vec;
use core::time::Duration;

use crate::keys::Key;
use crate::time::{Instant, Micros};

/// The length of a turn while no other process was seen.
const UNCONTENDED_TURN: Micros = Micros(250_000);
/// How long a sighting of another process counts.
const CONTENTION_MEMORY: Micros = Micros(1_000_000);
/// The shortest pause: processes take that long to wake up.
const LEAST_PAUSE: Micros = Micros(1_000);
/// The longest pause, however slow the nodes are.
const MOST_PAUSE: Micros = Micros(1_000_000);
/// The shortest turn, in pauses, while no other process was seen: a key is unused for at most a quarter of the time.
const PAUSES_PER_TURN: u64 = 3;
/// How many times farther from the servers another process may be.
pub(crate) const DISTANCE_FACTOR: u64 = 8;
/// After each fourth turn an engine also lets others go first whenever the key comes free during their next turns: after
/// each sixteenth for twice as long, and after each sixty-fourth for four times. Otherwise two near engines would take
/// turns endlessly, and a third that is farther away would never come in time.
const DEFER_EVERY: u8 = 4;
/// The shortest such time: a distant process needs that long to ask several nodes in order.
const LEAST_DEFERRAL: Micros = Micros(25_000);
/// The number of places in the table. Keys that share a place overwrite each other's turn.
const PLACES: usize = 64;

/// The turns of this engine, by key.
#[derive(Clone, Debug)]
pub(crate) struct Turns {
    /// `None`: turns never end.
    longest: Option<Micros>,
    /// Made when the first key is granted, then never changed in size.
    places: Vec<Turn>,
}

#[derive(Copy, Clone, Debug)]
struct Turn {
    /// The hash of its key.
    key: u64,
    /// When this engine got the key; `None` while another process has it.
    since: Option<Instant>,
    /// When nodes confirmed that the key is free; `None` while it is ours.
    free: Option<Instant>,
    /// How long the last release took.
    trip: Micros,
    /// When another process was last seen to hold the key.
    seen: Option<Instant>,
    /// The number of turns of this engine that have ended.
    count: u8,
    /// Until when this engine yields whenever the key becomes free.
    defer_until: Option<Instant>,
}

impl Turns {
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest: (longest != Duration::MAX).then_some(longest.into()),
            places: Vec::new(),
        }
    }

    /// Whether this engine's turn is over, and other processes have not had a chance yet.
    pub(crate) fn is_over(&self, key: u64, now: Instant) -> bool {
        let Some(longest) = self.longest else {
            return false;
        };
        let Some(turn) = self.find(key) else {
            return false;
        };
        let defers = turn.defer_until.is_some_and(|until| now < until);
        defers || turn.is_used_up(longest, now) && !turn.has_yielded(now)
    }

    /// A lock of this engine was granted the key.
    pub(crate) fn granted(&mut self, key: u64, now: Instant) {
        let Some(turn) = self.take_place(key) else {
            return;
        };
        if turn.has_yielded(now) || turn.since.is_none() {
            turn.since = Some(now);
        }
        turn.free = None;
    }

    /// Nodes have confirmed that the key is free; the release took `round_trip`.
    pub(crate) fn released(&mut self, key: u64, now: Instant, round_trip: Micros) {
        if let Some(turn) = self.find_mut(key) {
            (turn.free, turn.trip) = (Some(now), round_trip);
        }
    }

    /// The lease is over: others can have the key as soon as it expires on the nodes, at a time that is not reported.
    pub(crate) fn ended(&mut self, key: u64, now: Instant) {
        if let Some(turn) = self.find_mut(key) {
            turn.free = turn.free.or(Some(now + UNCONTENDED_TURN));
        }
    }

    /// Others had their chance: a new turn begins with the next grant.
    pub(crate) fn yielded(&mut self, key: u64) {
        if let Some(turn) = self.find_mut(key) {
            (turn.since, turn.free, turn.defer_until) = (None, None, None);
        }
    }

    /// Another process has the key.
    pub(crate) fn lost(&mut self, key: u64, now: Instant) {
        let Some(longest) = self.longest else { return };
        if let Some(turn) = self.take_place(key) {
            if turn.is_used_up(longest, now) {
                turn.start_deferring(longest, now);
            }
            (turn.since, turn.free, turn.seen) = (None, None, Some(now));
        }
    }

    /// The place of this key, which is taken from another key if necessary.
    fn take_place(&mut self, key: u64) -> Option<&mut Turn> {
        self.longest?;
        if self.places.is_empty() {
            self.places.resize(PLACES, Turn::NONE);
        }
        let turn = self.places.get_mut(at(key))?;
        if turn.key != key {
            *turn = Turn { key, ..Turn::NONE };
        }
        Some(turn)
    }

    fn find_mut(&mut self, key: u64) -> Option<&mut Turn> {
        let place = self.places.get_mut(at(key));
        place.filter(|turn| turn.key == key)
    }

    fn find(&self, key: u64) -> Option<&Turn> {
        self.places.get(at(key)).filter(|turn| turn.key == key)
    }
}

impl Turn {
    const NONE: Self = Self {
        key: 0,
        since: None,
        free: None,
        trip: Micros(0),
        seen: None,
        count: 0,
        defer_until: None,
    };

    /// Whether it has lasted as long as it may.
    fn is_used_up(&self, longest: Micros, now: Instant) -> bool {
        let Some(since) = self.since else {
            return false;
        };
        // While this engine has the key it sees nobody: what it knew when the turn began counts.
        let contended = self.seen.is_some_and(|at| since < at + CONTENTION_MEMORY);
        let most = if contended {
            longest.min(UNCONTENDED_TURN)
        } else {
            yield_time(self.trip)
                .times(PAUSES_PER_TURN)
                .max(UNCONTENDED_TURN)
        };
        since + most <= now
    }

    /// Whether the key has been free for as long as other processes need to take it.
    fn has_yielded(&self, now: Instant) -> bool {
        self.free
            .is_some_and(|at| at + yield_time(self.trip) <= now)
    }

    fn start_deferring(&mut self, longest: Micros, now: Instant) {
        self.count = self.count.wrapping_add(1);
        // The turn of another process and a margin.
        let once = (longest.min(UNCONTENDED_TURN).0.saturating_mul(5) / 4).max(LEAST_DEFERRAL.0);
        let times = match u32::from(self.count) {
            n if n.is_multiple_of(u32::from(DEFER_EVERY).pow(3)) => 4,
            n if n.is_multiple_of(u32::from(DEFER_EVERY).pow(2)) => 2,
            n if n.is_multiple_of(u32::from(DEFER_EVERY)) => 1,
            _ => return,
        };
        self.defer_until = Some(now + Micros(once).times(times));
    }
}

/// How long to leave a key alone, by the round trip of its release. One round trip more than other processes need, because
/// the time counts from when the release is sent.
pub(crate) fn yield_time(round_trip: Micros) -> Micros {
    let pause = round_trip.0.saturating_mul(DISTANCE_FACTOR + 1);
    Micros(pause.clamp(LEAST_PAUSE.0, MOST_PAUSE.0))
}

fn at(key: u64) -> usize {
    // The high bits are the best mixed.
    usize::try_from(key >> 58).unwrap_or(0)
}

/// A hash of a key, eight bytes at a time: for this table only, where a collision costs a pause.
pub(crate) fn hash(key: &Key) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let bytes = key.as_bytes();
    let (words, rest) = bytes.as_chunks::<8>();
    let mut hash = bytes.len() as u64;
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word))
            .wrapping_mul(MIX)
            .rotate_left(29);
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    (hash ^ u64::from_le_bytes(last)).wrapping_mul(MIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_micros(5_000_000);
    const TURN: Duration = Duration::from_millis(20);
    const KEY: u64 = 7 << 58;

    fn ms(ms: u64) -> Micros {
        Micros(ms * 1_000)
    }

    #[test]
    fn a_turn_ends_after_a_quarter_of_a_second_and_sooner_once_somebody_was_seen() {
        let mut turns = Turns::new(TURN);
        turns.granted(KEY, START);
        assert!(!turns.is_over(KEY, START + ms(249)));
        assert!(turns.is_over(KEY, START + ms(250)));
        turns.lost(KEY, START + ms(300));
        assert!(!turns.is_over(KEY, START + ms(301)));
        turns.granted(KEY, START + ms(400));
        assert!(!turns.is_over(KEY, START + ms(419)));
        assert!(turns.is_over(KEY, START + ms(420)));
        turns.granted(KEY, START + ms(430));
        assert!(turns.is_over(KEY, START + ms(430)), "the turn goes on");
        assert!(!turns.is_over(KEY + 1, START + ms(430)), "another key");
        // A second later nobody remembers.
        turns.lost(KEY, START + ms(500));
        turns.granted(KEY, START + ms(11_000));
        assert!(!turns.is_over(KEY, START + ms(11_249)));
    }

    #[test]
    fn whoever_was_seen_before_a_turn_counts_until_its_end() {
        let mut turns = Turns::new(TURN);
        turns.lost(KEY, START);
        turns.granted(KEY, START + ms(990));
        assert!(!turns.is_over(KEY, START + ms(1_009)));
        assert!(turns.is_over(KEY, START + ms(1_010)));
    }

    #[test]
    fn a_pause_of_nine_round_trips_or_a_millisecond_is_a_break() {
        for (trip, pause) in [(Micros(30), Micros(1_000)), (ms(1), ms(9))] {
            let mut turns = Turns::new(TURN);
            turns.granted(KEY, START);
            let end = START + ms(250);
            turns.released(KEY, end, trip);
            let almost = Micros(pause.0 - 1);
            assert!(turns.is_over(KEY, end + almost));
            assert!(!turns.is_over(KEY, end + pause));
            turns.granted(KEY, end + pause);
            assert!(!turns.is_over(KEY, end + pause + ms(249)), "a new turn");
        }
    }

    #[test]
    fn a_turn_that_ends_with_a_lease_is_over_after_a_pause_too() {
        let mut turns = Turns::new(TURN);
        turns.granted(KEY, START);
        turns.ended(KEY, START + ms(10_000));
        assert!(turns.is_over(KEY, START + ms(10_250)));
        assert!(!turns.is_over(KEY, START + ms(10_251)));
    }

    #[test]
    fn far_from_the_server_a_turn_lasts_three_pauses_and_a_pause_a_second_at_most() {
        for (trip, pause) in [(ms(20), ms(180)), (ms(111), ms(999)), (ms(900), ms(1_000))] {
            let mut turns = Turns::new(TURN);
            turns.granted(KEY, START);
            turns.released(KEY, START + ms(1), trip);
            turns.granted(KEY, START + ms(2));
            let end = START + pause.times(3);
            assert!(!turns.is_over(KEY, end.saturating_before(Duration::from_micros(1))));
            assert!(turns.is_over(KEY, end));
            turns.released(KEY, end, trip);
            assert!(turns.is_over(KEY, end + Micros(pause.0 - 1)));
            assert!(!turns.is_over(KEY, end + pause));
        }
    }

    #[test]
    fn keys_that_share_a_place_forget_each_other() {
        let mut turns = Turns::new(TURN);
        turns.granted(KEY, START);
        turns.granted(KEY + 1, START + ms(100));
        assert!(!turns.is_over(KEY, START + ms(300)));
        turns.released(KEY, START, ms(1));
        assert!(turns.is_over(KEY + 1, START + ms(350)), "not its release");
        turns.lost(KEY, START);
        assert!(!turns.is_over(KEY + 1, START + ms(350)));
    }

    #[test]
    fn without_a_longest_turn_nothing_is_remembered() {
        let mut turns = Turns::new(Duration::MAX);
        turns.granted(KEY, START);
        assert!(!turns.is_over(KEY, START + ms(1_000_000)));
        assert!(turns.places.is_empty());
    }

    #[test]
    fn keys_hash_apart() {
        let of = |name: &str| hash(&Key::new(name).unwrap());
        let names = [
            "a",
            "b",
            "aa",
            "12345678",
            "123456789",
            "12345678a",
            "1234567",
        ];
        let mut seen = alloc::collections::BTreeSet::new();
        assert!(names.iter().all(|name| seen.insert(of(name))));
        let spread: alloc::collections::BTreeSet<_> = (0..1000)
            .map(|n| at(of(&alloc::format!("job:{n}"))))
            .collect();
        assert!(spread.len() > 60, "{} of 64 places", spread.len());
    }
}
