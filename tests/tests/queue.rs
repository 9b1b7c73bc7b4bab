//! Locks that wait in order on real servers: who comes next, what that costs, and what a process does that is killed.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Locker, Released};
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};
use tokio::task::JoinHandle;

const WAIT: Duration = Duration::from_secs(3600);
/// Longer than a test takes, so that no holder renews its lease.
const TTL: Duration = Duration::from_secs(3600);
const QUEUE: &str = "{k}~exclusive";

/// Who got the lock, in that order.
type Order = Arc<Mutex<Vec<usize>>>;

fn waits(locker: &Locker, number: usize, order: &Order) -> JoinHandle<()> {
    let (locker, order) = (locker.clone(), Arc::clone(order));
    tokio::spawn(async move {
        let lock = locker.obtain("k").in_turn().ttl(TTL).wait(WAIT).await;
        let lock = lock.expect("the lock");
        order.lock().expect("a list").push(number);
        assert_eq!(lock.release().await, Released::Confirmed);
    })
}

async fn until_queued(raw: &mut Raw, count: usize) {
    let count = i64::try_from(count).expect("a few");
    while raw.command(&["ZCARD", QUEUE]) != Value::Int(count) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How many scripts ran.
fn scripts(raw: &mut Raw) -> usize {
    let stats = raw.command(&["INFO", "commandstats"]).text().to_owned();
    let calls = |name: &str| {
        let (_, rest) = stats.split_once(&format!("cmdstat_{name}:calls="))?;
        rest.split(',').next()?.parse::<usize>().ok()
    };
    calls("eval").unwrap_or(0) + calls("evalsha").unwrap_or(0)
}

/// The scripts that ask for the lock, for each grant. Each waiter also asks when a third of the time of its place has
/// passed, which is no part of it.
#[allow(clippy::print_stdout, reason = "figures of core/docs/modes.md")]
fn check_cost(name: &str, asked: usize, grants: usize, took: Duration, most: f64) {
    let each = asked as f64 / grants as f64;
    println!("{name}: {asked} requests for {grants} grants ({each:.2} each) in {took:?}");
    let renewals = took.as_secs_f64() / 3.3 * grants as f64;
    assert!(asked as f64 <= most * grants as f64 + renewals, "{name}");
}

#[tokio::test]
async fn processes_are_served_in_the_order_in_which_they_came() {
    for kind in Kind::ALL {
        for count in [2, 50] {
            let server = Server::start(kind);
            let mut raw = server.raw();
            let first = connect(server.url()).await.expect("a locker");
            let held = first.write("k").ttl(TTL).await.expect("the lock");
            let (order, mut waiting) = (Order::default(), Vec::new());
            for number in 0..count {
                let locker = connect(server.url()).await.expect("a locker");
                waiting.push(waits(&locker, number, &order));
                until_queued(&mut raw, number + 1).await;
            }
            assert_eq!(raw.command(&["CONFIG", "RESETSTAT"]), Value::ok());
            let start = Instant::now();
            assert_eq!(held.release().await, Released::Confirmed);
            for one in waiting {
                one.await.expect("a worker");
            }
            let took = start.elapsed();
            assert_eq!(*order.lock().expect("a list"), Vec::from_iter(0..count));
            // One release each, and that of the first.
            let asked = scripts(&mut raw) - count - 1;
            // The last waiter may still be registering for the bell of the one in front when the first lock is released.
            check_cost(
                &format!("{kind:?}, {count} processes"),
                asked,
                count,
                took,
                2.6,
            );
            assert_eq!(raw.command(&["DBSIZE"]), Value::Int(0), "{kind:?}");
        }
    }
}

/// Fifty waiters of two processes: of each process in the order of their requests, and no process has the lock twice as long
/// as the other waits for it.
#[tokio::test]
async fn two_processes_with_many_waiters_take_turns() {
    const EACH: usize = 25;
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        let first = connect(server.url()).await.expect("a locker");
        let held = first.write("k").ttl(TTL).await.expect("the lock");
        let (order, mut waiting) = (Order::default(), Vec::new());
        let two = [
            connect(server.url()).await.expect("a locker"),
            connect(server.url()).await.expect("a locker"),
        ];
        for number in 0..2 * EACH {
            waiting.push(waits(&two[number % 2], number, &order));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        until_queued(&mut raw, 2).await;
        assert_eq!(raw.command(&["CONFIG", "RESETSTAT"]), Value::ok());
        let start = Instant::now();
        assert_eq!(held.release().await, Released::Confirmed);
        for one in waiting {
            one.await.expect("a worker");
        }
        let took = start.elapsed();
        let order = order.lock().expect("a list").clone();
        for process in 0..2 {
            let own = order.iter().filter(|number| *number % 2 == process);
            assert!(own.is_sorted(), "{kind:?}: {order:?}");
        }
        let passed = order.iter().enumerate();
        let most = passed.map(|(at, number)| at.abs_diff(*number)).max();
        let asked = scripts(&mut raw) - 2 * EACH - 1;
        let name = format!("{kind:?}, 50 in two processes, at most {most:?} places off");
        // Each of them also takes its place, registers, and learns that it is the first.
        check_cost(&name, asked, 2 * EACH, took, 4.2);
    }
}

const URL: &str = "TENURE_TEST_WAITER_URL";
const PLACE: Duration = Duration::from_secs(2);

/// Not a test but the process that the test kills: it waits for as long as it lives.
#[tokio::test]
#[ignore = "the other process of the test below"]
async fn waiter() {
    let Ok(url) = std::env::var(URL) else { return };
    let locker = connect(url).await.expect("a locker");
    let lock = locker.write("k").ttl(PLACE).wait(WAIT).await;
    lock.expect("the lock").release().await;
}

struct Waiter(Child);

impl Waiter {
    fn start(url: &str) -> Self {
        let program = std::env::current_exe().expect("this program");
        let child = Command::new(program)
            .args(["--exact", "waiter", "--ignored"])
            .env(URL, url)
            .stdout(Stdio::null())
            .spawn();
        Self(child.expect("it starts"))
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // It is dead unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_killed_waiter_is_passed_when_its_place_ends() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        let locker = connect(server.url()).await.expect("a locker");
        let held = locker.write("k").ttl(TTL).await.expect("the lock");
        let killed = Waiter::start(&server.url());
        until_queued(&mut raw, 1).await;
        let other = connect(server.url()).await.expect("a locker");
        let order = Order::default();
        let next = waits(&other, 1, &order);
        until_queued(&mut raw, 2).await;
        drop(killed);
        let start = Instant::now();
        assert_eq!(held.release().await, Released::Confirmed);
        next.await.expect("a worker");
        println!(
            "{kind:?}: the next one came {:?} after the kill",
            start.elapsed()
        );
        // Nobody but the dead one is left, whose queue ends by itself.
        assert_eq!(raw.command(&["EXISTS", "k"]), Value::Int(0));
        assert!(raw.command(&["PTTL", QUEUE]).int() <= 60_000);
    }
}
