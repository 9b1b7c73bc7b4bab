//! What the tests of Tenure share: real servers that they own, a client and a proxy that are not Tenure's.
//!
//! Servers and raw clients are blocking and built on `std`, so that a test of any runtime can use them, and listen on 127.0.0.1.

pub mod canned;
pub mod child;
pub mod fuzz_targets;
pub mod history;
pub mod inside;
pub mod oracles;
mod ports;
pub mod proxy;
pub mod raw;
pub mod search;
pub mod servers;
pub mod suite;
mod tls;

pub use tenure_world::{laws, picture, schedule, trials, world};
