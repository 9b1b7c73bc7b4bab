//! What the errors of a server mean. The only place that looks into their text.

use crate::event::NodeError;

/// An error reply, understood.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum ServerError {
    /// The script is not loaded, or no longer: send its text.
    NoScript,
    /// The key has another type, so it is not ours: taken.
    WrongType,
    /// It does not know the command or this form of it: another way is to be taken, if there is one.
    Unsupported,
    /// Nothing was done. [`NodeError`] has a table of what follows.
    Node(NodeError),
}

/// The first words of an error reply, and the error they stand for.
const TABLE: [(&[u8], ServerError); 30] = [
    (b"NOSCRIPT", ServerError::NoScript),
    (b"WRONGTYPE", ServerError::WrongType),
    // The same from `DELEX … IFEQ` of Redis 8.
    (b"ERR Key should be of string type", ServerError::WrongType),
    (b"LOADING", ServerError::Node(NodeError::Loading)),
    (b"CLUSTERDOWN", ServerError::Node(NodeError::ClusterDown)),
    (b"TRYAGAIN", ServerError::Node(NodeError::TryAgain)),
    (b"OOM", ServerError::Node(NodeError::OutOfMemory)),
    (b"MISCONF", ServerError::Node(NodeError::Misconfigured)),
    (b"BUSY", ServerError::Node(NodeError::Busy)),
    (b"NOREPLICAS", ServerError::Node(NodeError::NoReplicas)),
    // Redis 7 counts the connections of a cluster, too, and says so behind these words.
    (
        b"ERR max number of clients",
        ServerError::Node(NodeError::TooManyClients),
    ),
    (b"READONLY", ServerError::Node(NodeError::ReadOnly)),
    // To `WAIT` and `WAITAOF`: it is a replica, or became one meanwhile.
    (
        b"ERR WAIT cannot be used with replica",
        ServerError::Node(NodeError::ReadOnly),
    ),
    (
        b"ERR WAITAOF cannot be used with replica",
        ServerError::Node(NodeError::ReadOnly),
    ),
    (b"UNBLOCKED", ServerError::Node(NodeError::ReadOnly)),
    (b"MASTERDOWN", ServerError::Node(NodeError::MasterDown)),
    (b"MOVED", ServerError::Node(NodeError::Moved)),
    (b"ASK", ServerError::Node(NodeError::Moved)),
    (b"CROSSSLOT", ServerError::Node(NodeError::CrossSlot)),
    (b"NOAUTH", ServerError::Node(NodeError::NoAuth)),
    (b"WRONGPASS", ServerError::Node(NodeError::WrongPassword)),
    (b"NOPERM", ServerError::Node(NodeError::NoPermission)),
    (b"DENIED", ServerError::Node(NodeError::ProtectedMode)),
    // What a script may not do for its user: Redis 7, Redis 6.2 and Valkey.
    (
        b"ERR The user executing the script",
        ServerError::Node(NodeError::NoPermission),
    ),
    (
        b"The user executing the script",
        ServerError::Node(NodeError::NoPermission),
    ),
    (
        b"ERR ACL failure in script:",
        ServerError::Node(NodeError::NoPermission),
    ),
    (b"NOPROTO", ServerError::Unsupported),
    (b"ERR unknown command", ServerError::Unsupported),
    (b"ERR unknown subcommand", ServerError::Unsupported),
    (b"ERR syntax error", ServerError::Unsupported),
];

impl ServerError {
    /// Understands the line of an error reply, without its `-`.
    pub(crate) fn of(line: &[u8]) -> Self {
        // Up to Redis 6.2 an error inside a script stands at the end of a line that begins with one of these.
        let of_script = line
            .strip_prefix(b"ERR Error running script")
            .or_else(|| line.strip_prefix(b"@user_script"));
        let inner = of_script
            .and_then(|text| text.rsplit(|byte| *byte == b':').next())
            .map_or(line, <[u8]>::trim_ascii_start);
        let inner = inner.strip_prefix(b"-").unwrap_or(inner);
        let known = TABLE.iter().find(|(words, _)| {
            inner
                .strip_prefix(*words)
                .is_some_and(|rest| matches!(rest, [] | [b' ' | b',', ..]))
        });
        known.map_or(Self::Node(NodeError::Other), |(_, error)| *error)
    }

    /// The error to report if a retry in another form is not possible.
    pub(crate) const fn node(self) -> NodeError {
        match self {
            Self::Node(error) => error,
            Self::NoScript | Self::WrongType => NodeError::Other,
            Self::Unsupported => NodeError::Unsupported,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn node(error: NodeError) -> ServerError {
        ServerError::Node(error)
    }

    /// Lines as Redis 7, Redis 6.2, Redis 8 and Valkey 9 send them.
    const LINES: [(&str, ServerError); 36] = [
        (
            "NOSCRIPT No matching script. Please use EVAL.",
            ServerError::NoScript,
        ),
        (
            "WRONGTYPE Operation against a key holding the wrong kind",
            ServerError::WrongType,
        ),
        (
            "ERR Key should be of string type if conditions are specified",
            ServerError::WrongType,
        ),
        (
            "LOADING Redis is loading the dataset in memory",
            node(NodeError::Loading),
        ),
        (
            "READONLY You can't write against a read only replica.",
            node(NodeError::ReadOnly),
        ),
        (
            "ERR WAIT cannot be used with replica instances. Please also note that",
            node(NodeError::ReadOnly),
        ),
        (
            "ERR WAITAOF cannot be used with replica instances. Please also note that",
            node(NodeError::ReadOnly),
        ),
        (
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            node(NodeError::ReadOnly),
        ),
        ("MOVED 3999 127.0.0.1:6381", node(NodeError::Moved)),
        ("ASK 3999 127.0.0.1:6381", node(NodeError::Moved)),
        (
            "CLUSTERDOWN Hash slot not served",
            node(NodeError::ClusterDown),
        ),
        (
            "CROSSSLOT Keys in request don't hash",
            node(NodeError::CrossSlot),
        ),
        ("NOAUTH Authentication required.", node(NodeError::NoAuth)),
        (
            "WRONGPASS invalid username-password pair",
            node(NodeError::WrongPassword),
        ),
        (
            "NOPERM this user has no permissions",
            node(NodeError::NoPermission),
        ),
        (
            "OOM command not allowed when used memory",
            node(NodeError::OutOfMemory),
        ),
        (
            "MASTERDOWN Link with MASTER is down",
            node(NodeError::MasterDown),
        ),
        (
            "MISCONF Redis is configured to save RDB",
            node(NodeError::Misconfigured),
        ),
        (
            "BUSY Redis is busy running a script.",
            node(NodeError::Busy),
        ),
        ("TRYAGAIN Multiple keys request", node(NodeError::TryAgain)),
        (
            "ERR unknown command 'DELIFEQ', with args",
            ServerError::Unsupported,
        ),
        (
            "ERR unknown command `HELLO`, with args",
            ServerError::Unsupported,
        ),
        ("ERR syntax error", ServerError::Unsupported),
        (
            "ERR max number of clients reached",
            node(NodeError::TooManyClients),
        ),
        (
            "ERR max number of clients + cluster connections reached",
            node(NodeError::TooManyClients),
        ),
        (
            "DENIED Redis is running in protected mode because protected mode is enabled",
            node(NodeError::ProtectedMode),
        ),
        (
            "NOREPLICAS Not enough good replicas to write.",
            node(NodeError::NoReplicas),
        ),
        (
            "NOPROTO unsupported protocol version",
            ServerError::Unsupported,
        ),
        (
            "ERR unknown subcommand 'X'. Try CLIENT HELP.",
            ServerError::Unsupported,
        ),
        (
            "ERR The user executing the script can't run this command or subcommand",
            node(NodeError::NoPermission),
        ),
        (
            "The user executing the script can't run this command or subcommand",
            node(NodeError::NoPermission),
        ),
        (
            "ERR ACL failure in script: User u has no permissions to run the 'get' command",
            node(NodeError::NoPermission),
        ),
        ("ERR something new", node(NodeError::Other)),
        (
            "ERR Error running script (call to f_5fef): @user_script:13: @user_script: 13: -OOM command not allowed",
            node(NodeError::OutOfMemory),
        ),
        ("NOSCRIPTS", node(NodeError::Other)),
        ("", node(NodeError::Other)),
    ];

    #[test]
    fn lines_of_real_servers_are_understood() {
        for (line, expected) in LINES {
            assert_eq!(ServerError::of(line.as_bytes()), expected, "{line}");
        }
    }

    /// Redis 7, Redis 6.2 (by `pcall` and by `call`) and Valkey 9 say in their own ways what a script's user lacks.
    #[test]
    fn a_right_that_is_missing_within_a_script_is_understood() {
        for line in [
            "ERR The user executing the script can't run this command or subcommand",
            "@user_script: 10: The user executing the script can't run this command or subcommand",
            "ERR Error running script (call to f_d3c2): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand",
            "ERR ACL failure in script: User u has no permissions to run the 'get' command script: on @user_script:1.",
        ] {
            let expected = ServerError::Node(NodeError::NoPermission);
            assert_eq!(ServerError::of(line.as_bytes()), expected, "{line}");
        }
    }

    /// What a server really says must begin with these words.
    #[test]
    fn every_entry_of_the_table_has_a_line_of_a_real_server() {
        for (words, expected) in TABLE {
            let mut lines = LINES.iter().filter(|(_, known)| *known == expected);
            let words = core::str::from_utf8(words).expect("ASCII");
            assert!(lines.any(|(line, _)| line.starts_with(words)), "{words}");
        }
    }

    /// Without a line in `TABLE` a new error would be [`NodeError::Other`].
    #[test]
    fn every_error_has_a_line_or_comes_from_elsewhere() {
        let elsewhere = [
            // From the connection, the clock, the decoder and the limits.
            NodeError::Disconnected,
            NodeError::TimedOut,
            NodeError::Malformed,
            NodeError::AnswerTooLarge,
            NodeError::Overloaded,
            // From the reply to `SELECT`, whatever it says.
            NodeError::NoDatabase,
            // From unsupported commands, and from lines that are not in the table.
            NodeError::Unsupported,
            NodeError::NoScripts,
            NodeError::NoAcks,
            NodeError::Other,
        ];
        for error in NodeError::ALL {
            let has_line = TABLE
                .iter()
                .any(|(_, known)| *known == ServerError::Node(*error));
            assert!(has_line != elsewhere.contains(error), "{error:?}");
        }
    }

    #[test]
    fn each_policy_has_its_errors() {
        assert!(NodeError::ReadOnly.hangs_up() && !NodeError::ReadOnly.is_final());
        assert!(NodeError::NoPermission.is_final() && !NodeError::NoPermission.hangs_up());
        assert!(!NodeError::Loading.is_final() && !NodeError::Loading.hangs_up());
    }
}
