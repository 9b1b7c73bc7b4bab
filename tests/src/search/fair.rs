//! Liveness: when all trouble ends, somebody gets the lock, and everybody gets an answer.

use std::time::Duration;

use tenure_core::{Keep, Obtain, Retry, Token};

use super::client::Client;
use super::order::Value;
use super::setup::{Budget, PAUSE, USERS, keys, ttl};
use super::state::{SearchState, Step};
use super::user::{Phase, User};

/// No run needs as many steps.
const STEPS: usize = 4_000;

impl SearchState {
    /// Goes on from here without trouble: what was late arrives, holders release at once, and a client that was not
    /// there before wants the same keys.
    ///
    /// # Errors
    /// What did not happen in time.
    pub fn goes_on_well(&self) -> Result<(), &'static str> {
        let mut run = self.clone();
        run.budget = Budget::default();
        run.arrive_late();
        let newcomer = run.add_newcomer();
        let limit = run.now + ttl().as_duration() * 8;
        let mut served = false;
        for _ in 0..STEPS {
            if let Some(fault) = run.fault {
                return Err(fault);
            }
            if run.now > limit {
                return Err("after all trouble had ended, nobody got the lock");
            }
            match run.clients[newcomer].phases().next() {
                Some(Phase::Held) => served = true,
                Some(Phase::Over) if !served => return Err("the newcomer was turned away"),
                _ => {}
            }
            if served && run.has_answered_all() {
                return Ok(());
            }
            let Some(step) = run.fair_step() else {
                return Err("a client waits for something that never comes");
            };
            run.take(step);
            // Chance differs between clients, or they would go on in step forever.
            for c in 0..run.clients.len() {
                let seed = (c as u64) << 32 | u64::from(run.requests);
                run.client(c).reseed(seed);
            }
        }
        Err("after all trouble had ended, it went on and on")
    }

    fn arrive_late(&mut self) {
        let strays = |line: &super::client::Line| !line.strays.is_empty();
        for c in 0..self.clients.len() {
            for n in 0..self.nodes.len() {
                while strays(&self.clients[c].lines[n]) {
                    self.take(Step::Stray(c, n));
                }
            }
        }
    }

    fn add_newcomer(&mut self) -> usize {
        let mut users = [User::default(); USERS];
        users[0] = self.setup.users_of(0)[0].first();
        let (letters, _) = users[0].next();
        let mut client = Client::new(&self.setup.config(), users, self.now);
        let request = Obtain {
            wait: Some(ttl().as_duration() * 20),
            retry: Retry::every(PAUSE + Duration::from_millis(7)),
            mode: self.setup.mode_of(self.clients.len()),
            fence: self.setup.fence.then(Keep::default),
            ..Obtain::new(
                keys(letters),
                Token::random(Value::token(self.clients.len(), 0)),
                ttl(),
            )
        };
        client.obtain(0, request, self.now);
        self.requests = self.requests.saturating_add(1);
        let effects = client.settle();
        self.fault = self.fault.or(effects.fault);
        self.clients.push(client);
        self.clients.len() - 1
    }

    /// Every request for a lock has its terminal event.
    fn has_answered_all(&self) -> bool {
        let mut phases = self.clients.iter().flat_map(Client::phases);
        phases.all(|phase| phase == Phase::Over)
    }

    fn fair_step(&self) -> Option<Step> {
        let clients = || self.clients.iter().enumerate();
        let lines =
            || clients().flat_map(|(c, client)| (0..client.lines.len()).map(move |n| (c, n)));
        let line = |(c, n): (usize, usize)| &self.clients[c].lines[n];
        let request = lines().find(|at| !line(*at).requests.is_empty());
        let answer = lines().find(|at| !line(*at).answers.is_empty());
        let users = || {
            clients().flat_map(|(c, client)| {
                let users = client.users.iter().enumerate();
                users.map(move |(u, user)| (c, u, user))
            })
        };
        let goes_on = users().find(|(.., user)| user.goes_on());
        let held = users().find(|(.., user)| user.can_release());
        let due = clients().find(|(_, client)| client.is_due(self.now));
        request
            .map(|(c, n)| Step::Request(c, n))
            .or_else(|| answer.map(|(c, n)| Step::Answer(c, n)))
            .or_else(|| goes_on.map(|(c, u, _)| Step::Obtain(c, u)))
            .or_else(|| held.map(|(c, u, _)| Step::Release(c, u)))
            .or_else(|| due.map(|(c, _)| Step::Timer(c)))
            .or_else(|| self.next_moment().map(|_| Step::Time))
    }
}
