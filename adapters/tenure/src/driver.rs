//! The driver: the loop between the engine on one side and connections, timer and handles on the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tenure_core::{Engine, Event, Instant, NodeId, Output};

use crate::link::{Link, News};
use crate::runtime::{Runtime, Timer as _};
use crate::servers::Target;
use crate::shared::{Shared, Stage};
use crate::trace;
use crate::wakers::{guard, put};

/// The most rounds of one poll, so that other tasks get their turn.
const ROUNDS: usize = 16;

/// How often received bytes are processed before a deadline that has passed. Replies that waited in a socket while the
/// executor or the whole process stood still are not late, however many reads they take. The number is limited because
/// deadlines must be met even if servers never stop sending.
const READS_FIRST: u8 = 64;

/// A deadline that is noticed later than this is the sign of such a stall. The runtime may not have polled its sockets since,
/// and gets this many chances to.
const STALL: Duration = Duration::from_millis(10);
const LOOKS: u8 = 3;

/// How many tasks are woken before their next commands are sent. While the server works on these, the other tasks are woken:
/// with many tasks on one connection, neither side waits for the other.
const WAKES: usize = 32;

/// Timers of runtimes stand still while the machine is suspended. The end of a lease is reported at most this long after
/// the machine has resumed.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Moves bytes, time and events between the engine and its surroundings. It ends when the locker is closed or its last handle
/// dropped, and all locks are released.
pub(crate) struct Driver<R: Runtime> {
    shared: Arc<Shared>,
    /// By node.
    links: Vec<(NodeId, Link<R>, News)>,
    timer: Option<R::Timer>,
    /// When the timer fires; `None` if it has, or was never set.
    armed: Option<Instant>,
    /// The deadline that the engine returned last.
    deadline: Option<Instant>,
    /// A deadline that has passed, and waits until the sockets are read.
    stall: Stall,
    /// Whether a link was opened that is not polled yet.
    opened: bool,
    /// Whether several tasks were woken last, which may all call soon.
    woke_several: bool,
    /// Tasks to wake when the mutex is free again.
    wakes: Vec<Waker>,
    events: Vec<Event>,
}

impl<R: Runtime> Driver<R> {
    pub(crate) fn new(shared: Arc<Shared>, targets: Vec<Target>) -> Self {
        let links = targets
            .into_iter()
            .enumerate()
            .filter_map(|(index, target)| {
                NodeId::new(index).map(|node| (node, Link::new(target), News::None))
            });
        Self {
            shared,
            links: links.collect(),
            timer: None,
            armed: None,
            deadline: None,
            stall: Stall::default(),
            opened: false,
            woke_several: false,
            wakes: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Reads each link once. True if any has news.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        for (_, link, news) in &mut self.links {
            *news = link.read(cx);
            any |= !matches!(news, News::None);
        }
        any
    }

    /// The only critical section of a round: passes the news of the links to the engine and carries out its output, unless
    /// more must be read first.
    fn exchange(&mut self, waker: &Waker) -> Next {
        // Dropped after the guard: see `crate::wakers`.
        let _old;
        let mut guard = guard(&self.shared.state);
        let state = &mut *guard;
        let now = self.shared.clock.now();
        let mut received = false;
        for (node, link, news) in &mut self.links {
            received |= matches!(news, News::Received);
            match std::mem::replace(news, News::None) {
                News::None => {}
                News::Connected => state.engine.handle_connected(*node, now),
                News::Received => state.engine.handle_input(*node, link.received(), now),
                News::Gone(error) => {
                    state.note(node.index(), error);
                    state.engine.handle_disconnected(*node, now);
                }
            }
        }
        // The clock decides, not the timer: under a cooperative budget a timer may be pending after its time.
        match self.stall.next(self.deadline, now, received) {
            Next::Go => {}
            Next::Timeout => state.engine.handle_timeout(now),
            // The engine is not called before: it would count requests that are due as unanswered.
            next @ (Next::Read | Next::Look | Next::End) => return next,
        }
        loop {
            match state.engine.poll_output() {
                Output::Connect(node) => {
                    with(&mut self.links, node, Link::open);
                    self.opened = true;
                }
                Output::Disconnect(node) => with(&mut self.links, node, Link::close),
                Output::Transmit { node, bytes } => {
                    with(&mut self.links, node, |link| link.send(bytes));
                }
                Output::Event(event) => {
                    state.dispatch(event, &mut self.wakes);
                    self.events.push(event);
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        if state.stage != Stage::Open && state.engine.is_drained() {
            state.end(&mut self.wakes);
            return Next::End;
        }
        _old = put(&mut state.driver, waker);
        Next::Go
    }

    /// Wakes tasks and writes logs, now that the mutex is free.
    ///
    /// True if there are more tasks to wake, after these have had their turn.
    fn notify(&mut self) -> bool {
        let now = self.wakes.len().min(WAKES);
        let more = now < self.wakes.len();
        self.woke_several |= now > 1 && !more;
        for waker in self.wakes.drain(..now) {
            waker.wake();
        }
        for event in self.events.drain(..) {
            trace::event(event, &self.shared);
        }
        more
    }

    /// Writes to all links. True if one failed, which the next read reports.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let mut failed = false;
        for (_, link, _) in &mut self.links {
            failed |= link.write(cx);
        }
        failed
    }

    /// Sends what the engine still has to send, without new input.
    fn send_last(links: &mut [(NodeId, Link<R>, News)], engine: &mut Engine) {
        loop {
            match engine.poll_output() {
                Output::Disconnect(node) => with(links, node, Link::close),
                Output::Transmit { node, bytes } => with(links, node, |link| link.send(bytes)),
                Output::Timeout(_) => return,
                Output::Connect(_) | Output::Event(_) => {}
            }
        }
    }

    /// Sets the timer. True if there is nothing to wait for: the deadline has passed.
    fn arm(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        let now = self.shared.clock.now();
        if now >= deadline {
            return true;
        }
        let wake_at = deadline.min(now + LONGEST_SLEEP);
        let timer = self.timer.get_or_insert_with(R::timer);
        // If the deadline only moves later, as with each request, the timer stays: one early wake is cheaper.
        if self
            .armed
            .is_none_or(|armed| wake_at < armed || armed <= now)
        {
            timer.set(wake_at.saturating_since(now));
            self.armed = Some(wake_at);
        }
        if timer.poll(cx).is_ready() {
            // It may have fired early: the loop compares with the clock and sets it anew.
            self.armed = None;
            return true;
        }
        false
    }
}

/// What to do after the links were read.
enum Next {
    /// Process what was read.
    Go,
    /// A deadline has passed.
    Timeout,
    /// A deadline has passed, but so much was received that more may wait in a socket.
    Read,
    /// A deadline passed long ago, and the runtime may not have polled its sockets since.
    Look,
    /// The engine is drained: the driver ends.
    End,
}

/// How often a deadline that has passed has waited for the sockets.
#[derive(Default)]
struct Stall {
    reads: u8,
    looks: u8,
}

impl Stall {
    fn next(&mut self, deadline: Option<Instant>, now: Instant, received: bool) -> Next {
        let Some(deadline) = deadline.filter(|deadline| now >= *deadline) else {
            *self = Self::default();
            return Next::Go;
        };
        if received && self.reads < READS_FIRST {
            self.reads += 1;
            return Next::Read;
        }
        if !received && self.looks < LOOKS && now.saturating_since(deadline) > STALL {
            self.looks += 1;
            return Next::Look;
        }
        *self = Self::default();
        Next::Timeout
    }
}

fn with<R: Runtime>(
    links: &mut [(NodeId, Link<R>, News)],
    node: NodeId,
    act: impl FnOnce(&mut Link<R>),
) {
    if let Some((_, link, _)) = links.get_mut(node.index()) {
        act(link);
    }
}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let called = this.shared.called.swap(false, Ordering::Relaxed);
        if std::mem::take(&mut this.woke_several) && called {
            // The first of several tasks has called. The others run first, so that all their commands leave in one write.
            // With a single task there is nothing to wait for, and another turn in the queue could cost a thread.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        for round in 0..ROUNDS {
            let news = this.read(cx);
            if round > 0 && !news && !this.arm(cx) {
                // Nothing is left to do. The next command wakes this task.
                return Poll::Pending;
            }
            match this.exchange(cx.waker()) {
                Next::Go | Next::Timeout => {}
                Next::Read => continue,
                Next::Look => {
                    R::look(cx);
                    return Poll::Pending;
                }
                Next::End => {
                    this.notify();
                    this.wakes.drain(..).for_each(Waker::wake);
                    return Poll::Ready(());
                }
            }
            let more = this.notify();
            let failed = this.write(cx);
            if more {
                break;
            }
            let opened = std::mem::take(&mut this.opened);
            if !news && !failed && !opened && !this.arm(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The runtime may end before the locker does. Then no task may wait endlessly, and releases that were requested are still
/// sent if the connection takes them at once. Held locks stay until their ttl ends, as after a crash.
impl<R: Runtime> Drop for Driver<R> {
    fn drop(&mut self) {
        let driver = {
            let mut guard = guard(&self.shared.state);
            let state = &mut *guard;
            if state.stage != Stage::Ended {
                Self::send_last(&mut self.links, &mut state.engine);
                state.end(&mut self.wakes);
            }
            state.driver.take()
        };
        drop(driver);
        self.write(&mut Context::from_waker(Waker::noop()));
        self.wakes.drain(..).for_each(Waker::wake);
    }
}
