//! A process that holds a lock, or waits for one, is killed. The next one comes when its time is over, however busy the server
//! is with other keys.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Locker, Obtaining};
use tenure_tests::raw::{Raw, Value, encode};
use tenure_tests::servers::{Kind, Server};

const MS: Duration = Duration::from_millis(1);
/// No multiple of the pauses after which a lock that waits asks in any case: only who knows of the end comes in time.
const TTL: Duration = Duration::from_secs(4);
const URL: &str = "TENURE_TEST_HOLDER_URL";
const ROLE: &str = "TENURE_TEST_HOLDER_ROLE";

/// Keys that will end some time: the more of them there are, the later a server says that one has ended by itself (up
/// to 25 s were seen). A waiter that relies on the server's notification would be as late.
const OTHERS: usize = 5000;

/// The bound is 50 ms after the end of the dead holder's time, which the server itself reports. On a machine so busy that a
/// timer of this very process fires late, or that an answer takes long, that much is added: both are measured in the
/// same process, up to the same moment. So the test fails only when the waiter knew late, not when it ran late.
const BOUND: Duration = Duration::from_millis(50);

/// What a process does with a key, or wants to do.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Role {
    Obtain,
    Write,
    Read,
    Permit,
}

impl Role {
    const ALL: [Self; 4] = [Self::Obtain, Self::Write, Self::Read, Self::Permit];

    fn ask(self, locker: &Locker, key: &str, ttl: Duration) -> Obtaining {
        let asked = match self {
            Self::Obtain => locker.obtain(key),
            Self::Write => locker.write(key),
            Self::Read => locker.read(key),
            Self::Permit => locker.permit(key, 1),
        };
        asked.ttl(ttl)
    }

    /// The queue in which it waits in order.
    const fn queue(self) -> Option<&'static str> {
        match self {
            Self::Obtain => None,
            Self::Write => Some("exclusive"),
            Self::Read | Self::Permit => Some("shared"),
        }
    }
}

/// What of the dead one keeps the next one waiting.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Left {
    /// The key.
    Key,
    /// Its own lease beside those of others.
    Lease,
    /// Its place in the queue.
    Place,
}

impl Left {
    /// For how long that still counts, in milliseconds of the server.
    const fn script(self) -> &'static str {
        match self {
            Self::Key => "return redis.call('PTTL', KEYS[1])",
            Self::Lease => {
                "local t = redis.call('TIME') \
                 return redis.call('ZRANGE', '{'..KEYS[1]..'}~in', -1, -1, 'WITHSCORES')[2] \
                   - t[1] * 1000 - math.floor(t[2] / 1000)"
            }
            Self::Place => {
                "local t = redis.call('TIME') \
                 local first = redis.call('ZRANGE', '{'..KEYS[1]..'}~exclusive', 0, 0)[1] \
                 return redis.call('HGET', '{'..KEYS[1]..'}~alive', first) - t[1] * 1000 - math.floor(t[2] / 1000)"
            }
        }
    }
}

/// A process that is killed while it holds a lock, or waits for one.
struct Case {
    key: &'static str,
    killed: Role,
    left: Left,
    next: Role,
}

const CASES: [Case; 6] = [
    case("obtain", Role::Obtain, Left::Key, Role::Obtain),
    case("writer", Role::Write, Left::Key, Role::Read),
    case("reader", Role::Read, Left::Lease, Role::Write),
    // The key lasts a little longer than the lease of the last reader.
    case(
        "reader before a plain lock",
        Role::Read,
        Left::Key,
        Role::Obtain,
    ),
    case("permit", Role::Permit, Left::Lease, Role::Permit),
    case("waiter", Role::Write, Left::Place, Role::Write),
];

const fn case(key: &'static str, killed: Role, left: Left, next: Role) -> Case {
    Case {
        key,
        killed,
        left,
        next,
    }
}

#[test]
fn a_successor_holds_when_the_time_of_a_killed_one_is_over() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        fill(&mut server.raw());
        std::thread::scope(|scope| {
            for case in &CASES {
                let server = &server;
                scope.spawn(move || case.play(server));
            }
        });
    }
}

impl Case {
    fn play(&self, server: &Server) {
        let (kind, key, url) = (server.kind(), self.key, server.url());
        let mut raw = server.raw();
        let waits = self.left == Left::Place;
        if waits {
            assert_eq!(raw.command(&["SET", key, "plain"]), Value::ok());
        }
        let mut killed = Holder::start(&url, self.killed, key);
        if waits {
            until_queued(&mut raw, key, Role::Write, 1);
        } else {
            killed.until_it_holds();
        }
        let next = self.next;
        let (asked, has_asked) = mpsc::channel();
        let waiting = std::thread::spawn(move || succeed(&url, next, key, &asked));
        match next.queue() {
            Some(_) => until_queued(&mut raw, key, next, 1 + i64::from(waits)),
            None => has_asked.recv().expect("a request"),
        }
        killed.kill();

        let before = Instant::now();
        let left = raw.command(&["EVAL", self.left.script(), "1", key]).int();
        let left = Duration::from_millis(left.try_into().expect("a time"));
        let after = Instant::now();
        // The marker of a key that is shared may last for an eighth more.
        assert!(left <= TTL + TTL / 8, "{kind:?}, {key}: {left:?}");
        if waits {
            assert_eq!(raw.command(&["DEL", key]), Value::Int(1));
        }

        let (obtained, lateness, trip) = waiting.join().expect("the lock");
        let allowed = BOUND + lateness + trip;
        #[allow(clippy::print_stdout, reason = "how late it was")]
        let () = println!(
            "{kind:?}, {key}: held {:?} after the end of the other's time; timers were up to {lateness:?} late, an answer \
             took up to {trip:?}",
            obtained.saturating_duration_since(before + left)
        );
        assert!(obtained + MS >= before + left, "{kind:?}, {key}: too early");
        assert!(
            obtained <= after + left + allowed,
            "{kind:?}, {key}: too late"
        );
    }
}

/// Returns when so many wait in order.
fn until_queued(raw: &mut Raw, key: &str, role: Role, count: i64) {
    let queue = role.queue().expect("a queue");
    let queue = format!("{{{key}}}~{queue}");
    while raw.command(&["ZCARD", &queue]) != Value::Int(count) {
        std::thread::sleep(MS);
    }
}

/// Not a test but the process that the test kills: it holds the lock for as long as it lives, or waits for it.
#[test]
#[ignore = "the other process of the test above"]
fn holder() {
    let (Ok(url), Ok(role)) = (std::env::var(URL), std::env::var(ROLE)) else {
        return;
    };
    let (role, key) = role.split_once(' ').expect("a role and a key");
    let role = Role::ALL[role.parse::<usize>().expect("a number")];
    run(async {
        let locker = connect(url).await.expect("a locker");
        let lock = role.ask(&locker, key, TTL).wait(10 * TTL);
        let lock = lock.await.expect("the lock");
        eprintln!("held");
        panic!("lost: {}", lock.lost().await);
    });
}

struct Holder(Child);

impl Holder {
    fn start(url: &str, role: Role, key: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program)
            .args(["--exact", "holder", "--ignored", "--nocapture"])
            .env(URL, url)
            .env(ROLE, format!("{} {key}", role as usize))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self(child)
    }

    fn until_it_holds(&mut self) {
        let mut said = BufReader::new(self.0.stderr.take().expect("a pipe")).lines();
        assert!(said.any(|line| line.is_ok_and(|line| line == "held")));
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
fn succeed(
    url: &str,
    role: Role,
    key: &str,
    asked: &mpsc::Sender<()>,
) -> (Instant, Duration, Duration) {
    run(async {
        let locker = connect(url).await.expect("a locker");
        let measuring = connect(url).await.expect("another");
        // With a longer time its place lasts longer, too, and it asks less often to keep it.
        let waiting = role.ask(&locker, key, 10 * TTL).wait(10 * TTL);
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
            // Nobody listens after the first time.
            let _ = asked.send(());
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
