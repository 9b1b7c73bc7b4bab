//! Obtains a lock, works, and releases it: `cargo run --example simplest [URL]`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let locker = match std::env::args().nth(1) {
        Some(url) => tenure::tokio::connect(url).await?,
        // A server within this process.
        None => tenure::tokio::memory(),
    };
    let lock = locker
        .obtain("nightly")
        .ttl(Duration::from_secs(30))
        .wait(Duration::from_secs(10))
        .await?;
    println!("held for at least {:?}", lock.remaining());
    println!("{:?}", lock.release().await);
    locker.close().await;
    Ok(())
}
