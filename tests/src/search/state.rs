//! One state of a small world, and every step that can be taken from it.

use std::sync::Arc;

use tenure_core::{Instant, Keep, Obtain, Retry, Token};

use super::client::{Answer, Client, Line, REFUSED};
use super::node::{KEYS, Manner, ModelNode, Watches};
use super::order::Value;
use super::setup::{Budget, Memory, PAUSE, Setup, keys, node_id, short_ttl, ttl};
use super::user::Phase;

/// One thing that may happen next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A user of this client asks for a lock: the client, then the user.
    Obtain(usize, usize),
    /// A user of this client releases what it has, or cancels what it asks for.
    Release(usize, usize),
    /// A user of this client wants a refresh with another ttl.
    Refresh(usize, usize),
    /// A user of this client changes from one mode to the other.
    Change(usize, usize),
    /// The next request of this client reaches this node, which carries it out.
    Request(usize, usize),
    /// The same, but its answer is not prompt.
    Withhold(usize, usize),
    /// The next answer of this node reaches this client.
    Answer(usize, usize),
    /// A request from a connection of this client to this node that is long gone is carried out.
    Stray(usize, usize),
    /// This client does what is due.
    Timer(usize),
    /// Time goes on to the next moment at which something is due.
    Time,
    /// The connection of this client to this node breaks, and is made anew.
    Cut(usize, usize),
    /// This node ends and starts again.
    NodeCrash(usize),
    /// This client ends, and does not start again.
    ClientCrash(usize),
}

/// All there is at one moment.
#[derive(Clone)]
pub struct SearchState {
    pub(super) setup: Arc<Setup>,
    pub(super) now: Instant,
    pub(super) clients: Vec<Client>,
    pub(super) nodes: Vec<ModelNode>,
    pub(super) budget: Budget,
    /// How many locks were requested.
    pub(super) requests: u8,
    /// A key came to its end, or was forgotten, before it was released.
    pub(super) vanished: bool,
    /// The largest fence of each key that was reported.
    pub(super) fences: [u64; KEYS.len()],
    /// The promise that was broken on the way here.
    pub(super) fault: Option<&'static str>,
    /// What happened on the way here, if somebody wants to know.
    pub(super) trail: Option<Vec<String>>,
}

impl SearchState {
    /// The beginning.
    #[must_use]
    pub fn new(setup: &Arc<Setup>) -> Self {
        let config = setup.config();
        // Far enough from zero that no moment before now is cut off.
        let now = Instant::from_micros(1_000_000_000);
        let client = |c| Client::new(&config, setup.users_of(c), now);
        let node = |counter: &u64| ModelNode {
            counters: [*counter; KEYS.len()],
            ..ModelNode::default()
        };
        Self {
            now,
            clients: (0..setup.clients).map(client).collect(),
            nodes: setup.counters[..setup.nodes].iter().map(node).collect(),
            budget: setup.budget,
            requests: 0,
            vanished: false,
            fences: Default::default(),
            fault: None,
            trail: None,
            setup: setup.clone(),
        }
    }

    /// Every step that can be taken from here.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let mut found = Vec::new();
        let steps = &mut found;
        if self.fault.is_some() {
            return found;
        }
        for (c, client) in self.clients.iter().enumerate() {
            for (n, line) in client.lines.iter().enumerate() {
                let has = [
                    (!line.requests.is_empty(), Step::Request(c, n)),
                    (!line.answers.is_empty(), Step::Answer(c, n)),
                    (
                        self.budget.withheld > 0 && !line.requests.is_empty(),
                        Step::Withhold(c, n),
                    ),
                    (!line.strays.is_empty(), Step::Stray(c, n)),
                    (
                        self.budget.cuts > 0 && client.alive && n < self.nodes.len(),
                        Step::Cut(c, n),
                    ),
                ];
                steps.extend(has.into_iter().filter(|(can, _)| *can).map(|(_, s)| s));
            }
            if client.alive {
                self.steps_of(c, client, steps);
            }
        }
        if self.budget.node_crashes > 0 {
            let up = (0..self.nodes.len()).filter(|n| self.nodes[*n].down_until.is_none());
            steps.extend(up.map(Step::NodeCrash));
        }
        if self.next_moment().is_some() && (self.budget.late > 0 || self.is_quiet()) {
            steps.push(Step::Time);
        }
        found
    }

    fn steps_of(&self, c: usize, client: &Client, steps: &mut Vec<Step>) {
        for (u, user) in client.users.iter().enumerate() {
            let held = user.phases().any(|phase| phase == Phase::Held);
            let asking = user.phases().any(|phase| phase == Phase::Attempting);
            let cancels = self.budget.cancels > 0 && asking;
            let can = [
                (user.can_request(), Step::Obtain(c, u)),
                (user.can_release() || cancels, Step::Release(c, u)),
                (held && self.budget.refreshes > 0, Step::Refresh(c, u)),
                (held && self.budget.changes > 0, Step::Change(c, u)),
            ];
            steps.extend(can.into_iter().filter(|(can, _)| *can).map(|(_, s)| s));
        }
        let began = client.phases().next().is_some();
        let can = [
            (client.is_due(self.now), Step::Timer(c)),
            (
                self.budget.client_crashes > 0 && began,
                Step::ClientCrash(c),
            ),
        ];
        steps.extend(can.into_iter().filter(|(can, _)| *can).map(|(_, s)| s));
    }

    /// Nothing is on its way and nothing is due: time can only go on.
    pub(super) fn is_quiet(&self) -> bool {
        self.clients
            .iter()
            .all(|client| !client.is_due(self.now) && client.lines.iter().all(Line::is_idle))
    }

    pub(super) fn next_moment(&self) -> Option<Instant> {
        let deadlines = self.clients.iter().filter(|c| c.alive);
        let nodes = self.nodes.iter();
        deadlines
            .filter_map(|client| client.deadline)
            .chain(nodes.clone().flat_map(ModelNode::ends))
            .chain(nodes.filter_map(|node| node.down_until))
            .filter(|at| *at > self.now)
            .min()
    }

    /// Takes one step, which must be one of [`SearchState::steps`].
    pub fn take(&mut self, step: Step) {
        self.describe_step(step);
        let now = self.now;
        match step {
            Step::Obtain(c, u) => {
                self.requests = self.requests.saturating_add(1);
                let request = self.request(c, u);
                self.client(c).obtain(u, request, now);
            }
            Step::Release(c, u) => {
                let attempting = |phase| phase == Phase::Attempting;
                if self.clients[c].users[u].phases().any(attempting) {
                    self.budget.cancels = self.budget.cancels.saturating_sub(1);
                }
                self.client(c).release(u, now);
            }
            Step::Refresh(c, u) => {
                // First a shorter ttl, then the longer one again.
                let done = self.setup.budget.refreshes - self.budget.refreshes;
                let shorter = done.is_multiple_of(2);
                self.budget.refreshes -= 1;
                let ttl = if shorter { short_ttl() } else { ttl() };
                self.client(c).refresh(u, ttl, now);
            }
            Step::Change(c, u) => self.change(c, u),
            Step::Request(c, n) => {
                let in_order = self.clients[c].lines[n].answers.is_empty();
                let is_over = self.carry_out(c, n);
                if self.setup.prompt && in_order && is_over {
                    self.deliver(c, n);
                }
            }
            Step::Withhold(c, n) => {
                self.budget.withheld -= 1;
                self.carry_out(c, n);
            }
            Step::Answer(c, n) => self.deliver(c, n),
            Step::Stray(c, n) => {
                let mut order = self.client(c).lines[n].strays.remove(0);
                let (manner, mut wakes) = (self.manner(), Watches::default());
                if self.nodes[n].down_until.is_none() {
                    let node = &mut self.nodes[n];
                    let outcome = node.advance(&mut order, None, now, manner, &mut wakes);
                    if outcome.is_none() {
                        self.client(c).lines[n].strays.insert(0, order);
                    }
                }
                self.spread(n, wakes);
            }
            Step::Timer(c) => self.client(c).locks_mut().handle_timeout(now),
            Step::Time => self.go_on(),
            Step::Cut(c, n) => {
                self.budget.cuts -= 1;
                self.reconnect(c, n);
            }
            Step::NodeCrash(n) => self.crash_node(n),
            Step::ClientCrash(c) => {
                self.budget.client_crashes -= 1;
                let config = self.setup.config();
                self.client(c).crash(&config, now);
                for node in &mut self.nodes {
                    node.forget(c);
                }
            }
        }
        self.settle();
        self.check();
    }

    fn change(&mut self, c: usize, u: usize) {
        let now = self.now;
        self.budget.changes -= 1;
        self.client(c).change(u, now);
    }

    /// The promise that was broken on the way here.
    #[must_use]
    pub const fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    pub(super) fn client(&mut self, c: usize) -> &mut Client {
        &mut self.clients[c]
    }

    fn manner(&self) -> Manner {
        Manner {
            early: self.setup.early,
            watch: self.setup.watch,
            silent: self.setup.silent,
            commands: self.setup.commands,
        }
    }

    fn request(&self, c: usize, u: usize) -> Obtain {
        let (letters, number) = self.clients[c].users[u].next();
        let user = u8::try_from(u).expect("few users");
        let token = Value::token(c, user << 6 | number);
        Obtain {
            wait: self.setup.wait,
            retry: Retry::every(PAUSE),
            renewal: self.setup.renewal,
            mode: self.setup.mode_of(c),
            fence: self.setup.fence.then(Keep::default),
            ..Obtain::new(keys(letters), Token::random(token), ttl())
        }
    }

    /// Returns whether it was the last command of the request.
    fn carry_out(&mut self, c: usize, n: usize) -> bool {
        let mut request = self.client(c).lines[n].requests.remove(0);
        let (now, manner, mut wakes) = (self.now, self.manner(), Watches::default());
        let node = &mut self.nodes[n];
        let outcome = if node.down_until.is_some() {
            Some(REFUSED)
        } else {
            node.advance(&mut request.order, Some(c), now, manner, &mut wakes)
        };
        let Some(outcome) = outcome else {
            self.client(c).lines[n].requests.insert(0, request);
            self.spread(n, wakes);
            return false;
        };
        let answer = Answer::Outcome(request.id, outcome);
        self.describe_outcome(n, request.order.action, outcome);
        self.client(c).lines[n].answers.push(answer);
        self.spread(n, wakes);
        true
    }

    fn deliver(&mut self, c: usize, n: usize) {
        let now = self.now;
        let client = self.client(c);
        let answer = client.lines[n].answers.remove(0);
        client.receive(node_id(n), answer, now);
    }

    /// Sends a node's wakes on their way.
    fn spread(&mut self, n: usize, wakes: Watches) {
        for (key, notified) in wakes.into_iter().enumerate() {
            for (c, client) in self.clients.iter_mut().enumerate() {
                if notified >> c & 1 == 1 {
                    client.lines[n].answers.push(Answer::Wake(key));
                }
            }
        }
    }

    fn go_on(&mut self) {
        let Some(at) = self.next_moment() else { return };
        if !self.is_quiet() {
            self.budget.late = self.budget.late.saturating_sub(1);
        }
        self.now = at;
        let manner = self.manner();
        for n in 0..self.nodes.len() {
            let mut wakes = Watches::default();
            self.vanished |= self.nodes[n].expire(at, manner, &mut wakes);
            self.spread(n, wakes);
            if self.nodes[n].down_until.is_some_and(|until| until <= at) {
                self.nodes[n].down_until = None;
                for c in 0..self.clients.len() {
                    self.reconnect(c, n);
                }
            }
        }
    }

    fn reconnect(&mut self, c: usize, n: usize) {
        let now = self.now;
        self.nodes[n].forget(c);
        if self.clients[c].alive {
            self.client(c).reconnect(node_id(n), now);
        }
    }

    fn crash_node(&mut self, n: usize) {
        self.budget.node_crashes -= 1;
        let node = &mut self.nodes[n];
        if self.setup.memory != Memory::Kept {
            self.vanished |= !node.is_empty();
            (node.entries, node.sharers, node.counters) = Default::default();
        }
        if self.setup.memory == Memory::LostAndLate {
            node.down_until = Some(self.now + ttl().as_duration());
        }
        for c in 0..self.clients.len() {
            self.reconnect(c, n);
            // What had not been carried out never will be.
            self.client(c).lines[n].strays.clear();
        }
    }

    /// Lets every client say what it has to say.
    fn settle(&mut self) {
        for c in 0..self.clients.len() {
            let effects = self.client(c).settle();
            self.fault = self.fault.or(effects.fault);
            for event in effects.events {
                self.describe_event(c, &event);
                self.judge(&event);
                self.compare(c, &event);
            }
        }
        self.absorb();
    }

    /// Answers that change nothing need not arrive. A broken connection would turn them into unknown ones, which do.
    fn absorb(&mut self) {
        let calm = self.budget.cuts == 0 && self.budget.node_crashes == 0;
        if !self.setup.absorbs {
            return;
        }
        let calm = calm && !self.nodes.iter().any(|n| n.down_until.is_some());
        let watch = self.setup.watch;
        for client in &mut self.clients {
            for (n, node) in self.nodes.iter().enumerate() {
                client.forget_idle_words(n, node, watch, calm);
            }
        }
    }
}
