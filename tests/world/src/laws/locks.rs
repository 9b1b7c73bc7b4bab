//! The laws of `Locks`, on random histories: nodes that know nothing but keys carry out what they are asked, soon, late
//! or never.

use std::collections::VecDeque;
use std::time::Duration;

use tenure_core::{
    Arrangement, Config, Event, Holding, Instant, Key, Keys, LockId, Locks, LocksOutput,
    NodeConfig, NodeError, NodeId, Obtain, Op, Outcome, Renewal, RequestId, Retry, Rng, Token, Ttl,
};

use super::nodes::{PlainNode, Request, RequestKind};
use super::{Machine, Record, STEPS, hold};
use crate::world::{After, Logged, Outputs, Promise, Violation};

/// What came of one history.
#[derive(Clone, Debug)]
pub struct History {
    /// The laws that were checked and kept.
    pub laws: &'static [Promise],
    /// What the locks said.
    pub events: Vec<Event>,
}

/// Plays the history of a seed, and checks all laws on it.
///
/// # Errors
/// The first law that does not hold.
pub fn history(seed: u64) -> Result<History, Violation> {
    let mut play = Play::new(seed);
    for _ in 0..200 {
        play.step()?;
    }
    play.settle()?;
    let record = Record {
        inputs: &play.inputs,
        outputs: &play.outputs,
        born: START,
        seed,
    };
    let laws = hold(&record, || Locks::new(&play.config, seed, START))?;
    Ok(History {
        laws,
        events: play.outputs.events,
    })
}

const START: Instant = Instant::from_micros(1_000_000);
const MS: Duration = Duration::from_millis(1);

/// What happens to locks.
pub(crate) enum Input {
    Obtain(Box<Obtain>),
    Refresh(LockId, Option<Ttl>),
    Release(LockId),
    Inspect(Keys),
    Close,
    Outcome(RequestId, Outcome),
    Found(RequestId, Vec<Option<Holding>>),
    Wake(NodeId, Key),
    WakeAll(NodeId),
    Timeout,
}

impl Machine for Locks {
    type Input = Input;

    fn apply(&mut self, input: &Input, at: Instant, _: Option<&mut Rng>) {
        match input {
            Input::Obtain(request) => {
                self.obtain((**request).clone(), at);
            }
            Input::Refresh(lock, ttl) => {
                self.refresh(*lock, *ttl, at).ok();
            }
            Input::Release(lock) => self.release(*lock, at),
            Input::Inspect(keys) => {
                self.inspect(keys.clone(), at);
            }
            Input::Close => self.close(at),
            Input::Outcome(request, outcome) => self.handle_outcome(*request, *outcome, at),
            Input::Found(request, found) => self.handle_found(*request, found.clone(), at),
            Input::Wake(node, key) => self.handle_wake(*node, key.as_bytes(), at),
            Input::WakeAll(node) => self.handle_wake_all(*node, at),
            Input::Timeout => self.handle_timeout(at),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn is_timeout(input: &Input) -> bool {
        matches!(input, Input::Timeout)
    }

    fn is_user_request(input: &Input) -> bool {
        match input {
            Input::Obtain(_)
            | Input::Refresh(..)
            | Input::Release(_)
            | Input::Inspect(_)
            | Input::Close => true,
            Input::Outcome(..)
            | Input::Found(..)
            | Input::Wake(..)
            | Input::WakeAll(_)
            | Input::Timeout => false,
        }
    }

    fn poll(&mut self, outputs: &mut Outputs) -> Option<Option<Instant>> {
        match self.poll_output() {
            LocksOutput::Request { id, op } => note(outputs, id, op),
            LocksOutput::Event(event) => outputs.events.push(event),
            LocksOutput::Timeout(due) => return Some(due),
        }
        None
    }
}

fn note(outputs: &mut Outputs, id: RequestId, op: Op<'_>) {
    // Claims show no values when they are formatted.
    let value = Request::new(id, op).map(|request| request.value);
    let text = format!("{id:?} {op:?} {value:?}");
    outputs.note_bytes(id.node().index(), text.as_bytes());
}

/// A history under way.
struct Play {
    config: Config,
    locks: Locks,
    rng: Rng,
    now: Instant,
    due: Option<Instant>,
    nodes: Vec<PlainNode>,
    /// By node, in the order in which they were sent.
    pending: Vec<VecDeque<Request>>,
    /// What was answered once already.
    answered: Vec<RequestId>,
    ids: Vec<LockId>,
    tokens: u8,
    inputs: Vec<Logged<Input>>,
    outputs: Outputs,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x10c5);
        let nodes = [1, 2, 3, 3, 5][rng.below(5) as usize];
        let arrangement = if nodes >= 3 && rng.once_in(2) {
            Arrangement::Quorum
        } else {
            Arrangement::Ordered
        };
        let config = Config::new(vec![NodeConfig::default(); nodes], arrangement);
        let config = config.expect("there are nodes");
        let mut locks = Locks::new(&config, seed, START);
        let due = super::drain(&mut locks, &mut Outputs::default());
        Self {
            locks,
            rng,
            now: START,
            due: due.expect("a new one has little to say"),
            nodes: vec![PlainNode::default(); nodes],
            pending: (0..nodes).map(|_| VecDeque::new()).collect(),
            answered: Vec::new(),
            ids: Vec::new(),
            tokens: 0,
            inputs: Vec::new(),
            outputs: Outputs::default(),
            config,
        }
    }

    fn step(&mut self) -> Result<(), Violation> {
        match self.rng.below(32) {
            0..=4 => {
                let request = Box::new(self.request());
                self.happens(Input::Obtain(request));
            }
            5..=6 => {
                let ttl = [None, Some(300), Some(3000)][self.rng.below(3) as usize];
                let ttl = ttl.map(|ms| Ttl::new(MS * ms).expect("a ttl"));
                if let Some(lock) = self.lock() {
                    self.happens(Input::Refresh(lock, ttl));
                }
            }
            7..=8 => {
                if let Some(lock) = self.lock() {
                    self.happens(Input::Release(lock));
                }
            }
            9 => {
                let keys = self.keys();
                self.happens(Input::Inspect(keys));
            }
            10..=21 => self.answer(),
            22 => {
                if let Some(id) = self.answered.last() {
                    self.happens(Input::Outcome(*id, Outcome::Unknown));
                }
            }
            23..=24 => {
                let node = NodeId::new(self.node()).expect("a node");
                let key = self.keys().first().clone();
                let wake = if self.rng.once_in(4) {
                    Input::WakeAll(node)
                } else {
                    Input::Wake(node, key)
                };
                self.happens(wake);
            }
            25 if self.rng.once_in(60) => self.happens(Input::Close),
            _ => return self.pass(),
        }
        // Otherwise more may happen at the same instant.
        if self.rng.once_in(2) {
            self.settle()
        } else {
            Ok(())
        }
    }

    fn node(&mut self) -> usize {
        self.rng.below(self.nodes.len() as u64) as usize
    }

    fn lock(&mut self) -> Option<LockId> {
        let back = self.rng.below(4) as usize;
        self.ids.iter().rev().nth(back).copied()
    }

    fn keys(&mut self) -> Keys {
        let first = self.rng.below(2);
        let both = self.rng.once_in(5);
        let names = (0..2).filter(|n| both || *n == first);
        let keys = names.map(|n| Key::new(format!("k{n}")).expect("a key"));
        Keys::new(keys).expect("keys")
    }

    fn request(&mut self) -> Obtain {
        self.tokens += 1;
        let ttl = [400, 1000, 5000][self.rng.below(3) as usize];
        let mut request = Obtain::new(
            self.keys(),
            Token::random([self.tokens; 16]),
            Ttl::new(MS * ttl).expect("a ttl"),
        );
        request.wait = [None, Some(MS * 500), Some(MS * 9000)][self.rng.below(3) as usize];
        request.retry = [Retry::none(), Retry::every(MS * 50), Retry::default()]
            [self.rng.below(3) as usize]
            .clone();
        if self.rng.once_in(3) {
            request.renewal = Renewal::Manual;
        }
        request
    }

    /// A node carries out what it was asked longest ago, or it is not known whether it does.
    fn answer(&mut self) {
        let node = self.node();
        let Some(request) = self.pending[node].pop_front() else {
            return;
        };
        self.answered.push(request.id);
        let fate = self.rng.below(12);
        if fate == 0 {
            let failed = Outcome::Failed(NodeError::Disconnected);
            return self.happens(Input::Outcome(request.id, failed));
        }
        let answer = match request.kind {
            RequestKind::Inspect => {
                Input::Found(request.id, self.nodes[node].find(&request.keys, self.now))
            }
            RequestKind::Obtain(..)
            | RequestKind::Refresh(..)
            | RequestKind::Check
            | RequestKind::Look
            | RequestKind::Release
                if fate == 1 =>
            {
                Input::Outcome(request.id, Outcome::Unknown)
            }
            RequestKind::Obtain(..)
            | RequestKind::Refresh(..)
            | RequestKind::Check
            | RequestKind::Look
            | RequestKind::Release => {
                let watched = self.rng.once_in(2);
                let outcome = self.nodes[node].carry_out(&request, self.now, watched);
                Input::Outcome(request.id, outcome)
            }
        };
        self.happens(answer);
    }

    fn happens(&mut self, input: Input) {
        // What can be named later.
        let id = match &input {
            Input::Obtain(request) => Some(self.locks.obtain((**request).clone(), self.now)),
            Input::Inspect(keys) => Some(self.locks.inspect(keys.clone(), self.now)),
            Input::Refresh(..)
            | Input::Release(_)
            | Input::Close
            | Input::Outcome(..)
            | Input::Found(..)
            | Input::Wake(..)
            | Input::WakeAll(_)
            | Input::Timeout => {
                self.locks.apply(&input, self.now, None);
                None
            }
        };
        self.ids.extend(id);
        let (at, after) = (self.now, After::Unpolled);
        self.inputs.push(Logged { at, input, after });
    }

    /// Sleeps for a while, or exactly until the timeout if that comes first.
    fn pass(&mut self) -> Result<(), Violation> {
        self.settle()?;
        let longest = [MS, MS * 30, MS * 1500][self.rng.below(3) as usize];
        let longest = u64::try_from(longest.as_micros()).unwrap_or(1);
        let until = self.now + Duration::from_micros(1 + self.rng.below(longest));
        match self.due.filter(|due| *due <= until) {
            Some(due) => {
                self.now = self.now.max(due);
                self.happens(Input::Timeout);
                self.settle()?;
                if self.due.is_some_and(|due| due <= self.now) {
                    let how = format!("after a timeout at {:?}: {:?}", self.now, self.due);
                    return Err(Promise::Advances.broken(how));
                }
            }
            None => self.now = until,
        }
        Ok(())
    }

    /// Asks until there is nothing more to do.
    fn settle(&mut self) -> Result<(), Violation> {
        for step in 0..STEPS {
            match self.locks.poll_output() {
                LocksOutput::Request { id, op } => {
                    note(&mut self.outputs, id, op);
                    self.pending[id.node().index()].extend(Request::new(id, op));
                }
                LocksOutput::Event(event) => self.outputs.events.push(event),
                LocksOutput::Timeout(due) => {
                    self.due = due;
                    if let Some(last) = self.inputs.last_mut() {
                        // A second look finds nothing, and does not change what the first has found.
                        if step > 0 {
                            last.after = After::Spoke;
                        } else if last.after == After::Unpolled {
                            last.after = After::Silent;
                        }
                    }
                    return Ok(());
                }
            }
        }
        Err(Promise::Steps.broken("poll_output does not reach a timeout"))
    }
}
