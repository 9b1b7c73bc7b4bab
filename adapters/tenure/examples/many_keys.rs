//! Locks two accounts at once, so that transfers never deadlock: `cargo run --example many_keys`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Duration;

async fn transfer(locker: &tenure::Locker, from: &str, to: &str) -> Result<(), tenure::WithError> {
    let request = locker.obtain([from, to]).wait(Duration::from_secs(10));
    request
        .with(async |_| println!("from {from} to {to}"))
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let locker = tenure::tokio::memory();
    // In opposite orders: all or none of the keys are obtained, so neither waits for the other while it holds one.
    let (there, back) = tokio::join!(
        transfer(&locker, "alice", "bob"),
        transfer(&locker, "bob", "alice"),
    );
    there?;
    back?;
    Ok(())
}
