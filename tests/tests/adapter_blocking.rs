//! Locks of threads: no runtime, or a foreign one.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use tenure::blocking::{Memory, connect, memory};
use tenure::{Holder, Loss, NotObtained, ObtainError, Released};
use tenure_tests::servers::{Kind, Server};

const SECOND: Duration = Duration::from_secs(1);
/// Far longer than anything takes, on a slow machine too.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_lock_of_a_thread_has_the_same_life() {
    let server = Server::start(Kind::Redis7);
    let (alice, bob) = (connect(server.url()), connect(server.url()));
    let (alice, bob) = (alice.expect("a locker"), bob.expect("a locker"));
    let lock = alice.obtain(["a", "b"]).ttl(30 * SECOND).metadata("host-7");
    let lock = lock.block().expect("the lock");
    assert_eq!((lock.key(), lock.metadata()), (&b"a"[..], &b"host-7"[..]));
    assert!(lock.is_held() && lock.remaining() > 20 * SECOND);
    assert!(bob.try_obtain("b").expect("an answer").is_none());
    let refused = bob.obtain("a").wait(Duration::from_millis(50)).block();
    assert!(
        matches!(
            refused,
            Err(ObtainError::NotObtained(
                NotObtained::TimedOut { by: Holder::Other },
                None
            ))
        ),
        "{refused:?}"
    );
    let holding = bob.inspect("a").expect("an answer").expect("held");
    assert_eq!(*holding.value, *[lock.token(), b"host-7"].concat());
    lock.refresh_for(40 * SECOND).expect("still held");
    lock.verify().expect("still held");
    assert_eq!(lock.wait_lost(Duration::from_millis(1)), None);
    let waiter = thread::spawn(move || bob.obtain("b").wait(LONG).block());
    assert_eq!(lock.release(), Released::Confirmed);
    drop(waiter.join().expect("no panic").expect("the lock"));
    alice
        .obtain("b")
        .wait(LONG)
        .block()
        .expect("the lock")
        .release();
    alice.close();
}

#[test]
fn many_threads_share_a_locker_and_one_of_them_holds_the_lock() {
    let locker = memory();
    let count = 16;
    let start = Arc::new(Barrier::new(count));
    let inside = Arc::new(std::sync::Mutex::new(0));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let (locker, start, inside) = (locker.clone(), Arc::clone(&start), Arc::clone(&inside));
            thread::spawn(move || {
                start.wait();
                for _ in 0..20 {
                    let lock = locker.obtain("k").wait(LONG).block().expect("the lock");
                    let mut inside = inside.try_lock().expect("nobody else is inside");
                    *inside += 1;
                    drop(inside);
                    lock.release();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    assert_eq!(*inside.lock().expect("no panic"), count * 20);
}

fn called(lock: &tenure::blocking::Lock) -> Receiver<Loss> {
    let (sender, receiver) = channel();
    lock.on_lost(move |loss| sender.send(loss).expect("somebody receives"));
    receiver
}

#[test]
fn a_callback_is_called_on_a_loss_and_on_nothing_else() {
    let server = Memory::new();
    let locker = server.locker();
    let lock = locker.obtain("k").ttl(Duration::from_millis(100)).manual();
    let lock = lock.block().expect("the lock");
    let (first, second) = (called(&lock), called(&lock));
    let expired = Loss::Expired { error: None };
    assert_eq!(first.recv_timeout(LONG), Ok(expired));
    assert_eq!(second.recv_timeout(LONG), Ok(expired));
    assert_eq!(called(&lock).recv_timeout(LONG), Ok(expired), "afterwards");
    assert_eq!(lock.wait_lost(LONG), Some(expired));

    // Released or dropped: the callback is dropped without being called.
    for released in [true, false] {
        let lock = locker.obtain("other").wait(LONG).block().expect("the lock");
        let receiver = called(&lock);
        if released {
            lock.release();
        } else {
            drop(lock);
        }
        assert!(receiver.recv_timeout(LONG).is_err(), "released: {released}");
    }
}

#[test]
fn a_callback_that_panics_or_blocks_harms_no_other_lock() {
    let locker = memory();
    let ttl = Duration::from_millis(50);
    let lost = locker
        .obtain("a")
        .ttl(ttl)
        .manual()
        .block()
        .expect("the lock");
    let (entered, wait) = channel();
    let (go_on, blocked) = channel::<()>();
    lost.on_lost(move |_| {
        entered.send(()).expect("somebody waits");
        let _ = blocked.recv();
        panic!("on purpose");
    });
    wait.recv_timeout(LONG).expect("called");
    let other = locker.obtain("b").block().expect("the lock");
    other.refresh().expect("still held");
    drop(go_on);
    assert_eq!(other.release(), Released::Confirmed);
}

#[test]
fn it_may_be_used_inside_a_tokio_program() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let locker = memory();
        let lock = locker.obtain("k").block().expect("the lock");
        assert_eq!(lock.wait_lost(Duration::from_millis(1)), None);
        assert_eq!(lock.release(), Released::Confirmed);
        locker.close();
    });
}

/// Where threads can be counted, and in a process of its own: other tests have lockers, too.
#[cfg(target_os = "linux")]
#[test]
fn the_thread_of_a_locker_ends_with_its_last_handle() {
    const ALONE: &str = "TENURE_TEST_ALONE";
    let name = "the_thread_of_a_locker_ends_with_its_last_handle";
    if std::env::var_os(ALONE).is_none() {
        let this = std::env::current_exe().expect("this program");
        let mut alone = std::process::Command::new(this);
        alone.args(["--exact", name]).env(ALONE, "1");
        let output = alone.output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.trim() == "tenure").count()
    };
    let locker = memory();
    let lock = locker.obtain("k").block().expect("the lock");
    let another = memory();
    // One for each locker, and none for a lock. A thread sets its name when it has started.
    until(&threads, 2);
    drop(locker);
    assert!(lock.is_held(), "a lock keeps the connections");
    lock.release();
    drop(another);
    until(&threads, 0);
}

#[cfg(target_os = "linux")]
#[track_caller]
fn until(threads: &dyn Fn() -> usize, count: usize) {
    let end = std::time::Instant::now() + LONG;
    while threads() != count {
        assert!(std::time::Instant::now() < end, "{} threads", threads());
        thread::yield_now();
    }
}
