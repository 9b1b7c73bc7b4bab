//! Turns: how long this engine has had a key without a break, so that other processes get a chance.
//!
//! The holder of a plain key cannot know whether other processes wait for it. So an engine that passes a key from one of its
//! locks to the next, or takes it again at once, yields now and then: after [`UNCONTENDED_TURN`], or after the shorter
//! [`Config::turn`](crate::Config::turn) once another process was seen there. It then leaves the key alone for as long as a
//! process that is eight times farther away needs for a wake and a request, but not for more than [`MOST_PAUSE`]. While no
//! other process is seen, a turn lasts at least [`PAUSES_PER_TURN`] pauses, so that far from the server a key is not unused
//! most of the time. Besides, all grants of an engine count towards its share ([`TURNS_PER_SHARE`]).

use alloc::vec::Vec;
use core::time::Duration;

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
/// The share of an engine is so many turns, or so many pauses if they are longer. Once it has had the key for that long,
/// whether in full turns or in single grants between those of others, it defers: whenever the key becomes free it lets others
/// go first, until nobody takes the key. Nodes notify engines in the order of their connections, and a distant engine comes
/// later. So without shares the first two of several engines would take the key in turn, and the others would never get it.
const TURNS_PER_SHARE: u64 = 2;
const PAUSES_PER_SHARE: u64 = 3;
/// The longest deferral, in turns: sixteen engines that are equally far away have had their shares by then. If it were longer,
/// engines at a distance, whose every grant lasts longer than a turn, would lose more than they gain.
const TURNS_PER_DEFERRAL: u64 = 40;
/// The shortest deferral: a distant process needs that long for its request.
const LEAST_DEFERRAL: Micros = Micros(25_000);
/// The longest deferral, however long a turn is.
const MOST_DEFERRAL: Micros = Micros(250_000);
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
    /// How long to leave the key alone, by the last release.
    pause: Micros,
    /// The random delay of others after it is freed, which comes on top where a share is over.
    spread: Micros,
    /// When another process was last seen to hold the key.
    seen: Option<Instant>,
    /// For how long this engine has had the key since it last found that nobody else wanted it.
    had: Micros,
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

    /// Nodes have confirmed that the key is free. A round trip took that long, and others make requests up to `spread` later than
    /// they could.
    pub(crate) fn released(&mut self, key: u64, now: Instant, round_trip: Micros, spread: Micros) {
        if let Some(turn) = self.find_mut(key) {
            (turn.free, turn.pause, turn.spread) = (Some(now), yield_time(round_trip), spread);
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
            (turn.since, turn.free) = (None, None);
            (turn.had, turn.defer_until) = (Micros(0), None);
        }
    }

    /// Another process has the key.
    pub(crate) fn lost(&mut self, key: u64, now: Instant) {
        let Some(longest) = self.longest else { return };
        if let Some(turn) = self.take_place(key) {
            turn.count(longest, now);
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
        pause: LEAST_PAUSE,
        spread: Micros(0),
        seen: None,
        had: Micros(0),
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
            self.pause.times(PAUSES_PER_TURN).max(UNCONTENDED_TURN)
        };
        since + most <= now
    }

    /// Whether the key has been free for as long as other processes need to take it.
    fn has_yielded(&self, now: Instant) -> bool {
        self.free.is_some_and(|at| at + self.pause <= now)
    }

    /// Counts a turn that has ended. Defers if this engine has had its share, unless it has left the key alone since then.
    fn count(&mut self, longest: Micros, now: Instant) {
        let Some(since) = self.since else { return };
        if self.has_yielded(now) {
            self.had = Micros(0);
            return;
        }
        let end = self.free.map_or(now, |free| free.min(now));
        self.had = self.had + end.micros_since(since);
        let turn = longest.min(UNCONTENDED_TURN);
        let pauses = (self.pause + self.spread).times(PAUSES_PER_SHARE);
        if self.had >= turn.times(TURNS_PER_SHARE).max(pauses) {
            let most = turn.times(TURNS_PER_DEFERRAL);
            let most = most.clamp(LEAST_DEFERRAL, MOST_DEFERRAL);
            (self.had, self.defer_until) = (Micros(0), Some(now + most));
        }
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
    fn a_turn_ends_after_a_quarter_of_a_second_and_sooner_once_a_contender_was_seen() {
        let mut turns = Turns::new(TURN);
        turns.granted(KEY, START);
        assert!(!turns.is_over(KEY, START + ms(249)));
        assert!(turns.is_over(KEY, START + ms(250)));
        turns.lost(KEY, START + ms(300));
        assert!(turns.is_over(KEY, START + ms(301)), "this engine defers");
        assert!(!turns.is_over(KEY, START + ms(550)));
        turns.granted(KEY, START + ms(600));
        assert!(!turns.is_over(KEY, START + ms(619)));
        assert!(turns.is_over(KEY, START + ms(620)));
        turns.granted(KEY, START + ms(630));
        assert!(turns.is_over(KEY, START + ms(630)), "the turn goes on");
        assert!(!turns.is_over(KEY + 1, START + ms(630)), "another key");
        // A second later nobody remembers.
        turns.lost(KEY, START + ms(640));
        turns.granted(KEY, START + ms(11_000));
        assert!(!turns.is_over(KEY, START + ms(11_249)));
    }

    #[test]
    fn a_contender_seen_before_a_turn_counts_until_its_end() {
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
            turns.released(KEY, end, trip, Micros(0));
            let almost = Micros(pause.0 - 1);
            assert!(turns.is_over(KEY, end + almost));
            assert!(!turns.is_over(KEY, end + pause));
            turns.granted(KEY, end + pause);
            assert!(!turns.is_over(KEY, end + pause + ms(249)), "a new turn");
        }
    }

    /// This engine has the key for so long, and another has it next.
    fn have(turns: &mut Turns, at: Instant, long: Micros) -> Instant {
        turns.granted(KEY, at);
        turns.released(KEY, at + long, Micros(30), Micros(0));
        let next = at + long + Micros(100);
        turns.lost(KEY, next);
        next + Micros(200)
    }

    #[test]
    fn grants_between_those_of_others_add_up_to_a_share() {
        let mut turns = Turns::new(TURN);
        let mut now = START;
        for _ in 0..39 {
            now = have(&mut turns, now, ms(1));
        }
        assert!(!turns.is_over(KEY, now), "39 ms of two turns of 20 ms");
        let deferred = have(&mut turns, now, ms(1));
        assert!(turns.is_over(KEY, deferred));
        // The last grant was lost 200 µs before that.
        let end = deferred + Micros(250_000 - 200);
        assert!(turns.is_over(KEY, end.saturating_before(Duration::from_micros(1))));
        assert!(!turns.is_over(KEY, end));
    }

    #[test]
    fn a_deferral_ends_when_nobody_takes_the_key_and_a_new_share_begins() {
        let mut turns = Turns::new(TURN);
        let now = have(&mut turns, START, ms(40));
        assert!(turns.is_over(KEY, now));
        turns.yielded(KEY);
        assert!(!turns.is_over(KEY, now));
        let now = have(&mut turns, now, ms(39));
        assert!(!turns.is_over(KEY, now));
    }

    #[test]
    fn an_engine_that_has_left_the_key_alone_does_not_defer() {
        for (later, defers) in [(Micros(999), true), (ms(1), false)] {
            let mut turns = Turns::new(TURN);
            turns.granted(KEY, START);
            let end = START + ms(3_000);
            turns.released(KEY, end, Micros(30), Micros(0));
            turns.lost(KEY, end + later);
            assert_eq!(turns.is_over(KEY, end + later), defers);
        }
    }

    #[test]
    fn far_from_the_server_a_share_lasts_three_pauses_with_the_delay_of_others() {
        let mut turns = Turns::new(TURN);
        for (long, over) in [(ms(299), false), (ms(1), true)] {
            turns.granted(KEY, START);
            turns.released(KEY, START + long, ms(10), ms(10));
            turns.lost(KEY, START + long);
            assert_eq!(turns.is_over(KEY, START + long), over);
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
            turns.released(KEY, START + ms(1), trip, Micros(0));
            turns.granted(KEY, START + ms(2));
            let end = START + pause.times(3);
            assert!(!turns.is_over(KEY, end.saturating_before(Duration::from_micros(1))));
            assert!(turns.is_over(KEY, end));
            turns.released(KEY, end, trip, Micros(0));
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
        turns.released(KEY, START, ms(1), Micros(0));
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
}
