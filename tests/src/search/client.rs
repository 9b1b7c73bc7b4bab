//! A client: the real locks, messages from and to it, and what it has been notified of.

use std::sync::Arc;

use tenure_core::{
    Config, Event, Instant, Lease, Locks, LocksOutput, Loss, Mode, NodeError, NodeId, NotObtained,
    Obtain, Outcome, RequestId, Ttl,
};

use super::node::{KEYS, ModelNode};
use super::order::{Order, Value};
use super::setup::{NODES, USERS};
use super::user::{Phase, User, on_event};

#[derive(Copy, Clone, Debug)]
pub(super) struct Request {
    pub(super) id: RequestId,
    pub(super) order: Order,
}

#[derive(Copy, Clone, Debug)]
pub(super) enum Answer {
    Outcome(RequestId, Outcome),
    /// Of which key.
    Wake(usize),
}

/// One connection: both ways keep their order. There is never much on them.
#[derive(Clone, Default, Debug)]
pub(super) struct Line {
    pub(super) requests: Vec<Request>,
    pub(super) answers: Vec<Answer>,
    /// Requests of earlier connections that a node may still carry out.
    pub(super) strays: Vec<Order>,
}

impl Line {
    pub(super) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.answers.is_empty()
    }

    /// Ends the connection. What was asked and not answered is unknown from here on.
    pub(super) fn cut(&mut self) -> Vec<RequestId> {
        let answered = self.answers.drain(..).filter_map(|answer| match answer {
            Answer::Outcome(id, _) => Some(id),
            Answer::Wake(_) => None,
        });
        let mut lost: Vec<_> = answered.collect();
        for request in self.requests.drain(..) {
            lost.push(request.id);
            if !request.order.action.only_reads() {
                self.strays.push(request.order);
            }
        }
        lost
    }
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Shared with the states before and after in which they had no input.
    locks: Arc<Locks>,
    /// They had an input, and may have output.
    has_input: bool,
    pub(super) users: [User; USERS],
    pub(super) alive: bool,
    /// By node.
    pub(super) lines: [Line; NODES],
    pub(super) deadline: Option<Instant>,
}

/// What a client did after an input.
#[derive(Debug)]
pub(super) struct Effects {
    pub(super) events: Vec<Event>,
    /// What it must not have done.
    pub(super) fault: Option<&'static str>,
}

impl Client {
    pub(super) fn new(config: &Config, users: [User; USERS], now: Instant) -> Self {
        Self {
            locks: Arc::new(Locks::new(config, 0, now)),
            has_input: false,
            users,
            alive: true,
            lines: Default::default(),
            deadline: None,
        }
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.locks
    }

    pub(super) fn locks_mut(&mut self) -> &mut Locks {
        self.has_input = true;
        Arc::make_mut(&mut self.locks)
    }

    /// Starts its chance anew. It has nothing to say to that.
    pub(super) fn reseed(&mut self, seed: u64) {
        Arc::make_mut(&mut self.locks).reseed(seed);
    }

    /// Of all locks of all users.
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> + '_ {
        self.users.iter().flat_map(User::phases)
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.alive && self.deadline.is_some_and(|at| at <= now)
    }

    /// The leases that it relies on, with the modes, and the letters of their keys.
    fn leases(&self) -> impl Iterator<Item = (Lease, Mode, &'static str)> + '_ {
        let open = self
            .users
            .iter()
            .filter(|_| self.alive)
            .flat_map(User::open);
        open.filter_map(|(id, set)| Some((self.locks.lease(id)?, self.locks.mode(id)?, set)))
    }

    /// Whether a lease is over and that is not yet reported.
    pub(super) fn overstays(&self, now: Instant) -> bool {
        self.leases().any(|(lease, ..)| !lease.is_valid(now))
    }

    /// The leases that it may rely on at `now`, with the modes, and the letters of their keys.
    pub(super) fn valid_leases(
        &self,
        now: Instant,
    ) -> impl Iterator<Item = (Lease, Mode, &'static str)> + '_ {
        self.leases().filter(move |(lease, ..)| lease.is_valid(now))
    }

    /// Whether one of its locks has this value.
    pub(super) fn has_value(&self, value: Value) -> bool {
        let mut values = self.locks.values().map(Value::read);
        values.any(|own| own == value)
    }

    pub(super) fn obtain(&mut self, user: usize, request: Obtain, now: Instant) {
        let id = self.locks_mut().obtain(request, now);
        self.users[user].requested(id);
    }

    pub(super) fn release(&mut self, user: usize, now: Instant) {
        for id in self.users[user].releases() {
            self.locks_mut().release(id, now);
        }
    }

    pub(super) fn refresh(&mut self, user: usize, ttl: Ttl, now: Instant) {
        let first = self.users[user].locks().next();
        if let Some((id, _)) = first {
            // Too late is an answer too.
            let _ = self.locks_mut().refresh(id, Some(ttl), now);
        }
    }

    pub(super) fn change(&mut self, user: usize, now: Instant) {
        let first = self.users[user].locks().next();
        if let Some((id, _)) = first {
            let shares = matches!(self.locks.mode(id), Some(Mode::Shared { .. }));
            let other = if shares {
                Mode::InTurn
            } else {
                Mode::Shared { limit: None }
            };
            // One that changes no more stays as it is.
            let _ = self.locks_mut().change(id, other, now);
        }
    }

    /// The connection to `node` is gone, and there is a new one.
    pub(super) fn reconnect(&mut self, node: NodeId, now: Instant) {
        for id in self.lines[node.index()].cut() {
            self.locks_mut().handle_outcome(id, Outcome::Unknown, now);
        }
        self.locks_mut().handle_wake_all(node, now);
    }

    /// Its process ends. What it has sent may still be carried out.
    pub(super) fn crash(&mut self, config: &Config, now: Instant) {
        for line in &mut self.lines {
            line.cut();
        }
        *self = Self {
            alive: false,
            lines: core::mem::take(&mut self.lines),
            ..Self::new(config, [User::default(); USERS], now)
        };
    }

    pub(super) fn receive(&mut self, node: NodeId, answer: Answer, now: Instant) {
        match answer {
            Answer::Outcome(id, outcome) => self.locks_mut().handle_outcome(id, outcome, now),
            Answer::Wake(key) => {
                let key = KEYS[key].as_bytes();
                self.locks_mut().handle_wake(node, key, now);
            }
        }
    }

    /// Forgets what is on its way to node `n` or from there and can change nothing, whenever it arrives; with `calm`,
    /// what could only do so if the connection broke, too. That a timer goes off when an answer arrives is nothing new:
    /// it may go off by itself.
    pub(super) fn forget_idle_words(
        &mut self,
        n: usize,
        node: &ModelNode,
        watch: bool,
        calm: bool,
    ) {
        let (locks, line) = (&self.locks, &mut self.lines[n]);
        line.answers.retain(|answer| match answer {
            Answer::Outcome(id, _) if calm => locks.awaits(*id),
            Answer::Outcome(id, _) => !locks.ignores(*id),
            Answer::Wake(_) => true,
        });
        if line.requests.is_empty() && line.strays.is_empty() {
            return;
        }
        let coming = |order: &Order| order.action.obtains();
        let requests = line.requests.iter().map(|request| &request.order);
        let mut live: Vec<Value> = requests
            .chain(&line.strays)
            .filter(|order| coming(order))
            .map(|order| order.value)
            .chain(node.values())
            .collect();
        if self.alive {
            live.extend(locks.values().map(Value::read));
        }
        let idle = |order: &Order| {
            order.action.only_reads() || !coming(order) && !live.contains(&order.value)
        };
        line.strays.retain(|order| !idle(order));
        line.requests.retain(|request| {
            let watches = watch && request.order.action.watches();
            watches || !locks.ignores(request.id) || !idle(&request.order)
        });
    }

    /// It has nothing left to do or to wait for, or is no more.
    pub(super) fn is_through(&self) -> bool {
        let begins = |user: &User| user.requests_left() > 0;
        !self.alive || !self.users.iter().any(begins) && self.locks.is_drained()
    }

    /// Lets the locks say all that they have to say.
    pub(super) fn settle(&mut self) -> Effects {
        let mut effects = Effects {
            events: Vec::new(),
            fault: None,
        };
        if !std::mem::take(&mut self.has_input) {
            return effects;
        }
        let locks = Arc::make_mut(&mut self.locks);
        loop {
            match locks.poll_output() {
                LocksOutput::Request { id, op } => {
                    let Some(order) = Order::new(op) else {
                        continue;
                    };
                    let mut all = self.users.iter().flat_map(User::locks);
                    let phase = all.find(|(lock, _)| *lock == id.lock());
                    let released = matches!(phase, Some((_, Phase::Releasing | Phase::Over)));
                    if released && order.action.refreshes() {
                        effects.fault = Some("a refresh was sent after the lock was over");
                    }
                    self.lines[id.node().index()]
                        .requests
                        .push(Request { id, order });
                }
                LocksOutput::Event(event) => {
                    effects.events.push(event);
                    effects.fault = effects.fault.or_else(|| on_event(&mut self.users, event));
                }
                LocksOutput::Timeout(deadline) => {
                    self.deadline = deadline;
                    // Chance is no part of a state.
                    locks.reseed(0);
                    return effects;
                }
            }
        }
    }
}

/// Whether the event blames somebody else for not having the lock.
pub(super) fn blames_others(event: &Event) -> bool {
    matches!(
        event,
        Event::NotObtained {
            reason: NotObtained::Taken { .. } | NotObtained::TimedOut { .. },
            ..
        } | Event::Lost {
            reason: Loss::Taken,
            ..
        }
    )
}

/// The answer of a node that is down.
pub(super) const REFUSED: Outcome = Outcome::Failed(NodeError::Disconnected);
