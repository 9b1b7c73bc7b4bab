//! What a server knows, and how much it takes.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Secret;

/// What a server knows, and how much it takes. Everything is on by default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Who may come in. Without a user called `default` everybody may, without a password. Default: nobody.
    pub users: Vec<User>,
    /// Whether it speaks RESP3.
    pub resp3: bool,
    /// Whether it tells of changes to keys that a connection has read (`CLIENT TRACKING`).
    pub tracking: bool,
    /// Whether it knows `SET … IFEQ` and `DELIFEQ`, as Valkey 9 does.
    pub compare: bool,
    /// Whether it runs the scripts of Tenure. Otherwise it does not know `EVAL`, `EVALSHA` and `SCRIPT`.
    pub scripts: bool,
    /// Whether it knows `PTTL`.
    pub pttl: bool,
    /// Whether a script that reads one key counts as a reader of all keys that it was given, as in Redis up to 7, or
    /// only of that one, as in Valkey 9.
    pub scripts_read_all: bool,
    /// Whether trackers hear of an expiry when it happens. Otherwise, as with a busy real server, only when somebody
    /// comes across it.
    pub announce_expiry: bool,
    /// Connections at one time. Default: 10,000.
    pub max_connections: usize,
    /// Keys at one time, of all databases. Default: 1,048,576.
    pub max_keys: usize,
    /// Bytes of keys and values. Default: 256 MiB.
    pub max_bytes: usize,
    /// Bytes of what is remembered about who has read which key. Past it readers are told early. Default: 64 MiB.
    pub max_tracked_bytes: usize,
    /// Bytes of one request. Default: 1 MiB.
    pub request_bytes: usize,
    /// Arguments of one request. Default: 1,024.
    pub request_args: usize,
    /// Bytes that wait to be sent on one connection. Past it the connection is closed. Default: 16 MiB.
    pub reply_bytes: usize,
    /// Why it does not do what it is asked for now. Default: it does.
    pub trouble: Option<Trouble>,
}

/// A state in which a server answers with an error.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It reads its data set: neither reads nor writes.
    Loading,
    /// It is a replica: no writes.
    ReadOnly,
    /// It answers every read and every write with this line, which begins with the code of the error.
    Says(&'static [u8]),
}

impl Trouble {
    /// What it answers.
    pub(super) const fn text(self) -> &'static [u8] {
        match self {
            Self::Loading => b"LOADING Redis is loading the dataset in memory",
            Self::Says(line) => line,
            Self::ReadOnly => b"READONLY You can't write against a read only replica.",
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            resp3: true,
            tracking: true,
            compare: true,
            scripts: true,
            pttl: true,
            scripts_read_all: true,
            announce_expiry: true,
            max_connections: 10_000,
            max_keys: 1 << 20,
            max_bytes: 256 << 20,
            max_tracked_bytes: 64 << 20,
            request_bytes: 1 << 20,
            request_args: 1024,
            reply_bytes: 16 << 20,
            trouble: None,
        }
    }
}

impl Options {
    /// Whether this is a user and its password.
    pub(super) fn admits(&self, name: &[u8], password: &[u8]) -> bool {
        match self.user(name) {
            Some(user) => user.password.expose() == password,
            None => name == User::DEFAULT,
        }
    }

    /// Whether a connection may do anything without a password.
    pub(super) fn is_open(&self) -> bool {
        self.user(User::DEFAULT).is_none()
    }

    fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| *user.name == *name)
    }
}

/// A user, who may do everything.
#[derive(Clone, Debug)]
pub struct User {
    /// The name. The user who is meant when none is named is called `default`.
    pub name: Box<[u8]>,
    /// What the user must know.
    pub password: Secret,
}

impl User {
    pub(super) const DEFAULT: &[u8] = b"default";
}
