//! A lock over a client of redis-rs that you already have: `cargo run --features redis-rs --example lent_redis_rs URL`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use redis::aio::ConnectionManagerConfig;
use tenure::client::redis_rs::{Pushes, lend};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(url) => work(&url).await,
        None => {
            println!("give the URL of a server");
            Ok(())
        }
    }
}

/// Counts under a lock; the count goes over the same connection.
pub async fn work(url: &str) -> Result<(), Box<dyn Error>> {
    // Push messages, which need RESP3, report a lock that is free or lost.
    let pushes = Pushes::new();
    let config = ConnectionManagerConfig::new().set_push_sender(pushes.sender());
    let client = redis::Client::open(format!("{url}/?protocol=resp3"))?;
    let mut connection = client.get_connection_manager_with_config(config).await?;

    let locker = tenure::tokio::connect(lend(connection.clone()).pushes(pushes)).await?;
    let lock = locker.obtain("nightly").await?;
    let mut count = redis::cmd("INCR");
    let count: u64 = count.arg("nights").query_async(&mut connection).await?;
    println!("night {count}");
    lock.release().await;
    locker.close().await;
    Ok(())
}
