//! The least rights that a user of a server needs, and what each of them is for.
//!
//! The table below is the documentation: the test takes each right away in turn and sees that exactly what the table says
//! no longer works. `AUTH` and `HELLO` need no right.
//!
//! | right | for | Redis 6.2 | Redis 7 | Valkey 9 |
//! |---|---|---|---|---|
//! | `~prefix*` | everything: the keys, with the prefix of the locker | ✓ | ✓ | ✓ |
//! | `+set` | to obtain; on Valkey also to refresh | ✓ | ✓ | ✓ |
//! | `+pttl` | to be woken, to learn of a loss at once, to inspect | ✓ | ✓ | ✓ |
//! | `+client\|tracking` | the same | ✓ | ✓ | ✓ |
//! | `+get` | to inspect, to check a key after a wake, all scripts | ✓ | ✓ | ✓ |
//! | `+eval` | several keys, to obtain again after a lost answer; on Redis everything: a server that will not run what refreshes and releases is refused before it gives a lock | ✓ | ✓ | ✓ |
//! | `+evalsha` | several keys, to obtain again after a lost answer; on Redis also to refresh and to release | ✓ | ✓ | ✓ |
//! | `+pexpire` | to refresh within a script | ✓ | ✓ | ✓ |
//! | `+del` | to release within a script | ✓ | ✓ | ✓ |
//! | `+delifeq` | to release one key without a script | | | ✓ |
//! | `+command\|info` | to learn of `DELIFEQ` where the version in `HELLO` does not show it; nobody needs it here | | | |
//! | `+ping` | to probe a silent connection; a refusal shows life as well, but is noted in `ACL LOG` | | | |
//! | `+client\|setname` | the name in `CLIENT LIST` | ✓ | ✓ | ✓ |
//! | `+client\|setinfo` | the library's name there (Redis from 7.2, Valkey) | | | ✓ |
//! | `+select` | only for a database other than 0 | ✓ | ✓ | ✓ |

use std::collections::BTreeSet;
use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Locker, Released, Servers};
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};

/// Refused refreshes and releases are tried again until the lock's time is over.
const TTL: Duration = Duration::from_millis(400);

/// What does not work: names of the methods of [`Trial`].
type Failures = BTreeSet<&'static str>;

/// A right, and what does not work without it: on Redis, then on Valkey.
const RIGHTS: [(&str, &[&str], &[&str]); 12] = [
    (
        "~locks:*",
        &["inspect", "obtain", "obtain several"],
        &["inspect", "obtain", "obtain several"],
    ),
    (
        "+set",
        &["obtain", "obtain several"],
        &["obtain", "obtain several"],
    ),
    (
        "+pttl",
        &["be notified", "inspect"],
        &["be notified", "inspect"],
    ),
    ("+client|tracking", &["be notified"], &["be notified"]),
    (
        "+get",
        &["inspect", "obtain several", "refresh"],
        &["inspect", "obtain several"],
    ),
    (
        "+evalsha",
        &["obtain several", "refresh"],
        &["obtain several"],
    ),
    ("+eval", &["connect"], &["obtain several"]),
    (
        "+pexpire",
        &["refresh", "refresh several"],
        &["refresh several"],
    ),
    (
        "+del",
        &["release", "release several"],
        &["release several"],
    ),
    ("+delifeq", &[], &["release"]),
    ("+client|setname", &["show a name"], &["show a name"]),
    ("+client|setinfo", &[], &["show the library"]),
];

/// Rights that only this kind of server has a use for.
fn applies(right: &str, kind: Kind) -> bool {
    kind == Kind::Valkey9 || !["+delifeq", "+client|setinfo"].contains(&right)
}

#[tokio::test]
async fn each_right_is_needed_for_the_use_in_the_table() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let rights: Vec<_> = RIGHTS
            .into_iter()
            .filter(|(right, ..)| applies(right, kind))
            .collect();
        let rules = |without: &str| {
            let all = rights.iter().map(|(right, ..)| *right);
            all.filter(|right| *right != without).collect::<Vec<_>>()
        };
        assert_eq!(
            failures(&server, &rules("")).await,
            Failures::new(),
            "{kind:?} with all rights"
        );
        for (right, redis, valkey) in &rights {
            let expected = if kind == Kind::Valkey9 { valkey } else { redis };
            let failing = failures(&server, &rules(right)).await;
            assert_eq!(
                failing,
                expected.iter().copied().collect(),
                "{kind:?} without {right}"
            );
        }
    }
}

#[tokio::test]
async fn a_database_needs_one_right_more() {
    let server = Server::start(Kind::Redis7);
    let mut raw = server.raw();
    for (rule, works) in [("+select", true), ("-select", false)] {
        raw.command(&[
            "ACL", "SETUSER", "worker", "reset", "on", ">s3cret", "~*", "+@all", rule,
        ]);
        let locker = connect(format!("{}/2", server.url_as("worker", "s3cret"))).await;
        assert_eq!(locker.is_ok(), works, "{rule}");
    }
}

/// What does not work for a user with these rights.
async fn failures(server: &Server, rights: &[&str]) -> Failures {
    let mut raw = server.raw();
    for command in [
        &["FLUSHALL"][..],
        &["SCRIPT", "FLUSH"],
        &["CONFIG", "RESETSTAT"],
    ] {
        assert_eq!(raw.command(command), Value::ok());
    }
    let user = [
        "ACL",
        "SETUSER",
        "worker",
        "reset",
        "on",
        ">s3cret",
        "resetkeys",
        "-@all",
    ];
    assert_eq!(
        raw.command(&[&user[..], rights].concat()),
        Value::ok(),
        "{rights:?}"
    );
    let servers = Servers::single(server.url_as("worker", "s3cret")).prefix("locks:");
    let Ok(locker) = connect(servers).await else {
        return Failures::from(["connect"]);
    };
    let mut trial = Trial {
        compares: server.kind().has_compare(),
        locker,
        raw,
        failures: Failures::new(),
    };
    trial.one_key().await;
    trial.several_keys().await;
    trial.inspect().await;
    trial.introduce();
    trial.locker.close().await;
    trial.failures
}

struct Trial {
    /// Whether the server can do without scripts.
    compares: bool,
    locker: Locker,
    raw: Raw,
    failures: Failures,
}

impl Trial {
    fn note(&mut self, what: &'static str, works: bool) {
        if !works {
            self.failures.insert(what);
        }
    }

    async fn one_key(&mut self) {
        let obtained = self.locker.obtain("k").ttl(TTL).await;
        self.note("obtain", obtained.is_ok());
        let Ok(lock) = obtained else { return };
        let stats = self.raw.command(&["INFO", "stats"]).text();
        self.note("be notified", stats.contains("tracking_total_keys:1\r\n"));
        let refreshed = lock.refresh().await.is_ok();
        self.note("refresh", refreshed);
        self.note(
            "release",
            !refreshed || lock.release().await == Released::Confirmed,
        );
        if self.raw.command(&["EXISTS", "locks:k"]) != Value::Int(0) {
            self.raw.command(&["DEL", "locks:k"]);
        }
        let stats = self.raw.command(&["INFO", "commandstats"]).text();
        let scripts = self.compares && stats.contains("cmdstat_eval");
        self.note("release without a script", !scripts);
    }

    async fn several_keys(&mut self) {
        let obtained = self.locker.obtain(["a", "b"]).ttl(TTL).await;
        self.note("obtain several", obtained.is_ok());
        let Ok(lock) = obtained else { return };
        let refreshed = lock.refresh().await.is_ok();
        self.note("refresh several", refreshed);
        self.note(
            "release several",
            !refreshed || lock.release().await == Released::Confirmed,
        );
    }

    async fn inspect(&mut self) {
        self.raw
            .command(&["SET", "locks:other", "somebody", "PX", "3600000"]);
        let found = self.locker.inspect("other").await;
        let found = found
            .ok()
            .flatten()
            .is_some_and(|holding| holding.remaining.is_some());
        self.note("inspect", found);
    }

    fn introduce(&mut self) {
        let clients = self.raw.command(&["CLIENT", "LIST"]).text();
        self.note("show a name", clients.contains(" name=tenure "));
        let knows = clients.contains(" lib-name=");
        self.note(
            "show the library",
            !knows || clients.contains(" lib-name=tenure "),
        );
    }
}
