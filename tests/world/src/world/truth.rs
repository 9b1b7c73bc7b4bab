//! [`Promise::Truth`]: every report to a client was true at that moment.
//!
//! | report | is wrong if |
//! |---|---|
//! | `TimedOut` | a quorum was free, or enough nodes to deny it could not be reached, for the whole of the last check interval and a request timeout; a key that this engine holds itself needs no request |
//! | `Taken`, `TimedOut`, by another | nobody but this engine has requested any of the keys lately |
//! | the same, by ourselves | no other lock of this engine was requested lately |
//! | `Unreachable` | a quorum could be reached, and answered, for longer than a request timeout; unless one node is not well and others are held |
//! | `Refused` | no node has given a final error |
//! | `TooLate` | less time has passed than the lock was to last |
//! | `Missing` | nobody took the key away, and the lease was not over |
//! | `Expired`, `MaxHold` | that time has not come |
//! | anything about a wait, or `Obtained` | the wait was over before |
//! | a lease | it ends later than `max_hold` allows |
//! | a refresh | a requested one is passed over, or no node was asked since |
//! | the result of an inspection | keys did not change meanwhile, and a quorum had something else |

use std::time::Duration;

use tenure_core::{Event, Holder, Instant, Lease, LockId, Loss, NodeError, NotObtained, Released};

use super::World;
use super::oracle::{Promise, Violation};
use super::prompt::{CHECK_INTERVAL, share_a_key};
use super::request::LockRequest;

/// How late a driver may be with a deadline: here it is never late.
const TICK: Duration = Duration::from_millis(1);

impl World {
    /// Checks a report.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other events are not checked"
    )]
    pub(super) fn check_truth(&mut self, index: usize, event: &Event) -> Result<(), Violation> {
        let (lock, result) = match event {
            Event::Obtained { lock, lease } => (*lock, self.obtained_in_time(index, *lock, *lease)),
            Event::Refreshed {
                lock,
                lease,
                requested,
            } => (*lock, self.refreshed(index, *lock, (*lease, *requested))),
            Event::NotObtained { lock, reason } => (*lock, self.is_so(index, *lock, *reason)),
            Event::Lost { lock, reason } => (*lock, self.was_lost(index, *lock, *reason)),
            Event::Released {
                lock,
                proof: Released::Missing,
            } => (*lock, self.was_missing(index, *lock)),
            Event::Inspected { inspection } => return self.check_inspection(index, *inspection),
            _ => return Ok(()),
        };
        match result {
            Ok(()) => {
                self.oracle.kept(Promise::Truth);
                Ok(())
            }
            Err(why) => {
                let how = format!("{index} got {event:?} for {lock:?}, but {why}");
                Err(Promise::Truth.broken(how))
            }
        }
    }

    pub(super) fn request_of(&self, index: usize, lock: LockId) -> Option<&LockRequest> {
        let requests = self.clients[index].requests.iter().rev();
        requests.into_iter().find(|request| request.lock == lock)
    }

    /// A wait ends when it is over, unless the driver was held up.
    fn in_time(&self, index: usize, request: &LockRequest) -> Result<(), String> {
        let client = &self.clients[index];
        let Some(wait) = request.wait else {
            return Ok(());
        };
        if client.suspended {
            // Its machine sleeps, and somebody calls it all the same.
            return Ok(());
        }
        let end = (request.requested_at + wait).max(client.clock.read(client.trouble));
        let own = client.clock.read(self.now);
        if own > end + TICK {
            let late = own.saturating_since(end);
            return Err(format!("its wait was over {late:?} ago"));
        }
        Ok(())
    }

    fn obtained_in_time(&self, index: usize, lock: LockId, lease: Lease) -> Result<(), String> {
        if let Some(request) = self.request_of(index, lock) {
            self.in_time(index, request)?;
        }
        self.is_capped(index, lock, lease)
    }

    fn refreshed(
        &mut self,
        index: usize,
        lock: LockId,
        (lease, requested): (Lease, bool),
    ) -> Result<(), String> {
        let mut requests = self.clients[index].requests.iter_mut().rev();
        if let Some(request) = requests.find(|request| request.lock == lock)
            && !request.is_refreshed(lease, requested)
        {
            return Err("a requested one is left out".to_owned());
        }
        self.is_capped(index, lock, lease)
    }

    fn is_capped(&self, index: usize, lock: LockId, lease: Lease) -> Result<(), String> {
        let mut held_locks = self.clients[index].held_locks.iter();
        let cap = held_locks.find(|held_lock| held_lock.lock == lock);
        match cap.and_then(|held_lock| held_lock.cap) {
            Some(cap) if lease.expires_at() > cap => Err(format!("it may last until {cap:?}")),
            _ => Ok(()),
        }
    }

    fn is_so(&self, index: usize, lock: LockId, reason: NotObtained) -> Result<(), String> {
        let Some(request) = self.request_of(index, lock) else {
            return Ok(());
        };
        let mut watches = self.waiters.watches.iter();
        let watch = watches.find(|watch| watch.client == index && watch.lock == lock);
        let Some(watch) = watch else { return Ok(()) };
        let (client, now) = (&self.clients[index], self.now);
        let timeout = client.config.request_timeout;
        let lasts = |since: Option<Instant>, time| since.is_some_and(|at| at + time < now);
        match reason {
            NotObtained::LimitReached | NotObtained::Cancelled => return Ok(()),
            NotObtained::TimedOut { by } => {
                if lasts(watch.since, CHECK_INTERVAL + timeout) {
                    return Err(format!("it has been free since {:?}", watch.since));
                }
                // A machine that sleeps asks nobody.
                let can_ask = !client.suspended && !self.holds_one(index, request);
                // A node that only says that keys are of another type says that they are taken.
                let sends_wrongtype =
                    (0..self.nodes.len()).any(|node| self.has_sent_wrongtype(node));
                if can_ask && !sends_wrongtype && lasts(watch.cut_off, CHECK_INTERVAL + timeout) {
                    return Err(format!("nobody could be asked since {:?}", watch.cut_off));
                }
                self.is_held_by(index, request, by)?;
            }
            NotObtained::Taken { by, .. } => self.is_held_by(index, request, by)?,
            NotObtained::Unreachable(NodeError::Overloaded | NodeError::AnswerTooLarge) => {}
            NotObtained::Unreachable(_) if self.could_answer(index, request, watch.reached) => {
                return Err(format!("a quorum answers since {:?}", watch.reached));
            }
            // What a server refused while it was connected to is remembered as long as the connection lasts.
            NotObtained::Refused(NodeError::NoScripts) if self.refused.is_some() => {}
            NotObtained::Refused(_) => self.was_refused(watch.requested_at)?,
            NotObtained::TooLate => {
                let lasts = request
                    .max_hold
                    .map_or(request.ttl, |most| most.min(request.ttl));
                let passed = client
                    .clock
                    .read(now)
                    .saturating_since(request.requested_at);
                if passed + lasts / 50 + TICK * 3 < lasts {
                    return Err(format!("only {passed:?} have passed"));
                }
            }
            NotObtained::Unreachable(_) | _ => {}
        }
        self.in_time(index, request)
    }

    /// Whether this client itself holds one of the keys.
    fn holds_one(&self, index: usize, request: &LockRequest) -> bool {
        let client = &self.clients[index];
        let mut held = client.valid_locks(self.now);
        held.any(|held_lock| {
            let held = self.request_of(index, held_lock.lock);
            held.is_some_and(|held| share_a_key(&held.keys, &request.keys))
        })
    }

    /// Whether a quorum that could be reached since then has had time to answer: a request, perhaps with a script that the
    /// node lacks, to one node after the other, and no earlier fault still has an effect.
    fn could_answer(&self, index: usize, request: &LockRequest, reached: Option<Instant>) -> bool {
        let (client, round) = (&self.clients[index], self.round(index));
        let timeout = client.config.request_timeout;
        // Nodes in order have each their own time.
        let nodes = u32::try_from(self.quorum()).unwrap_or(1);
        // A machine that sleeps reads no answers, and one with a fast clock does not wait for them as long as it should.
        let answers = !client.suspended
            && client.clock_in_bounds
            && round * 2 < timeout
            && !self.is_split(index, request);
        answers
            && self.settled(index, self.waiters.trouble) <= self.now
            && reached.is_some_and(|at| at + (timeout + round * 4) * nodes < self.now)
    }

    /// Whether somebody has the keys on some node, and another node is not well: then neither the one nor the other alone is
    /// in the way.
    fn is_split(&self, index: usize, request: &LockRequest) -> bool {
        let nodes = || 0..self.nodes.len();
        let held = nodes().any(|node| !self.is_free(node, &request.keys));
        held && nodes().any(|node| !self.reaches(index, node))
    }

    pub(crate) fn round(&self, index: usize) -> Duration {
        let trips = (0..self.nodes.len()).map(|node| self.net.longest_trip(index, node));
        trips.max().unwrap_or_default() * 2
    }

    /// A key that is taken: by whom?
    fn is_held_by(&self, index: usize, request: &LockRequest, by: Holder) -> Result<(), String> {
        let now = self.now;
        let grace = CHECK_INTERVAL + self.clients[index].config.request_timeout;
        // A value that an attempt with the user's own token left on a silent node looks like one of other holders,
        // and a key with such a token is not deleted when its lease is over. A wait may end a while after a node said that
        // it was taken.
        let longest = self.oracle.longest;
        let own = self.clients[index].had_own_tokens(now.saturating_before(longest + grace));
        if self.oracle.last_change().is_some()
            || request.renamed
            || own
            || self.clients[index].late_arrival.is_some()
            // What it had sent before it slept may arrive after the request was given up.
            || self.clients[index].may_be_late(longest + grace) > now
        {
            return Ok(());
        }
        // What could not be released stays until its time is over.
        let lately = if self.waiters.trouble + longest < now {
            grace
        } else {
            grace + longest
        };
        let late = |other: &LockRequest| other.ended.is_none_or(|at| at + lately >= now);
        // Locks of two clients may have the same id.
        let of = |client: usize| {
            let requests = self.clients[client].requests.iter();
            requests.filter(move |other| {
                let itself = client == index && other.lock == request.lock;
                !itself && share_a_key(&other.keys, &request.keys)
            })
        };
        // Held, or left behind by an attempt that was not taken back yet.
        let ours = of(index).any(late);
        match by {
            // What an earlier attempt of a lock left on several nodes may be in its own way for a moment.
            Holder::Ourselves if !ours && self.nodes.len() == 1 => {
                Err("this engine has requested none of its keys lately".to_owned())
            }
            Holder::Other if ours && !self.killed => {
                let mut others = (0..self.clients.len()).filter(|client| *client != index);
                // A request that was given up long ago may reach a server late, and its value then lasts for its ttl.
                let came_late = |client: usize| {
                    let at = self.clients[client].late_arrival;
                    let lasts_still = at.is_some_and(|at| at + longest + grace >= now);
                    lasts_still && of(client).next().is_some()
                };
                if others.any(|client| of(client).any(late) || came_late(client)) {
                    return Ok(());
                }
                Err("nobody else has requested its keys lately".to_owned())
            }
            // The requests of a process that was killed are forgotten.
            Holder::Sharing
                if !self.killed
                    && !(0..self.clients.len()).any(|client| {
                        let mut sharing = of(client).filter(|other| other.may_share());
                        sharing.any(late)
                    }) =>
            {
                Err("nobody has requested to share its keys lately".to_owned())
            }
            Holder::Ourselves | Holder::Other | Holder::Sharing | Holder::Queue => Ok(()),
        }
    }

    /// A final error was given by some node since then.
    fn was_refused(&self, since: Instant) -> Result<(), String> {
        let now = self.nodes.iter().any(|node| node.is_final);
        // A node that refused gets no request before the next connection to it.
        let pause = Duration::from_secs(3);
        if now || self.refused.is_some_and(|at| at + pause >= since) {
            return Ok(());
        }
        Err("no node has refused anything".to_owned())
    }

    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "other reasons are not checked"
    )]
    fn was_lost(&self, index: usize, lock: LockId, reason: Loss) -> Result<(), String> {
        let Some(request) = self.request_of(index, lock) else {
            return Ok(());
        };
        let own = self.clients[index].clock.read(self.now);
        match reason {
            Loss::Expired { .. } => match request.lease {
                // A node that has lost a refresh reports less remaining time; so does a node if the clock of the
                // client stood still after the lease began, which is up to a ttl before it was granted; and clocks differ.
                Some((since, until))
                    if own + request.ttl / 50 + TICK * 2 + self.round(index) < until
                        && self.clients[index].may_be_late(request.ttl) <= since
                        && self.clients[index].clock_in_bounds
                        && self.is_sound(since) =>
                {
                    Err(format!("its lease lasts until {until:?}"))
                }
                _ => Ok(()),
            },
            Loss::MaxHold => match request.max_hold {
                Some(most) if own + TICK >= request.requested_at + most => Ok(()),
                most => Err(format!(
                    "it was requested at {:?} for {most:?}",
                    request.requested_at
                )),
            },
            Loss::Refused(_) => match request.lease {
                Some((since, _)) => self.was_refused(since),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// No node has lost anything that a lock which was obtained then rests on.
    fn is_sound(&self, since: Instant) -> bool {
        let damage = self.oracle.last_change();
        damage.is_none_or(|damage| damage + self.oracle.longest < since)
    }

    /// A release found nothing.
    fn was_missing(&self, index: usize, lock: LockId) -> Result<(), String> {
        let client = &self.clients[index];
        let request = self.request_of(index, lock);
        let Some((request, (since, until))) =
            request.and_then(|request| Some((request, request.lease?)))
        else {
            return Ok(());
        };
        let sound = self.is_sound(since);
        let own_token = request.has_own_token();
        if !sound || !client.clock_in_bounds || own_token || client.clock.read(self.now) >= until {
            return Ok(());
        }
        Err(format!(
            "nobody took it, and its lease lasts until {until:?}"
        ))
    }
}
