//! The shells of databases, `psql` and `sqlite3`: statements in, rows out.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The page with the statements.
const GUARDS: &str = include_str!("../../../core/docs/guards.md");
/// What no row is.
const END: &str = "--end--";

/// A statement of the page, by its name.
pub(crate) fn documented(name: &str) -> &'static str {
    let start = format!("<!-- sql: {name} -->\n```sql\n");
    let (_, rest) = GUARDS.split_once(&start).expect(name);
    rest.split_once("```").expect("an end").0
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Sqlite,
}

/// A session of a database.
pub(crate) struct Shell {
    dialect: Dialect,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Shell {
    pub(crate) fn start(dialect: Dialect, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell: run tests/setup sql");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            dialect,
            child,
            input,
            output,
        }
    }

    /// Sends a statement with its parameters, and does not wait for it.
    pub(crate) fn send(&mut self, statement: &str, parameters: &[(&str, String)]) {
        let mut text = String::new();
        for (name, value) in parameters {
            text += &match self.dialect {
                Dialect::Postgres => format!("\\set {name} {}\n", value.replace('\'', "''''")),
                Dialect::Sqlite => format!(".parameter set :{name} {value}\n"),
            };
        }
        let echo = match self.dialect {
            Dialect::Postgres => "\\echo",
            Dialect::Sqlite => ".print",
        };
        text += &format!("{}\n{echo} {END}\n", statement.trim());
        let input = self.input.as_mut().expect("open");
        input.write_all(text.as_bytes()).expect("it reads");
    }

    /// The rows of the oldest statement whose rows were not read.
    pub(crate) fn rows(&mut self) -> Vec<String> {
        let mut rows = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("lines");
            assert!(read > 0, "the shell has ended");
            match line.trim_end() {
                END => return rows,
                row => rows.push(row.to_owned()),
            }
        }
    }

    pub(crate) fn run(&mut self, statement: &str, parameters: &[(&str, String)]) -> Vec<String> {
        self.send(statement, parameters);
        self.rows()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.input.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
