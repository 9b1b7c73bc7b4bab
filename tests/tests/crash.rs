//! A holder is killed; the next one comes when its time is over, however busy the server is with other keys.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure_tests::raw::{Raw, encode};
use tenure_tests::servers::{Kind, Server};

const MS: Duration = Duration::from_millis(1);
const TTL: Duration = Duration::from_secs(3);
const URL: &str = "TENURE_TEST_HOLDER_URL";

/// Keys that will end some time: the more of them there are, the later a server says that one has ended by itself (up
/// to 25 s were seen). A waiter that relies on the server's notification would be as late.
const OTHERS: usize = 5000;

/// The bound is 50 ms after the end of the dead holder's time, which the server itself reports. On a machine so busy that a
/// timer of this very process fires late, or that an answer takes long, that much is added: both are measured in the
/// same process, up to the same moment. So the test fails only when the waiter knew late, not when it ran late.
const BOUND: Duration = Duration::from_millis(50);

#[test]
fn a_successor_holds_when_the_time_of_a_killed_holder_is_over() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        fill(&mut raw);
        let mut holder = Holder::start(&server.url());
        let url = server.url();

        // The successor has asked before the holder is killed: the server counts its connections that track.
        let waiting = std::thread::spawn(move || succeed(&url));
        while !raw
            .command(&["INFO", "clients"])
            .text()
            .contains("tracking_clients:3")
        {
            std::thread::yield_now();
        }
        holder.kill();
        let before = Instant::now();
        let left = raw.command(&["PTTL", "k"]).int();
        let left = Duration::from_millis(left.try_into().expect("a ttl"));
        let after = Instant::now();
        assert!(left <= TTL, "{kind:?}: {left:?}");

        let (obtained, lateness, trip) = waiting.join().expect("the lock");
        let allowed = BOUND + lateness + trip;
        println!(
            "{kind:?}: held {:?} after the end of the other's time; timers were up to {lateness:?} late, an answer took up \
             to {trip:?}",
            obtained.saturating_duration_since(before + left)
        );
        assert!(obtained + MS >= before + left, "{kind:?}: too early");
        assert!(obtained <= after + left + allowed, "{kind:?}: too late");
    }
}

/// Not a test but the process that the test kills: it holds the lock for as long as it lives.
#[test]
#[ignore = "the other process of the test above"]
fn holder() {
    let Ok(url) = std::env::var(URL) else { return };
    run(async {
        let locker = connect(url).await.expect("a locker");
        let lock = locker.obtain("k").ttl(TTL).await.expect("the lock");
        eprintln!("held");
        panic!("lost: {}", lock.lost().await);
    });
}

struct Holder(Child);

impl Holder {
    /// Returns when it holds the lock.
    fn start(url: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["--exact", "holder", "--ignored", "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let holder = Self(child);
        assert!(said.any(|line| line.is_ok_and(|line| line == "held")));
        holder
    }

    fn kill(&mut self) {
        self.0.kill().expect("SIGKILL");
        self.0.wait().expect("its end");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It is dead unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the lock; when it came, how late timers of this process were until then, and how long the slowest answer
/// took.
fn succeed(url: &str) -> (Instant, Duration, Duration) {
    run(async {
        let locker = connect(url).await.expect("a locker");
        let measuring = connect(url).await.expect("another");
        let waiting = locker.obtain("k").ttl(TTL).wait(10 * TTL);
        let mut waiting = std::pin::pin!(waiting.into_future());
        let (mut lateness, mut trip) = (Duration::ZERO, Duration::ZERO);
        loop {
            let start = Instant::now();
            tokio::select! {
                biased;
                lock = &mut waiting => {
                    lock.expect("the lock");
                    return (Instant::now(), lateness, trip);
                }
                () = tokio::time::sleep(5 * MS) => lateness = lateness.max(start.elapsed() - 5 * MS),
            }
            let start = Instant::now();
            measuring.inspect("another key").await.expect("an answer");
            trip = trip.max(start.elapsed());
        }
    })
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(future)
}

fn fill(raw: &mut Raw) {
    let commands =
        (0..OTHERS).map(|i| encode(&["SET", &format!("other {i}"), "v", "PX", "3600000"]));
    raw.send_bytes(&commands.collect::<Vec<_>>().concat());
    for _ in 0..OTHERS {
        raw.read_value();
    }
}
