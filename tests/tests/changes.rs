//! Locks that change from reader to writer and back, on real servers.

use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Holder, Lock, Locker, ModeError, NotChanged, Released};
use tenure_tests::inside::Inside;
use tenure_tests::raw::Value;
use tenure_tests::servers::{Kind, Server};

const WAIT: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 15;

/// Reads, writes for a moment if nobody else reads, and reads on. Returns how often it could write.
async fn reads_and_upgrades(locker: Locker, inside: Inside) -> usize {
    let mut upgrades = 0;
    for _ in 0..ROUNDS {
        let lock = locker.read("k").wait(WAIT).await.expect("a read lock");
        inside.begin_to_read();
        if is_upgraded(&lock).await {
            inside.write_as_reader().await;
            upgrades += 1;
            lock.downgrade().await.expect("a reader");
        }
        tokio::task::yield_now().await;
        inside.end_to_read();
        assert_eq!(lock.release().await, Released::Confirmed);
    }
    upgrades
}

async fn is_upgraded(lock: &Lock) -> bool {
    let by = Holder::Sharing;
    match lock.try_upgrade().await {
        Ok(()) => true,
        Err(ModeError::NotChanged(NotChanged::Taken { by: other })) if other == by => false,
        Err(error) => panic!("{error}"),
    }
}

/// Writes, and goes on as a reader: what it has written is what it reads.
async fn writes_and_downgrades(locker: Locker, inside: Inside) {
    for _ in 0..ROUNDS {
        let lock = locker.write("k").wait(WAIT).await.expect("a write lock");
        inside.begin_to_read();
        inside.write_as_reader().await;
        lock.downgrade().await.expect("a reader");
        tokio::task::yield_now().await;
        inside.end_to_read();
        assert_eq!(lock.release().await, Released::Confirmed);
    }
}

#[tokio::test]
async fn nobody_is_beside_a_lock_that_has_become_a_writer() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let inside = Inside::default();
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            // Each stands for a process.
            let locker = connect(server.url()).await.expect("a locker");
            for _ in 0..2 {
                let task = reads_and_upgrades(locker.clone(), inside.clone());
                readers.push(tokio::spawn(task));
            }
            let task = writes_and_downgrades(locker, inside.clone());
            writers.push(tokio::spawn(task));
        }
        inside
            .write_with_plain_locks(&server, ROUNDS, tokio::time::sleep)
            .await;
        for task in writers {
            task.await.expect("no violation");
        }
        for task in readers {
            task.await.expect("no violation");
        }
        let left = server.raw().command(&["KEYS", "*"]);
        assert_eq!(left, Value::Array(Vec::new()), "{kind:?}");
    }
}

#[tokio::test]
async fn of_two_readers_of_two_processes_none_becomes_a_writer_while_both_read() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let first = connect(server.url()).await.expect("a locker");
        let second = connect(server.url()).await.expect("a locker");
        let one = first.read("k").await.expect("a read lock");
        let two = second.read("k").await.expect("a read lock");
        let (up, other) = tokio::join!(is_upgraded(&one), is_upgraded(&two));
        assert!(!up && !other, "{kind:?}");
        assert_eq!(two.release().await, Released::Confirmed);
        assert!(is_upgraded(&one).await, "{kind:?}");
        // A writer of another process waits; a lock that becomes a reader stays in front of it.
        let waiting = tokio::spawn(second.write("k").wait(WAIT).into_future());
        until_queued(&server).await;
        one.downgrade().await.expect("a reader");
        assert!(one.is_shared() && one.is_held() && !waiting.is_finished());
        assert!(is_upgraded(&one).await, "{kind:?}");
        assert_eq!(one.release().await, Released::Confirmed);
        let writer = waiting.await.expect("a task").expect("a write lock");
        assert_eq!(writer.release().await, Released::Confirmed);
    }
}

/// Until somebody waits in order to have the key alone.
async fn until_queued(server: &Server) {
    let mut raw = server.raw();
    while raw.command(&["ZCARD", "{k}~exclusive"]) != Value::Int(1) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
