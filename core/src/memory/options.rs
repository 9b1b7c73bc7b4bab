//! The features and limits of a server.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Secret;

/// The features and limits of a server. All features but replicas are on by default; tests turn some off to act as an older server or
/// another one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The users. Without a user called `default`, clients need no password. Default: none.
    pub users: Vec<User>,
    /// Whether it supports RESP3.
    pub resp3: bool,
    /// Whether it supports `CLIENT TRACKING`: push messages about changes to keys that a connection has read.
    pub tracking: bool,
    /// Whether it supports `SET … IFEQ` and `DELIFEQ`, as Valkey 9 does.
    pub compare: bool,
    /// Whether it supports `MSETEX`, as Valkey 9.1 does.
    pub set_several: bool,
    /// Whether it runs the scripts of Tenure. Otherwise `EVAL`, `EVALSHA` and `SCRIPT` are unknown commands.
    pub scripts: bool,
    /// Whether it supports `PTTL`.
    pub pttl: bool,
    /// Whether a script that reads one key counts as a reader of all keys that it was given, as in Redis up to 7, or
    /// only of that one, as in Valkey 9.
    pub scripts_read_all: bool,
    /// Whether an expiry is announced to trackers when it happens. Otherwise it is announced when a command touches the key,
    /// as on a busy real server.
    pub announce_expiry: bool,
    /// How many replicas it has, for `WAIT`. Default: 0.
    pub replicas: u32,
    /// Whether it has an append-only file, for `WAITAOF`. Default: no.
    pub append_only: bool,
    /// The most connections at one time. Default: 10,000.
    pub max_connections: usize,
    /// The most keys at one time, over all databases, but for what a script writes once it has begun to write, as in Redis.
    /// Default: 1,048,576.
    pub max_keys: usize,
    /// The most bytes of keys and values. Default: 256 MiB.
    pub max_bytes: usize,
    /// The most bytes for registrations of readers. Beyond it, readers are notified early. Default: 64 MiB.
    pub max_tracked_bytes: usize,
    /// The most bytes of one request. Default: 1 MiB.
    pub request_bytes: usize,
    /// The most arguments of one request. Default: 1,024.
    pub request_args: usize,
    /// The most bytes that may wait to be sent on one connection. Beyond it, the connection is closed. Default: 16 MiB.
    pub reply_bytes: usize,
    /// A state in which it refuses commands. Default: none.
    pub trouble: Option<Trouble>,
}

/// A state in which a server answers with an error.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// It is loading its data set: no reads and no writes.
    Loading,
    /// It is a replica: no writes.
    ReadOnly,
    /// It replies to every read and every write with this error line, which begins with the error code.
    Says(&'static [u8]),
}

impl Trouble {
    /// The error line.
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
            set_several: true,
            scripts: true,
            pttl: true,
            scripts_read_all: true,
            announce_expiry: true,
            replicas: 0,
            append_only: false,
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
    /// Whether there is a user with this name and password.
    pub(super) fn admits(&self, name: &[u8], password: &[u8]) -> bool {
        match self.user(name) {
            Some(user) => user.password.expose() == password,
            None => name == User::DEFAULT,
        }
    }

    /// Whether clients need no password.
    pub(super) fn is_open(&self) -> bool {
        self.user(User::DEFAULT).is_none()
    }

    fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| *user.name == *name)
    }
}

/// A user. All users have all permissions.
#[derive(Clone, Debug)]
pub struct User {
    /// The name. Commands without a user name mean the user `default`.
    pub name: Box<[u8]>,
    /// The password.
    pub password: Secret,
}

impl User {
    pub(super) const DEFAULT: &[u8] = b"default";
}
