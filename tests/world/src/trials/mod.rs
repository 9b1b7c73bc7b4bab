//! Worlds without faults in which many contend: how promptly a free lock is obtained, and how fairly it goes round.

mod crowd;

pub use crowd::Crowd;
