//! The least rights that a user of a server needs, and what each of them is for.
//!
//! The table below is the documentation: the test takes each right away in turn and sees that exactly what the table says
//! no longer works. `AUTH` and `HELLO` need no right.
//!
//! | right | for | Redis 6.2 | Redis 7 | Valkey 9 |
//! |---|---|---|---|---|
//! | `~prefix*` | everything: the keys, with the prefix of the locker | ✓ | ✓ | ✓ |
//! | `~{prefix*` | fences: the counters of keys without a hash tag | ✓ | ✓ | ✓ |
//! | `+time` | fences | ✓ | ✓ | ✓ |
//! | `+set` | to obtain; on Valkey also to refresh | ✓ | ✓ | ✓ |
//! | `+pttl` | to be woken, to learn of a loss at once, to inspect | ✓ | ✓ | ✓ |
//! | `+client\|tracking` | the same | ✓ | ✓ | ✓ |
//! | `+get` | to inspect, to check a key after a wake, all scripts | ✓ | ✓ | ✓ |
//! | `+eval` | to learn that scripts run: without it none is used, and on Redis the server is refused before it gives a lock | ✓ | ✓ | |
//! | `+evalsha` | several keys, to obtain again after a lost answer; on Redis also to refresh and to release | ✓ | ✓ | ✓ |
//! | `+msetex` | several keys where `+eval` is missing | | | |
//! | `+pexpire` | to refresh within a script | ✓ | ✓ | ✓ |
//! | `+del` | to release within a script | ✓ | ✓ | ✓ |
//! | `+delifeq` | to release one key without a script | | | ✓ |
//! | `+command\|info` | to learn of `DELIFEQ` where the version in `HELLO` does not show it; nobody needs it here | | | |
//! | `+ping` | to probe a silent connection; a refusal shows life as well, but is noted in `ACL LOG` | | | |
//! | `+client\|setname` | the name in `CLIENT LIST` | ✓ | ✓ | ✓ |
//! | `+client\|setinfo` | the library's name there (Redis from 7.2, Valkey) | | | ✓ |
//! | `+select` | only for a database other than 0 | ✓ | ✓ | ✓ |
//!
//! On Valkey 9.1 a user without `+eval` and all that stands within scripts (`-@scripting`) has everything but tokens of their
//! own and fences. [`RIGHTS_WITHOUT_SCRIPTS`] are the rights that are left, and what each is for.

use std::collections::BTreeSet;
use std::time::Duration;

use tenure::tokio::connect;
use tenure::{Locker, NodeError, NotObtained, ObtainError, Released, Servers};
use tenure_tests::raw::{Raw, Value};
use tenure_tests::servers::{Kind, Server};
use tenure_tests::suite::everything_without_scripts;

/// Refused refreshes and releases are tried again until the lock's time is over.
const TTL: Duration = Duration::from_millis(400);
const HOUR: Duration = Duration::from_secs(3600);

/// What does not work: names of the methods of [`Trial`].
type Failures = BTreeSet<&'static str>;

/// What does not work without any of the rights that a fenced lock needs.
const FENCED: &str = "obtain fenced";

/// A right, and what does not work without it: on Redis, then on Valkey.
const RIGHTS: [(&str, &[&str], &[&str]); 15] = [
    (
        "~locks:*",
        &["inspect", "obtain", "obtain several", FENCED],
        &["inspect", "obtain", "obtain several", FENCED],
    ),
    ("~{locks:*", &[FENCED], &[FENCED]),
    ("+time", &[FENCED], &[FENCED]),
    (
        "+set",
        &["obtain", "obtain several", FENCED],
        &["obtain", "obtain several", FENCED],
    ),
    (
        "+pttl",
        &["be notified", "inspect"],
        &["be notified", "inspect"],
    ),
    ("+client|tracking", &["be notified"], &["be notified"]),
    (
        "+get",
        &["inspect", "obtain several", "refresh", FENCED],
        &["inspect", "obtain several", FENCED],
    ),
    (
        "+evalsha",
        &["obtain several", "refresh", FENCED],
        &["obtain several", FENCED],
    ),
    ("+eval", &["connect"], &[FENCED]),
    ("+msetex", &[], &[]),
    (
        "+pexpire",
        &["refresh", "refresh several", "refresh fenced"],
        &["refresh several"],
    ),
    (
        "+del",
        &["release", "release several", "release fenced"],
        &["release several"],
    ),
    ("+delifeq", &[], &["release", "release fenced"]),
    ("+client|setname", &["show a name"], &["show a name"]),
    ("+client|setinfo", &[], &["show the library"]),
];

/// The same for a user of Valkey 9.1 who may not run scripts.
const RIGHTS_WITHOUT_SCRIPTS: [(&str, &[&str]); 9] = [
    ("~locks:*", &["inspect", "obtain", "obtain several"]),
    ("+set", &["obtain", "refresh several"]),
    ("+pttl", &["be notified", "inspect"]),
    ("+client|tracking", &["be notified"]),
    ("+get", &["inspect"]),
    ("+msetex", &["obtain several"]),
    ("+delifeq", &["release", "release several"]),
    ("+client|setname", &["show a name"]),
    ("+client|setinfo", &["show the library"]),
];

/// Rights that only this kind of server has a use for.
fn applies(right: &str, kind: Kind) -> bool {
    kind == Kind::Valkey9 || !["+delifeq", "+msetex", "+client|setinfo"].contains(&right)
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

/// However long the request may wait: it is not tried again. A script says in other words than a command what is missing.
#[tokio::test]
async fn what_a_fence_misses_is_reported_at_once_and_nothing_is_left() {
    let all = RIGHTS.map(|(right, ..)| right);
    let needed = RIGHTS
        .iter()
        .filter(|(_, _, valkey)| valkey.contains(&FENCED));
    for kind in Kind::ALL {
        let server = Server::start(kind);
        for (right, ..) in needed.clone() {
            // Without it nobody connects to a server that needs scripts for everything.
            if *right == "+eval" && kind != Kind::Valkey9 {
                continue;
            }
            let rights = all
                .iter()
                .filter(|other| *other != right && applies(other, kind));
            let mut raw = server.raw();
            allow(&mut raw, &rights.copied().collect::<Vec<_>>());
            let locker = connect(servers(&server)).await.expect("a locker");
            let obtaining = locker.obtain("k").fence().wait(HOUR);
            let obtained = tokio::time::timeout(Duration::from_secs(60), obtaining).await;
            // Without any script there is no fence, with all other rights.
            let error = match *right {
                "+eval" => NodeError::NoScripts,
                _ => NodeError::NoPermission,
            };
            let refused = ObtainError::NotObtained(NotObtained::Refused(error), None);
            let error = obtained.expect("an end").map(drop).expect_err(right);
            assert_eq!(error, refused, "{kind:?} without {right}");
            locker.close().await;
            assert_eq!(
                raw.command(&["DBSIZE"]),
                Value::Int(0),
                "{kind:?} without {right}"
            );
        }
    }
}

#[tokio::test]
async fn a_key_with_a_tag_needs_no_second_pattern() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let rights = RIGHTS.map(|(right, ..)| right);
        let rights = rights
            .iter()
            .filter(|right| **right != "~{locks:*" && applies(right, kind));
        allow(&mut server.raw(), &rights.copied().collect::<Vec<_>>());
        let locker = connect(servers(&server)).await.expect("a locker");
        let lock = locker.obtain("{k}").fence().await.expect("the lock");
        assert!(lock.fence().is_some(), "{kind:?}");
    }
}

#[tokio::test]
async fn each_right_is_needed_where_no_script_may_run() {
    let server = Server::start(Kind::Valkey9);
    let all: Vec<&str> = RIGHTS_WITHOUT_SCRIPTS.map(|(right, _)| right).to_vec();
    let failing = failures(&server, &all).await;
    assert_eq!(failing, Failures::from([FENCED]), "with all rights");
    for (right, expected) in RIGHTS_WITHOUT_SCRIPTS {
        let rights: Vec<&str> = all.iter().copied().filter(|own| *own != right).collect();
        let failing = failures(&server, &rights).await;
        let expected: Failures = expected.iter().copied().chain([FENCED]).collect();
        assert_eq!(failing, expected, "without {right}");
    }
}

#[tokio::test]
async fn a_user_who_may_not_run_scripts_has_everything_but_own_tokens_and_fences() {
    let server = Server::start(Kind::Valkey9);
    let mut raw = server.raw();
    let rules = ["on", ">s3cret", "~*", "+@all", "-@scripting"];
    let user = [&["ACL", "SETUSER", "worker", "reset"][..], &rules].concat();
    assert_eq!(raw.command(&user), Value::ok());
    let url = server.url_as("worker", "s3cret");
    for resp in ["", "?resp=2"] {
        let connect = || connect(format!("{url}{resp}"));
        let alice = connect().await.expect("a locker");
        let bob = connect().await.expect("a locker");
        everything_without_scripts("tokio, no scripts", alice, bob).await;
    }
    let stats = raw.command(&["INFO", "commandstats"]).text();
    assert!(stats.contains("cmdstat_msetex:calls="), "{stats}");
    let ran = |line: &str| line.starts_with("cmdstat_eval") && !line.contains(":calls=0,");
    assert!(!stats.lines().any(ran), "{stats}");
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

fn servers(server: &Server) -> Servers {
    Servers::single(server.url_as("worker", "s3cret")).prefix("locks:")
}

/// Makes a user with these rights, on a server that knows nothing.
fn allow(raw: &mut Raw, rights: &[&str]) {
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
}

/// What does not work for a user with these rights.
async fn failures(server: &Server, rights: &[&str]) -> Failures {
    let mut raw = server.raw();
    allow(&mut raw, rights);
    let Ok(locker) = connect(servers(server)).await else {
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
    trial.fenced().await;
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
        // `EVAL` is called while connecting.
        let scripts = self.compares && stats.contains("cmdstat_evalsha");
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

    async fn fenced(&mut self) {
        let obtained = self.locker.obtain("f").fence().ttl(TTL).await;
        self.note(FENCED, obtained.is_ok());
        let Ok(lock) = obtained else { return };
        let refreshed = lock.refresh().await.is_ok();
        self.note("refresh fenced", refreshed);
        self.note(
            "release fenced",
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
