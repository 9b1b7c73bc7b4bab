//! Which command meets a fault, and what the fault is.

/// The command that a fault waits for. Counts begin with 1, at the moment the fault is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// This one, once.
    Nth(u64),
    /// Each whose number is a multiple of this.
    Every(u64),
    /// Each that changes keys (`SET`, `MSETEX`, `EVAL`, `EVALSHA`, `DELIFEQ`, `DELEX`) and whose number among those is a
    /// multiple of this.
    EveryWrite(u64),
    /// The next one that changes keys, once.
    NextWrite,
    /// The next one of this name, once, as in `"EVALSHA"`.
    Named(&'static str),
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The command does not reach the server, nor does anything after it. Replies to earlier commands still pass.
    Command,
    /// The server acts, and of its reply only the first `kept` bytes pass. What the client wrote together with the command reaches the
    /// server too; nothing later does.
    Reply {
        /// How many bytes pass, at most all.
        kept: usize,
    },
}

/// How the connection goes on. It cannot do so unharmed: a TCP stream does not lose bytes from its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Both sides see its end.
    Cut,
    /// It stays open, and nothing passes.
    Silence,
}

/// A fault that has met its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) fault: Fault,
    pub(super) then: Then,
}

/// What shows on each new connection that scripts can be run.
const PROOF: &str = "EVAL return 1 ";

/// The commands of Tenure that change keys.
const WRITES: [&str; 6] = ["SET", "MSETEX", "EVAL", "EVALSHA", "DELIFEQ", "DELEX"];

/// A fault that waits.
pub(super) struct Plan {
    on: On,
    loss: Loss,
    seen: u64,
    over: bool,
}

impl Plan {
    pub(super) const fn new(on: On, loss: Loss) -> Self {
        Self {
            on,
            loss,
            seen: 0,
            over: false,
        }
    }

    /// Counts a command; what is lost of it, if anything.
    pub(super) fn next(&mut self, command: &str) -> Option<Loss> {
        let name = command.split(' ').next().unwrap_or_default();
        let writes = WRITES.contains(&name) && !command.starts_with(PROOF);
        if matches!(self.on, On::EveryWrite(_) | On::NextWrite) && !writes {
            return None;
        }
        self.seen += 1;
        let (meets, once) = match self.on {
            On::Nth(number) => (self.seen == number, true),
            On::Every(number) | On::EveryWrite(number) => (self.seen.is_multiple_of(number), false),
            On::NextWrite => (true, true),
            On::Named(wanted) => (name.eq_ignore_ascii_case(wanted), true),
        };
        if !meets || self.over {
            return None;
        }
        self.over = once;
        Some(self.loss)
    }
}
