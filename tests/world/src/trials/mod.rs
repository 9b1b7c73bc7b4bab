//! Worlds without faults in which many contend: how promptly a free lock is obtained, and how fairly it goes round. And the
//! steps of tests about single locks.

mod contest;
mod goals;
mod many_locks;
pub mod single_locks;

pub use contest::{ARRANGEMENTS, Contest, Scores};
pub use goals::{Goal, goals};
pub use many_locks::ManyLocks;
