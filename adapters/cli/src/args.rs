//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Parser, Subcommand};
use tenure::Acks;

/// The hidden subcommand of the second process.
pub(crate) const WATCHDOG: &str = "__watchdog";

const RUN_HELP: &str = "\
The command starts when every KEY is obtained, in a process group of its own, with
  TENURE_KEY    the keys as given, one per line
  TENURE_TOKEN  the owner's token
  TENURE_RUN    names this run; processes that have it are ended with the command
  TENURE_FENCE  with --fence: a number that grows with each grant of the keys; else unset
in its environment. The lock is renewed while it runs and released when it ends.
Signals are passed on to its group.

When the lock is lost, or its lease is about to end without a renewal, the command and all
that it started get SIGTERM, and SIGKILL after --grace and before the lease ends: nobody
else can hold the lock earlier, unless the key was deleted. A small second process does
the same if tenure itself is killed or stopped (^Z stops it: nothing is renewed meanwhile).
When the command ends by itself the lock is released, and processes that it left in the
background go on without it.

Exit status:
  that of the command, or 128+n if signal n ended it
  64   bad usage
  69   too few servers can be reached, or they refuse, or reply too late for the ttl; or with
       --acks or --persisted too few replicas confirm
  70   the lock was lost while the command ran, or the release found it gone
  71   the operating system refused something
  75   not obtained: another client holds it
  126  the command cannot be run
  127  the command is not found

Examples:
  tenure run nightly -- ./backup.sh
  tenure run --ttl 30s --wait 5min deploy -- make deploy
  tenure run --quorum --url redis://a --url redis://b --url redis://c k -- ./job
  tenure run --read report -- ./show; tenure run --write report -- ./update
  tenure run --permits 3 --wait 1h api -- ./call
  tenure run --acks 1 --wait 1min deploy -- make deploy
  tenure run --fence k -- sh -c 'curl -T data -H \"Tenure-Fence: $TENURE_FENCE\" http://store'
  tenure run k -- sh -c 'echo \"$TENURE_TOKEN\"'";

const STATUS_HELP: &str = "\
Exit status: 0 held, 1 free, 64 bad usage, 69 too few servers can be reached.

Examples:
  tenure status nightly
  tenure status --json nightly | jq .remaining_ms";

const DEMO_HELP: &str = "\
Without --url it runs on an embedded server, without network. The exit status is 1 if any
two workers ever held the lock at once.

Examples:
  tenure demo
  tenure demo --workers 6 --seed 42
  tenure demo --url redis://127.0.0.1:6379";

const SERVE_HELP: &str = "\
Locks are kept in memory only, and are lost when it ends. Prints `listening on ADDRESS`
when it is ready. Ends on INT and TERM.

Examples:
  tenure serve
  tenure serve --listen 0.0.0.0:6399 --password-file /etc/tenure/password
  TENURE_URL=redis://127.0.0.1:6399 tenure run k -- ./job";

#[cfg(feature = "sim")]
const SIM_HELP: &str = "\
Runs about a minute in a simulated world, with the engine that ships: clients whose clocks
drift, links that lose and delay, servers that crash and forget. An oracle checks after every
step whether the promises of Tenure are kept. A schedule comes from a number, or from any
bytes; the same one gives the same log and the same picture everywhere.

Without --svg it prints the log, line by line, and then the verdict.

Exit status: 0 every promise was kept, 1 one was broken, 64 bad usage, 71 the operating
system refused something.

Examples:
  tenure sim --seed 7 | less
  tenure sim --seed 7 --svg out.svg
  tenure sim --seed 7 --svg out.svg --part 12.5..13
  tenure sim --file target/fuzz/crashes/world/crash-1 --svg out.svg";

/// Run a command while holding a distributed lock on Redis or Valkey.
#[derive(Parser, Debug)]
#[command(name = "tenure", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to log to standard error: a level, or a filter as in RUST_LOG
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a command while holding a lock
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Print who holds a key and for how long
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// Watch workers contend for one lock, crash and take over
    #[command(after_help = DEMO_HELP)]
    Demo(DemoArgs),
    /// Keep locks for the programs of this machine, without Redis
    #[command(after_help = SERVE_HELP)]
    Serve(ServeArgs),
    /// Run a simulated schedule, and print or draw it
    #[cfg(feature = "sim")]
    #[command(after_help = SIM_HELP)]
    Sim(SimArgs),
    /// Ends the group of a command whose `tenure run` has died. Started by `run`.
    #[command(name = WATCHDOG, hide = true)]
    Watchdog {
        /// The mark in the environment of every process of the run
        mark: String,
    },
}

/// Where the locks are kept.
#[derive(Args, Debug, Default)]
#[command(group(ArgGroup::new("arrangement").args(["quorum", "ordered"])))]
pub(crate) struct ServerArgs {
    /// A server; repeat it for more than one, which must differ [default: $TENURE_URL, or redis://127.0.0.1:6379]
    #[arg(long = "url", value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// More than one independent server, of which more than half must grant (Redlock)
    #[arg(long)]
    pub(crate) quorum: bool,
    /// More than one server, which must all grant, in the order given
    #[arg(long)]
    pub(crate) ordered: bool,
    /// A prefix for every key
    #[arg(long, value_name = "P")]
    pub(crate) prefix: Option<String>,
    /// PEM file with the certificates that verify rediss:// servers
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// Who must have a grant besides the server that gave it.
#[derive(Args, Copy, Clone, Debug, Default)]
#[group(multiple = false)]
pub(crate) struct AckArgs {
    /// Obtain and renew only what N replicas of the server confirm to have received, so that a failover to one of them keeps the
    /// lock. Not with --token
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) acks: Option<u32>,
    /// Obtain and renew only what the server and N of its replicas have written to their append-only files; with 0 only the server.
    /// Needs Redis 7.2, or Valkey. Not with --token
    #[arg(long, value_name = "N")]
    pub(crate) persisted: Option<u32>,
}

impl AckArgs {
    /// What they say, if one is given.
    pub(crate) fn acks(self) -> Option<Acks> {
        let received = self.acks.and_then(NonZeroU32::new).map(Acks::received);
        received.or_else(|| self.persisted.map(Acks::persisted))
    }
}

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) replicas: AckArgs,
    /// How long the servers keep the lock without a renewal
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) ttl: Duration,
    /// How long to wait for the current holder; 0s tries once
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
    pub(crate) wait: Duration,
    /// How long the command gets between SIGTERM and SIGKILL when the lock is lost; less than half
    /// of the ttl [default: 5s, at most a quarter of the ttl]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(crate) grace: Option<Duration>,
    /// Text that `tenure status` shows while the lock is held
    #[arg(long, value_name = "TEXT")]
    pub(crate) metadata: Option<String>,
    /// A token of your own instead of a random one. Runs with the same token share the lock
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// Give the command a number that grows with each grant, in TENURE_FENCE: whatever it writes to can refuse smaller ones.
    /// The servers need scripts
    #[arg(long)]
    pub(crate) fence: bool,
    /// Share the key with other runs that have --read; a run with --write, or with none of these, waits for all of them
    #[arg(long, group = "mode")]
    pub(crate) read: bool,
    /// Have the key alone, among runs with --read
    #[arg(long, group = "mode")]
    pub(crate) write: bool,
    /// Have the key alone, in the order in which runs with --in-turn came: the same as --write
    #[arg(long, group = "mode")]
    pub(crate) in_turn: bool,
    /// Share the key with at most N - 1 other runs that have --permits
    #[arg(long, group = "mode", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) permits: Option<u32>,
    /// The keys to lock, all or none
    #[arg(required = true, value_name = "KEY")]
    pub(crate) keys: Vec<String>,
    /// The command to run
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

impl RunArgs {
    /// The time between SIGTERM and SIGKILL. A renewal takes place after a third of the ttl, so with a grace of half of it or
    /// more, commands would be ended although their lock is being renewed.
    pub(crate) fn grace(&self) -> Result<Duration, crate::failure::Failure> {
        match self.grace {
            None => Ok(Duration::from_secs(5).min(self.ttl / 4)),
            Some(grace) if grace < self.ttl / 2 => Ok(grace),
            Some(grace) => Err(crate::failure::Failure::usage(format!(
                "--grace ({}) must be less than half of --ttl ({})",
                humantime::format_duration(grace),
                humantime::format_duration(self.ttl),
            ))),
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    /// Print one JSON object: key, held, shared, remaining_ms, token, metadata, fence
    #[arg(long)]
    pub(crate) json: bool,
    /// The key
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) servers: ServerArgs,
    #[command(flatten)]
    pub(crate) replicas: AckArgs,
    /// How many workers contend
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=16))]
    pub(crate) workers: u8,
    /// The seed of the workers' plans: the same number gives the same plans
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
}

#[cfg(feature = "sim")]
#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    /// The number of the schedule
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "file")]
    pub(crate) seed: u64,
    /// Read the schedule from this file; any bytes are one
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// If a promise is broken, leave out all steps that are not needed for that
    #[arg(long)]
    pub(crate) shrink: bool,
    /// Write a picture to this file instead of the log; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Draw only this part, larger, in seconds of the whole
    #[arg(long, value_name = "A..B", requires = "svg")]
    pub(crate) part: Option<tenure_world::picture::Part>,
}

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:6399")]
    pub(crate) listen: SocketAddr,
    /// Require the password on the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    fn run(args: &str) -> Result<RunArgs, clap::Error> {
        let args = ["tenure", "run"].into_iter().chain(args.split_whitespace());
        let cli = Cli::try_parse_from(args)?;
        let Command::Run(run) = cli.command else {
            panic!("{cli:?}");
        };
        Ok(run)
    }

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_has_keys_before_and_a_command_behind_the_dashes() {
        let args = run("a b --ttl 2s --wait 1min -- sh -c --ttl -- x").unwrap();
        assert_eq!(args.keys, ["a", "b"]);
        assert_eq!(args.command, ["sh", "-c", "--ttl", "--", "x"]);
        assert_eq!(args.ttl, Duration::from_secs(2));
        assert_eq!(args.wait, Duration::from_secs(60));
    }

    #[test]
    fn the_defaults_are_those_of_the_help() {
        let args = run("k -- true").unwrap();
        assert_eq!(args.ttl, Duration::from_secs(10));
        assert_eq!(args.wait, Duration::ZERO);
        assert_eq!(args.grace(), Ok(Duration::from_millis(2500)));
        assert_eq!(
            run("--ttl 1h k -- true").unwrap().grace(),
            Ok(Duration::from_secs(5))
        );
    }

    #[test]
    fn a_grace_fits_into_half_of_the_ttl() {
        let grace = |args| run(args).unwrap().grace();
        assert_eq!(
            grace("--ttl 10s --grace 4999ms k -- true"),
            Ok(Duration::from_millis(4999))
        );
        let failure = grace("--ttl 10s --grace 5s k -- true").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        for args in [
            "-- true",
            "k",
            "k --",
            "k true",
            "--ttl soon k -- true",
            "--quorum --ordered k -- true",
            "--colour k -- true",
            "--acks 1 --persisted 1 k -- true",
            "--acks 0 k -- true",
            "--acks -1 k -- true",
            "--acks one k -- true",
            "--acks 4294967296 k -- true",
            "--persisted -1 k -- true",
        ] {
            assert!(run(args).is_err(), "{args}");
        }
    }

    #[test]
    fn replicas_confirm_by_memory_or_by_disk() {
        let acks = |args: &str| run(args).unwrap().replicas.acks();
        assert_eq!(acks("k -- true"), None);
        let two = NonZeroU32::new(2).unwrap();
        assert_eq!(acks("--acks 2 k -- true"), Some(Acks::received(two)));
        for replicas in [0, 2] {
            let args = format!("--persisted {replicas} k -- true");
            assert_eq!(acks(&args), Some(Acks::persisted(replicas)));
        }
    }
}
