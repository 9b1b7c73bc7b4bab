//! The steps of a schedule, carried out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use tenure_core::memory::Trouble;
use tenure_core::{Instant, Jitter, Key, LockId, Obtain, Renewal, Retry, Rng, Token};

use super::setup::{LONGEST_MS, Setup, allowed_rate};
use super::spans::{Task, pause, span};
use super::{Report, STEP, Schedule, ending};
use crate::laws;
use crate::world::{ClientId, Lasting, Leftover, Place, Record, TRUE_RATE, Weather, World};

/// A schedule under way.
pub(crate) struct Play {
    pub(crate) setup: Setup,
    pub(crate) world: World,
    pub(crate) rng: Rng,
    pub(crate) clients: Vec<ClientId>,
    /// The locks that each client requested and has not released.
    pub(crate) locks: Vec<Vec<LockId>>,
    /// What is to be repaired when.
    pub(super) tasks: BinaryHeap<Reverse<(Instant, Task)>>,
    /// How often something went wrong or was repaired: in all, by client and by node.
    pub(super) troubles: u64,
    pub(super) client_troubles: Vec<u64>,
    pub(super) node_troubles: Vec<u64>,
    /// How often it did what not every schedule does.
    used: BTreeMap<&'static str, u64>,
    /// By node and key, where something may stand that has no end.
    pub(super) endless: Vec<(usize, usize)>,
    pub(super) swapped: Vec<usize>,
    /// Nodes that say that keys have another type.
    pub(super) wrongtype_nodes: Vec<usize>,
    /// What must be gone from nodes, and how often something had gone wrong there before.
    pub(super) released: Vec<(Leftover, [u64; 2])>,
}
const MS: Duration = Duration::from_millis(1);

pub(crate) fn play(schedule: &Schedule, watched: bool) -> (Report, Option<Record>) {
    let setup = Setup::new(&schedule.header);
    let world = setup.world(watched);
    let mut play = Play {
        clients: (0..setup.clients).map(ClientId).collect(),
        locks: vec![Vec::new(); setup.clients],
        rng: Rng::new(setup.seed ^ 0x5eed),
        tasks: BinaryHeap::new(),
        troubles: 0,
        client_troubles: vec![0; setup.clients],
        node_troubles: vec![0; setup.nodes],
        released: Vec::new(),
        used: BTreeMap::new(),
        endless: Vec::new(),
        swapped: Vec::new(),
        wrongtype_nodes: Vec::new(),
        setup,
        world,
    };
    for name in play.setup.names() {
        play.used(name);
    }
    for step in &schedule.steps {
        play.step(step);
        if play.world.violation().is_some() {
            break;
        }
    }
    if play.world.violation().is_none() {
        play.pass(MS * 500);
        ending::ending(&mut play);
    }
    let record = play.world.take_record();
    laws::check(&mut play.world);
    let report = Report {
        used: play.used,
        ..play.world.report()
    };
    (report, record)
}

impl Play {
    fn pass(&mut self, duration: Duration) {
        let end = self.world.now() + duration;
        while let Some(Reverse((at, task))) = self
            .tasks
            .peek()
            .copied()
            .filter(|Reverse((at, _))| *at <= end)
        {
            self.tasks.pop();
            self.world.pass(at.saturating_since(self.world.now()));
            self.run_task(task);
        }
        self.world.pass(end.saturating_since(self.world.now()));
    }

    /// Counts something that not every schedule does.
    pub(super) fn used(&mut self, what: &'static str) {
        *self.used.entry(what).or_default() += 1;
    }

    /// What a key is called on servers.
    pub(super) fn name(&self, key: usize) -> Vec<u8> {
        let key = Key::new(format!("k{key}")).expect("a key");
        self.world.on_the_wire(&key)
    }

    pub(super) fn troubles_of(&self, client: usize, node: usize) -> [u64; 2] {
        [self.client_troubles[client], self.node_troubles[node]]
    }

    fn step(&mut self, step: &[u8; STEP]) {
        let [wait, op, who, a, b, c] = *step;
        self.pass(pause(wait));
        if self.world.violation().is_some() {
            return;
        }
        let client = usize::from(who) % self.clients.len();
        let node = usize::from(b) % self.setup.nodes;
        match op {
            0..=99 => self.obtain(client, a, b, c),
            100..=134 => self.release(client, a),
            135..=148 => self.refresh(client, a, b),
            149..=152 if self.setup.extras.modes => self.refresh(client, a, b | 0x40),
            149..=152 => self.inspect(client, a),
            _ if self.setup.calm => {}
            189..=210 | 236..=239 | 243..=255 if self.setup.mild => {}
            _ => self.inject_fault(op, client, node, a, c),
        }
    }

    fn obtain(&mut self, client: usize, a: u8, b: u8, c: u8) {
        let mut request = self.request(a, b, c);
        for name in self.setup.extras.adjust(&mut request, client, (a, c)) {
            self.used(name);
        }
        let id = self.clients[client];
        let hold = [
            None,
            Some(MS),
            Some(MS * 30),
            Some(MS * 400),
            Some(MS * 2500),
            Some(MS * 6000),
        ];
        let hold = hold[usize::from(c >> 4) % 6];
        self.world.note_line(|| {
            let or = |time: Option<Duration>, other: &str| {
                time.map_or_else(|| other.to_owned(), |time| format!("{time:?}"))
            };
            let (wait, hold) = (or(request.wait, "0s"), or(hold, "long"));
            let shared = request.token.as_bytes().starts_with(b"same");
            let own = if shared { " with a shared token" } else { "" };
            format!(
                "client {client} obtains {:?}{own} for {:?}, waits {wait}, holds {hold}",
                request.keys, request.ttl
            )
        });
        let lock = self.world.obtain_and_hold(id, request, hold);
        self.locks[client].push(lock);
    }

    pub(crate) fn request(&mut self, a: u8, b: u8, c: u8) -> Obtain {
        const TTL: [u64; 8] = [300, 1000, 2000, 3000, 5000, LONGEST_MS, 1000, 500];
        const WAIT: [u64; 8] = [0, 0, 100, 1000, 3000, 6000, 10_000, 5000];
        let keys = self.setup.keys;
        let first = usize::from(a) % keys;
        let key = if a >= 208 && keys > 1 {
            format!("k{first}+k{}", (first + 1) % keys)
        } else {
            format!("k{first}")
        };
        let ttl = Duration::from_millis(TTL[usize::from(b & 7)]);
        let mut request = self.world.request(&key, ttl);
        let wait = WAIT[usize::from(b >> 3 & 7)];
        request.wait = (wait > 0).then(|| Duration::from_millis(wait));
        request.renewal = match b >> 6 {
            0 => Renewal::Manual,
            1 if c & 8 != 0 => Renewal::Automatic {
                max_hold: Some(ttl * 2 + MS * 77),
            },
            _ => Renewal::Automatic { max_hold: None },
        };
        request.retry = match c & 7 {
            0 => Retry::none(),
            1 => Retry::every(MS * 40),
            2 => Retry::exponential(MS * 5, MS * 700).jitter(Jitter::Decorrelated { factor: 3 }),
            3 => Retry::sequence([MS * 10, MS * 200, MS * 1000]),
            4 => Retry::every(MS * 100).limit(3),
            _ => Retry::default(),
        };
        request.fence = self.setup.extras.fence(c);
        if a & 0x1f == 0x1e && !self.setup.needs_all_commands() {
            // A token of the user's own: none like it, but it cannot be drawn anew.
            let text = format!("own-{}", self.rng.next_u64());
            request.token = Token::new(text).expect("a token");
        }
        request
    }

    pub(super) fn lock(&self, client: usize, nth: u8) -> Option<LockId> {
        let locks = &self.locks[client];
        // The latest most often.
        let back = usize::from(nth) % locks.len().clamp(1, 4);
        locks.len().checked_sub(1 + back).map(|at| locks[at])
    }

    fn release(&mut self, client: usize, nth: u8) {
        if let Some(lock) = self.lock(client, nth) {
            self.world
                .note_line(|| format!("client {client} releases {lock:?}"));
            let leftovers = self.world.nodes_to_clear(self.clients[client], lock);
            self.world.release(self.clients[client], lock);
            // If its connection breaks, another one is greeted first.
            let again = self.world.round(client) * 2;
            let at = self.world.now() + self.setup.longest_release() + again;
            for leftover in leftovers {
                let task = Task::Released(self.released.len());
                let before = self.troubles_of(client, leftover.node);
                self.released.push((leftover, before));
                self.tasks.push(Reverse((at, task)));
            }
            self.locks[client].retain(|other| *other != lock);
        }
    }

    fn inspect(&mut self, client: usize, a: u8) {
        let keys = self.request(a, 0, 0).keys;
        self.world.inspect(self.clients[client], keys);
    }

    fn inject_fault(&mut self, op: u8, client: usize, node: usize, a: u8, c: u8) {
        self.troubles += 1;
        if self.setup.extras.rare && matches!(op, 229..=239) {
            return self.rare(op, client, node, (a, c));
        }
        match op {
            189..=204 | 232..=235 | 249..=251 => self.client_troubles[client] += 1,
            _ => self.node_troubles[node] += 1,
        }
        let id = self.clients[client];
        let wild = self.setup.wild;
        match op {
            153..=168 => {
                let kept = |nibble: u8| usize::from(nibble & 15) * 1000 / 15;
                self.world.cut_keeping(id, node, kept(a), kept(a >> 4));
            }
            169..=188 => self.degrade_link(client, node, a, c),
            189..=198 => self.stall(client, a, c),
            199..=204 => self.kill(client, usize::from(a) * 1000 / 255),
            205..=210 => {
                self.used("a silent node");
                self.world.pause(node, true);
                self.later(c, Task::Unpause(node));
            }
            211..=216 => {
                self.world.crash(node);
                self.world.down(node, true);
                self.later(c, Task::Up(node));
            }
            217..=220 => {
                if self.world.anybody_waits() {
                    self.used("NOSCRIPT with a waiter");
                }
                self.world.server(node).flush_scripts();
                self.world.happens(Place::Node(node), "loses scripts");
            }
            221..=239 if self.setup.extras.acks => {
                self.node_troubles[node] += 1;
                self.used("replicas that stop");
                self.world.stop_replication(node);
                self.later(c, Task::Replica(node));
            }
            240..=248 if self.setup.extras.acks => self.world.fail_over(node),
            221..=228 => self.trouble(node, a, c),
            229..=231 => {
                let options = self.world.server(node).options_mut();
                options.tracking = a & 1 == 0;
                options.compare ^= a & 6 == 6 && !self.setup.needs_all_commands();
                self.world.crash(node);
            }
            232..=235 => {
                let rate = allowed_rate(&mut self.rng);
                self.world.run_clock(id, rate);
            }
            236..=239 => self.world.stretch(id, node, span(c) / 20),
            240..=242 => self.world.fail_over(node),
            243..=245 if wild => self.world.stop_replication(node),
            246..=248 if wild => self.world.restart(node),
            249..=251 if wild => {
                let rate =
                    [0, TRUE_RATE / 2, TRUE_RATE * 9 / 10, TRUE_RATE * 3][usize::from(a & 3)];
                self.world.run_clock(id, rate);
                self.later(c, Task::Clock(client));
            }
            252..=253 if wild => self.change_key(node, a, c),
            _ => self.delay_bytes(client, node, a, c),
        }
    }

    /// The link to a node is bad for a while.
    fn degrade_link(&mut self, client: usize, node: usize, a: u8, c: u8) {
        const KINDS: [Weather; 4] = [
            Weather::Silent,
            Weather::Deaf,
            Weather::Refusing,
            Weather::Holding,
        ];
        let kinds = if self.setup.mild { 3 } else { 4 };
        let weather = KINDS[usize::from(a) % kinds];
        self.world.weather(self.clients[client], node, weather);
        self.later(c, Task::Weather(client, node));
    }

    /// A client does nothing for a while.
    fn stall(&mut self, client: usize, a: u8, c: u8) {
        if span(c) > self.setup.request_timeout {
            self.used("a driver that stalls for longer than the request timeout");
        }
        self.world.suspend(self.clients[client], true);
        self.later(c, Task::Wake(client, a & 1 == 0));
    }

    /// What is sent from now on over this connection comes late, behind what later connections bring: perhaps a refresh
    /// for a short time whose user wants a long one soon after.
    fn delay_bytes(&mut self, client: usize, node: usize, a: u8, c: u8) {
        let id = self.clients[client];
        let Some(conn) = self.world.stick(id, node) else {
            return;
        };
        self.later(c, Task::Stuck(conn));
        if a & 3 == 0
            && let Some(lock) = self.world.any_held(id)
        {
            self.refresh_for(client, lock, Some(LONGEST_MS / 4));
            let half = span(c) / 2;
            let longer = Task::Longer(client, lock.to_bits());
            let at = self.world.now() + half;
            self.tasks.push(Reverse((at, longer)));
        }
    }

    /// The holders that must learn of it when a key of the only server is changed by another program.
    pub(super) fn holders_to_notify(&self, key: usize) -> Vec<(ClientId, LockId, Duration)> {
        let key = Key::new(format!("k{key}")).expect("a key");
        self.world.holders_to_notify(&key)
    }

    /// Somebody else takes a key away.
    fn change_key(&mut self, node: usize, a: u8, c: u8) {
        let keys = self.request(a, 0, 0).keys;
        let holders = self.world.holders_to_notify(keys.first());
        let key = self.world.on_the_wire(keys.first());
        if c & 1 == 0 {
            self.world.command(node, &[b"DEL", &key]);
        } else {
            self.world
                .command(node, &[b"SET", &key, b"foreign", b"PX", b"700"]);
        }
        for (client, lock, soon) in holders {
            let report = Task::LossReport(client.0, lock.to_bits(), self.troubles);
            self.tasks.push(Reverse((self.world.now() + soon, report)));
        }
    }

    pub(super) fn kill(&mut self, client: usize, keep: usize) {
        let old = self.world.kill(self.clients[client], keep);
        self.locks[client].clear();
        laws::check_client(&old, &mut self.world);
    }

    fn trouble(&mut self, node: usize, a: u8, c: u8) {
        let options = self.world.server(node).options_mut();
        let what = match a % 3 {
            0 => {
                options.trouble = Some(Trouble::Loading);
                "loading"
            }
            1 => {
                options.trouble = Some(Trouble::ReadOnly);
                "read-only"
            }
            _ => {
                options.max_keys = 0;
                "out of memory"
            }
        };
        self.world.refuses_writes(node, !a.is_multiple_of(3));
        self.world
            .set_fault(Place::Node(node), Lasting::Refusing, Some(what));
        self.later(c, Task::Trouble(node));
    }
}
