//! A test of code that uses locks, without a server and without waiting: `cargo test --example in_tests`.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::time::Duration;

/// The code to be tested: runs the nightly job, unless another process does.
async fn nightly(locker: &tenure::Locker) -> Result<bool, tenure::ObtainError> {
    let wait = Duration::from_secs(3600);
    let Some(_lock) = locker.obtain("nightly").wait(wait).if_free().await? else {
        return Ok(false);
    };
    Ok(true)
}

#[tokio::main]
async fn main() -> Result<(), tenure::ObtainError> {
    println!("ran: {}", nightly(&tenure::tokio::memory()).await?);
    Ok(())
}

/// An hour of waiting takes no time on tokio's paused clock.
#[tokio::test(start_paused = true)]
async fn it_gives_up_when_another_process_has_it_all_the_time() {
    let server = tenure::tokio::Memory::new();
    let other = server.locker();
    let _held = other.obtain("nightly").await.expect("free");
    assert!(!nightly(&server.locker()).await.expect("an answer"));
}
