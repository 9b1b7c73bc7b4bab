//! Locks without a runtime: `cargo run --example blocking --features blocking [URL]`.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]

use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let locker = match std::env::args().nth(1) {
        Some(url) => tenure::blocking::connect(url)?,
        // A server within this process.
        None => tenure::blocking::memory(),
    };
    let lock = locker
        .obtain("nightly")
        .wait(Duration::from_secs(10))
        .block()?;
    lock.on_lost(|loss| eprintln!("stop working: {loss}"));
    println!("held for at least {:?}", lock.remaining());
    println!("{:?}", lock.release());
    Ok(())
}
