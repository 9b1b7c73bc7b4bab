//! A lock on a quorum of servers: `cargo run --example redlock URL URL URL`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use tenure::Servers;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    if urls.is_empty() {
        println!("give the URLs of three or five servers that share nothing");
        return Ok(());
    }
    // It connects as soon as a quorum is ready; the others follow.
    let locker = tenure::tokio::connect(Servers::quorum(urls)).await?;
    let lock = locker.obtain("nightly").await?;
    println!("held for at least {:?}", lock.remaining());
    lock.release().await;
    Ok(())
}
