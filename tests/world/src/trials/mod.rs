//! Worlds without faults in which many contend: how promptly a free lock is obtained, and how fairly it goes round.

mod contest;
mod crowd;
mod goals;

pub use contest::{ARRANGEMENTS, Contest, Scores};
pub use crowd::Crowd;
pub use goals::{Goal, goals};
