//! [`Promise::Quiet`]: a lock that has a place in a queue sends another request only for a reason.
//!
//! | it was denied because of | and sends another after |
//! |---|---|
//! | those who have the key | the key may have changed, or the end of a lease |
//! | a client in front of it | that client has left, or its place has ended |
//! | another client in front of it than the time before | at once, after it has registered for the bell of that one |
//! | either | a third of the time for which its place counts |
//!
//! A grant ends one wait at the key and wakes one client that waits for a bell: so there are two requests for each grant, and
//! one for each place that is taken, however many wait. It is checked on one server that reports changes, while nothing
//! goes wrong.

use std::time::Duration;

use tenure_core::redis::Script;
use tenure_core::{Instant, Key};

use super::World;
use super::oracle::Promise;
use super::queued::Front;
use super::wire;

const MS: Duration = Duration::from_millis(1);

/// What is known of the last request of a lock that has a place in a queue.
#[derive(Debug)]
struct Asked {
    key: Key,
    value: Box<[u8]>,
    at: Instant,
    /// Who was in front of it, and the time before.
    front: Front,
    front_before: Option<Box<[u8]>>,
}

/// All of them, and when a key may last have changed, on the clock of the server.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    asked: Vec<Asked>,
    changed: Instant,
}

/// A request for a place in a queue.
struct Request {
    key: Box<[u8]>,
    value: Box<[u8]>,
    patience: Duration,
    /// How many may share the key, if it is to be shared; 0: any number.
    limit: Option<u64>,
}

impl World {
    /// The bytes that a client has sent have reached the only server, and were carried out.
    pub(super) fn check_quiet(&mut self, conn: usize) {
        if self.oracle.calm.is_none() || self.nodes.len() > 1 || !self.wakes {
            return;
        }
        let client = self.net.conns[conn].client;
        let own = self.nodes[0].clock.read(self.now);
        let (mut requests, mut writes) = (Vec::new(), false);
        let rest = wire::each(self.net.conns[conn].up.arrived(), |args| {
            match request(args) {
                Some(request) if !request.patience.is_zero() => requests.push(request),
                Some(_) => writes = true,
                None => writes |= may_write(args),
            };
        });
        // A part of a command may be one of any kind.
        if writes || !rest.is_empty() {
            self.waiters.quiet.changed = own;
        }
        let last = requests.len().saturating_sub(1);
        for (nth, request) in requests.into_iter().enumerate() {
            self.asks(client, (request, nth == last), own);
        }
    }

    /// `newest`: no other request was carried out at the same time, after this one.
    fn asks(&mut self, client: usize, (request, newest): (Request, bool), own: Instant) {
        let Some(name) = request.key.strip_prefix(self.prefix) else {
            return;
        };
        let key = Key::new(name).expect("a key");
        let quiet = &mut self.waiters.quiet;
        let mut asked = quiet.asked.iter();
        let place = asked.position(|asked| asked.value == request.value);
        let before = place.map(|place| quiet.asked.swap_remove(place));
        // A token that several locks have is not one lock, and without notifications a lock asks after pauses.
        let is_notified = self.clients[client].is_ready(0) == Some(true);
        let Some((_, requested_at, _)) = self.waits_with(&request.value).filter(|_| is_notified)
        else {
            self.waiters.quiet.changed = own;
            return;
        };
        if let Some(before) = &before {
            let round = self.net.longest_trip(client, 0) * 2;
            // Right before its wait ends, by the clock of the client, it tries once more.
            let wait = self.wait_of(client, &request.value);
            let left = wait.map(|wait| (requested_at + wait).saturating_since(self.now));
            let margin = wait.unwrap_or_default() / 50 + round * 20 + MS;
            let is_last = left.is_some_and(|left| left <= margin);
            if !is_last && !self.has_reason(before, own, (request.patience, round)) {
                let how = format!(
                    "{client} sends another request for {key:?} without a reason: {before:?}"
                );
                return self.oracle.report(Promise::Quiet.broken(how), self.now);
            }
            self.oracle.kept(Promise::Quiet);
        }
        // Once it has the key, its wait is over.
        let Some(mut front) = self.front(&key, &request.value, request.limit) else {
            self.waiters.quiet.changed = own;
            return;
        };
        if !newest {
            // Its reply may have named an earlier end, because one of the others has kept the place in front of it.
            front.end = front.end.map(|_| own);
        }
        self.waiters.quiet.asked.push(Asked {
            key,
            value: request.value,
            at: own,
            front,
            front_before: before.and_then(|before| before.front.value),
        });
    }

    /// Whether a lock may ask now: its place counts for `patience` after each request.
    fn has_reason(
        &self,
        before: &Asked,
        own: Instant,
        (patience, round): (Duration, Duration),
    ) -> bool {
        let passed = own.saturating_since(before.at);
        // Clocks differ, and one request may take longer on its way than the next.
        let is_past = |time: Duration| passed + passed / 50 + round + MS >= time;
        let end = before.front.end.map(|end| end.saturating_since(before.at));
        let changed = self.waiters.quiet.changed;
        // What was reported while its last request was under way may be newer than that.
        let amid = changed + round >= before.at && changed <= before.at;
        let differs = match &before.front.value {
            None => changed > before.at,
            front @ Some(value) => {
                *front != before.front_before || !self.stands(&before.key, value)
            }
        };
        amid || differs || end.is_some_and(is_past) || is_past(patience / 3)
    }

    /// For how long the lock with this value waits.
    fn wait_of(&self, client: usize, value: &[u8]) -> Option<Duration> {
        let engine = &self.clients[client].engine;
        let mut requests = self.clients[client].requests.iter().rev();
        let is_it = |lock| {
            engine
                .claim(lock)
                .is_some_and(|claim| *claim.value() == *value)
        };
        requests.find(|request| is_it(request.lock))?.wait
    }
}

/// Whether a command may change a key.
fn may_write(args: &[&[u8]]) -> bool {
    !matches!(
        args,
        [
            b"PTTL" | b"GET" | b"CLIENT" | b"HELLO" | b"PING" | b"COMMAND" | b"ZSCORE",
            ..
        ]
    )
}

/// `None` if a command is no such request.
fn request(args: &[&[u8]]) -> Option<Request> {
    let [b"EVALSHA" | b"EVAL", script, keys, rest @ ..] = args else {
        return None;
    };
    let is =
        |wanted: Script| *script == wanted.sha().as_bytes() || *script == wanted.text().as_bytes();
    let shares = is(Script::Share);
    if !shares && !is(Script::Enter) {
        return None;
    }
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    let keys = usize::try_from(number(keys)?).ok()?;
    let [value, _, patience, _, limit, ..] = rest.get(keys..)? else {
        return None;
    };
    Some(Request {
        key: (*rest.first()?).into(),
        value: (*value).into(),
        patience: Duration::from_millis(number(patience)?),
        limit: if shares { number(limit) } else { None },
    })
}
