//! The statements for SQL. They need servers of their own, which `tests/setup sql` installs and `tests/run sql` tries.

use std::process::Command;
use std::time::{Duration, Instant};

use tenure_core::Fence;

use crate::postgres::Postgres;
use crate::shell::{Dialect, Shell, documented};
use crate::{Guard, ROUNDS, Resource, stale_writes, the_largest_fence_counts};

/// How a row is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Update,
    Upsert,
    /// By a row of another table, within a transaction.
    Transaction,
}

struct Account {
    shell: Shell,
    by: By,
}

fn fence_of(fence: Fence) -> [(&'static str, String); 2] {
    [("id", "'a'".into()), ("fence", fence.to_string())]
}

fn all_of(fence: Fence, balance: u64) -> Vec<(&'static str, String)> {
    let balance = ("balance", balance.to_string());
    fence_of(fence).into_iter().chain([balance]).collect()
}

impl Account {
    fn new(mut shell: Shell, by: By) -> Self {
        let tables = [
            "DROP TABLE IF EXISTS account;",
            "DROP TABLE IF EXISTS fences;",
        ];
        for statement in [&tables[..], &[documented("table"), documented("fences")]].concat() {
            assert!(shell.run(statement, &[]).is_empty());
        }
        if by != By::Upsert {
            shell.run("INSERT INTO account (id, balance) VALUES ('a', 0);", &[]);
        }
        Self { shell, by }
    }

    /// What decides. Begins a transaction where it takes one.
    fn ask(&mut self, fence: Fence, value: u64) {
        match self.by {
            By::Update => self.shell.send(documented("update"), &all_of(fence, value)),
            By::Upsert => self.shell.send(documented("upsert"), &all_of(fence, value)),
            By::Transaction => {
                self.shell.run("BEGIN;", &[]);
                self.shell.send(documented("admit"), &fence_of(fence));
            }
        }
    }

    fn answer(&mut self, fence: Fence) -> bool {
        let rows = self.shell.rows();
        assert!(rows.is_empty() || rows == [fence.to_string()], "{rows:?}");
        !rows.is_empty()
    }

    fn end(&mut self, value: u64, is_accepted: bool) {
        if self.by == By::Transaction {
            if is_accepted {
                self.overwrite(value);
            }
            self.shell
                .run(if is_accepted { "COMMIT;" } else { "ROLLBACK;" }, &[]);
        }
    }
}

impl Resource for Account {
    fn write(&mut self, fence: Fence, value: u64) -> bool {
        self.ask(fence, value);
        let is_accepted = self.answer(fence);
        self.end(value, is_accepted);
        is_accepted
    }

    fn overwrite(&mut self, value: u64) {
        let statement = "UPDATE account SET balance = :balance;";
        self.shell.run(statement, &[("balance", value.to_string())]);
    }

    fn read(&mut self) -> u64 {
        let rows = self
            .shell
            .run("SELECT balance FROM account WHERE id = 'a';", &[]);
        rows.concat().parse().expect("a number")
    }
}

/// Every way to guard, in sessions of one database.
fn no_stale_write_gets_through(shell: impl Fn() -> Shell) {
    let mut bare = Account::new(shell(), By::Update);
    assert_eq!(stale_writes(&mut bare, Guard::Missing), ROUNDS);
    drop(bare);
    for by in [By::Update, By::Upsert, By::Transaction] {
        let mut account = Account::new(shell(), by);
        assert_eq!(stale_writes(&mut account, Guard::Used), 0, "{by:?}");
        drop(account);
        the_largest_fence_counts(&mut Account::new(shell(), by));
    }
}

#[test]
#[ignore = "needs PostgreSQL: tests/run sql"]
fn no_stale_write_gets_through_postgresql() {
    let server = Postgres::start();
    no_stale_write_gets_through(|| server.shell());
}

#[test]
#[ignore = "needs SQLite: tests/run sql"]
fn no_stale_write_gets_through_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    no_stale_write_gets_through(|| {
        let mut command = Command::new("sqlite3");
        command.arg("-batch").arg(directory.path().join("database"));
        let mut shell = Shell::start(Dialect::Sqlite, command);
        // What a round costs is not what is tried here.
        shell.run("PRAGMA synchronous = OFF;", &[]);
        shell
    });
}

/// The stale write comes while the transaction of the new holder is open: it waits, and is refused when that is committed. If it is
/// rolled back, nothing newer was written, and the old one passes.
#[test]
#[ignore = "needs PostgreSQL: tests/run sql"]
fn a_stale_write_that_waits_for_the_new_holder_is_refused() {
    let server = Postgres::start();
    for by in [By::Update, By::Upsert, By::Transaction] {
        for (isolation, is_committed) in [
            ("READ COMMITTED", true),
            ("READ COMMITTED", false),
            ("REPEATABLE READ", true),
        ] {
            let mut new = Account::new(server.shell(), by);
            // A row that is there already.
            assert!(new.write(Fence(1), 1));
            let mut old = Account {
                shell: server.shell(),
                by,
            };
            let level = format!("SET default_transaction_isolation = '{isolation}';");
            old.shell.run(&level, &[]);
            if by != By::Transaction {
                new.shell.run("BEGIN;", &[]);
            }
            new.ask(Fence(3), 3);
            assert!(new.answer(Fence(3)));

            old.ask(Fence(2), 2);
            until_one_waits(&server);
            new.shell
                .run(if is_committed { "COMMIT;" } else { "ROLLBACK;" }, &[]);

            let is_accepted = old.answer(Fence(2));
            assert_ne!(is_accepted, is_committed, "{by:?}, {isolation}");
            old.end(2, is_accepted);
            let balance = if is_accepted {
                2
            } else if by == By::Transaction {
                1
            } else {
                3
            };
            assert_eq!(new.read(), balance, "{by:?}, {isolation}");
        }
    }
}

fn until_one_waits(server: &Postgres) {
    let mut observer = server.shell();
    let deadline = Instant::now() + Duration::from_secs(60);
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock';";
    while observer.run(waiting, &[]) != ["1"] {
        assert!(Instant::now() < deadline, "nobody waits");
    }
}
