//! Three workers take turns: `cargo run --example waiting`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = tenure::tokio::Memory::new();
    let workers: Vec<_> = (1..=3)
        .map(|worker| {
            let locker = server.locker();
            tokio::spawn(async move {
                let request = locker.obtain("nightly").wait(Duration::from_secs(60));
                let lock = request.await.expect("the others release it soon");
                println!("worker {worker} has it");
                tokio::time::sleep(Duration::from_millis(50)).await;
                lock.release().await;
            })
        })
        .collect();
    for worker in workers {
        worker.await?;
    }
    Ok(())
}
