//! What must be so at every instant, and when an assumption that it rests on was broken.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tenure_core::Instant;

/// A promise of Tenure, as the README gives it.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Promise {
    /// At no instant do two clients rely on the same key, unless both share it: then no more do than the largest of their
    /// limits.
    Exclusion,
    /// While a lock changes, and after a change without a reply, its client relies on no more than sharing the key.
    Weaker,
    /// A holder is backed by enough nodes until its lease is over.
    Cover,
    /// The end of a lease is reported when it comes.
    ExpiryReported,
    /// The holder of a key on one server that tracks learns within five round trips that the key was deleted or
    /// overwritten, unless it is in the middle of a refresh or anything else happens meanwhile.
    LossReported,
    /// A lock has one terminal event, and nothing after it.
    OneTerminalEvent,
    /// A lock is not lost, and not said to be taken, for no reason.
    NoFalseAlarm,
    /// As long as nothing goes wrong, no renewed lock is lost, and every release is confirmed.
    Calm,
    /// A requested lock that is no longer held is released as soon as the node can be reached.
    TimelyRelease,
    /// While nothing goes wrong, a client that waits for several nodes has nothing on any of them.
    NoPartialHolds,
    /// After a release, or the end of a lock, nothing sets or prolongs it.
    NoLateWrites,
    /// When faults stop, every request ends.
    Ends,
    /// When faults stop, every request for a free lock is granted.
    Progress,
    /// A lock that waits, and could be obtained on a quorum of nodes that its client can reach, is obtained by somebody
    /// within a few round trips, whatever other nodes and clients do.
    Prompt,
    /// Of several clients that contend for a key, each that waits is passed over a bounded number of times, and no turn
    /// of another goes on for long.
    Fair,
    /// A lock that waits in order is not granted before one that has waited for longer, if the node knows of it and the two
    /// exclude each other.
    InOrder,
    /// A client that is gone delays those behind it in a queue for no longer than its place is kept.
    Patient,
    /// A lock that waits in a queue sends another request only for a reason, while nothing goes wrong.
    Quiet,
    /// Each fence of a key is larger than every one before it.
    FencesGrow,
    /// A report about a lock, a key or a node was true at that moment.
    Truth,
    /// After all releases and a ttl no key is left.
    NothingLeft,
    /// After closing, the engine is drained in bounded time.
    Drains,
    /// The outputs reach a timeout in bounded steps.
    Steps,
    /// After a timeout that was handled, the next one is later.
    Advances,
    /// The same inputs give the same outputs.
    Repeats,
    /// An early or repeated timeout changes nothing.
    EarlyTimeout,
    /// A driver that sleeps exactly until the timeout misses nothing: before it there is nothing to do.
    Sleeping,
    /// Of what nodes say at one instant at which nothing is due, a poll that gives nothing may be left out, unless a
    /// node is down.
    Batches,
    /// Splitting input anywhere changes nothing.
    Splitting,
    /// Time that goes back is harmless.
    TimeBack,
}

impl Promise {
    // Cold, so that whatever leads to it is laid out apart from what is done all the time.
    #[cold]
    pub(crate) fn broken(self, how: impl Into<Cow<'static, str>>) -> Violation {
        Violation {
            promise: self,
            how: how.into(),
            at: Instant::default(),
        }
    }

    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::Exclusion,
        Self::Weaker,
        Self::Cover,
        Self::ExpiryReported,
        Self::LossReported,
        Self::OneTerminalEvent,
        Self::NoFalseAlarm,
        Self::Calm,
        Self::TimelyRelease,
        Self::NoPartialHolds,
        Self::NoLateWrites,
        Self::Ends,
        Self::Progress,
        Self::Prompt,
        Self::Fair,
        Self::InOrder,
        Self::Patient,
        Self::Quiet,
        Self::FencesGrow,
        Self::Truth,
        Self::NothingLeft,
        Self::Drains,
        Self::Steps,
        Self::Advances,
        Self::Repeats,
        Self::EarlyTimeout,
        Self::Sleeping,
        Self::Batches,
        Self::Splitting,
        Self::TimeBack,
    ];
}

/// A promise that was not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// What happened.
    pub how: Cow<'static, str>,
    /// When, in true time.
    pub at: Instant,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} broken at {:?}: {}",
            self.promise, self.at, self.how
        )
    }
}

/// What the oracle remembers.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) violation: Option<Violation>,
    /// How many nodes two quorums share at least.
    pub(crate) overlap: usize,
    /// Until when a node may have forgotten a lock that a client still relies on.
    pub(crate) forgetful: Vec<Instant>,
    /// The longest ttl that anybody asks for, with what a slow server clock makes of it.
    pub(crate) longest: Duration,
    /// When a node last lost, or was deprived of, data that it had acknowledged.
    pub(crate) last_damage: Option<Instant>,
    /// When a node last lost data that no client had counted on, such as releases.
    pub(crate) last_rollback: Option<Instant>,
    /// The longest round in a world in which nothing goes wrong; `None` elsewhere.
    pub(crate) calm: Option<Duration>,
    /// How often each promise was checked and kept.
    pub(crate) checks: BTreeMap<Promise, u64>,
    /// How often a promise was not checked because an assumption was broken.
    pub(crate) excused: BTreeMap<Promise, u64>,
}

impl Oracle {
    pub(crate) fn new(nodes: usize, ordered: bool) -> Self {
        let quorum = quorum(nodes, ordered);
        Self {
            overlap: 2 * quorum - nodes,
            forgetful: vec![Instant::default(); nodes],
            longest: Duration::from_secs(40),
            ..Self::default()
        }
    }

    /// A node has lost data, or somebody has changed it by hand.
    pub(crate) fn damage(&mut self, node: usize, now: Instant) {
        self.forgetful[node] = now + self.longest;
        self.last_damage = Some(now);
    }

    /// A replica that lacks only what no client counts on has taken over.
    pub(crate) fn roll_back(&mut self, now: Instant) {
        self.last_rollback = Some(now);
    }

    /// When a node last lost anything.
    pub(crate) fn last_change(&self) -> Option<Instant> {
        self.last_damage.max(self.last_rollback)
    }

    /// Whether so many nodes forgot that two clients may rely on one lock.
    pub(crate) fn is_excused(&self, now: Instant) -> bool {
        let forgetful = self.forgetful.iter().filter(|until| **until > now).count();
        forgetful >= self.overlap
    }

    pub(crate) fn kept(&mut self, promise: Promise) {
        *self.checks.entry(promise).or_default() += 1;
    }

    pub(crate) fn excuse(&mut self, promise: Promise) {
        *self.excused.entry(promise).or_default() += 1;
    }

    /// Notes the first violation.
    #[cold]
    pub(crate) fn report(&mut self, violation: Violation, now: Instant) {
        self.violation.get_or_insert(Violation {
            at: now,
            ..violation
        });
    }
}

/// How many nodes must back a lock. Not taken from the code that is tested.
pub(crate) fn quorum(nodes: usize, ordered: bool) -> usize {
    if ordered { nodes } else { nodes / 2 + 1 }
}
