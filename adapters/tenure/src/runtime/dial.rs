//! Connecting to a host with several addresses: "Happy Eyeballs", as RFC 8305 describes it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Timer;

/// How long an address is tried alone before the next one is tried at the same time: the value that RFC 8305 recommends. So
/// an address that never responds does not hide the others.
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to the first address that accepts. They are tried in the order given, except that address families alternate.
/// The next one is tried as soon as one has failed, or after [`STAGGER`].
///
/// # Errors
/// The error of the address that failed last, if all failed.
pub(crate) async fn dial<S, F>(
    addresses: Vec<SocketAddr>,
    timer: impl Timer,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<S>
where
    F: Future<Output = io::Result<S>> + Send + 'static,
{
    let mut dialing = Dialing {
        left: taking_turns(addresses),
        attempts: Vec::new(),
        timer,
        connect,
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    poll_fn(|cx| dialing.poll(cx, &mut last)).await
}

struct Dialing<T, C, F> {
    left: VecDeque<SocketAddr>,
    attempts: Vec<Pin<Box<F>>>,
    timer: T,
    connect: C,
}

impl<S, T, C, F> Dialing<T, C, F>
where
    T: Timer,
    C: Fn(SocketAddr) -> F,
    F: Future<Output = io::Result<S>>,
{
    fn poll(&mut self, cx: &mut Context<'_>, last: &mut io::Error) -> Poll<io::Result<S>> {
        let mut due = self.attempts.is_empty() || self.timer.poll(cx).is_ready();
        loop {
            if due && let Some(address) = self.left.pop_front() {
                self.attempts.push(Box::pin((self.connect)(address)));
                self.timer.set(STAGGER);
                // It must be polled once to wake the task.
                if self.timer.poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            let mut failed = false;
            let mut at = 0;
            while let Some(attempt) = self.attempts.get_mut(at) {
                match attempt.as_mut().poll(cx) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(stream)) => return Poll::Ready(Ok(stream)),
                    Poll::Ready(Err(error)) => {
                        *last = error;
                        failed = true;
                        drop(self.attempts.swap_remove(at));
                    }
                }
            }
            if self.attempts.is_empty() && self.left.is_empty() {
                let none = io::Error::from(io::ErrorKind::Other);
                return Poll::Ready(Err(std::mem::replace(last, none)));
            }
            if !failed {
                return Poll::Pending;
            }
            due = true;
        }
    }
}

/// Reorders addresses: the first stays first, and after it the families alternate.
fn taking_turns(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_family = addresses.first().map(SocketAddr::is_ipv6);
    let (own, other): (VecDeque<_>, VecDeque<_>) = addresses
        .into_iter()
        .partition(|address| Some(address.is_ipv6()) == first_family);
    let mut queues = [own, other];
    let mut turns = VecDeque::new();
    let mut next = 0;
    while queues.iter().any(|queue| !queue.is_empty()) {
        turns.extend(queues[next].pop_front());
        next = 1 - next;
    }
    turns
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::runtime::Runtime as _;
    use crate::runtime::tokio::Tokio;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// Dials addresses, each of which accepts after a given time, or never. Returns the result, how long it took, and when
    /// each address was tried.
    async fn dialed(
        addresses: &[(&'static str, Option<u64>, bool)],
    ) -> (io::Result<SocketAddr>, u128, Vec<u128>) {
        let begun = Instant::now();
        let tried = Arc::new(Mutex::new(Vec::new()));
        let list = addresses.iter().map(|(text, ..)| address(text)).collect();
        let result = dial(list, Tokio::timer(), |to| {
            let known = addresses.iter().find(|(text, ..)| address(text) == to);
            let (_, after, works) = *known.expect("one of them");
            let tried = Arc::clone(&tried);
            async move {
                let at = begun.elapsed().as_millis();
                tried.lock().expect("no panic").push(at);
                match after {
                    Some(ms) => sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
                works
                    .then_some(to)
                    .ok_or_else(|| io::Error::other(to.to_string()))
            }
        });
        let result = result.await;
        let tried = tried.lock().expect("no panic").clone();
        (result, begun.elapsed().as_millis(), tried)
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_behind_the_first_address_does_not_hide_the_others() {
        let list = [
            ("[::1]:1", None, false),
            ("127.0.0.1:1", None, false),
            ("127.0.0.2:1", Some(5), true),
        ];
        let (result, took, tried) = dialed(&list).await;
        assert_eq!(result.expect("connected"), address("127.0.0.2:1"));
        // A timer of tokio's rounds up to its next millisecond.
        assert!((505..=510).contains(&took), "{took} ms");
        assert_eq!(tried.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_as_soon_as_one_has_failed() {
        let list = [
            ("127.0.0.1:1", Some(3), false),
            ("127.0.0.2:1", Some(4), true),
        ];
        let (result, took, _) = dialed(&list).await;
        assert_eq!(result.expect("connected"), address("127.0.0.2:1"));
        assert!((7..=9).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_address_still_wins_over_one_that_answers_later() {
        let list = [
            ("127.0.0.1:1", Some(300), true),
            ("127.0.0.2:1", Some(300), true),
        ];
        let (result, took, tried) = dialed(&list).await;
        assert_eq!(result.expect("connected"), address("127.0.0.1:1"));
        assert!((300..=302).contains(&took), "{took} ms");
        assert_eq!(tried.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_fail_the_last_error_is_reported() {
        let list = [
            ("127.0.0.1:1", Some(1), false),
            ("127.0.0.2:1", Some(400), false),
        ];
        let (result, ..) = dialed(&list).await;
        assert_eq!(result.expect_err("failed").to_string(), "127.0.0.2:1");
        let (result, ..) = dialed(&[]).await;
        assert!(
            result
                .expect_err("nothing")
                .to_string()
                .contains("no address")
        );
    }

    #[test]
    fn address_families_take_turns() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"];
        let turns = taking_turns(given.map(address).to_vec());
        let order = ["[::1]:1", "127.0.0.1:1", "[::2]:1", "[::3]:1"];
        assert_eq!(turns, order.map(address));
    }
}
