//! A lock in a cluster over a client of fred: `cargo run --features fred --example lent_fred_cluster HOST:PORT …`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use fred::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let nodes: Vec<String> = std::env::args().skip(1).collect();
    if nodes.is_empty() {
        println!("give the addresses of some nodes of a cluster");
        return Ok(());
    }
    work(&nodes).await
}

/// Locks two accounts at once.
pub async fn work(nodes: &[String]) -> Result<(), Box<dyn Error>> {
    let nodes = nodes.join("&node=");
    let config =
        Config::from_url(&format!("redis-cluster://{nodes}").replacen("&node", "?node", 1))?;
    let client = Builder::from_config(config)
        // The locker follows redirections itself.
        .with_connection_config(|config| config.max_redirections = 0)
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2))
        .build()?;
    client.init().await?;

    let locker = tenure::tokio::connect(tenure::client::fred::lend(&client)).await?;
    // The keys of one lock need the same tag.
    let lock = locker.obtain(["{bank}from", "{bank}to"]).await?;
    println!("held for at least {:?}", lock.remaining());
    lock.release().await;
    locker.close().await;
    client.quit().await?;
    Ok(())
}
