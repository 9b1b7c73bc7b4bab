//! Read locks, write locks and permits on real servers, beside a plain lock of another library.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use tenure::tokio::connect;
use tenure::{Holder, Locker, NodeError, NotObtained, ObtainError, Released, Servers};
use tenure_tests::inside::Inside;
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};

const WAIT: Duration = Duration::from_secs(3600);
const ROUNDS: usize = 15;

async fn reads(locker: Locker, inside: Inside) {
    for _ in 0..ROUNDS {
        let lock = locker.read("k").wait(WAIT).await.expect("a read lock");
        inside.read().await;
        assert_eq!(lock.release().await, Released::Confirmed);
    }
}

async fn writes(locker: Locker, inside: Inside) {
    for round in 0..ROUNDS {
        let request = if round % 2 == 0 {
            locker.write("k").fence()
        } else {
            locker.obtain("k")
        };
        let lock = request.wait(WAIT).await.expect("a write lock");
        inside.write().await;
        assert_eq!(lock.release().await, Released::Confirmed);
    }
}

#[tokio::test]
async fn readers_share_a_key_and_writers_and_plain_locks_have_it_alone() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let inside = Inside::default();
        let mut tasks = Vec::new();
        for _ in 0..3 {
            let locker = connect(server.url()).await.expect("a locker");
            tasks.push(tokio::spawn(reads(locker.clone(), inside.clone())));
            tasks.push(tokio::spawn(reads(locker.clone(), inside.clone())));
            tasks.push(tokio::spawn(writes(locker, inside.clone())));
        }
        inside
            .write_with_plain_locks(&server, ROUNDS, tokio::time::sleep)
            .await;
        for task in tasks {
            task.await.expect("no violation");
        }
        // Fences keep their counter.
        let left = server.raw().command(&["KEYS", "*"]);
        assert_eq!(
            left,
            Value::Array(vec![Value::bulk("{k}~fence")]),
            "{kind:?}"
        );
    }
}

#[tokio::test]
async fn no_more_permits_are_used_than_there_are() {
    const LIMIT: u32 = 3;
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let (used, most) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let mut tasks = Vec::new();
        for _ in 0..4 {
            let locker = connect(server.url()).await.expect("a locker");
            for _ in 0..3 {
                let (locker, used, most) = (locker.clone(), used.clone(), most.clone());
                tasks.push(tokio::spawn(async move {
                    for _ in 0..5 {
                        let permit = locker.permit("k", LIMIT).wait(WAIT).await;
                        let permit = permit.expect("a permit");
                        let now = used.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        used.fetch_sub(1, Ordering::SeqCst);
                        assert_eq!(permit.release().await, Released::Confirmed);
                    }
                }));
            }
        }
        for task in tasks {
            task.await.expect("a worker");
        }
        assert!(most.load(Ordering::SeqCst) <= i64::from(LIMIT), "{kind:?}");
        assert_eq!(server.raw().command(&["DBSIZE"]), Value::Int(0), "{kind:?}");
    }
}

/// What a user needs beside the rights for fences.
const RIGHTS: [&str; 15] = [
    "+time",
    "+zadd",
    "+zrem",
    "+zscore",
    "+zcard",
    "+zrange",
    "+zrevrangebyscore",
    "+zremrangebyscore",
    "+zcount",
    "+hget",
    "+hset",
    "+hdel",
    "~{locks:*",
    // Only where a permit is given back while others are used.
    "+exists",
    // Only to be notified less often of what others do.
    "+client|caching",
];

/// How many of them locks need that wait.
const NEEDED: usize = 13;

/// Two readers, a permit beside them, and a writer that is refused; then three that wait in order for one permit.
async fn everything(server: &Server) -> Result<(), ObtainError> {
    let url = server.url_as("worker", "s3cret");
    let locker = connect(Servers::single(url).prefix("locks:"))
        .await
        .expect("a locker");
    let first = locker.read("k").wait(WAIT).await?;
    let second = locker.read("k").wait(WAIT).await?;
    let third = locker.permit("k", 9).wait(WAIT).await?;
    match locker.write("k").await {
        Err(ObtainError::NotObtained(NotObtained::Taken { by, .. }, _)) => {
            assert_eq!(by, Holder::Sharing);
        }
        other => return other.map(drop),
    }
    for lock in [first, second, third] {
        assert!(lock.refresh().await.is_ok());
        assert_eq!(lock.release().await, Released::Confirmed);
    }
    let first = locker.permit("k", 1).await?;
    let another = connect(Servers::single(server.url_as("worker", "s3cret")).prefix("locks:"))
        .await
        .expect("a locker");
    let mut waiting = Vec::new();
    for locker in [&locker, &another] {
        let next = locker.permit("k", 1).wait(WAIT);
        waiting.push(tokio::spawn(async move {
            assert_eq!(next.await?.release().await, Released::Confirmed);
            Ok::<(), ObtainError>(())
        }));
        let ended = || waiting.iter().any(tokio::task::JoinHandle::is_finished);
        until_queued(server, "{locks:k}~shared", waiting.len(), ended).await;
    }
    assert_eq!(first.release().await, Released::Confirmed);
    for waits in waiting {
        waits.await.expect("a worker")?;
    }
    Ok(())
}

/// Returns when so many wait in a queue, or one of them has ended.
async fn until_queued(server: &Server, queue: &str, count: usize, ended: impl Fn() -> bool) {
    let mut raw = server.raw();
    let count = i64::try_from(count).expect("a few");
    while raw.command(&["ZCARD", queue]) != Value::Int(count) && !ended() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whatever a user may not do, nothing is left forever: nobody would come to delete it.
fn check_ends(raw: &mut Raw, what: &str) {
    let endless = endless(raw);
    assert!(endless.is_empty(), "{what}: {endless:?} have no end");
}

/// The keys without an end.
fn endless(raw: &mut Raw) -> Vec<String> {
    let Value::Array(keys) = raw.command(&["KEYS", "*"]) else {
        panic!("a list");
    };
    let mut names: Vec<String> = keys.iter().map(Value::text).collect();
    names.retain(|key| raw.command(&["PTTL", key]) == Value::Int(-1));
    names
}

/// Commands of a script that lets a reader in. A user who may not run one of them gets no lock, and leaves nothing that stays.
#[tokio::test]
async fn a_reader_without_a_right_leaves_nothing_without_an_end() {
    let commands = [
        "get",
        "set",
        "del",
        "pttl",
        "pexpire",
        "time",
        "zadd",
        "zrem",
        "zscore",
        "zrange",
        "zrevrangebyscore",
    ];
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut raw = server.raw();
        for missing in commands {
            for command in [["FLUSHALL", "SYNC"], ["SCRIPT", "FLUSH"]] {
                assert_eq!(raw.command(&command), Value::ok());
            }
            let right = format!("-{missing}");
            let user = ["ACL", "SETUSER", "worker", "reset", "on", ">s3cret", "~*"];
            let user = [&user[..], &["+@all", &right]].concat();
            assert_eq!(raw.command(&user), Value::ok());
            let locker = connect(server.url_as("worker", "s3cret"));
            let locker = locker.await.expect("a locker");
            // The second one finds what the first one has left.
            for _ in 0..2 {
                let what = format!("{kind:?} without {missing}");
                let lock = locker.read("k").await;
                check_ends(&mut raw, &what);
                let error = lock.map(drop).expect_err(&what);
                let refused = NotObtained::Refused(NodeError::NoPermission);
                assert_eq!(error, ObtainError::NotObtained(refused, None), "{what}");
            }
            locker.close().await;
        }
    }
}

#[tokio::test]
async fn a_missing_right_inside_a_script_is_final() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let rules = [
            "+set",
            "+get",
            "+pttl",
            "+pexpire",
            "+del",
            "+eval",
            "+evalsha",
            "+delifeq",
            "+client|tracking",
            "~locks:*",
        ];
        let rules = rules
            .into_iter()
            .filter(|rule| kind == Kind::Valkey9 || *rule != "+delifeq");
        let rules: Vec<&str> = rules.collect();
        let user = ["ACL", "SETUSER", "worker", "reset", "on", ">s3cret"];
        for (place, missing) in RIGHTS.iter().enumerate() {
            let mut raw = server.raw();
            assert_eq!(raw.command(&["FLUSHALL"]), Value::ok());
            let others = RIGHTS.iter().copied().filter(|right| right != missing);
            let others: Vec<&str> = others.collect();
            let command = [&user[..], &rules, &others].concat();
            assert_eq!(raw.command(&command), Value::ok(), "{command:?}");
            let result = everything(&server).await;
            // A place in a queue whose time could not be set is given up by a release, which nobody waits for.
            let give_up = Instant::now() + Duration::from_secs(60);
            while !endless(&mut raw).is_empty() && Instant::now() < give_up {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            check_ends(&mut raw, &format!("{kind:?} without {missing}"));
            if place >= NEEDED {
                assert_eq!(result, Ok(()), "{kind:?} without {missing}");
                continue;
            }
            let refused = NotObtained::Refused(NodeError::NoPermission);
            let expected = Err(ObtainError::NotObtained(refused, None));
            assert_eq!(result, expected, "{kind:?} without {missing}");
        }
    }
}
