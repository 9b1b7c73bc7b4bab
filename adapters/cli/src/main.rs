//! The `tenure` program: run a command under a distributed lock.

mod args;
mod clock;
mod demo;
mod failure;
mod output;
mod run;
mod serve;
mod servers;
#[cfg(feature = "sim")]
mod sim;
mod status;
mod sys;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use crate::args::{Cli, Command};
use crate::failure::{Exit, Failure, Outcome};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to do if not even this can be printed.
            let _ = error.print();
            return code(if error.use_stderr() {
                Exit::Usage as u8
            } else {
                0
            });
        }
    };
    // Before there is any thread: it blocks signals, and threads inherit that.
    if let Command::Watchdog { mark } = cli.command {
        run::watchdog(mark);
        return code(0);
    }
    let status = match log(cli.log.as_deref()).and_then(|()| dispatch(cli.command)) {
        Ok(status) => status,
        Err(failure) => {
            output::say(&failure.message);
            failure.exit as u8
        }
    };
    output::flush();
    code(status)
}

fn code(status: u8) -> ExitCode {
    // Not `exit`: what is still held is released by its destructors first.
    ExitCode::from(status)
}

fn dispatch(command: Command) -> Outcome {
    // One thread is enough for one lock, and signal masks and terminals want no others.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::system("cannot start", error))?;
    let outcome = match command {
        Command::Run(args) => runtime.block_on(run::run(args)),
        Command::Status(args) => runtime.block_on(status::status(args)),
        Command::Demo(args) => runtime.block_on(demo::demo(args)),
        Command::Serve(args) => runtime.block_on(serve::serve(args)),
        #[cfg(feature = "sim")]
        Command::Sim(args) => sim::sim(&args),
        Command::Watchdog { .. } => Ok(0),
    };
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    outcome
}

/// Logs to standard error what `--log` says, else `RUST_LOG`, else nothing but errors: what matters is said by
/// [`output::say`].
fn log(filter: Option<&str>) -> Result<(), Failure> {
    let filter = match filter {
        Some(filter) => EnvFilter::try_new(filter)
            .map_err(|error| Failure::usage(format!("--log {filter}: {error}")))?,
        None => EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error")),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_writer(|| output::Log)
        .init();
    Ok(())
}
