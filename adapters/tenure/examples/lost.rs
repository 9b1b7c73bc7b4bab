//! Stops work when its lock is lost: `cargo run --example lost`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Duration;

use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let locker = tenure::tokio::memory();
    // Nobody renews it, so it is lost while the work still runs.
    let ttl = Duration::from_millis(100);
    let lock = locker.obtain("nightly").ttl(ttl).manual().await?;
    tokio::select! {
        () = sleep(Duration::from_secs(60)) => println!("done"),
        loss = lock.lost() => println!("stopped: {loss}"),
    }
    Ok(())
}
