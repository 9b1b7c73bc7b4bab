//! Commands and their replies.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A command: its name and its arguments.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// What the engine wrote, for all commands of one call.
    batch: Arc<[u8]>,
    all: Range<usize>,
    args: Vec<Range<usize>>,
}

impl Command {
    /// The name and the arguments.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.args.iter().map(|range| &self.batch[range.clone()])
    }

    /// The name, in capitals.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.arg(0).unwrap_or_default()
    }

    /// The keys, by which a cluster finds the server. All of one command belong to one lock. Empty for a command that any server
    /// can carry out.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let number = |at| {
            let digits = self.arg(at).and_then(|digits| str::from_utf8(digits).ok());
            digits.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        // Behind each key of `MSETEX` stands its value.
        let (first, count, step) = match self.name() {
            b"CLIENT" | b"COMMAND" | b"SCRIPT" => (0, 0, 1),
            b"EVAL" | b"EVALSHA" => (3, number(2), 1),
            b"MSETEX" => (2, number(1), 2),
            _ => (1, 1, 1),
        };
        let end = (first + count * step).min(self.args.len());
        let ranges = self.args.get(first..end).unwrap_or_default().iter();
        ranges.step_by(step).map(|range| &self.batch[range.clone()])
    }

    /// Whether it may change a key. Such commands of one key must keep their order, and others must not overtake them.
    #[must_use]
    pub fn writes(&self) -> bool {
        !matches!(
            self.name(),
            b"CLIENT" | b"COMMAND" | b"SCRIPT" | b"GET" | b"PTTL"
        ) && self.keys().len() > 0
    }

    /// The whole command as it is sent to a server, in RESP.
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.batch[self.all.clone()]
    }

    fn arg(&self, index: usize) -> Option<&[u8]> {
        self.args.get(index).map(|range| &self.batch[range.clone()])
    }

    /// Takes apart what the engine wrote: whole commands, each an array of byte strings.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Vec<Self> {
        let batch: Arc<[u8]> = bytes.into();
        let mut commands = Vec::new();
        let mut at = 0;
        while at < batch.len() {
            let start = at;
            let count = number(&batch, &mut at);
            let mut args = Vec::with_capacity(count);
            for _ in 0..count {
                let length = number(&batch, &mut at);
                args.push(at..at + length);
                at += length + 2;
            }
            commands.push(Self {
                batch: Arc::clone(&batch),
                all: start..at,
                args,
            });
        }
        commands
    }
}

/// The number between the type at `at` and the end of the line, behind which `at` is then.
fn number(bytes: &[u8], at: &mut usize) -> usize {
    let digits = bytes[*at + 1..].iter().take_while(|byte| **byte != b'\r');
    let (mut number, mut length) = (0, 0);
    for digit in digits {
        number = number * 10 + usize::from(digit - b'0');
        length += 1;
    }
    *at += 1 + length + 2;
    number
}

/// Shows no arguments, because tokens are among them.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = String::from_utf8_lossy(self.name());
        f.debug_tuple("Command").field(&name).finish()
    }
}

/// What a command was answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Nothing there.
    Nil,
    /// A number.
    Integer(i64),
    /// A status such as `OK`, or a byte string.
    Text(Vec<u8>),
    /// An error of the server: its whole line, as in `NOSCRIPT No matching script`.
    Error(String),
    /// A list.
    List(Vec<Self>),
    /// Nobody knows what became of this command; what became of the others of its call is known. For a client that stands for
    /// several servers, of which one has failed.
    Unknown,
}

impl Reply {
    /// Appends what a server would have written. False if no server gives this reply to `command`, which then says nothing.
    ///
    /// Clients differ in how they show a reply: some make text of numbers and of a status.
    pub(crate) fn encode(&self, command: &Command, out: &mut Vec<u8>) -> bool {
        if let Self::Error(line) = self {
            out.push(b'-');
            let bytes = line.bytes();
            out.extend(bytes.map(|byte| if byte < b' ' { b' ' } else { byte }));
            out.extend_from_slice(b"\r\n");
            return true;
        }
        match (command.name(), self) {
            // No command of a locker that changes something is answered with a list, so it says nothing.
            (_, Self::Unknown) => out.extend_from_slice(b"*0\r\n"),
            (b"COMMAND", Self::List(entries)) => {
                out.extend_from_slice(format!("*{}\r\n", entries.len()).as_bytes());
                for entry in entries {
                    // Only whether a command is known matters.
                    let known = matches!(entry, Self::List(parts) if !parts.is_empty());
                    let entry: &[u8] = if known { b"*1\r\n:0\r\n" } else { b"*-1\r\n" };
                    out.extend_from_slice(entry);
                }
            }
            (b"COMMAND", _) => out.extend_from_slice(b"*0\r\n"),
            // Nobody looks into these.
            (b"SCRIPT" | b"CLIENT", _) => out.extend_from_slice(b"+OK\r\n"),
            (b"SET" | b"GET", Self::Nil) => out.extend_from_slice(b"$-1\r\n"),
            (b"SET", Self::Text(text)) if text == b"OK" => out.extend_from_slice(b"+OK\r\n"),
            (b"GET", Self::Text(bytes)) => {
                out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
                out.extend_from_slice(bytes);
                out.extend_from_slice(b"\r\n");
            }
            (b"SET" | b"GET", _) => return false,
            (_, reply) => match reply.integer() {
                Some(number) => out.extend_from_slice(format!(":{number}\r\n").as_bytes()),
                None => return false,
            },
        }
        true
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(digits) => str::from_utf8(digits).ok()?.parse().ok(),
            Self::Nil | Self::Error(_) | Self::List(_) | Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &str) -> Command {
        let words: Vec<&str> = words.split(' ').collect();
        let mut bytes = format!("*{}\r\n", words.len());
        for word in words {
            bytes += &format!("${}\r\n{word}\r\n", word.len());
        }
        Command::of_bytes(bytes.as_bytes()).remove(0)
    }

    #[test]
    fn commands_of_the_engine_are_split() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$5\r\na\r\nb\0\r\n*1\r\n$4\r\nPING\r\n";
        let commands = Command::of_bytes(bytes);
        assert_eq!(commands.len(), 2);
        let words: Vec<&[u8]> = commands[0].args().collect();
        assert_eq!(words, [b"GET".as_slice(), b"a\r\nb\0"]);
        assert_eq!(commands[1].encoded(), b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            format!("{commands:?}"),
            r#"[Command("GET"), Command("PING")]"#
        );
    }

    #[test]
    fn each_command_names_its_keys() {
        for (words, keys, writes) in [
            ("SET k v NX PX 5", vec!["k"], true),
            ("DELIFEQ k v", vec!["k"], true),
            ("MSETEX 2 a v b v NX PX 5", vec!["a", "b"], true),
            ("MSETEX 9 a v", vec!["a"], true),
            ("PTTL k", vec!["k"], false),
            ("GET k", vec!["k"], false),
            ("EVALSHA abc 2 a b v", vec!["a", "b"], true),
            ("EVAL script 1 a v", vec!["a"], true),
            ("EVAL script 0", vec![], false),
            ("EVAL script 9 a", vec!["a"], true),
            ("COMMAND INFO DELEX", vec![], false),
            ("CLIENT TRACKING ON NOLOOP", vec![], false),
            ("SCRIPT LOAD text", vec![], false),
        ] {
            let command = command(words);
            let found: Vec<&[u8]> = command.keys().collect();
            let keys: Vec<&[u8]> = keys.into_iter().map(str::as_bytes).collect();
            assert_eq!(found, keys, "{words}");
            assert_eq!(command.writes(), writes, "{words}");
        }
    }

    #[test]
    fn a_reply_is_written_as_a_server_writes_it_or_not_at_all() {
        let text = |text: &str| Reply::Text(text.into());
        let info = |entries| Reply::List(entries);
        for (words, reply, expected) in [
            ("SET k v", text("OK"), Some("+OK\r\n")),
            ("SET k v", Reply::Nil, Some("$-1\r\n")),
            ("SET k v", Reply::Integer(1), None),
            ("SET k v", text("QUEUED"), None),
            ("GET k", text("a\r\nb"), Some("$4\r\na\r\nb\r\n")),
            ("GET k", Reply::Nil, Some("$-1\r\n")),
            ("GET k", Reply::Integer(1), None),
            ("PTTL k", Reply::Integer(-2), Some(":-2\r\n")),
            ("PTTL k", text("17"), Some(":17\r\n")),
            ("PTTL k", text("x"), None),
            ("EVALSHA s 1 k", text("QUEUED"), None),
            ("EVALSHA s 1 k", Reply::Nil, None),
            ("EVALSHA s 1 k", Reply::List(vec![]), None),
            ("EVALSHA s 1 k", Reply::Unknown, Some("*0\r\n")),
            ("SCRIPT LOAD t", text("sha"), Some("+OK\r\n")),
            ("COMMAND INFO", Reply::Nil, Some("*0\r\n")),
            (
                "COMMAND INFO",
                info(vec![info(vec![text("delex")]), Reply::Nil, info(vec![])]),
                Some("*3\r\n*1\r\n:0\r\n*-1\r\n*-1\r\n"),
            ),
            (
                "SET k v",
                Reply::Error("OOM no\r\n+OK".into()),
                Some("-OOM no  +OK\r\n"),
            ),
        ] {
            let mut out = Vec::new();
            let known = reply.encode(&command(words), &mut out);
            let written = known.then_some(out);
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(written, expected, "{words}: {reply:?}");
        }
    }
}
